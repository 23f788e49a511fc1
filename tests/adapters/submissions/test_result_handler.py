import base64
import json
import re
import zlib
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from botocore.exceptions import ClientError

from events.runner import RunnerHeartbeat
from functions import VERSION
from functions.aws.clients import Clients
from functions.aws.payloads import Payloads
from functions.clock import from_rfc3339, now_ms, to_rfc3339
from functions.errors import ConflictError
from functions.event_log.model import Event
from functions.handlers import result
from functions.http.long_poll import LongPoll, long_poll
from functions.http.parameters import write_cursor
from functions.ids import new_id
from functions.projects import quota_store
from functions.projects.model import Project
from functions.projects.store import ProjectStore
from functions.submissions import cancellation, results_api
from functions.submissions.model import Submission, idempotency_pk
from functions.submissions.queues import Queues
from functions.submissions.results import list_store
from functions.submissions.results.results import Deletion
from functions.submissions.runners.store import RunnerStore
from functions.submissions.store import SubmissionStore
from functions.webhooks.deliveries.model import DeliveryState
from functions.webhooks.deliveries.publication import RunTarget, plan_publication
from functions.webhooks.deliveries.store import DeliveryStore
from functions.webhooks.endpoints.store import Subscribers
from tests.adapters.aws_account import PROJECT_ID, Aws
from tests.adapters.final_rows import write_final
from tests.adapters.http_calls import REQUEST_ID, Invocation, call, event, get, post
from tests.submission_factory import EVENTS, EXECUTION_ID, GENEROUS, SUBMISSION_ID, FakeTime, completion, new_submission

MIB = 1_048_576
PATHS = (f"/api/result/{SUBMISSION_ID}", f"/api/result/{SUBMISSION_ID}/stdout", f"/api/result/{SUBMISSION_ID}/stderr")
STARTED = "2026-11-24T12:00:00.012Z"


@pytest.fixture
def store(aws: Aws) -> SubmissionStore:
    return SubmissionStore(aws.names["SubmissionsTable"], Clients.dynamodb())


