"""Trace, redrive and purge over the administrator's API."""

import json

import pytest

from functions.checks.runs.run import RunKind, new_run
from functions.checks.runs.store import RunStore
from functions.checks.settings.store import Check, CheckStore
from functions.clock import MS_PER_SEC, now_ms, to_rfc3339
from functions.files.aliases import FileAlias, FileAliases
from functions.files.model import ArtifactObject
from functions.handlers import operations
from functions.ids import new_id
from functions.operations import purge
from functions.operations.purge import QUEUE_NAMES, Purge
from functions.project_secrets.store import ProjectSecret, SecretStore
from functions.projects.changes import ADMIN_LOG
from functions.projects.store import ProjectStore
from functions.webhooks.deliveries.publication import Hint
from functions.webhooks.deliveries.replay import replay
from tests.adapters.aws_account import API_KEY, PROJECT_ID, Aws
from tests.adapters.checks.check_world import CheckWorld, prints
from tests.adapters.files.file_factory import ask, some, stored
from tests.adapters.http_calls import Answer, admin, call, event, get, post, send
from tests.adapters.pipeline import SECRET, Pipeline
from tests.adapters.transform_programs import PROGRAM as TRANSFORM
from tests.adapters.transform_programs import add_project, completion, requests, send_all
from tests.api_routes import ROUTES
from tests.submission_factory import SUBMISSION_ID

PROGRAM = {
    "language": "python",
    "code": "print('hidden-code')",
    "stdin": "hidden-input",
    "metadata": {"a": "hidden-note"},
}
CHECK = {"name": "nightly", "language": "python", "code": "print(42)"}
PATHS = {
    "/api/admin/changes": "/api/admin/changes",
    "/api/admin/submissions/{id}": f"/api/admin/submissions/{SUBMISSION_ID}",
    "/api/admin/dead-letters/{queue}/redrive": "/api/admin/dead-letters/batch/redrive",
    "/api/admin/projects/{id}/purge": f"/api/admin/projects/{PROJECT_ID}/purge",
    "/api/admin/runners": "/api/admin/runners",
    "/api/admin/runner-tokens": "/api/admin/runner-tokens",
    "/api/admin/runner-tokens/{name}": "/api/admin/runner-tokens/host-b",
}


@pytest.mark.parametrize("template", [path for path in ROUTES if path.startswith("/api/admin")])
@pytest.mark.parametrize("headers", [{}, {"X-Admin-Key": "wrong"}, {"X-Admin-Key": API_KEY}, {"X-API-Key": API_KEY}])
def test_only_the_administrators_key_is_let_in(
    aws: Aws, project_key: str, admin_key: str, template: str, headers: dict[str, str]
) -> None:
    for method in ROUTES[template]:
        answer = call(event(method, PATHS[template], headers=headers))
        assert (answer.status, answer.json["error"]) == (401, "unauthorized")


# --- trace ------------------------------------------------------------------------------------------------------------


def trace(key: str, submission_id: str) -> Answer:
    return admin(key, "GET", f"/api/admin/submissions/{submission_id}")


