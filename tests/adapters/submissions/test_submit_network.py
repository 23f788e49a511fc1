"""Runs with network: what a request may name, its queue, its message, and the bytes of its project."""

import json
from dataclasses import replace
from typing import Any

import pytest

from events.requested import ExecutionRequested
from events.runner import RunnerHeartbeat
from functions.aws.clients import Clients
from functions.clock import MS_PER_SEC, now_ms
from functions.projects.model import DAY_MS, NetworkAccess, Project, ProjectNetwork
from functions.projects.quota_store import MIB
from functions.projects.store import ProjectStore
from functions.submissions.runners.store import RunnerStore
from tests.adapters.aws_account import PROJECT_ID, Aws
from tests.adapters.http_calls import post, send
from tests.adapters.pipeline import Pipeline
from tests.submission_factory import EVENTS, GENEROUS, golden

PUBLIC = ProjectNetwork(NetworkAccess.PUBLIC)
BODY = {
    "language": "python",
    "code": "print(42)",
    "profile": "agent",
    "network": {"allow": ["API.example.com", "*.example.org:8443"]},
}


def use_network(aws: Aws, network: ProjectNetwork) -> None:
    """Set the network of the project. A key is cached for three seconds, so call it before the first request."""
    store = ProjectStore(aws.names["ProjectsTable"], Clients.dynamodb())
    store.create_project(Project(PROJECT_ID, "Tests", quotas=GENEROUS, network=network))


def nothing_was_accepted(aws: Aws) -> bool:
    return not aws.items("SubmissionsTable") and not aws.items("QuotasTable") and not aws.messages("NetworkQueue")


def count_bytes(aws: Aws, used: int, project_id: str = PROJECT_ID) -> None:
    """Count bytes in the day, as the end of a run does."""
    key = {"pk": {"S": f"PROJECT#{project_id}"}, "sk": {"S": f"QUOTA#network#{now_ms() // DAY_MS}"}}
    Clients.dynamodb().put_item(TableName=aws.names["QuotasTable"], Item=key | {"bytes": {"N": str(used)}})


def test_a_run_with_network_is_version_2_in_a_queue_of_its_own(aws: Aws, project_key: str) -> None:
    use_network(aws, PUBLIC)
    accepted = post(project_key, BODY)
    assert accepted.status == 202
    (message,) = aws.messages("NetworkQueue")
    assert (message["submission_id"], message["version"]) == (accepted.json["id"], 2)
    allowed = [{"name": "*.example.org", "port": 8443}, {"name": "api.example.com", "port": 443}]
    assert message["network"] == {"allow": allowed}
    assert not aws.messages("BatchQueue")
    assert post(project_key, {**BODY, "network": None}).status == 202
    (other,) = aws.messages("BatchQueue")
    assert other["version"] == 1
    assert "network" not in other


def test_each_wrong_entry_is_named_with_its_reason(aws: Aws, project_key: str) -> None:
    use_network(aws, PUBLIC)
    answer = post(project_key, {**BODY, "network": {"allow": ["127.0.0.1", "api.example.com", "a_b.example", 7]}})
    assert answer.status == 422
    problems = {one["field"]: one["message"] for one in answer.json["fields"]}
    assert problems.keys() == {"network.allow[0]", "network.allow[2]", "network.allow[3]"}
    assert problems["network.allow[0]"].startswith("An address is not allowed: programs reach hosts by name only.")
    assert problems["network.allow[2]"] == "A host name has no underscore."
    assert nothing_was_accepted(aws)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"network": {"allow": []}}, "network.allow"),
        ({"network": {"allow": [f"a{number}.example" for number in range(33)]}}, "network.allow"),
        ({"network": {"allow": "api.example.com"}}, "network.allow"),
        ({"network": {}}, "network"),
        ({"network": []}, "network"),
        ({"network": {"allow": ["a.example"], "deny": []}}, "network.deny"),
        ({"profile": "judge"}, "network"),
        ({"profile": None}, "network"),
    ],
    ids=str,
)
def test_a_wrong_network_is_refused(aws: Aws, project_key: str, changes: dict[str, Any], field: str) -> None:
    use_network(aws, PUBLIC)
    answer = post(project_key, BODY | changes)
    assert (answer.status, [one["field"] for one in answer.json["fields"]]) == (422, [field])
    assert nothing_was_accepted(aws)


def test_a_judge_run_with_network_is_refused_with_the_way_out(aws: Aws, project_key: str) -> None:
    use_network(aws, PUBLIC)
    answer = send(project_key, "POST", "/api/judge", {**BODY, "cases": [{"stdin": "1"}]})
    assert answer.status == 422
    (problem,) = answer.json["fields"]
    assert (problem["field"], "POST /api/submit" in problem["message"]) == ("network", True)
    assert nothing_was_accepted(aws)


def test_a_new_project_reaches_nothing(aws: Aws, project_key: str) -> None:
    answer = post(project_key, BODY)
    assert (answer.status, answer.json["error"]) == (403, "forbidden")
    assert "may not reach *.example.org:8443, api.example.com:443." in answer.json["message"]
    assert nothing_was_accepted(aws)


