"""Secrets of a project: set, shown without their values, and sealed on their way to the runner."""

from typing import Any

import pytest
from botocore.exceptions import ClientError

from events.message import to_shape
from events.network import NetworkSecret
from functions.aws.clients import Clients
from functions.handlers import submit, sweep
from functions.projects.model import NetworkAccess, Project, ProjectNetwork
from functions.projects.store import KeyStore, ProjectStore
from functions.submissions.store import SubmissionStore
from functions.submissions.sweeper import Sweep
from tests.adapters.aws_account import PROJECT_ID, Aws
from tests.adapters.http_calls import Answer, post, send
from tests.adapters.pipeline import logged
from tests.submission_factory import GENEROUS

VALUE = "ghp_0123456789abcdef"
SECRET: dict[str, Any] = {"value": VALUE, "host": "API.github.com", "as": "bearer"}
PROGRAM = {"language": "python", "code": "print(1)", "profile": "agent", "network": {"secrets": ["github"]}}


@pytest.fixture(autouse=True)
def reach_public_hosts(aws: Aws, project_key: str) -> None:
    store = ProjectStore(aws.names["ProjectsTable"], Clients.dynamodb())
    network = ProjectNetwork(NetworkAccess.PUBLIC)
    store.create_project(Project(PROJECT_ID, "Tests", quotas=GENEROUS, network=network))


def put(key: str, name: str = "github", **changes: Any) -> Answer:
    return send(key, "PUT", f"/api/secrets/{name}", {**SECRET, **changes})


def key_with(aws: Aws, *rights: str) -> str:
    issued = KeyStore(aws.names["ProjectsTable"], Clients.dynamodb()).issue(PROJECT_ID, rights=rights)
    assert issued is not None
    return issued[1]


def test_a_secret_is_shown_without_its_value(aws: Aws, project_key: str) -> None:
    answer = put(project_key, methods=["GET", "GET"], paths=["/repos"])
    assert answer.status == 200
    shown = answer.json
    assert shown.pop("created_at") == shown.pop("updated_at")
    assert shown == {
        "name": "github",
        "host": "api.github.com:443",
        "as": "bearer",
        "methods": ["GET"],
        "paths": ["/repos"],
        "url": "http://github.secrets.rustbox.internal",
        "variable": "RUSTBOX_SECRET_GITHUB_URL",
        "last_used_at": None,
    }
    assert send(project_key, "GET", "/api/secrets").json["items"] == [answer.json]
    assert send(project_key, "GET", "/api/secrets/github").json["name"] == "github"
    assert VALUE not in str(aws.items("DeliveriesTable"))


def test_no_log_has_a_value(project_key: str, caplog: pytest.LogCaptureFixture) -> None:
    put(project_key)
    put(project_key, value="wr0ng\nvalue-of-a-secret")
    send(project_key, "DELETE", "/api/secrets/github")
    assert "Secret set" in logged(caplog)
    assert VALUE not in logged(caplog)
    assert "wr0ng" not in logged(caplog)


def test_a_replaced_secret_keeps_the_time_of_its_creation(project_key: str) -> None:
    first = put(project_key).json
    changes: dict[str, Any] = {"host": "api.example.com:8443", "as": {"header": "X-Key"}}
    second = put(project_key, **changes).json
    assert (second["created_at"], second["host"]) == (first["created_at"], "api.example.com:8443")
    assert second["as"] == {"header": "X-Key"}


def test_a_deleted_secret_is_gone(project_key: str) -> None:
    put(project_key)
    assert send(project_key, "DELETE", "/api/secrets/github").json == {"name": "github", "deleted": True}
    assert send(project_key, "DELETE", "/api/secrets/github").status == 404
    assert send(project_key, "GET", "/api/secrets/github").status == 404
    assert send(project_key, "GET", "/api/secrets").json["items"] == []


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"value": "short"}, "value"),
        ({"value": "x" * 2_049}, "value"),
        ({"value": "with\nnewline"}, "value"),
        ({"value": "ümlaut-value"}, "value"),
        ({"value": None}, "value"),
        ({"host": "*.github.com"}, "host"),
        ({"host": "127.0.0.1"}, "host"),
        ({"host": "https://api.github.com"}, "host"),
        ({"host": "x.secrets.rustbox.internal"}, "host"),
        ({"host": "rustbox.internal"}, "host"),
        ({"as": "basic"}, "value"),
        ({"as": "digest"}, "as"),
        ({"as": {"header": "Host"}}, "as"),
        ({"as": {"header": "Content-Length"}}, "as"),
        ({"as": {"header": "X Key"}}, "as"),
        ({"as": {"query": "a&b"}}, "as"),
        ({"as": {"header": "A", "query": "b"}}, "as"),
        ({"methods": ["get"]}, "methods[0]"),
        ({"methods": ["GET"] * 17}, "methods"),
        ({"paths": ["repos"]}, "paths[0]"),
        ({"paths": ["/a/../b"]}, "paths"),
        ({"paths": ["/a//b"]}, "paths"),
        ({"paths": ["/a?b"]}, "paths[0]"),
        ({"scheme": "http"}, "scheme"),
    ],
)
def test_a_wrong_field_is_named(aws: Aws, project_key: str, changes: dict[str, Any], field: str) -> None:
    answer = put(project_key, **changes)
    assert answer.status == 422, answer.json
    assert {problem["field"].split(".")[0] for problem in answer.json["fields"]} == {field}
    assert not aws.items("DeliveriesTable")