def test_a_trace_shows_the_whole_life_of_a_submission(
    aws: Aws, project_key: str, admin_key: str, pipeline: Pipeline
) -> None:
    endpoint = pipeline.endpoint(project_id=PROJECT_ID)
    pipeline.with_schedule(0, 5, 300)
    pipeline.receiver.answers = [(500, {}, b"hidden-answer"), (200, {}, b"hidden-answer")]
    submitted = post(project_key, PROGRAM, request_id="own-id").json["id"]
    accepted = trace(admin_key, submitted).json
    assert (accepted["row"]["status"], accepted["row"]["verdict"]) == ("pending", None)
    assert accepted["row"]["due_at"] is not None
    assert [step["what"] for step in accepted["history"]] == ["submission accepted"]

    (request,) = aws.messages("BatchQueue")
    pipeline.time.ms = now_ms()
    times = {"started_at": to_rfc3339(pipeline.time()), "completed_at": to_rfc3339(pipeline.time() + 10)}
    row = pipeline.submissions.get(submitted)
    assert row is not None
    ids = {"execution_id": request["execution_id"], "language": "python"}
    assert pipeline.record(pipeline.completed(row, **ids, **times)) == []
    pipeline.webhook(*pipeline.hints())
    pipeline.time.advance(6)
    delivery = pipeline.deliveries.get_delivery(submitted, endpoint.endpoint_id)
    assert delivery is not None
    pipeline.delivery_hints.send(Hint.of(delivery))
    pipeline.webhook(*pipeline.hints())

    answer = trace(admin_key, submitted)
    found = answer.json
    assert (found["id"], found["project_id"], found["correlation_id"]) == (submitted, PROJECT_ID, "own-id")
    assert (found["row"]["status"], found["row"]["verdict"], found["row"]["due_at"]) == ("completed", "AC", None)
    assert found["row"]["node_id"] == "runner-1"
    assert found["event_stored"] is True
    (sent,) = found["deliveries"]
    assert (sent["endpoint_id"], sent["state"], sent["attempts_made"]) == (endpoint.endpoint_id, "delivered", 2)
    assert [(attempt["n"], attempt["status_code"]) for attempt in sent["attempts"]] == [(1, 500), (2, 200)]
    assert {step["what"] for step in found["history"]} == {
        *("submission accepted", "execution started", "execution completed", "delivery created", "attempt 1"),
        "attempt 2",
    }
    assert found["history"][-1]["what"] == "attempt 2"
    assert "hidden" not in answer.raw.decode()
    assert SECRET not in answer.raw.decode()
    logs = found["logs"]
    assert 'namePrefix: ["' in logs["query"]
    assert f'correlation_id = "own-id" or submission_id = "{submitted}"' in logs["query"]
    assert logs["from_secs"] < now_ms() // MS_PER_SEC < logs["to_secs"]


def test_an_unknown_or_deleted_submission_has_no_trace(aws: Aws, project_key: str, admin_key: str) -> None:
    assert trace(admin_key, SUBMISSION_ID).status == 404
    assert trace(admin_key, "not-a-uuid").status == 400
    submitted = post(project_key, PROGRAM).json["id"]
    assert get(project_key, f"/api/result/{submitted}", method="DELETE").status == 200
    assert trace(admin_key, submitted).status == 404


# --- redrive ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("queue", QUEUE_NAMES)
def test_dead_letters_go_back_to_their_queue_as_they_were(aws: Aws, admin_key: str, queue: str) -> None:
    sqs, name = aws.client("sqs"), queue.title()
    attributes = {"correlation_id": {"DataType": "String", "StringValue": "own-id"}}
    for number in range(12):
        sqs.send_message(
            QueueUrl=aws.names[f"{name}DeadLetters"],
            MessageBody=json.dumps({"number": number}),
            MessageGroupId="dev",
            MessageAttributes=attributes,
        )
    answer = admin(admin_key, "POST", f"/api/admin/dead-letters/{queue}/redrive")
    assert (answer.status, answer.json) == (200, {"queue": queue, "moved": 12, "left": 0})
    received = sqs.receive_message(
        QueueUrl=aws.names[f"{name}Queue"], MessageSystemAttributeNames=["All"], MessageAttributeNames=["All"]
    )
    (first,) = received["Messages"]
    assert first["Attributes"]["MessageGroupId"] == "dev"
    assert first["MessageAttributes"] == attributes
    found = [json.loads(first["Body"])["number"], *(message["number"] for message in aws.messages(f"{name}Queue"))]
    assert sorted(found) == list(range(12))
    assert admin(admin_key, "POST", f"/api/admin/dead-letters/{queue}/redrive").json["moved"] == 0


def test_a_redrive_lists_messages_that_the_sweeper_holds(aws: Aws, admin_key: str) -> None:
    sqs, url = aws.client("sqs"), aws.names["BatchDeadLetters"]
    sqs.send_message(QueueUrl=url, MessageBody="{}", MessageGroupId="dev")
    assert sqs.receive_message(QueueUrl=url)["Messages"]
    answer = admin(admin_key, "POST", "/api/admin/dead-letters/batch/redrive")
    assert answer.json == {"queue": "batch", "moved": 0, "left": 1}


