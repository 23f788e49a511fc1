import base64
import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from events.runner import RunnerHeartbeat
from events.vocabulary import Language
from functions.aws.clients import Clients
from functions.aws.payloads import Payloads
from functions.handlers import submit
from functions.ids import new_id
from functions.projects.model import Project, Quota
from functions.projects.store import ProjectStore
from functions.submissions.accept import acceptance as start_module
from functions.submissions.model import INLINE_INPUT_MAX_BYTES
from functions.submissions.queues import Queues
from functions.submissions.runners.store import RunnerStore
from functions.submissions.store import SubmissionStore
from tests.adapters.aws_account import PROJECT_ID, Aws
from tests.adapters.final_rows import write_final
from tests.adapters.http_calls import REQUEST_ID, Answer, Invocation, call, event, get, post
from tests.adapters.submissions.waits import waiting
from tests.submission_factory import EVENTS, EXECUTION_ID, GENEROUS, completion

PROGRAM = {"language": "python", "code": "print(42)"}
WEBHOOK = {"webhook_url": "https://hooks.example.com/x", "webhook_secret": "hidden-secret"}


def rows(aws: Aws, prefix: str = "SUBMISSION#") -> list[dict[str, Any]]:
    return [item for item in aws.items("SubmissionsTable") if item["pk"]["S"].startswith(prefix)]


def nothing_was_accepted(aws: Aws) -> bool:
    return not aws.items("SubmissionsTable") and not aws.messages("BatchQueue") and not aws.messages("InteractiveQueue")


def busy(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "hidden detail"}}, "AnyOperation")


# --- who may call -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "reason"), [(None, "missing"), ("", "missing"), ("rb_live_unknown", "unknown"), ("\ud800", "unknown")]
)
def test_without_a_valid_key_nothing_else_is_looked_at(
    aws: Aws, project_key: str, key: str | None, reason: str
) -> None:
    answer = post(key, "not json", query={"wait": "x"}, content_type="text/plain")
    assert (answer.status, answer.json["error"]) == (401, "unauthorized")
    assert reason in answer.json["message"]
    assert nothing_was_accepted(aws)


def test_a_profile_that_the_project_may_not_use_is_forbidden(aws: Aws, project_key: str) -> None:
    ProjectStore(aws.names["ProjectsTable"], Clients.dynamodb()).create_project(Project(PROJECT_ID, "x", ("judge",)))
    answer = post(project_key, {**PROGRAM, "profile": "agent"})
    assert (answer.status, answer.json["error"]) == (403, "forbidden")
    assert nothing_was_accepted(aws)
    assert post(project_key, PROGRAM).status == 202