@pytest.mark.parametrize("name", ["A", "a_b", "-a", "a-", "a" * 41, "a" * 1_100, "a.b", "9a"])
def test_a_wrong_name_is_refused(project_key: str, name: str) -> None:
    assert put(project_key, name).status == 400
    assert [send(project_key, method, f"/api/secrets/{name}").status for method in ("GET", "DELETE")] == [404, 404]


def test_a_host_that_the_project_may_not_reach_is_forbidden(aws: Aws, project_key: str) -> None:
    store = ProjectStore(aws.names["ProjectsTable"], Clients.dynamodb())
    network = ProjectNetwork(NetworkAccess.LISTED, ("api.example.com:443",))
    store.create_project(Project(PROJECT_ID, "Tests", quotas=GENEROUS, network=network))
    answer = put(project_key)
    assert (answer.status, [problem["field"] for problem in answer.json["fields"]]) == (403, ["host"])
    assert put(project_key, host="api.example.com").status == 200


def test_a_project_has_50_secrets(project_key: str) -> None:
    for number in range(50):
        assert put(project_key, f"s{number}").status == 200
    assert put(project_key, "one-more").status == 409
    assert put(project_key, "s1").status == 200


def sealed_in(message: dict[str, Any]) -> NetworkSecret:
    (secret,) = message["secrets"]
    return to_shape(secret, NetworkSecret)


def opened(secret: NetworkSecret, project_id: str = PROJECT_ID) -> str:
    found = Clients.kms().decrypt(CiphertextBlob=secret.box, EncryptionContext=secret.context(project_id))
    return found["Plaintext"].decode()


def test_a_run_takes_its_secret_sealed_in_a_message_of_version_4(aws: Aws, project_key: str) -> None:
    put(project_key, paths=["/repos"])
    assert post(project_key, PROGRAM).status == 202
    (message,) = aws.messages("NetworkQueue")
    assert (message["version"], message.get("network")) == (4, None)
    secret = sealed_in(message)
    assert opened(secret) == VALUE
    assert VALUE not in str(message)
    assert VALUE not in str(aws.items("SubmissionsTable"))


@pytest.mark.parametrize(
    "changes",
    [
        {"host": "evil.example"},
        {"port": 8443},
        {"placement": "query", "parameter": "key"},
        {"paths": None},
        {"methods": ("POST",)},
        {"name": "other"},
    ],
)
def test_a_box_opens_for_its_own_host_and_rules_only(aws: Aws, project_key: str, changes: dict[str, Any]) -> None:
    put(project_key, paths=["/repos"])
    post(project_key, PROGRAM)
    secret = sealed_in(aws.messages("NetworkQueue")[0])
    with pytest.raises(ClientError, match="InvalidCiphertext"):
        opened(secret.changed(**changes))
    with pytest.raises(ClientError, match="InvalidCiphertext"):
        opened(secret, "another-project")


def test_a_lost_run_is_sent_again_with_the_secret_that_it_began_with(aws: Aws, project_key: str) -> None:
    put(project_key)
    submission_id = post(project_key, PROGRAM).json["id"]
    (first,) = aws.messages("NetworkQueue")
    send(project_key, "DELETE", "/api/secrets/github")
    row = submit.ENV[SubmissionStore].get(submission_id)
    assert row is not None
    aws.environment("SweepFunction")
    Sweep(sweep.ENV)._send_again(row, row.execution_id, row.due_at_ms or 0, row.due_at_ms or 0)
    (again,) = aws.messages("NetworkQueue")
    assert again["secrets"] == first["secrets"]


def test_a_secret_that_does_not_exist_starts_nothing(aws: Aws, project_key: str) -> None:
    answer = post(project_key, PROGRAM)
    assert (answer.status, [problem["field"] for problem in answer.json["fields"]]) == (422, ["network.secrets[0]"])
    assert "rustbox secrets set" in answer.json["message"] + str(answer.json["fields"])
    assert not aws.messages("NetworkQueue")
    assert not aws.items("SubmissionsTable")