def test_a_message_that_cannot_be_sent_stays_among_the_dead_letters(
    aws: Aws, admin_key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    sqs, url = aws.client("sqs"), aws.names["BatchDeadLetters"]
    sqs.send_message(QueueUrl=url, MessageBody="{}", MessageGroupId="dev")

    def fail(*_given: object) -> None:
        raise ConnectionError

    monkeypatch.setattr(purge.Redrive, "_send", fail)
    assert admin(admin_key, "POST", "/api/admin/dead-letters/batch/redrive").status == 500
    monkeypatch.undo()
    counts = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["ApproximateNumberOfMessagesNotVisible"])
    assert counts["Attributes"] == {"ApproximateNumberOfMessagesNotVisible": "1"}


def test_an_unknown_queue_is_refused(aws: Aws, admin_key: str) -> None:
    answer = admin(admin_key, "POST", "/api/admin/dead-letters/orders/redrive")
    assert answer.status == 400
    assert "interactive, batch, network, completions, deliveries" in answer.json["message"]


# --- purge ------------------------------------------------------------------------------------------------------------


def purge_project(key: str, project_id: str = PROJECT_ID) -> Answer:
    return admin(key, "POST", f"/api/admin/projects/{project_id}/purge")


@pytest.fixture
def disabled(aws: Aws, project_key: str, admin_key: str) -> list[str]:
    """Submissions of a project that was then disabled."""
    submitted = [post(project_key, PROGRAM).json["id"] for _ in range(3)]
    assert send(project_key, "POST", "/api/checks", CHECK).status == 200
    assert admin(admin_key, "PATCH", f"/api/projects/{PROJECT_ID}", {"enabled": False}).status == 200
    return submitted


def test_a_purge_leaves_nothing_of_a_project_and_everything_of_others(
    aws: Aws, admin_key: str, pipeline: Pipeline, disabled: list[str]
) -> None:
    other = pipeline.submit(project_id="another", webhook_url=None, webhook_secret=None)
    pipeline.endpoint(project_id=PROJECT_ID)
    kept = pipeline.endpoint(project_id="another")
    aliases = FileAliases(aws.names["SubmissionsTable"], aws.client("dynamodb"))
    named = ArtifactObject("0" * 64, 4, "text/csv", "files/0")
    for project_id in (PROJECT_ID, "another"):
        aliases.put(project_id, [FileAlias.of("jobe", "one", "a.csv", named, now_ms())])
    first = pipeline.submissions.get(disabled[0])
    assert first is not None
    assert pipeline.record(pipeline.completed(first, execution_id=first.execution_id)) == []
    purged = purge_project(admin_key).json
    assert purged == {
        "project_id": PROJECT_ID,
        "submissions_deleted": 3,
        "endpoints_deleted": 1,
        "checks_deleted": 1,
        "check_runs_deleted": 0,
        "problems_deleted": 0,
        "files_deleted": 0,
        "events_deleted": 2,  # its check was created, and it was disabled
        "submissions_running": 0,
        "complete": False,
    }
    assert purge_project(admin_key).json["complete"] is True
    left = [item for item in aws.items("SubmissionsTable") if item["sk"]["S"] == "SUBMISSION"]
    assert [item["submission_id"]["S"] for item in left] == [other.submission_id]
    assert pipeline.endpoints.list_all(PROJECT_ID) == []
    assert {item["sk"]["S"] for item in aws.items("ChecksTable")} == {"CHECKS"}
    assert [one.endpoint_id for one in pipeline.endpoints.list_all("another")] == [kept.endpoint_id]
    assert pipeline.deliveries.get_event(disabled[0]) is None
    assert [len(aliases.find_all(project_id, "jobe")) for project_id in (PROJECT_ID, "another")] == [0, 1]


def test_a_purge_leaves_no_secret(aws: Aws, admin_key: str, disabled: list[str]) -> None:
    del disabled
    secrets = operations.ENV[SecretStore]
    now = to_rfc3339(now_ms())
    for project_id in (PROJECT_ID, "another"):
        for name in ("one", "two"):
            secret = ProjectSecret(name, "api.example.com", 443, "bearer", now, now, box=b"sealed")
            assert secrets.put(project_id, secret, [])
    purge_project(admin_key)
    left = [item["pk"]["S"] for item in aws.items("DeliveriesTable") if item["sk"]["S"].startswith("SECRET#")]
    assert left == ["PROJECT#another"] * 2