# --- what is refused ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ("", 400, "bad_request"),
        ("{", 400, "bad_request"),
        ('{"language":"python","code":NaN}', 400, "bad_request"),
        ("\ud800", 400, "bad_request"),
        (b"\xff", 400, "bad_request"),
        ("[" * 100_000, 400, "bad_request"),
        ({"language": "cobol", "code": "x"}, 400, "bad_request"),
        ({**PROGRAM, "code": "x" * 65_537}, 400, "bad_request"),
        ({**PROGRAM, "stdin": "x" * 262_145}, 400, "bad_request"),
        ([], 422, "invalid"),
        ({}, 422, "invalid"),
        ({**PROGRAM, "code": "\ud800"}, 422, "invalid"),
        ({**PROGRAM, "limits": {"memory_mb": 0}}, 422, "invalid"),
        ('{"language":"python","code":"x","limits":{"cpu_time_secs":NaN}}', 422, "invalid"),
        ('{"language":"python","code":"x","limits":{"cpu_time_secs":1e309}}', 422, "invalid"),
        ({**PROGRAM, "webhook_url": "https://localhost/", "webhook_secret": "x"}, 422, "invalid"),
        ({**PROGRAM, "webhook_url": "https://API.example.com/api/submit", "webhook_secret": "x"}, 422, "invalid"),
        ({**PROGRAM, "code": "x" * 1_048_576}, 413, "too_large"),
        (b" " * 1_048_577, 413, "too_large"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_wrong_body_is_refused_and_leaves_nothing(
    aws: Aws, project_key: str, body: Any, status: int, code: str
) -> None:
    answer = post(project_key, body, idempotency_key="key")
    assert (answer.status, answer.json["error"]) == (status, code)
    assert answer.json["message"].endswith((".", "moment."))
    assert ("fields" in answer.json) is (status == 422 or (code == "bad_request" and isinstance(body, dict)))
    assert nothing_was_accepted(aws)


@pytest.mark.parametrize("content_type", [None, "", "text/plain", "application/jsonx", "multipart/form-data"])
def test_another_content_type_is_unsupported(aws: Aws, project_key: str, content_type: str | None) -> None:
    answer = post(project_key, PROGRAM, content_type=content_type)
    assert (answer.status, answer.json["error"]) == (415, "unsupported_media_type")
    assert nothing_was_accepted(aws)


@pytest.mark.parametrize("content_type", ["application/json", "Application/JSON; charset=utf-8"])
def test_json_in_any_spelling_is_taken(project_key: str, content_type: str) -> None:
    assert post(project_key, PROGRAM, content_type=content_type).status == 202


@pytest.mark.parametrize("wait", ["29", "True", "", "true,false", "-1"])
def test_a_wait_that_is_neither_true_nor_false_nor_seconds_is_refused(aws: Aws, project_key: str, wait: str) -> None:
    assert post(project_key, PROGRAM, query={"wait": wait}).status == 400
    assert nothing_was_accepted(aws)


@pytest.mark.parametrize("key", ["", "x" * 256])
def test_an_idempotency_key_out_of_bounds_is_refused(aws: Aws, project_key: str, key: str) -> None:
    assert post(project_key, PROGRAM, idempotency_key=key).status == 400
    assert nothing_was_accepted(aws)


# --- what is accepted -------------------------------------------------------------------------------------------------


def test_a_submission_is_a_row_and_a_message(aws: Aws, project_key: str) -> None:
    body = {**PROGRAM, "language": "PY", "stdin": "7\n", "limits": {"memory_mb": 64}, "metadata": {"build": "1"}}
    answer = post(project_key, body)
    assert answer.status == 202
    assert answer.json == {"id": answer.json["id"], "status": "pending", "job_status": "pending", "queue_depth": 0}
    (message,) = aws.messages("BatchQueue")
    (row,) = rows(aws)
    assert message["submission_id"] == answer.json["id"] == row["submission_id"]["S"]
    assert message["execution_id"] == row["execution_id"]["S"]
    assert (message["code_base64"], message["stdin_base64"]) == ("cHJpbnQoNDIp", "Nwo=")
    assert (message["language"], message["priority"], message["project_id"]) == ("python", "batch", PROJECT_ID)
    assert message["limits"] == {"memory_mb": 64}
    assert int(row["ttl"]["N"]) * 1_000 - int(row["due_at_ms"]["N"]) == pytest.approx(
        (30 * 86_400 - 120) * 1e3, abs=1e3
    )


@pytest.mark.parametrize(
    ("name", "value", "source"),
    [
        ("X-Rustbox-Client", "console", "console"),
        ("X-Rustbox-Client", "check", "api"),
        ("X-Rustbox-Client", "<b>" * 1_000, "api"),
        ("User-Agent", "rustbox-cli/0.2.0", "cli"),
        ("User-Agent", "curl/8", "api"),
    ],
)
def test_a_row_says_by_which_way_it_came(aws: Aws, project_key: str, name: str, value: str, source: str) -> None:
    headers = {"X-API-Key": project_key, "Content-Type": "application/json", name: value}
    assert call(event("POST", "/api/submit", headers=headers, body=json.dumps(PROGRAM))).status == 202
    (row,) = get(project_key, "/api/results").json["items"]
    assert (row["status"], row["source"], row["line"]) == ("pending", source, None)


def test_every_answer_carries_the_request_id_and_is_json(aws: Aws, project_key: str) -> None:
    answers = [post(project_key, PROGRAM), post(None, PROGRAM), post(project_key, "{")]
    assert {answer.headers["x-request-id"] for answer in answers} == {REQUEST_ID}
    assert {answer.headers["Content-Type"] for answer in answers} == {"application/json"}


def test_a_stage_prefix_is_passed_over(project_key: str) -> None:
    made = event(
        "POST",
        "/api/submit",
        headers={"X-API-Key": project_key, "Content-Type": "application/json"},
        body=json.dumps(PROGRAM),
        stage="beta",
    )
    assert call(made).status == 202


def test_a_base64_body_and_headers_in_any_case_are_read(project_key: str) -> None:
    made = event("POST", "/api/submit", body=json.dumps(PROGRAM).encode())
    made["headers"] = {"x-ApI-kEy": project_key, "CONTENT-TYPE": "application/json"}
    assert call(made).status == 202
    made["body"] = "%%%"
    assert call(made).status == 400


def test_a_large_input_goes_to_the_bucket_and_whole_to_the_runner(aws: Aws, project_key: str) -> None:
    answer = post(project_key, {**PROGRAM, "stdin": "x" * 262_144}, idempotency_key="key")
    (row,) = rows(aws)
    assert row["input_key"]["S"] == f"inputs/{answer.json['id']}"
    assert "code" not in row
    assert "stdin" not in row
    (message,) = aws.messages("BatchQueue")
    assert len(message["stdin_base64"]) > 262_144
    assert submit.ENV[Payloads].get_input(answer.json["id"]) == (b"print(42)", b"x" * 262_144, None)


def test_a_repeated_large_input_leaves_no_object_behind(aws: Aws, project_key: str) -> None:
    body = {**PROGRAM, "stdin": "x" * 262_144}
    first, second = (post(project_key, body, idempotency_key="key") for _ in range(2))
    assert first.json["id"] == second.json["id"]
    objects = aws.client("s3").list_objects_v2(Bucket=aws.names["PayloadsBucket"])
    assert objects["KeyCount"] == 1


def test_languages_are_those_of_the_runners_after_a_heartbeat(aws: Aws, project_key: str) -> None:
    heartbeat = RunnerHeartbeat.parse((EVENTS / "runner_heartbeat" / "v1.strict.json").read_text())
    only_c = heartbeat.changed(languages=(Language.C,), sent_at="2099-01-01T00:00:00.000Z")
    RunnerStore(aws.names["RunnersTable"], Clients.dynamodb()).put_heartbeat(only_c)
    answer = post(project_key, PROGRAM)
    assert answer.status == 400
    assert answer.json["message"].endswith("Offered: c.")


def test_neither_program_nor_secret_is_logged(
    aws: Aws, project_key: str, logged: list[dict[str, Any]], capsys: pytest.CaptureFixture[str]
) -> None:
    answer = post(project_key, {**PROGRAM, **WEBHOOK, "stdin": "hidden-input"}, idempotency_key="hidden-key")
    (line,) = logged
    assert line["message"] == "Submission accepted"
    assert line["submission_id"] == answer.json["id"]
    assert line["correlation_id"] == line["request_id"] == REQUEST_ID
    written = capsys.readouterr()
    assert (line["SubmissionAccepted"], line["service"]) == ([1.0], "submit")
    (directive,) = line["_aws"]["CloudWatchMetrics"]
    assert (directive["Namespace"], directive["Dimensions"]) == ("Rustbox/prod", [["service"]])
    for hidden in ("hidden", "print(42)", project_key):
        assert hidden not in written.out + written.err + json.dumps(logged)


# --- when a part is down ----------------------------------------------------------------------------------------------


def test_over_its_bound_the_queue_takes_no_more_and_no_key_is_claimed(
    aws: Aws, project_key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MAX_QUEUE_DEPTH", "1")
    answers = []
    for _ in range(3):
        submit.ENV.forget()  # the depth is kept for a second
        answers.append(post(project_key, PROGRAM))
    refused = post(project_key, PROGRAM, idempotency_key="key")
    assert [answer.status for answer in answers] == [202, 202, 503]
    assert (refused.status, refused.json["error"]) == (503, "unavailable")
    assert int(refused.headers["retry-after"]) > 0
    assert len(aws.items("SubmissionsTable")) == 2


@pytest.mark.parametrize(
    ("service", "call_name"),
    [
        ("dynamodb", "get_item"),
        ("dynamodb", "query"),
        ("sqs", "get_queue_attributes"),
        ("s3", "put_object"),
        ("dynamodb", "put_item"),
    ],
)
@pytest.mark.parametrize(
    "fault", [busy("ThrottlingException"), EndpointConnectionError(endpoint_url="hidden")], ids=repr
)
def test_a_busy_part_is_answered_as_unavailable_and_nothing_was_accepted(
    aws: Aws, project_key: str, monkeypatch: pytest.MonkeyPatch, service: str, call_name: str, fault: Exception
) -> None:
    def fail(**_: Any) -> None:
        raise fault

    with monkeypatch.context() as patched:
        patched.setattr(aws.client(service), call_name, fail)
        answer = post(project_key, {**PROGRAM, "stdin": "x" * 200_000})
    assert (answer.status, answer.json["error"]) == (503, "unavailable")
    assert int(answer.headers["retry-after"]) > 0
    assert "hidden" not in answer.raw.decode()
    assert nothing_was_accepted(aws)


@pytest.mark.parametrize("fault", [busy("AccessDenied"), EndpointConnectionError(endpoint_url="x")], ids=repr)
def test_a_submission_with_a_row_is_accepted_even_if_the_queue_fails(
    aws: Aws, project_key: str, monkeypatch: pytest.MonkeyPatch, fault: Exception
) -> None:
    def fail(**_: Any) -> None:
        raise fault

    with monkeypatch.context() as patched:
        patched.setattr(Clients.sqs(), "send_message", fail)
        answer = post(project_key, PROGRAM)
    assert answer.status == 202
    (row,) = rows(aws)
    assert "due_at_ms" in row


def test_an_unexpected_error_is_logged_once_and_the_answer_hides_it(
    aws: Aws, project_key: str, monkeypatch: pytest.MonkeyPatch, logged: list[dict[str, Any]]
) -> None:
    def fail(**_: Any) -> None:
        raise busy("ValidationException")

    with monkeypatch.context() as patched:
        patched.setattr(Clients.dynamodb(), "put_item", fail)
        answer = post(project_key, PROGRAM)
    assert (answer.status, answer.json["error"]) == (500, "internal")
    assert answer.headers["x-request-id"] == REQUEST_ID
    assert "hidden" not in answer.raw.decode()
    (line,) = logged
    assert (line["level"], line["request_id"], line["exception_name"]) == ("ERROR", REQUEST_ID, "ClientError")


# --- waiting --------------------------------------------------------------------------------------------------------


def _finish(aws: Aws) -> None:
    (row,) = rows(aws)
    write_final(submit.ENV[SubmissionStore], row["submission_id"]["S"], completion())


def test_a_wait_ends_with_the_result(aws: Aws, project_key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def start() -> None:
        (row,) = rows(aws)
        assert row["priority"] == {"S": "interactive"}
        started = "2026-11-24T12:00:00.012Z"
        submit.ENV[SubmissionStore].mark_started(row["submission_id"]["S"], EXECUTION_ID, "runner-1", started)

    time = waiting(monkeypatch, start, lambda: _finish(aws))
    answer = post(project_key, PROGRAM, query={"wait": "true"})
    assert (answer.status, answer.json["verdict"], answer.json["stdout"]) == (200, "AC", "42\n")
    assert "warnings" not in answer.json
    assert sum(time.slept) < 0.03
    assert len(aws.messages("InteractiveQueue")) == 1
    assert aws.messages("BatchQueue") == []


@pytest.mark.answered_by("engine")
def test_a_poll_of_the_largest_row_with_its_source_takes_three_read_units(aws: Aws, project_key: str) -> None:
    program = {"language": "python", "code": "#" * (INLINE_INPUT_MAX_BYTES - 100), "stdin": "x" * 100}
    metadata = {"a" * 40 + f"{number:02}": "b" * 80 for number in range(16)}
    limits = {"cpu_time_secs": 1.5, "wall_time_secs": 2.5, "memory_mb": 64, "max_processes": 4, "output_kb": 100}
    post(project_key, {**program, **WEBHOOK, "metadata": metadata, "limits": limits}, request_id="r" * 128)
    (row,) = rows(aws)
    assert "code" in row
    key = {name: row[name] for name in ("pk", "sk")}
    answer = aws.client("dynamodb").get_item(
        TableName=aws.names["SubmissionsTable"], Key=key, ConsistentRead=True, ReturnConsumedCapacity="TOTAL"
    )
    assert answer["ConsumedCapacity"]["CapacityUnits"] == 3


def test_more_source_and_input_lie_in_the_bucket(aws: Aws, project_key: str) -> None:
    post(project_key, {"language": "python", "code": "#" * INLINE_INPUT_MAX_BYTES, "stdin": "x"})
    (row,) = rows(aws)
    assert {"code", "stdin"}.isdisjoint(row)
    assert row["input_key"]["S"].startswith("inputs/")
    (message,) = aws.messages("BatchQueue")
    assert base64.b64decode(message["code_base64"]) == b"#" * INLINE_INPUT_MAX_BYTES


def test_a_wait_in_the_queue_says_how_many_are_before_it(project_key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    waiting(monkeypatch)
    monkeypatch.setattr(Queues, "recent_depth", lambda _self, priority: {"interactive": 13}[priority])
    answer = post(project_key, PROGRAM, query={"wait": "true"})
    assert (answer.status, answer.json["waiting"]) == (408, {"reason": "queue", "behind": 12})


def test_a_wait_that_is_over_says_so_without_a_verdict(
    aws: Aws, project_key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    time = waiting(monkeypatch)
    answer = post(project_key, PROGRAM, query={"wait": "true"})
    assert answer.status == 408
    assert answer.json.keys() == {"id", "error", "message"}
    assert answer.json["error"] == "timeout"
    assert f"GET /api/result/{answer.json['id']}" in answer.json["message"]
    assert sum(time.slept) == pytest.approx(28, abs=0.1)
    (row,) = rows(aws)
    assert row["status"] == {"S": "pending"}


@pytest.mark.parametrize(("wait", "secs"), [("5", 5), ("0.25", 0.25), ("28", 28)])
def test_a_wait_of_some_seconds_ends_after_them(
    aws: Aws, project_key: str, monkeypatch: pytest.MonkeyPatch, wait: str, secs: float
) -> None:
    time = waiting(monkeypatch)
    assert post(project_key, PROGRAM, query={"wait": wait}).status == 408
    assert sum(time.slept) == pytest.approx(secs, abs=0.1)
    assert len(aws.messages("InteractiveQueue")) == 1


@pytest.mark.parametrize("wait", ["0", "false"])
def test_no_wait_is_an_answer_at_once(aws: Aws, project_key: str, wait: str) -> None:
    assert post(project_key, PROGRAM, query={"wait": wait}).status == 202
    assert len(aws.messages("BatchQueue")) == 1


def test_unknown_fields_are_named_in_every_answer(aws: Aws, project_key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    body, named = {**PROGRAM, "colour": 1}, ["The field colour is unknown and was ignored."]
    assert post(project_key, body).json["warnings"] == named
    aws.messages("BatchQueue")
    waiting(monkeypatch)
    assert post(project_key, body, query={"wait": "0.1"}).json["warnings"] == named


def test_a_wait_ends_at_the_longest_wait_of_the_deployment(
    aws: Aws, project_key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    aws.monkeypatch.setenv("LONGEST_WAIT_SECS", "5")
    time = waiting(monkeypatch)
    assert post(project_key, PROGRAM, query={"wait": "true"}).status == 408
    assert sum(time.slept) == pytest.approx(5, abs=0.1)


def test_without_time_to_wait_a_submission_is_queued_and_answered_at_once(
    aws: Aws, project_key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    time = waiting(monkeypatch)
    headers = {"X-API-Key": project_key, "Content-Type": "application/json"}
    made = event("POST", "/api/submit", headers=headers, query={"wait": "true"}, body=json.dumps(PROGRAM))
    answer = call(made, Invocation(lambda: 0.5))
    assert (answer.status, answer.json["error"]) == (408, "timeout")
    assert [body["submission_id"] for body in aws.messages("InteractiveQueue")] == [answer.json["id"]]
    assert time.slept == []


def test_a_submission_deleted_during_the_wait_is_not_found(
    aws: Aws, project_key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def delete() -> None:
        (row,) = rows(aws)
        assert get(project_key, f"/api/result/{row['submission_id']['S']}", method="DELETE").status == 200

    waiting(monkeypatch, delete)
    assert post(project_key, PROGRAM, query={"wait": "true"}).status == 404


# --- the same key again ---------------------------------------------------------------------------------------------


def test_the_same_key_and_body_is_the_same_submission(aws: Aws, project_key: str) -> None:
    first = post(project_key, PROGRAM, idempotency_key="key")
    spelled = {"code": "print(42)", "language": "PY", "unknown": 1, "stdin": None}
    again = post(project_key, spelled, idempotency_key="key")
    assert (first.status, again.status) == (202, 202)
    assert first.json["id"] == again.json["id"]
    assert len(rows(aws)) == len(aws.messages("BatchQueue")) == 1


def test_a_repeat_of_a_finished_run_is_its_result(aws: Aws, project_key: str) -> None:
    first = post(project_key, PROGRAM, idempotency_key="key")
    _finish(aws)
    again = post(project_key, PROGRAM, idempotency_key="key")
    assert (again.status, again.json["id"], again.json["verdict"]) == (200, first.json["id"], "AC")


def test_a_repeat_of_a_running_run_shows_its_state(aws: Aws, project_key: str) -> None:
    first = post(project_key, PROGRAM, idempotency_key="key").json["id"]
    submit.ENV[SubmissionStore].mark_started(first, EXECUTION_ID, "runner-1", "2026-11-24T12:00:00.012Z")
    again = post(project_key, PROGRAM, idempotency_key="key")
    assert (again.status, again.json["status"]) == (202, "running")
    assert "verdict" not in again.json


def test_a_repeat_with_a_wait_waits(aws: Aws, project_key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    post(project_key, PROGRAM, idempotency_key="key")
    waiting(monkeypatch, lambda: _finish(aws))
    again = post(project_key, PROGRAM, idempotency_key="key", query={"wait": "true"})
    assert (again.status, again.json["verdict"]) == (200, "AC")
    assert aws.messages("InteractiveQueue") == []


def test_the_same_key_with_another_body_is_a_conflict(aws: Aws, project_key: str) -> None:
    post(project_key, PROGRAM, idempotency_key="key")
    answer = post(project_key, {**PROGRAM, "stdin": "x"}, idempotency_key="key")
    assert (answer.status, answer.json["error"]) == (409, "idempotency_conflict")
    assert len(rows(aws)) == 1


def test_a_key_of_another_project_is_another_key(aws: Aws, project_key: str) -> None:
    projects = ProjectStore(aws.names["ProjectsTable"], Clients.dynamodb())
    projects.create_project(Project("other", "Other", quotas=GENEROUS))
    first = post(project_key, PROGRAM, idempotency_key="key")
    second = post(projects.issue_key("other"), {**PROGRAM, "stdin": "x"}, idempotency_key="key")
    assert (first.status, second.status) == (202, 202)
    assert first.json["id"] != second.json["id"]


def test_a_key_is_free_again_after_its_submission_is_deleted(aws: Aws, project_key: str) -> None:
    first = post(project_key, PROGRAM, idempotency_key="key").json["id"]
    assert get(project_key, f"/api/result/{first}", method="DELETE").status == 200
    again = post(project_key, {**PROGRAM, "stdin": "x"}, idempotency_key="key")
    assert again.status == 202
    assert again.json["id"] != first


def test_a_submission_deleted_between_claim_and_read_is_accepted_again(
    aws: Aws, project_key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(start_module, "OVERTAKEN_AFTER_MS", 100)  # else the second one waits for 5 s
    first = post(project_key, PROGRAM, idempotency_key="key").json["id"]
    store = submit.ENV[SubmissionStore]
    found = store.get

    def gone_once(submission_id: str) -> None:
        row = found(submission_id)
        assert row is not None
        assert store.delete(row)
        monkeypatch.setattr(store, "get", found)

    monkeypatch.setattr(store, "get", gone_once)
    again = post(project_key, PROGRAM, idempotency_key="key")
    assert again.status == 202
    assert again.json["id"] != first
    assert len(rows(aws)) == 1


# --- many at once -----------------------------------------------------------------------------------------------------


def test_requests_on_many_threads_are_not_mixed_up(aws: Aws, project_key: str) -> None:
    ids = [post(project_key, {**PROGRAM, "metadata": {"n": str(number)}}).json["id"] for number in range(16)]

    def ask(number: int) -> Answer:
        if number % 4 == 3:
            return get(project_key, f"/api/result/{new_id()}")
        return get(project_key, f"/api/result/{ids[number % 16]}")

    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(ask, range(160)))
    for number, answer in enumerate(answers):
        if number % 4 == 3:
            assert answer.status == 404
        else:
            assert (answer.json["id"], answer.json["metadata"]) == (ids[number % 16], {"n": str(number % 16)})


def test_a_warm_call_makes_no_client_and_no_needless_call_of_aws(
    aws: Aws, project_key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    undivided = Project(PROJECT_ID, "Tests", quotas={"judge": Quota(10**5, 10**5, 10)})
    ProjectStore(aws.names["ProjectsTable"], Clients.dynamodb()).create_project(undivided)
    post(project_key, PROGRAM)
    asked: list[str] = []

    def note(**arguments: Any) -> None:
        asked.append(arguments["event_name"].rpartition(".")[2])

    for client in (Clients.dynamodb(), Clients.sqs(), Clients.s3()):
        client.meta.events.register("before-call.*.*", note, unique_id="note-of-a-test")
    try:
        store = submit.ENV[SubmissionStore]
        post(project_key, PROGRAM)
    finally:
        for client in (Clients.dynamodb(), Clients.sqs(), Clients.s3()):
            client.meta.events.unregister("before-call.*.*", unique_id="note-of-a-test")
    assert asked == ["UpdateItem", "PutItem", "SendMessage"]  # quota, row, message
    assert submit.ENV[SubmissionStore] is store