def put(store: SubmissionStore, **changes: Any) -> Submission:
    now = now_ms()
    values = {"project_id": PROJECT_ID, "created_at": to_rfc3339(now), "ttl": now // 1_000 + 3_600}
    row = new_submission(**values | changes)
    store.create(row, None)
    return row


def heartbeat(aws: Aws, age_secs: int = 0, **changes: Any) -> None:
    message = RunnerHeartbeat.parse((EVENTS / "runner_heartbeat" / "v1.strict.json").read_text())
    sent = {"sent_at": to_rfc3339(now_ms() - age_secs * 1_000)}
    store = RunnerStore(aws.names["RunnersTable"], Clients.dynamodb())
    store.put_heartbeat(message.changed(**(sent | changes)))


# --- one result -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", [*PATHS, "/api/results"])
def test_without_a_key_nothing_is_shown(store: SubmissionStore, project_key: str, path: str) -> None:
    put(store)
    for key in (None, "rb_live_unknown"):
        assert get(key, path).status == 401
    assert get(None, "/api/result/not-a-uuid").status == 401
    assert get(None, f"/api/result/{SUBMISSION_ID}", method="DELETE").status == 401
    assert store.get(SUBMISSION_ID) is not None


@pytest.mark.parametrize("path", PATHS)
def test_a_submission_of_another_project_is_not_found(store: SubmissionStore, project_key: str, path: str) -> None:
    assert get(project_key, path).status == 404
    put(store, project_id="other")
    write_final(store, SUBMISSION_ID, completion())
    for method in ("GET", "DELETE"):
        answer = get(project_key, path if method == "GET" else PATHS[0], method=method)
        assert (answer.status, answer.json["error"]) == (404, "not_found")
    assert store.get(SUBMISSION_ID) is not None


@pytest.mark.parametrize("path", PATHS)
def test_an_expired_submission_is_not_found(store: SubmissionStore, project_key: str, path: str) -> None:
    put(store, ttl=now_ms() // 1_000)
    assert get(project_key, path).status == 404


@pytest.mark.parametrize("text", ["x", "..", "%2e%2e", 'a"b', "7d8f0f5e3b1c4c599a520f7f3b2f8a11", "é", "a b", "null"])
def test_an_id_that_is_no_uuid_is_a_bad_request(project_key: str, text: str) -> None:
    for suffix in ("", "/stdout", "/stderr"):
        answer = get(project_key, f"/api/result/{text}{suffix}")
        assert (answer.status, answer.json["error"]) == (400, "bad_request")
    assert get(project_key, f"/api/result/{text}", method="DELETE").status == 400


@pytest.mark.parametrize("query", [{"wait": "21"}, {"wait": ""}, {"encoding": "hex"}, {"view": "x"}])
def test_a_wrong_parameter_is_a_bad_request(store: SubmissionStore, project_key: str, query: dict[str, str]) -> None:
    put(store)
    assert get(project_key, PATHS[0], query=query).status == 400


def test_a_result_is_shown_in_each_of_its_states(store: SubmissionStore, project_key: str) -> None:
    put(store)
    pending = get(project_key, PATHS[0])
    store.mark_started(SUBMISSION_ID, EXECUTION_ID, "runner-1", STARTED)
    running = get(project_key, PATHS[0].upper().replace("/API/RESULT", "/api/result"))
    write_final(store, SUBMISSION_ID, completion())
    final = get(project_key, PATHS[0])
    assert [answer.status for answer in (pending, running, final)] == [200, 200, 200]
    assert [answer.json["status"] for answer in (pending, running, final)] == ["pending", "running", "completed"]
    assert "verdict" not in pending.json
    assert "verdict" not in running.json
    assert running.json["timestamps"]["started_at"] == STARTED
    assert (final.json["verdict"], final.json["stdout"], final.headers["x-request-id"]) == ("AC", "42\n", REQUEST_ID)


def test_a_queued_run_says_how_many_are_before_it(store: SubmissionStore, project_key: str) -> None:
    result.ENV._parts.pop(Queues, None)  # its estimate is a second old at most
    ids = [post(project_key, {"language": "python", "code": f"print({n})"}).json["id"] for n in range(3)]
    paths = [f"/api/result/{one}" for one in ids]
    waiting = {"reason": "queue", "behind": 2}
    assert get(project_key, paths[2]).json["waiting"] == waiting
    assert get(project_key, paths[2], query={"view": "compact"}).json["waiting"] == waiting
    assert all("waiting" not in item for item in get(project_key, "/api/results").json["items"])
    begun = store.get(ids[1])
    assert begun is not None
    store.mark_started(ids[1], begun.execution_id, "runner-1", STARTED)
    store.mark_cancelled(ids[0], now_ms() + 15_000)
    put(store, asked_directly=True)  # its runner may have begun it
    for path in (*paths[:2], PATHS[0]):
        assert "waiting" not in get(project_key, path).json


def test_a_result_is_shown_when_its_queue_does_not_answer(
    aws: Aws, store: SubmissionStore, project_key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(store)
    url = "https://sqs.us-east-1.amazonaws.com/1/gone"
    gone = Queues(Clients.sqs(), url, url, url)
    monkeypatch.setitem(result.ENV._parts, Queues, gone)
    shown = get(project_key, PATHS[0])
    assert (shown.status, "waiting" in shown.json) == (200, False)


def test_a_long_poll_ends_with_the_result_or_with_its_time(
    store: SubmissionStore, project_key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(store)
    time = FakeTime()

    def sleep(secs: float) -> None:
        time.sleep(secs)
        if sum(time.slept) > 7:
            write_final(store, SUBMISSION_ID, completion())

    monkeypatch.setitem(result.ENV._parts, long_poll, LongPoll(sleep, time.monotonic))
    over = get(project_key, PATHS[0], query={"wait": "5"})
    assert (over.status, over.json["status"]) == (200, "pending")
    assert sum(time.slept) == pytest.approx(5, abs=0.1)
    done = get(project_key, PATHS[0], query={"wait": "20"})
    assert (done.status, done.json["verdict"]) == (200, "AC")
    assert sum(time.slept) < 8


def test_the_compact_view_is_short_in_each_state(store: SubmissionStore, project_key: str) -> None:
    query = {"view": "compact"}
    put(store)
    assert get(project_key, PATHS[0], query=query).json == {
        "id": SUBMISSION_ID,
        "status": "pending",
        "language": "python",
    }
    write_final(store, SUBMISSION_ID, completion())
    final = get(project_key, PATHS[0], query=query)
    assert len(final.raw) < 400
    assert final.json["result"] == {
        "verdict": "AC",
        "cause": "normal_exit",
        "actor": "runtime",
        "phase": "run",
        "exit_code": 0,
    }
    assert final.json["output"] == {"stdout": "42\n", "stderr": "", "integrity": "complete"}
    assert set(final.json["metrics"]) == {"cpu_time_secs", "wall_time_secs", "memory_peak_bytes"}
    assert final.json.keys() == {"id", "status", "language", "result", "output", "metrics"}


def test_a_compact_result_of_the_largest_outputs_fits(store: SubmissionStore, project_key: str) -> None:
    put(store)
    write_final(store, SUBMISSION_ID, completion(stdout=b"\0" * 60_000, stderr=b""))
    answer = get(project_key, PATHS[0], query={"view": "compact", "encoding": "base64"})
    assert (answer.status, answer.json["output"]["encoding"]) == (200, "base64")


def test_a_long_poll_ends_at_the_longest_wait_of_the_deployment(
    aws: Aws, store: SubmissionStore, project_key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(store)
    aws.monkeypatch.setenv("LONGEST_WAIT_SECS", "5")
    time = FakeTime()
    monkeypatch.setitem(result.ENV._parts, long_poll, LongPoll(time.sleep, time.monotonic))
    assert get(project_key, PATHS[0], query={"wait": "20"}).json["status"] == "pending"
    assert sum(time.slept) == pytest.approx(5, abs=0.1)


def test_a_long_poll_ends_before_the_timeout_of_its_function(
    store: SubmissionStore, project_key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(store)
    time = FakeTime()
    monkeypatch.setitem(result.ENV._parts, long_poll, LongPoll(time.sleep, time.monotonic))
    made = event("GET", PATHS[0], headers={"X-API-Key": project_key}, query={"wait": "20"})
    assert call(made, Invocation(lambda: 6 - sum(time.slept))).json["status"] == "pending"
    assert sum(time.slept) == pytest.approx(5, abs=0.1)


def test_output_is_exact_in_base64(store: SubmissionStore, project_key: str) -> None:
    put(store)
    write_final(store, SUBMISSION_ID, completion(stdout=b"\xff\0", stderr=b"\x80"))
    answer = get(project_key, PATHS[0], query={"encoding": "base64"}).json
    assert base64.b64decode(answer["output"]["stdout"]) == b"\xff\0"
    assert base64.b64decode(answer["stderr"]) == b"\x80"


def finish_large(aws: Aws, store: SubmissionStore, content: bytes) -> None:
    key = result.ENV[Payloads].put_output(SUBMISSION_ID, EXECUTION_ID, "stdout", content)
    write_final(store, SUBMISSION_ID, completion(stdout=None, stdout_key=key, stdout_size_bytes=len(content)))


def test_a_mebibyte_of_output_comes_back_whole(aws: Aws, store: SubmissionStore, project_key: str) -> None:
    put(store)
    finish_large(aws, store, b"y\n" * (MIB // 2))
    assert get(project_key, PATHS[0]).json["stdout"] == "y\n" * (MIB // 2)
    raw = get(project_key, PATHS[1])
    assert raw.raw == b"y\n" * (MIB // 2)
    assert raw.headers["Content-Type"] == "application/octet-stream"
    assert raw.headers["x-content-type-options"] == "nosniff"


def test_a_response_that_is_too_large_says_where_the_whole_is(
    aws: Aws, store: SubmissionStore, project_key: str
) -> None:
    put(store)
    finish_large(aws, store, b"\0" * MIB)
    made = event("GET", PATHS[0], headers={"X-API-Key": project_key}, stage="beta")
    output = call(made).json["output"]
    assert output["truncated_in_response"] is True
    assert output["stdout_url"] == f"/beta{PATHS[1]}"
    whole = call(event("GET", PATHS[1], headers={"X-API-Key": project_key}, stage="beta"))
    assert whole.raw == b"\0" * MIB


@pytest.mark.parametrize("view", [{}, {"view": "compact"}, {"encoding": "base64"}])
def test_an_answer_has_the_first_mebibyte_of_more_output(
    aws: Aws, store: SubmissionStore, project_key: str, view: dict[str, str]
) -> None:
    put(store)
    finish_large(aws, store, b"y\n" * (MIB // 2) + b"z")
    answered = get(project_key, PATHS[0], query=view).json
    shown = answered["output"]["stdout"]
    assert "stdout" not in answered
    assert (base64.b64decode(shown) if "encoding" in view else shown.encode()) == b"y\n" * (MIB // 2)
    assert answered["output"]["truncated_in_response"] is True
    assert get(project_key, answered["output"]["stdout_url"]).raw[MIB:] == b"z"


@pytest.mark.parametrize("serves_files", ["false", "true"])
def test_output_that_no_answer_can_hold_comes_from_the_bucket(
    aws: Aws, store: SubmissionStore, project_key: str, serves_files: str
) -> None:
    aws.monkeypatch.setenv("SERVES_FILES", serves_files)
    put(store)
    finish_large(aws, store, b"x" * (8 * MIB))
    (stored,) = aws.client("s3").list_objects_v2(Bucket=aws.names["PayloadsBucket"])["Contents"]
    answer = get(project_key, PATHS[1])
    assert answer.status == 200
    if serves_files == "true":  # the gateway replaces the body
        assert answer.headers["x-stored-object-key"] == stored["Key"]
        return
    assert answer.json == {"size": 8 * MIB, "method": "GET"} | {
        name: answer.json[name] for name in ("url", "expires_at")
    }
    query = parse_qs(urlsplit(answer.json["url"]).query)
    assert stored["Key"] in answer.json["url"]
    assert query["response-content-disposition"] == ["attachment"]
    assert query["response-content-type"] == ["application/octet-stream"]


def test_output_of_four_mebibytes_fits_into_an_answer_of_lambda(
    aws: Aws, store: SubmissionStore, project_key: str
) -> None:
    put(store)
    finish_large(aws, store, b"\xff" * (4 * MIB))
    raw = get(project_key, PATHS[1]).raw
    assert raw == b"\xff" * (4 * MIB)
    assert len(base64.b64encode(raw)) < 6_000_000


def test_a_link_never_leads_to_the_output_of_another_submission(store: SubmissionStore, project_key: str) -> None:
    put(store)
    key = f"outputs/{EXECUTION_ID}/{EXECUTION_ID}/stdout"
    write_final(store, SUBMISSION_ID, completion(stdout=None, stdout_key=key, stdout_size_bytes=8 * MIB))
    assert get(project_key, PATHS[1]).status == 404


def test_raw_output_is_exact_and_may_be_empty(store: SubmissionStore, project_key: str) -> None:
    put(store)
    write_final(store, SUBMISSION_ID, completion(stdout=b"\xff\0<script>", stderr=b""))
    assert get(project_key, PATHS[1]).raw == b"\xff\0<script>"
    assert get(project_key, PATHS[2]).raw == b""


def test_raw_output_of_an_open_submission_is_a_conflict(store: SubmissionStore, project_key: str) -> None:
    put(store)
    for path in PATHS[1:]:
        answer = get(project_key, path)
        assert (answer.status, answer.json["error"]) == (409, "conflict")


# --- deletion -------------------------------------------------------------------------------------------------------


def objects(aws: Aws) -> int:
    count = aws.client("s3").list_objects_v2(Bucket=aws.names["PayloadsBucket"])["KeyCount"]
    assert isinstance(count, int)
    return count


def test_a_deletion_leaves_nothing_of_a_finished_run(aws: Aws, store: SubmissionStore, project_key: str) -> None:
    payloads = result.ENV[Payloads]
    put(store, code=None, stdin=None, input_key=payloads.put_input(SUBMISSION_ID, b"code", b"stdin"))
    finish_large(aws, store, b"output")
    answer = get(project_key, PATHS[0], method="DELETE")
    assert (answer.status, answer.json) == (200, {"id": SUBMISSION_ID, "deleted": True})
    assert aws.items("SubmissionsTable") == []
    assert objects(aws) == 0
    assert get(project_key, PATHS[0]).status == get(project_key, PATHS[0], method="DELETE").status == 404


def test_a_deletion_cancels_pending_deliveries(aws: Aws, store: SubmissionStore, project_key: str) -> None:
    row = put(store)
    write_final(store, SUBMISSION_ID, completion())
    table = aws.names["DeliveriesTable"]
    deliveries = DeliveryStore(table, Clients.dynamodb())
    event = Event(SUBMISSION_ID, "submission.completed", PROJECT_ID, b"the output", SUBMISSION_ID)
    own = RunTarget("https://hooks.example.com/x", secret_box=b"sealed")
    assert deliveries.put_publication(plan_publication(table, event, Subscribers(), own, from_rfc3339(row.created_at)))
    assert _kept_bodies(aws) == [zlib.compress(b"the output")]
    assert get(project_key, PATHS[0], method="DELETE").status == 200
    delivery = deliveries.get_delivery(SUBMISSION_ID, "run")
    assert delivery is not None
    assert delivery.state is DeliveryState.CANCELLED
    assert _kept_bodies(aws) == []


def _kept_bodies(aws: Aws) -> list[bytes]:
    items = aws.items("DeliveriesTable")
    return [item[name]["B"] for item in items for name in ("body", "body_zlib") if name in item]


def test_a_pending_submission_is_deleted_with_its_input(aws: Aws, store: SubmissionStore, project_key: str) -> None:
    payloads = result.ENV[Payloads]
    put(store, code=None, stdin=None, input_key=payloads.put_input(SUBMISSION_ID, b"code", b"stdin"))
    assert get(project_key, PATHS[0], method="DELETE").status == 200
    assert aws.items("SubmissionsTable") == []
    bucket = aws.client("s3").list_objects_v2(Bucket=aws.names["PayloadsBucket"])
    assert [found["Key"] for found in bucket["Contents"]] == [f"deleted/{SUBMISSION_ID}"]  # a runner looks for it


@pytest.mark.usefixtures("_short_end")
def test_a_running_submission_that_does_not_end_is_not_deleted(
    aws: Aws, store: SubmissionStore, project_key: str
) -> None:
    payloads = result.ENV[Payloads]
    put(store, code=None, stdin=None, input_key=payloads.put_input(SUBMISSION_ID, b"code", b"stdin"))
    store.mark_started(SUBMISSION_ID, EXECUTION_ID, "runner-1", STARTED)
    answer = get(project_key, PATHS[0], method="DELETE")
    assert (answer.status, answer.json["error"]) == (409, "conflict")
    assert payloads.get_input(SUBMISSION_ID) == (b"code", b"stdin", None)


@pytest.fixture
def _short_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cancellation, "END_SECS", 0.01)


@pytest.mark.usefixtures("_short_end")
def test_a_run_with_network_keeps_its_row_until_its_bytes_are_counted(
    aws: Aws, store: SubmissionStore, project_key: str
) -> None:
    put(store, network=("api.example.com:443",))
    for _ in range(2):  # it is cancelled; a runner that has just begun it may still report bytes
        answer = get(project_key, PATHS[0], method="DELETE")
        assert (answer.status, answer.json["error"]) == (409, "conflict")
    assert len(aws.items("SubmissionsTable")) == 1
    (row,) = store.get_all([SUBMISSION_ID]).values()
    store.delete(row)
    put(store, network=("api.example.com:443",))
    write_final(store, SUBMISSION_ID, completion())
    assert get(project_key, PATHS[0], method="DELETE").status == 200


def test_a_submission_that_starts_during_its_deletion_stays_whole(
    aws: Aws, store: SubmissionStore, project_key: str
) -> None:
    payloads = result.ENV[Payloads]
    row = put(store, code=None, stdin=None, input_key=payloads.put_input(SUBMISSION_ID, b"code", b"stdin"))
    deletion = result.ENV[Deletion]
    store.mark_started(SUBMISSION_ID, EXECUTION_ID, "runner-1", STARTED)
    with pytest.raises(ConflictError):
        deletion.delete(row)
    assert objects(aws) == 1
    assert store.get(SUBMISSION_ID) is not None


def test_a_broken_deletion_can_be_repeated(
    aws: Aws, store: SubmissionStore, project_key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(store)
    finish_large(aws, store, b"output")

    def fail(**_: Any) -> None:
        raise ClientError({"Error": {"Code": "SlowDown", "Message": ""}}, "DeleteObject")

    with monkeypatch.context() as patched:
        patched.setattr(Clients.s3(), "delete_object", fail)
        assert get(project_key, PATHS[0], method="DELETE").status == 503
    assert get(project_key, PATHS[0], method="DELETE").status == 200
    assert objects(aws) == 0


def test_output_that_is_being_deleted_is_not_found(aws: Aws, store: SubmissionStore, project_key: str) -> None:
    put(store)
    finish_large(aws, store, b"output")
    row = store.get(SUBMISSION_ID)
    assert row is not None
    result.ENV[Payloads].delete_all(row.object_keys)
    assert get(project_key, PATHS[0]).status == get(project_key, PATHS[1]).status == 404


# --- the list -------------------------------------------------------------------------------------------------------


def test_the_list_pages_through_ones_own(aws: Aws, store: SubmissionStore, project_key: str) -> None:
    ids = []
    for second in range(5):
        created = to_rfc3339(now_ms() - 10_000 + second * 1_000)
        ids.append(put(store, submission_id=new_id(), created_at=created).submission_id)
    put(store, submission_id=new_id(), project_id="other")
    seen: list[str] = []
    query = {"limit": "2"}
    for _ in range(3):
        answer = get(project_key, "/api/results", query=query)
        assert answer.status == 200
        seen += [item["id"] for item in answer.json["items"]]
        query["cursor"] = answer.json["next_cursor"]
    assert seen == ids[::-1]
    assert query["cursor"] is None


def test_an_item_of_the_list_is_the_result_without_its_output(store: SubmissionStore, project_key: str) -> None:
    put(store)
    write_final(store, SUBMISSION_ID, completion())
    (item,) = get(project_key, "/api/results", query={"verdict": "AC", "language": "PY"}).json["items"]
    whole = get(project_key, PATHS[0]).json
    assert (item.pop("kind"), item.pop("line"), item.pop("source")) == ("run", "42", None)
    assert item == {name: whole[name] for name in item}
    assert {"output", "evidence", "stdout", "stderr"}.isdisjoint(item)
    assert get(project_key, "/api/results", query={"verdict": "RE"}).json == {"items": [], "next_cursor": None}


@pytest.mark.parametrize(
    "query",
    [
        {"limit": "0"},
        {"limit": "101"},
        {"cursor": "x"},
        {"cursor": ""},
        {"cursor": write_cursor("other", f"2026-11-24T12:00:00.000Z#{SUBMISSION_ID}")},
        {"status": "done"},
        {"verdict": "ac"},
        {"language": "cobol"},
        {"since": "yesterday"},
        {"metadata": "build"},
        {"q": "x" * 101},
    ],
    ids=str,
)
def test_a_wrong_parameter_of_the_list_is_a_bad_request(project_key: str, query: dict[str, str]) -> None:
    answer = get(project_key, "/api/results", query=query)
    assert (answer.status, answer.json["error"]) == (400, "bad_request")


def test_a_search_finds_text_of_lines_and_metadata_and_says_what_it_read(
    store: SubmissionStore, project_key: str
) -> None:
    put(store, metadata={"build": "1042"}, summary={"source": "console"})
    write_final(store, SUBMISSION_ID, completion(stdout=b"\n\x1b[31m  Six times\tseven\n42"))
    other = put(store, submission_id=new_id(), created_at=to_rfc3339(now_ms() - 1_000)).submission_id
    put(store, submission_id=new_id(), project_id="other", metadata={"build": "1042"})

    def found(**query: str) -> list[str]:
        answer = get(project_key, "/api/results", query=query)
        assert (answer.status, answer.json["next_cursor"]) == (200, None)
        assert answer.json.get("searched") == (2 if "q" in query else None)
        return [item["id"] for item in answer.json["items"]]

    for text in ("SEVEN", "1042", "bui", SUBMISSION_ID[:8].upper()):
        assert found(q=text) == [SUBMISSION_ID]
    assert found(q="eight") == []
    assert found(metadata="build=1042") == [SUBMISSION_ID]
    assert found(metadata="build=104") == found(metadata="list_shard=dev#1") == []
    (item,) = get(project_key, "/api/results", query={"q": "seven"}).json["items"]
    assert (item["line"], item["source"], item["metadata"]) == ("[31m Six times seven", "console", {"build": "1042"})
    created = get(project_key, f"/api/result/{other}").json["timestamps"]["created_at"]
    assert other in found(since=created)
    assert other not in found(until=created)


def test_a_project_searches_so_often_in_a_minute_and_lists_as_often_as_it_likes(aws: Aws, project_key: str) -> None:
    aws.monkeypatch.setattr(quota_store, "SEARCHES_PER_MINUTE", 3)
    answers = [get(project_key, "/api/results", query={"q": "x"}) for _ in range(7)]  # the minute may end once
    assert [answer.status for answer in answers[:3]] == [200] * 3
    refused = next(answer for answer in answers if answer.status != 200)
    assert (refused.status, refused.json["error"]) == (429, "rate_limited")
    assert 0 < int(refused.headers["retry-after"]) <= 60
    assert get(project_key, "/api/results", query={"limit": "1", "since": STARTED}).status == 200
    projects = ProjectStore(aws.names["ProjectsTable"], Clients.dynamodb())
    projects.create_project(Project("other", "other"))
    assert get(projects.issue_key("other"), "/api/results", query={"q": "x"}).status == 200


@pytest.mark.parametrize(
    "rare", [{"metadata": "a=b"}, {"status": "error"}, {"verdict": "TLE"}, {"kind": "judge"}], ids=str
)
def test_a_list_that_reads_much_to_show_little_is_a_search_and_one_that_finds_enough_is_none(
    aws: Aws, store: SubmissionStore, project_key: str, rare: dict[str, str]
) -> None:
    aws.monkeypatch.setattr(quota_store, "SEARCHES_PER_MINUTE", 2)
    aws.monkeypatch.setattr(list_store, "_ITEMS_PER_FILTERED_QUERY", 1)
    aws.monkeypatch.setattr(results_api, "SEARCHED_MAX", 8)
    for number in range(60):  # more than six of one shard
        put(store, submission_id=new_id(), created_at=to_rfc3339(now_ms() - number))

    def listed(query: dict[str, str]) -> int:
        return get(project_key, "/api/results", query=query).status

    assert {listed({"status": "pending", "limit": "1"}) for _ in range(10)} == {200}
    if "metadata" in rare:  # the newest matches: its page is full, and the other partitions were read in vain
        put(store, submission_id=new_id(), created_at=to_rfc3339(now_ms() + 60_000), metadata={"a": "b"})
    assert 429 in {listed({**rare, "limit": "1"}) for _ in range(5)}  # the minute may end once
    assert {listed({"limit": "1"}) for _ in range(3)} == {200}


def test_an_unknown_parameter_is_ignored(project_key: str) -> None:
    assert get(project_key, "/api/results", query={"colour": "blue"}).status == 200


# --- health and languages -------------------------------------------------------------------------------------------


def test_without_a_runner_health_answers_and_readiness_does_not(aws: Aws) -> None:
    health, ready = get(None, "/api/health"), get(None, "/api/health/ready")
    assert (health.status, health.json["status"], health.json["workers"]) == (200, "degraded", 0)
    assert [(one["node_id"], one["problem"].partition(":")[0]) for one in health.json["problems"]] == [
        ("", "No runner is live")
    ]
    assert (health.json["cgroup_backend"], health.json["namespace_support"]) == (None, False)
    assert (ready.status, ready.json.keys()) == (503, {"status", "error"})
    assert ready.json["status"] == "not_ready"


def test_health_shows_the_reports_of_live_runners(aws: Aws, project_key: str) -> None:
    heartbeat(aws, node_id="a", slots=4)
    heartbeat(aws, node_id="b", slots=3, age_secs=30)
    heartbeat(aws, node_id="gone", slots=100, age_secs=60, isolation_mode="permissive")
    post(project_key, {"language": "python", "code": "x"})
    health, ready = get(None, "/api/health"), get(None, "/api/health/ready")
    assert health.json == {
        "status": "ok",
        "version": VERSION,
        "runner_versions": ["0.1.0"],
        "enforcement_mode": "strict",
        "cgroup_backend": "cgroup_v2",
        "namespace_support": True,
        "network_support": False,
        "workers": 7,
        "queue_depth": 1,
        "node_id": "a",
        "problems": [],
    }
    assert (ready.status, ready.json) == (200, health.json | {"status": "ready"})


def test_health_shows_why_runners_cannot_work(aws: Aws) -> None:
    languages = get(None, "/api/languages").json
    unable = {"slots": 0, "languages": (), "problem": "this host cannot isolate: seccomp is not in force"}
    heartbeat(aws, node_id="one", age_secs=120, **unable)
    heartbeat(aws, node_id="another", age_secs=100, **unable)
    heartbeat(aws, node_id="long_ago", age_secs=300, **unable | {"problem": "no toolchain is installed"})
    health, ready = get(None, "/api/health").json, get(None, "/api/health/ready")
    assert health["status"] == "degraded"
    assert health["problems"][1:] == [{"node_id": "another", "problem": unable["problem"]}]
    assert (health["workers"], health["node_id"], health["runner_versions"]) == (0, "", [])
    assert ready.status == 503
    assert ready.json["error"].endswith(" Runner another: this host cannot isolate: seccomp is not in force")
    assert get(None, "/api/languages").json == languages

    heartbeat(aws, node_id="another")
    heartbeat(aws, node_id="one")
    healthy = get(None, "/api/health").json
    assert (healthy["status"], healthy["problems"]) == ("ok", [])


def test_health_answers_even_when_its_figures_cannot_be_read(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(**_: Any) -> None:
        raise ClientError({"Error": {"Code": "ThrottlingException", "Message": "hidden"}}, "Query")

    get(None, "/api/health")
    with monkeypatch.context() as patched:
        patched.setattr(Clients.sqs(), "get_queue_attributes", fail)
        result.ENV.forget()
        heartbeat(aws)
        health, ready = get(None, "/api/health"), get(None, "/api/health/ready")
    assert (health.status, health.json["status"], health.json["workers"]) == (200, "degraded", 0)
    assert (ready.status, ready.json["error"]) == (503, "unavailable")


def test_languages_are_a_bare_array(aws: Aws) -> None:
    assert get(None, "/api/languages").json == [
        *("python", "c", "cpp", "java", "javascript", "typescript", "go", "rust", "lua", "bash"),
    ]
    heartbeat(aws, age_secs=3_600)
    result.ENV.forget()
    told = json.loads((EVENTS / "runner_heartbeat" / "v1.strict.json").read_text())["languages"]
    assert set(get(None, "/api/languages").json) == set(told)


def test_languages_in_detail_name_the_toolchains_of_live_runners(aws: Aws) -> None:
    unheard = get(None, "/api/languages", query={"detail": "true"}).json
    assert (unheard[0]["name"], unheard[0]["toolchains"]) == ("python", [])
    heartbeat(aws)
    result.ENV.forget()
    told = get(None, "/api/languages", query={"detail": "true"}).json
    assert [{"name": one["name"], "toolchains": one["toolchains"]} for one in told] == [
        {"name": "python", "toolchains": ["Python 3.13.5"]},
        {"name": "c", "toolchains": ["gcc 14.2.0"]},
        {"name": "javascript", "toolchains": ["Bun 1.4.2"]},
    ]
    assert get(None, "/api/languages", query={"detail": "false"}).json == ["python", "c", "javascript"]
    refused = get(None, "/api/languages", query={"detail": "yes"})
    assert (refused.status, refused.json["error"]) == (400, "bad_request")


def test_languages_in_detail_name_the_data_packages_that_all_runners_have(aws: Aws) -> None:
    heartbeat(aws, packages={"numpy": "2.5.5", "scipy": "1.18.1"}, node_id="first")
    heartbeat(aws, packages={"numpy": "2.6.0"}, node_id="second")
    result.ENV.forget()
    told = get(None, "/api/languages", query={"detail": "true"}).json
    result.ENV.forget()
    assert {one["name"]: one["packages"] for one in told} == {
        "python": {"numpy": ["2.5.5", "2.6.0"]},
        "c": {},
        "javascript": {},
    }


def test_languages_in_detail_show_the_ceilings_that_the_operator_has_raised(
    aws: Aws, monkeypatch: pytest.MonkeyPatch
) -> None:
    heartbeat(aws)
    monkeypatch.setenv("LIMIT_CEILINGS", "judge.memory_mb=4096,agent.wall_time_secs=120,judge.output_kb=8192")
    result.ENV.forget()
    told = get(None, "/api/languages", query={"detail": "true"}).json
    result.ENV.forget()
    ceilings = {one["name"]: one["ceilings"] for one in told}
    assert {language: one["judge"]["memory_mb"] for language, one in ceilings.items()} == dict.fromkeys(ceilings, 4096)
    assert (ceilings["c"]["judge"]["wall_time_secs"], ceilings["c"]["agent"]["wall_time_secs"]) == (25, 120)
    assert (ceilings["c"]["judge"]["output_kb"], ceilings["c"]["agent"]["output_kb"]) == (8192, 1024)
    assert (ceilings["c"]["judge"]["max_processes"], ceilings["python"]["agent"]["max_processes"]) == (8, 64)


# --- whatever no route matches ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path",
    ["/api", "/api/", "/api/results/", "/api/judges", "/api/nothing", "/api/webhooks/", "/api/projects/x/y", "/x"],
)
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_an_unknown_path_is_not_found(aws: Aws, path: str, method: str) -> None:
    answer = get(None, path, method=method)
    assert (answer.status, answer.json["error"]) == (404, "not_found")
    assert answer.headers["x-request-id"] == REQUEST_ID


@pytest.mark.parametrize(
    ("path", "method", "allowed"),
    [
        ("/api/submit", "GET", "POST"),
        ("/api/submit", "OPTIONS", "POST"),
        (PATHS[0], "POST", "GET, DELETE"),
        (PATHS[0], "PATCH", "GET, DELETE"),
        ("/api/result/x", "PUT", "GET, DELETE"),
        (PATHS[1], "DELETE", "GET"),
        ("/api/results", "POST", "GET"),
        ("/api/languages", "HEAD", "GET"),
        ("/api/health/ready", "DELETE", "GET"),
        ("/api/openapi.json", "POST", "GET"),
        ("/docs", "POST", "GET"),
        ("/", "POST", "GET"),
    ],
)
def test_a_known_path_says_which_methods_it_has(aws: Aws, path: str, method: str, allowed: str) -> None:
    answer = get(None, path, method=method)
    assert (answer.status, answer.json["error"], answer.headers["allow"]) == (405, "method_not_allowed", allowed)


def test_the_reference_is_a_page_for_everybody_that_may_run_nothing(aws: Aws) -> None:
    answer = get(None, "/docs")
    assert (answer.status, answer.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert answer.headers["content-security-policy"].startswith("default-src 'none'")
    assert b"/api/submit" in answer.raw


def test_the_document_is_also_where_tools_look_for_it(aws: Aws) -> None:
    assert get(None, "/openapi.json").json == get(None, "/api/openapi.json").json


def test_the_overview_for_language_models_names_paths_that_exist(aws: Aws) -> None:
    answer = get(None, "/llms.txt")
    assert (answer.status, answer.headers["Content-Type"]) == (200, "text/plain; charset=utf-8")
    named = re.findall(r"`(?:GET|POST) (/api/[a-z]+(?:/{id}(?:/[a-z]+)?)?)", answer.raw.decode())
    assert len(named) == 6
    assert set(named) <= get(None, "/openapi.json").json["paths"].keys()
    linked = [link.partition("?")[0] for link in re.findall(r"\]\((.*?)\)", answer.raw.decode())]
    assert [get(None, f"/{link}").status for link in linked] == [200, 200, 200]


def test_the_icon_is_where_browsers_look_for_it(aws: Aws) -> None:
    answer = get(None, "/favicon.ico")
    assert (answer.status, answer.headers["Content-Type"]) == (200, "image/svg+xml")
    assert answer.raw.startswith(b"<svg")


def test_a_misspelt_query_parameter_is_refused_and_an_unknown_one_is_ignored(
    store: SubmissionStore, project_key: str
) -> None:
    put(store, idempotency_pk=idempotency_pk(PROJECT_ID, "key"))
    answer = get(project_key, PATHS[0], query={"wiat": "true"})
    assert (answer.status, answer.json["error"]) == (400, "bad_request")
    assert answer.json["message"] == "There is no query parameter wiat. Did you mean wait?"
    assert get(project_key, PATHS[0], query={"utm_source": "x"}).status == 200


def test_another_projects_key_sees_nothing_of_ones_own(aws: Aws, store: SubmissionStore, project_key: str) -> None:
    projects = ProjectStore(aws.names["ProjectsTable"], Clients.dynamodb())
    projects.create_project(Project("other", "Other", quotas=GENEROUS))
    other = projects.issue_key("other")
    put(store, idempotency_pk=idempotency_pk(PROJECT_ID, "key"))
    write_final(store, SUBMISSION_ID, completion())
    assert [get(other, path).status for path in PATHS] == [404, 404, 404]
    assert get(other, "/api/results").json["items"] == []
    assert len(get(project_key, "/api/results").json["items"]) == 1