def bodies(aws: Aws) -> int:
    """Count the stored bodies that transforms wrote."""
    rows = (item for item in aws.items("DeliveriesTable") if item["sk"]["S"].startswith("BODY#"))
    return sum("body_zlib" in item for item in rows)


def test_a_purge_leaves_nothing_that_transforms_wrote(aws: Aws, admin_key: str, pipeline: Pipeline) -> None:
    add_project(pipeline, "written")
    sent, failing = (pipeline.endpoint(project_id="written", transform=TRANSFORM) for _ in range(2))
    run = pipeline.run(project_id="written", webhook_url=None)
    send_all(pipeline)
    for request, verdict in zip(requests(pipeline), ("AC", "RE"), strict=True):
        text = b'{"body": {"text": "hidden-body"}}'
        assert pipeline.record(completion(request, text, verdict=verdict, stderr=b"hidden-error")) == []
    send_all(pipeline)
    for endpoint in (sent, failing):  # the program writes again, and has not ended: the first body is stored still
        delivery = pipeline.delivery(run, endpoint.endpoint_id)
        assert delivery is not None
        if delivery.is_transformed:
            now = pipeline.endpoints.get("written", endpoint.endpoint_id)
            assert replay(pipeline.env, delivery.without_body, None, now).name == "DONE"
    assert bodies(aws) == 1
    assert "hidden-error" in repr(aws.items("DeliveriesTable"))
    assert admin(admin_key, "PATCH", "/api/projects/written", {"enabled": False}).status == 200
    purge_project(admin_key, "written")
    assert purge_project(admin_key, "written").json["complete"] is True
    assert bodies(aws) == 0
    assert "hidden-error" not in repr(aws.items("DeliveriesTable"))


def test_a_purge_leaves_no_output_of_checks(aws: Aws, project_key: str, admin_key: str) -> None:
    world = CheckWorld(aws, project_key)
    world.endpoint("check.run.completed", "check.state.changed")
    check = world.create(assertions=[{"type": "stdout", "equals": "42"}])
    world.answer = prints("hidden-output")
    for _ in range(2):
        world.call("POST", f"/api/checks/{check['id']}/run")
        world.settle()
    world.call("POST", f"/api/checks/{check['id']}/run", {"event": {"a": "hidden-event"}})
    assert len(world.events()) == 3
    assert "hidden-" in repr(aws.items("ChecksTable"))
    assert admin(admin_key, "PATCH", f"/api/projects/{PROJECT_ID}", {"enabled": False}).status == 200
    purged = purge_project(admin_key).json
    assert (purged["checks_deleted"], purged["check_runs_deleted"], purged["events_deleted"]) == (1, 3, 6)
    assert purge_project(admin_key).json["complete"] is True
    left = [item["sk"]["S"] for item in aws.items("ChecksTable") if not item["sk"]["S"].startswith("REQUESTS#")]
    assert sorted(left) == ["CHECKS", "CLOCK"]  # the number of its checks; the clock belongs to no project
    bodies = [item for item in aws.items("DeliveriesTable") if "body_zlib" in item]
    assert {item["project_id"]["S"] for item in bodies} == {ADMIN_LOG}
    world.settle(120)
    assert world.rows(check) == []


def test_a_purge_deletes_files_also_those_of_checks(aws: Aws, project_key: str, admin_key: str) -> None:
    content = stored(aws, PROJECT_ID, some())
    body = {"name": "x", "language": "python", "code": "1", "files": [{"path": "a", "sha256": content.sha256}]}
    assert send(project_key, "POST", "/api/checks", body).status == 200
    ask(some())
    assert admin(admin_key, "PATCH", f"/api/projects/{PROJECT_ID}", {"enabled": False}).status == 200
    assert purge_project(admin_key).json["files_deleted"] == 2
    assert purge_project(admin_key).json["complete"] is True
    left = [item["sk"]["S"] for item in aws.items("SubmissionsTable") if item["pk"]["S"].startswith("FILES#")]
    assert {sk.partition("#")[0] for sk in left} == {"USAGE", "REMOVED"}


