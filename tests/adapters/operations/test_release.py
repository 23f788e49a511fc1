"""The call before a version gets traffic: a zip that cannot use its stage fails it."""

from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from functions.aws.clients import Clients
from functions.handlers import release
from tests.adapters.aws_account import Aws

CONTEXT: Any = SimpleNamespace(aws_request_id="a-request")
EVENT = {"DeploymentId": "d-1", "LifecycleEventHookExecutionId": "e-1"}


@pytest.fixture
def told(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> list[dict[str, str]]:
    """What CodeDeploy is told."""
    aws.environment("ReleaseFunction")
    release.ENV.forget()
    calls: list[dict[str, str]] = []
    client = SimpleNamespace(put_lifecycle_event_hook_execution_status=lambda **call: calls.append(call))
    monkeypatch.setattr(Clients, "codedeploy", staticmethod(lambda: client))
    return calls


def test_a_zip_that_can_use_its_stage_succeeds_and_leaves_nothing(told: list[dict[str, str]], aws: Aws) -> None:
    assert release.handler(EVENT, CONTEXT) == {"status": "Succeeded"}
    assert told == [{"deploymentId": "d-1", "lifecycleEventHookExecutionId": "e-1", "status": "Succeeded"}]
    assert aws.items("RunnersTable") == []
    assert aws.client("s3").list_objects_v2(Bucket=aws.names["PayloadsBucket"]).get("Contents", []) == []


@pytest.mark.parametrize(
    ("client", "call"),
    [
        ("s3", "put_object"),
        ("s3", "get_object"),
        ("s3", "delete_object"),
        ("dynamodb", "put_item"),
        ("dynamodb", "get_item"),
        ("dynamodb", "delete_item"),
        ("kms", "encrypt"),
        ("kms", "decrypt"),
        ("sqs", "get_queue_attributes"),
    ],
)
def test_each_call_that_fails_is_told_to_codedeploy(
    told: list[dict[str, str]], monkeypatch: pytest.MonkeyPatch, client: str, call: str
) -> None:
    def refused(**_: object) -> None:
        raise ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, call)

    monkeypatch.setattr(getattr(Clients, client)(), call, refused)
    assert release.handler(EVENT, CONTEXT) == {"status": "Failed"}
    assert [item["status"] for item in told] == ["Failed"]


def test_an_entry_point_that_cannot_be_imported_is_told_to_codedeploy(
    told: list[dict[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(name: str) -> None:
        if name.endswith(".sweep"):
            raise ModuleNotFoundError("No module named 'msgspec'")

    monkeypatch.setattr("functions.handlers.release.importlib.import_module", broken)
    assert release.handler(EVENT, CONTEXT) == {"status": "Failed"}
    assert [item["status"] for item in told] == ["Failed"]