def test_a_request_beyond_the_projects_list_names_what_is_missing(aws: Aws, project_key: str) -> None:
    use_network(aws, ProjectNetwork(NetworkAccess.LISTED, ("api.example.com:443",)))
    answer = post(project_key, BODY)
    assert answer.status == 403
    assert "*.example.org:8443" in answer.json["message"]
    assert "api.example.com" not in answer.json["message"]
    assert post(project_key, {**BODY, "network": {"allow": ["api.example.com"]}}).status == 202


def test_an_idempotency_key_covers_the_network(aws: Aws, project_key: str) -> None:
    use_network(aws, PUBLIC)
    first = post(project_key, BODY, idempotency_key="key")
    same = {**BODY, "network": {"allow": ["*.example.org:8443", "api.example.com:443", "api.example.com"]}}
    assert post(project_key, same, idempotency_key="key").json["id"] == first.json["id"]
    other = {**BODY, "network": {"allow": ["api.example.com"]}}
    assert post(project_key, other, idempotency_key="key").status == 409
    assert post(project_key, {**BODY, "network": None}, idempotency_key="key").status == 409


def test_without_a_runner_that_takes_it_a_run_with_network_is_refused(aws: Aws, project_key: str) -> None:
    use_network(aws, PUBLIC)
    heartbeat = RunnerHeartbeat.parse((EVENTS / "runner_heartbeat" / "v1.strict.json").read_text())
    unable = heartbeat.changed(sent_at="2099-01-01T00:00:00.000Z", network_support=False)
    runners = RunnerStore(aws.names["RunnersTable"], Clients.dynamodb())
    runners.put_heartbeat(unable)
    answer = post(project_key, BODY)
    assert (answer.status, answer.headers["retry-after"]) == (503, "60")
    assert "No runner takes runs with network" in answer.json["message"]
    assert nothing_was_accepted(aws)
    runners.put_heartbeat(unable.changed(node_id="other", network_support=True))
    assert {group.heartbeat.network_support for group in runners.list_groups()} == {False, True}


def test_a_project_whose_bytes_are_used_up_gets_429_and_others_go_on(aws: Aws, project_key: str) -> None:
    use_network(aws, replace(PUBLIC, mb_per_day=1))
    count_bytes(aws, MIB - 1)
    accepted = post(project_key, BODY, idempotency_key="key")
    assert accepted.status == 202
    count_bytes(aws, MIB)
    refused = post(project_key, BODY)
    assert (refused.status, refused.json["error"]) == (429, "rate_limited")
    assert (refused.headers["ratelimit-limit"], refused.headers["ratelimit-remaining"]) == (str(MIB), "0")
    assert 0 < int(refused.headers["retry-after"]) <= DAY_MS // MS_PER_SEC
    assert refused.headers["retry-after"] == refused.headers["ratelimit-reset"]
    # A repeat is free, and a run without network needs no bytes.
    assert post(project_key, BODY, idempotency_key="key").json["id"] == accepted.json["id"]
    assert post(project_key, {**BODY, "network": None}).status == 202
    store = ProjectStore(aws.names["ProjectsTable"], Clients.dynamodb())
    store.create_project(Project("other", "Other", quotas=GENEROUS, network=replace(PUBLIC, mb_per_day=1)))
    assert post(store.issue_key("other"), BODY).status == 202


def day_bytes(pipeline: Pipeline) -> dict[str, int]:
    items = [item for item in pipeline.aws.items("QuotasTable") if item["sk"]["S"].startswith("QUOTA#network#")]
    return {item["sk"]["S"].rpartition("#")[2]: int(item["bytes"]["N"]) for item in items}


def test_the_end_of_a_run_counts_its_bytes_once(pipeline: Pipeline) -> None:
    used = golden("execution_completed/v1.network")["evidence"]["network_bytes"]
    submission = pipeline.submit(network=("api.example.com:443",), profile="agent", priority="network")
    text = pipeline.completed(submission, "network")
    assert pipeline.record(text) == pipeline.record(text) == []
    day = pipeline.time() // DAY_MS
    assert day_bytes(pipeline) == {str(day): used}
    assert pipeline.row(submission).evidence == golden("execution_completed/v1.network")["evidence"]


def test_bytes_of_a_run_without_network_are_not_counted(pipeline: Pipeline) -> None:
    submission = pipeline.submit()
    assert pipeline.record(pipeline.completed(submission, "network")) == []
    assert day_bytes(pipeline) == {}


def test_a_lost_message_is_sent_again_with_its_network(pipeline: Pipeline) -> None:
    pipeline.submit(network=("api.example.com:443",), profile="agent", priority="network")
    assert pipeline.sweep(after_secs=121) == {"handled": 1, "failed": 0}
    (message,) = pipeline.aws.messages("NetworkQueue")
    again = ExecutionRequested.parse(json.dumps(message))
    assert again.network is not None
    assert again.network.entries == ("api.example.com:443",)