def test_a_purge_deletes_problems_and_their_files(aws: Aws, project_key: str, admin_key: str) -> None:
    content = stored(aws, PROJECT_ID, some())
    problem = {"id": "sum", "cases": [{"stdin_sha256": content.sha256}]}
    for more in ({}, {"stop": "group"}):
        assert send(project_key, "POST", "/api/problems", problem | more).status == 200
        run = {"problem": "sum", "language": "python", "code": f"print({len(more)})"}
        assert send(project_key, "POST", "/api/judge", run, query={"wait": "false"}).status == 202
    assert admin(admin_key, "PATCH", f"/api/projects/{PROJECT_ID}", {"enabled": False}).status == 200
    purged = purge_project(admin_key).json
    assert (purged["problems_deleted"], purged["files_deleted"]) == (1, 1)
    assert purge_project(admin_key).json["complete"] is True
    left = [item for item in aws.items("SubmissionsTable") if item["pk"]["S"].startswith(("FILES#", "PROBLEMS#"))]
    assert {item["sk"]["S"].partition("#")[0] for item in left} == {"USAGE", "REMOVED", "VERSION"}
    assert all("ttl" in item and "plan" not in item for item in left if item["sk"]["S"].startswith("VERSION#"))
    due = [int(item["due_at_ms"]["N"]) for item in left if item["sk"]["S"].startswith("REMOVED#")]
    assert min(due) > now_ms() + 7 * 3_600_000, "judge runs that began still have their cases"


def test_a_purge_leaves_nothing_of_heartbeats_quiet_times_and_the_status_page(
    aws: Aws, project_key: str, admin_key: str
) -> None:
    world = CheckWorld(aws, project_key)
    made = {"kind": "heartbeat", "name": "job", "slug": "job", "schedule": "rate(1 day)"}
    check = world.call("POST", "/api/checks", made).json
    url = world.call("POST", f"/api/checks/{check['id']}/ping-url").json["url"]
    for word in ("/1", "/0"):
        assert send(None, "POST", url + word, "output", content_type="text/plain").raw == b"OK"
        world.time.advance(1)
    world.call("PUT", "/api/quiet-times", {"tags": {"a": []}})
    page = world.call("PUT", "/api/status-page", {"title": "Mine", "checks": ["job"]}).json["url"]
    assert len({item["pk"]["S"].partition("#")[0] for item in aws.items("ChecksTable")}) == 7
    assert admin(admin_key, "PATCH", f"/api/projects/{PROJECT_ID}", {"enabled": False}).status == 200
    assert purge_project(admin_key).json["checks_deleted"] == 1
    assert [item["sk"]["S"] for item in aws.items("ChecksTable")] == ["CHECKS"]
    assert send(None, "GET", page).status == 404