@pytest.mark.parametrize(
    ("network", "field"),
    [
        ({}, "network"),
        ({"secrets": []}, "network.secrets"),
        ({"secrets": ["github", "github"]}, "network.secrets"),
        ({"secrets": ["Bad"]}, "network.secrets[0]"),
        ({"secrets": [f"s{number}" for number in range(9)]}, "network.secrets"),
        ({"allow": ["github.secrets.rustbox.internal"]}, "network.allow[0]"),
    ],
)
def test_a_wrong_network_is_named(project_key: str, network: Any, field: str) -> None:
    put(project_key)
    answer = post(project_key, {**PROGRAM, "network": network})
    assert (answer.status, [problem["field"] for problem in answer.json["fields"]]) == (422, [field])


def test_only_the_agent_profile_has_secrets(project_key: str) -> None:
    put(project_key)
    assert post(project_key, {**PROGRAM, "profile": "judge"}).status == 422


def test_another_project_neither_sees_nor_uses_a_secret(aws: Aws, project_key: str) -> None:
    put(project_key)
    network = ProjectNetwork(NetworkAccess.PUBLIC)
    store = ProjectStore(aws.names["ProjectsTable"], Clients.dynamodb())
    store.create_project(Project("another-project", "Another", quotas=GENEROUS, network=network))
    issued = KeyStore(aws.names["ProjectsTable"], Clients.dynamodb()).issue("another-project")
    assert issued is not None
    other_key = issued[1]
    assert send(other_key, "GET", "/api/secrets").json["items"] == []
    assert send(other_key, "GET", "/api/secrets/github").status == 404
    assert send(other_key, "DELETE", "/api/secrets/github").status == 404
    assert post(other_key, {**PROGRAM, "network": {"secrets": ["github"]}}).status == 422


def test_a_key_needs_the_right_to_use_a_secret(aws: Aws, project_key: str) -> None:
    put(project_key)
    for rights, status in (("run",), 403), (("run", "read"), 403), (("run", "secrets"), 202):
        assert post(key_with(aws, *rights), PROGRAM).status == status
    assert put(key_with(aws, "run", "read")).status == 403
    assert send(key_with(aws, "read"), "GET", "/api/secrets").status == 200
    assert send(key_with(aws, "run"), "GET", "/api/secrets").status == 403


def test_a_use_is_noted_to_the_minute(project_key: str) -> None:
    put(project_key)
    post(project_key, PROGRAM)
    first = send(project_key, "GET", "/api/secrets/github").json["last_used_at"]
    post(project_key, PROGRAM)
    assert first is not None
    assert send(project_key, "GET", "/api/secrets/github").json["last_used_at"] == first


def test_each_change_of_a_secret_is_in_the_log_of_changes_without_its_value(aws: Aws, project_key: str) -> None:
    put(project_key)
    put(project_key, host="api.example.com", value="another-value-of-tests")
    send(project_key, "DELETE", "/api/secrets/github")
    events = send(project_key, "GET", "/api/events", query={"type": "project.changed"}).json["items"]
    changes = [(event["data"]["action"], event["data"]["subject"]) for event in reversed(events)]
    assert changes == [("secret.set", "github"), ("secret.set", "github"), ("secret.deleted", "github")]
    second = events[1]["data"]
    assert (second["before"]["host"], second["after"]["host"]) == ("api.github.com:443", "api.example.com:443")
    assert VALUE not in str(events)
    assert "another-value" not in str(events) + str(aws.items("DeliveriesTable"))


def test_the_names_belong_to_the_meaning_of_a_request(project_key: str) -> None:
    put(project_key)
    put(project_key, "other")
    first = post(project_key, PROGRAM, idempotency_key="key")
    assert post(project_key, PROGRAM, idempotency_key="key").json["id"] == first.json["id"]
    assert post(project_key, {**PROGRAM, "network": {"secrets": ["other"]}}, idempotency_key="key").status == 409


def test_a_key_without_the_right_changes_no_program_of_a_check_that_uses_a_secret(aws: Aws, project_key: str) -> None:
    put(project_key)
    key = key_with(aws, "checks")
    check = {"name": "totals", "language": "python", "code": "print(1)", "network": {"secrets": ["github"]}}
    assert send(key, "POST", "/api/checks", check).status == 403
    path = f"/api/checks/{send(project_key, 'POST', '/api/checks', check).json['id']}"
    other_program: dict[str, Any]
    for other_program in {"code": "print(2)"}, {"stdin": "2"}, {"files": [{"path": "a", "content": "2"}]}:
        refused = send(key, "PATCH", path, other_program)
        assert (refused.status, [problem["field"] for problem in refused.json["fields"]]) == (403, ["network.secrets"])
        assert send(key, "POST", "/api/checks/validate", other_program, query={"id": path[-36:]}).status == 403
    assert send(key, "PATCH", path, {"schedule": "rate(1 hour)", "code": "print(1)"}).status == 200
    assert send(project_key, "PATCH", path, {"code": "print(2)"}).status == 200
    assert send(key, "PATCH", path, {"code": "print(3)", "network": None}).status == 200
