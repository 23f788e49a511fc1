"""Tags of a stage, in the request to CloudFormation."""

from typing import Any

import pytest
from botocore.exceptions import ClientError

from infra.deploy.stack import Stack
from infra.deploy.target import Progress, Target


class _RequestMade(Exception):  # noqa: N818 - no error
    """The change set is asked for: its parameters."""


class _CloudFormation:
    """A client of an account without stacks."""

    def describe_stacks(self, **_: Any) -> None:
        raise ClientError({"Error": {"Code": "ValidationError", "Message": "it does not exist"}}, "DescribeStacks")

    def create_change_set(self, **request: Any) -> None:
        raise _RequestMade(request)


@pytest.mark.parametrize(
    ("tags", "sent"), [({"team": "judging"}, [{"Key": "team", "Value": "judging"}]), ({}, None), (None, None)]
)
def test_a_stack_gets_its_tags_and_without_any_keeps_those_of_before(
    monkeypatch: pytest.MonkeyPatch, tags: dict[str, str] | None, sent: Any
) -> None:
    monkeypatch.setattr(Target, "client", lambda *_, **__: _CloudFormation())
    with pytest.raises(_RequestMade) as made:
        Stack(Target("dev", "us-east-1", None), Progress()).deploy("https://code/template.json", {}, tags)
    assert made.value.args[0].get("Tags") == sent