def test_a_purge_is_not_complete_while_a_check_changes(
    aws: Aws, project_key: str, admin_key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    CheckWorld(aws, project_key).create()
    assert admin(admin_key, "PATCH", f"/api/projects/{PROJECT_ID}", {"enabled": False}).status == 200
    delete = CheckStore.delete

    def change_and_delete(store: CheckStore, seen: Check) -> bool:
        with_source = store.get(seen.project_id, seen.check_id, with_source=True)
        assert with_source is not None
        assert store.change(with_source, with_source)
        return delete(store, seen)

    monkeypatch.setattr(CheckStore, "delete", change_and_delete)
    purged = purge_project(admin_key).json
    assert (purged["checks_deleted"], purged["complete"]) == (0, False)
    monkeypatch.setattr(CheckStore, "delete", delete)
    purged = purge_project(admin_key).json
    assert (purged["checks_deleted"], purged["complete"]) == (1, True)


def test_a_purge_deletes_a_run_that_is_written_until_its_check_is_deleted(
    aws: Aws, project_key: str, admin_key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = CheckWorld(aws, project_key)
    check = world.create()
    assert admin(admin_key, "PATCH", f"/api/projects/{PROJECT_ID}", {"enabled": False}).status == 200
    delete = CheckStore.delete

    def write_and_delete(store: CheckStore, seen: Check) -> bool:
        world.env[RunStore].add_run(new_run(seen, RunKind.EVENT, world.time.ms, world.time.ms, new_id()))
        return delete(store, seen)

    monkeypatch.setattr(CheckStore, "delete", write_and_delete)
    purged = purge_project(admin_key).json
    assert (purged["checks_deleted"], purged["check_runs_deleted"]) == (1, 1)
    assert world.rows(check) == []


def test_a_purge_counts_ordered_endpoints_down(
    aws: Aws, admin_key: str, pipeline: Pipeline, disabled: list[str]
) -> None:
    pipeline.endpoint(project_id=PROJECT_ID, ordered=True)
    assert purge_project(admin_key).json["endpoints_deleted"] == 1
    (counts,) = (item for item in aws.items("DeliveriesTable") if item["sk"]["S"] == "ENDPOINTS")
    assert (counts["count"], counts["ordered"]) == ({"N": "0"}, {"N": "0"})


def test_a_running_submission_is_purged_when_it_has_ended(
    aws: Aws, admin_key: str, pipeline: Pipeline, disabled: list[str]
) -> None:
    row = pipeline.submissions.get(disabled[0])
    assert row is not None
    assert pipeline.submissions.mark_started(row.submission_id, row.execution_id, "runner-1", row.created_at)
    purged = purge_project(admin_key).json
    assert (purged["submissions_deleted"], purged["submissions_running"], purged["complete"]) == (2, 1, False)
    assert purge_project(admin_key).json["complete"] is False
    assert pipeline.record(pipeline.completed(row, execution_id=row.execution_id)) == []
    assert purge_project(admin_key).json["submissions_deleted"] == 1
    assert purge_project(admin_key).json["complete"] is True


def test_a_purge_does_not_wait_for_a_run_with_network_that_has_not_begun(
    admin_key: str, pipeline: Pipeline, disabled: list[str]
) -> None:
    waiting = pipeline.submit(project_id=PROJECT_ID, network=("api.example.com:443",))
    assert purge_project(admin_key).json["submissions_deleted"] == len(disabled) + 1
    assert pipeline.submissions.get(waiting.submission_id) is None


def test_a_purge_whose_time_is_over_continues_with_the_next_call(
    aws: Aws, admin_key: str, disabled: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(purge, "WORK_SECS", 0)
    assert purge_project(admin_key).json["submissions_deleted"] == 0
    monkeypatch.undo()
    assert purge_project(admin_key).json["submissions_deleted"] == 3


def test_a_purge_deletes_aliases_in_pages_while_it_has_time(aws: Aws, disabled: list[str]) -> None:
    del disabled
    aliases = operations.ENV[FileAliases]
    named = ArtifactObject("0" * 64, 4, "text/csv", "files/0")
    aliases.put(PROJECT_ID, [FileAlias.of("jobe", f"{number:04}", "a", named, now_ms()) for number in range(1_200)])
    seconds = iter(range(1_000))
    assert Purge(operations.ENV, PROJECT_ID, lambda: float(next(seconds))).run()["complete"] is False
    left = len(aliases.find_all(PROJECT_ID, "jobe"))
    assert 200 <= left < 1_200
    while not Purge(operations.ENV, PROJECT_ID).run()["complete"]:
        pass
    assert aliases.find_all(PROJECT_ID, "jobe") == []


def test_an_enabled_project_is_not_purged(aws: Aws, project_key: str, admin_key: str) -> None:
    submitted = post(project_key, PROGRAM).json["id"]
    answer = purge_project(admin_key)
    assert (answer.status, answer.json["error"]) == (409, "conflict")
    assert get(project_key, f"/api/result/{submitted}").status == 200
    assert purge_project(admin_key, new_id()).status == 404


def test_every_action_is_logged_with_its_ids(
    aws: Aws, admin_key: str, disabled: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    record = ProjectStore(aws.names["ProjectsTable"], aws.client("dynamodb")).get(PROJECT_ID)
    assert record is not None
    trace(admin_key, disabled[0])
    admin(admin_key, "POST", "/api/admin/dead-letters/batch/redrive")
    purge_project(admin_key)
    messages = [entry.getMessage() for entry in caplog.records]
    assert {"Submission traced", "Dead letters redriven", "Project purged"} <= set(messages)
    assert operations.ENV.settings.log_group_prefix
