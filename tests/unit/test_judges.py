"""Which findings of the judges a template accepts."""

from typing import Any

import pytest

from infra.judges.exceptions import Finding, judge

TABLE: dict[str, Any] = {"Type": "AWS::DynamoDB::Table"}


def _found(rule: str, place: str = "Table", template: str = "one") -> Finding:
    return Finding("checkov", template, place, rule, "text")


def _template(accepted: dict[str, Any], head: dict[str, Any] | None = None) -> dict[str, Any]:
    return {"Metadata": {"accepted": head or {}}, "Resources": {"Table": TABLE | {"Metadata": {"accepted": accepted}}}}


def test_a_finding_without_an_exception_is_open() -> None:
    judged = judge("one", _template({}), [_found("CKV_1"), _found("CKV_1", template="two")])
    assert (judged.open, judged.accepted, judged.is_open) == ([_found("CKV_1")], [], True)


@pytest.mark.parametrize("place", ["Table", "AWS::DynamoDB::Table"])
def test_an_exception_of_the_resource_or_its_type_accepts_one_rule(place: str) -> None:
    reason = {"CKV_1": "Rows count again within a minute."}
    template = _template(reason) if place == "Table" else _template({}, {place: reason})
    assert not judge("one", template, [_found("CKV_1")]).is_open
    assert judge("one", template, [_found("CKV_1"), _found("CKV_2")]).open == [_found("CKV_2")]


def test_an_exception_that_nothing_needs_and_one_without_a_reason_are_errors() -> None:
    judged = judge("one", _template({"CKV_1": "Rows count again within a minute.", "CKV_2": ""}), [_found("CKV_2")])
    assert judged.idle == [
        "one: Table accepts CKV_1, which no judge finds: delete it",
        "one: Table accepts CKV_2 without a reason",
    ]


def test_an_exception_for_the_keys_of_a_bucket_accepts_no_other_resource() -> None:
    template = _template({"IAM5[Resource::<Bucket.Arn>/]": "The keys of a folder are random."})
    own = [_found("IAM5[Resource::<Bucket.Arn>/files/*]"), _found("IAM5[Resource::<Bucket.Arn>/live/*]")]
    others = [_found("IAM5[Resource::*]"), _found("IAM5[Resource::<Other.Arn>/files/*]"), _found("IAM5[Action::s3:*]")]
    judged = judge("one", template, own + others)
    assert (judged.accepted, judged.open) == (own, others)
