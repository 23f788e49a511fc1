"""The direct path whole: submit's handler, a real worker behind real HTTP, the engine for the rest."""

import http.server
import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, Self

import pytest
from botocore.exceptions import ClientError

from functions.aws.clients import Clients
from functions.aws.dynamodb.transaction import Refusal, transact
from functions.clock import now_ms, to_rfc3339
from functions.ids import new_id
from functions.projects.model import MAX_IN_FLIGHT, NetworkAccess, Project, ProjectNetwork, Quota
from functions.projects.quota_store import QuotaStore
from functions.projects.store import ProjectStore
from functions.submissions import completion, direct
from functions.submissions.accept import acceptance
from functions.submissions.accept import acceptance as start_module
from functions.submissions.completion import Completer
from functions.submissions.model import DIRECT_DUE_SECS, Status
from functions.submissions.queues import Queues
from functions.submissions.store import SubmissionStore
from functions.webhooks.deliveries.model import HINTED_MS
from functions.webhooks.deliveries.publication import DeliveryHints
from functions.webhooks.endpoints.store import EndpointStore
from tests.adapters.aws_account import PROJECT_ID, Aws
from tests.adapters.http_calls import Answer, get, post
from tests.adapters.pipeline import Crash, Pipeline, crash_at
from tests.adapters.quota_usage import whole_usage
from tests.adapters.runner_system import TOKEN, Direct, HeldSlot, comparable
from tests.adapters.submissions.direct_wiring import forget_wiring, table_calls, use
from tests.adapters.submissions.waits import waiting
from tests.runner_doubles import BROKEN, RecordedSlot, outcome
from tests.submission_factory import GENEROUS, golden, new_submission
from tests.until import PATIENCE_SECS, until

PROGRAM = {"language": "python", "code": "print(42)"}
HOOK = {"webhook_url": "https://hooks.example.com/x", "webhook_secret": "s"}


@pytest.fixture(autouse=True)
def _connections(aws: Aws) -> Iterator[None]:
    yield
    forget_wiring()


@pytest.fixture
def no_pending_rows(aws: Aws) -> None:
    """Let no run last long enough for a pending row, however slow this machine is."""
    aws.monkeypatch.setattr(acceptance, "ROW_AFTER_SECS", PATIENCE_SECS)


def start(system: Direct, make_slot: Callable[[], RecordedSlot] = RecordedSlot, *, slots: int = 2) -> None:
    system.start(make_slot, slots=slots)
    use(system.aws, system.port)


def wait_for(key: str, program: Any = None, **more: Any) -> Answer:
    return post(key, program or PROGRAM, query={"wait": "true"}, **more)


def rows(aws: Aws) -> list[dict[str, Any]]:
    return [item for item in aws.items("SubmissionsTable") if item["pk"]["S"].startswith("SUBMISSION#")]


def only_row(aws: Aws) -> Any:
    (item,) = rows(aws)
    return SubmissionStore(aws.names["SubmissionsTable"], Clients.dynamodb()).get(item["submission_id"]["S"])


# --- the answer -------------------------------------------------------------------------------------------------------


def test_the_answer_is_final_and_nothing_is_due(system: Direct, aws: Aws, project_key: str) -> None:
    start(system)
    answer = wait_for(project_key)
    assert (answer.status, answer.json["verdict"], answer.json["stdout"]) == (200, "AC", "42\n")
    row = only_row(aws)
    assert (row.status, row.due_at_ms) == (Status.COMPLETED, None)
    assert {"due_shard", "fanout", "code", "asked_directly"}.isdisjoint(rows(aws)[0])
    assert aws.messages("InteractiveQueue") == []
    assert system.of_type("execution_completed") == []
    assert get(project_key, f"/api/result/{answer.json['id']}").json == answer.json


@pytest.mark.usefixtures("no_pending_rows")
def test_a_direct_run_keeps_its_program_if_the_request_says_so(system: Direct, project_key: str) -> None:
    start(system)
    kept = wait_for(project_key, {**PROGRAM, "keep_code": True}).json["id"]
    other = wait_for(project_key).json["id"]
    assert get(project_key, f"/api/result/{kept}/program").json["request"] == PROGRAM
    assert get(project_key, f"/api/result/{other}/program").status == 404


def allow_network(aws: Aws) -> dict[str, Any]:
    """Let the project name any host. Return a program with network."""
    network = ProjectNetwork(NetworkAccess.PUBLIC)
    projects = ProjectStore(aws.names["ProjectsTable"], Clients.dynamodb())
    projects.create_project(Project(PROJECT_ID, "Tests", quotas=GENEROUS, network=network))
    return {**PROGRAM, "profile": "agent", "network": {"allow": ["api.example.com"]}}


def test_a_run_with_network_goes_to_a_runner_that_takes_it(system: Direct, aws: Aws, project_key: str) -> None:
    system.network_support = True
    system.start(RecordedSlot)
    use(aws, system.port, network_port=system.port)
    answer = wait_for(project_key, allow_network(aws))
    assert (answer.status, answer.json["verdict"]) == (200, "AC")
    assert aws.messages("NetworkQueue") == []


def test_a_run_with_network_is_queued_where_no_runner_for_it_is_called_directly(
    system: Direct, aws: Aws, project_key: str
) -> None:
    start(system)
    answer = post(project_key, allow_network(aws), query={"wait": "2"})
    assert answer.status == 408
    (message,) = aws.messages("NetworkQueue")
    assert message["submission_id"] == answer.json["id"]
    assert [slot.specs for slot in system.slots] == [[], []]


def test_an_answered_direct_run_is_no_longer_in_flight(
    system: Direct, aws: Aws, project_key: str, pipeline: Pipeline
) -> None:
    start(system)
    for key in (None, "key"):
        assert wait_for(project_key, idempotency_key=key).status == 200
    usage = whole_usage(pipeline.aws, PROJECT_ID)
    assert (usage.day.count, usage.in_flight) == (2, 0)


def test_both_ways_give_the_same_result(
    system: Direct, aws: Aws, project_key: str, pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    start(system, lambda: RecordedSlot(outcome(stdout=b"out\xff\n", stderr=b"err\n")))
    direct = wait_for(project_key, {**PROGRAM, "metadata": {"a": "b"}}).json
    aws.monkeypatch.setenv("RUNNER_URL", "")
    forget_wiring()

    def record() -> None:
        message = until(lambda: system.of_type("execution_completed"))[0]
        assert pipeline.record(json.dumps(message)) == []

    waiting(monkeypatch, record)
    queued = wait_for(project_key, {**PROGRAM, "metadata": {"a": "b"}}).json
    changing = {"id", "timestamps", "created_at", "started_at", "completed_at", "expires_at"}

    def kept(body: dict[str, Any]) -> dict[str, Any]:
        return comparable({name: value for name, value in body.items() if name not in changing})

    assert kept(direct) == kept(queued)
    assert {type(value) for value in direct["timestamps"].values()} == {str}
    assert direct["metrics"]["queue_ms"] >= 0


def test_output_too_large_for_message_and_row_comes_whole(system: Direct, aws: Aws, project_key: str) -> None:
    start(system, lambda: RecordedSlot(outcome(stdout=b"x" * 200_000, stderr=b"y" * 50_000)))
    answer = wait_for(project_key).json
    assert (answer["stdout"], answer["stderr"]) == ("x" * 200_000, "y" * 50_000)


def test_input_too_large_for_the_row_goes_along(system: Direct, aws: Aws, project_key: str) -> None:
    start(system)
    assert wait_for(project_key, {**PROGRAM, "stdin": "s" * 200_000}).status == 200
    (spec,) = [spec for slot in system.slots for spec in slot.specs]
    assert spec.stdin == b"s" * 200_000


def test_asynchronous_requests_never_take_the_direct_path(system: Direct, aws: Aws, project_key: str) -> None:
    start(system)
    assert post(project_key, PROGRAM).status == 202
    until(lambda: system.of_type("execution_completed"))


def test_the_answer_writes_its_webhooks_and_sends_their_hints(
    system: Direct, aws: Aws, project_key: str, pipeline: Pipeline
) -> None:
    endpoint = pipeline.endpoint(project_id=PROJECT_ID)
    start(system)
    answer = wait_for(project_key, {**PROGRAM, **HOOK})
    row = only_row(aws)
    assert (answer.status, row.due_at_ms, row.webhook_secret_box) == (200, None, None)
    assert system.of_type("execution_completed") == []
    assert pipeline.delivery(row) is not None
    assert pipeline.delivery(row, endpoint.endpoint_id) is not None
    assert len(pipeline.hints()) == 2


def test_an_endpoint_made_a_moment_ago_hears_of_the_run(
    system: Direct, aws: Aws, project_key: str, pipeline: Pipeline
) -> None:
    start(system)
    wait_for(project_key)  # the empty list of endpoints is cached now
    first = only_row(aws)
    endpoint = pipeline.endpoint(project_id=PROJECT_ID)
    second = wait_for(project_key).json["id"]
    assert pipeline.delivery(first, endpoint.endpoint_id) is None
    assert pipeline.deliveries.get_delivery(second, endpoint.endpoint_id) is not None
    assert len(pipeline.hints()) == 1


def test_output_in_the_bucket_is_in_the_event(system: Direct, aws: Aws, project_key: str, pipeline: Pipeline) -> None:
    start(system, lambda: RecordedSlot(outcome(stdout=b"x" * 100_000)))
    answer = wait_for(project_key, {**PROGRAM, **HOOK})
    event = pipeline.deliveries.get_event(answer.json["id"])
    assert event is not None
    assert json.loads(event.body)["stdout"] == "x" * 100_000


def test_a_run_whose_hints_cannot_be_sent_is_answered_and_its_webhook_comes_later(
    system: Direct, aws: Aws, project_key: str, pipeline: Pipeline
) -> None:
    start(system)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(DeliveryHints, "send_all", throttled)
        assert wait_for(project_key, {**PROGRAM, **HOOK}).json["verdict"] == "AC"
    assert pipeline.hints() == []
    pipeline.time.ms = now_ms() + HINTED_MS
    pipeline.sweep()
    assert len(pipeline.hints()) == 1


def test_a_run_whose_endpoints_cannot_be_read_is_not_lost(
    system: Direct, aws: Aws, project_key: str, pipeline: Pipeline
) -> None:
    with long_run(system, aws), pytest.MonkeyPatch.context() as patch:
        patch.setattr(EndpointStore, "subscribers", throttled)
        waiting(patch)
        assert wait_for(project_key).status == 408
    (message,) = until(lambda: system.of_type("execution_completed"))
    assert pipeline.record(json.dumps(message)) == []
    assert only_row(aws).is_final


def test_a_conflict_on_the_quota_item_does_not_keep_the_result_from_being_written(
    system: Direct, aws: Aws, project_key: str, pipeline: Pipeline
) -> None:
    start(system)
    real, releases = transact, []

    def conflicting(client: Any, actions: Any, *more: Any) -> Refusal | None:
        releases.append(len(actions["quota"]))
        return real(client, actions, *more) if len(releases) > 1 else Refusal(frozenset(), frozenset({"quota"}))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(completion, "transact", conflicting)
        assert wait_for(project_key).json["verdict"] == "AC"
    assert releases == [1, 0]  # the second time without the release, which is then written alone
    assert only_row(aws).is_final
    assert whole_usage(pipeline.aws, PROJECT_ID).in_flight == 0


# --- back to the queue ------------------------------------------------------------------------------------------------


class Impostor(http.server.ThreadingHTTPServer):
    """Answers every request with whatever `respond` writes."""

    daemon_threads = True

    def __init__(self, respond: Callable[[http.server.BaseHTTPRequestHandler, dict[str, Any]], None]) -> None:
        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                respond(self, json.loads(self.rfile.read(int(self.headers["content-length"]))))

            def log_message(self, *_: Any) -> None:
                pass

        super().__init__(("127.0.0.1", 0), Handler)

    def __enter__(self) -> Self:
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()


def answering(status: int, make: Callable[[dict[str, Any]], bytes], **headers: str) -> Any:
    def respond(handler: http.server.BaseHTTPRequestHandler, request: dict[str, Any]) -> None:
        body = make(request)
        handler.send_response(status)
        for name, value in ({"Content-Length": str(len(body))} | headers).items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(body)
        handler.close_connection = True

    return respond


def completion_for(request: dict[str, Any], **changes: Any) -> bytes:
    own = {name: request[name] for name in ("submission_id", "execution_id", "language")}
    return json.dumps(golden("execution_completed/v1.accepted") | own | changes).encode()


OTHER = "00000000-0000-4000-8000-000000000000"
STORED = {"size_bytes": 3, "object_key": f"outputs/{OTHER}/{OTHER}/stdout"}


@pytest.mark.parametrize(
    "respond",
    [
        answering(503, lambda _: b'{"error":"no_free_slot"}'),
        answering(500, completion_for),
        answering(302, completion_for, Location="http://127.0.0.1:1/"),
        answering(200, lambda _: b"not JSON"),
        answering(200, lambda _: b"{}"),
        answering(200, lambda request: completion_for(request, submission_id=OTHER)),
        answering(200, lambda request: completion_for(request, execution_id=OTHER)),
        answering(200, lambda request: completion_for(request, language="c")),
        answering(200, lambda request: completion_for(request, stdout=STORED)),
        answering(200, lambda request: completion_for(request, metrics={"queue_ms": -1})),
        answering(200, completion_for, **{"Content-Length": "2000000"}),
        answering(200, completion_for, **{"Content-Length": "900000"}),
        answering(200, completion_for, **{"Content-Length": "-1"}),
        answering(200, lambda request: b" " * 1_048_577 + completion_for(request)),
        lambda handler, _: setattr(handler, "close_connection", True),
        lambda handler, _: handler.wfile.write(b"\x00\xff garbage\r\n\r\n"),
        lambda handler, _: handler.wfile.write(b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200),
    ],
)
def test_any_other_answer_sends_the_same_execution_to_the_queue(
    aws: Aws, project_key: str, monkeypatch: pytest.MonkeyPatch, respond: Any
) -> None:
    def respond_and_close(handler: http.server.BaseHTTPRequestHandler, request: dict[str, Any]) -> None:
        respond(handler, request)
        handler.close_connection = True

    with Impostor(respond_and_close) as impostor:
        use(aws, impostor.server_address[1])
        waiting(monkeypatch)
        answer = wait_for(project_key)
    assert answer.status == 408
    row = only_row(aws)
    (message,) = aws.messages("InteractiveQueue")
    assert (message["submission_id"], message["execution_id"]) == (row.submission_id, row.execution_id)
    assert (row.status, row.asked_directly) == (Status.PENDING, False)
    assert row.due_at_ms > now_ms() + (DIRECT_DUE_SECS + 20) * 1000  # as every queued one: after PENDING_REDRIVE_SECS


def test_an_answer_that_does_not_come_in_time_sends_to_the_queue(
    aws: Aws, project_key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(direct, "ANSWER_SECS", 0.2)
    done = threading.Event()

    def silent(handler: http.server.BaseHTTPRequestHandler, _: dict[str, Any]) -> None:
        done.wait(20)
        handler.close_connection = True

    with Impostor(silent) as impostor:
        use(aws, impostor.server_address[1])
        waiting(monkeypatch)
        assert wait_for(project_key).status == 408
        done.set()
    assert len(aws.messages("InteractiveQueue")) == 1


def test_a_runner_that_is_down_is_left_alone_for_a_moment(
    aws: Aws, project_key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Impostor(answering(200, completion_for)) as impostor:
        port = impostor.server_address[1]
    use(aws, port)
    waiting(monkeypatch)
    tried: list[object] = []
    connect = direct.RunnerConnections.connect

    def counted(self: direct.RunnerConnections) -> Any:
        tried.append(self)
        return connect(self)

    monkeypatch.setattr(direct.RunnerConnections, "connect", counted)
    monkeypatch.setattr(direct, "PAUSE_SECS", 3600.0)  # however slow this machine is
    assert [wait_for(project_key).status for _ in range(3)] == [408] * 3
    assert len(tried) == 1
    assert len(aws.messages("InteractiveQueue")) == 3


@pytest.mark.parametrize("token", ["x" * 40, None])
def test_without_the_right_token_the_queue_is_asked_and_no_token_is_logged(
    system: Direct, aws: Aws, project_key: str, logged: list[dict[str, Any]], token: str | None
) -> None:
    start(system)
    if token is None:
        aws.monkeypatch.setenv("RUNNER_TOKEN_PARAMETER", "/rustbox/none")
        forget_wiring()
    else:
        use(aws, system.port, token)
    with pytest.MonkeyPatch.context() as patch:
        waiting(patch)
        assert wait_for(project_key).status == 408
    until(lambda: system.of_type("execution_completed"))
    text = json.dumps(logged)
    assert "Runner" in text
    assert (token or TOKEN) not in text
    assert TOKEN not in text


def test_a_connection_that_died_while_it_was_kept_is_replaced_after_a_pending_row(aws: Aws, project_key: str) -> None:
    asked: list[str] = []

    def once(handler: http.server.BaseHTTPRequestHandler, request: dict[str, Any]) -> None:
        asked.append(request["execution_id"])
        if len(asked) == 2:  # read, and closed without an answer
            handler.close_connection = True
            return
        body = completion_for(request)
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    with Impostor(once) as impostor:
        use(aws, impostor.server_address[1])
        assert wait_for(project_key).status == 200
        with table_calls(aws) as (submissions, _):
            assert wait_for(project_key).status == 200
    # Nobody knows how long the repeated run takes.
    assert submissions == ["PutItem", "TransactWriteItems"]
    assert len(asked) == 3
    assert asked[1] == asked[2]


def test_a_broken_sandbox_is_made_up_for_by_the_queue(
    system: Direct, aws: Aws, project_key: str, pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    slots = [RecordedSlot(BROKEN), RecordedSlot(), RecordedSlot()]
    start(system, lambda: slots[len(system.slots)], slots=1)

    def record() -> None:
        assert pipeline.record(json.dumps(until(lambda: system.of_type("execution_completed"))[0])) == []

    waiting(monkeypatch, record)
    assert wait_for(project_key).json["verdict"] == "AC"


# --- what the table refuses -------------------------------------------------------------------------------------------


def throttled(*_: Any, **__: Any) -> Any:
    raise ClientError({"Error": {"Code": "ThrottlingException", "Message": "busy"}}, "AnyOperation")


@contextmanager
def long_run(system: Direct, aws: Aws) -> Iterator[HeldSlot]:
    """Direct runs get a pending row at once, and end when it is there; one at a time."""
    slot = HeldSlot()
    start(system, lambda: slot, slots=1)

    def end_when_there_is_a_row() -> None:
        until(lambda: rows(aws))
        slot.may_end.set()

    aws.monkeypatch.setattr(acceptance, "ROW_AFTER_SECS", 0)
    with ThreadPoolExecutor(1) as threads:
        ended = threads.submit(end_when_there_is_a_row)
        yield slot
        ended.result()


def begun(system: Direct) -> int:
    return sum(len(slot.specs) for slot in system.slots)


def counts(pipeline: Pipeline) -> tuple[int, int]:
    """(Runs of this day, runs in flight) of the quota."""
    usage = whole_usage(pipeline.aws, PROJECT_ID)
    return usage.day.count, usage.in_flight


# --- the row, written once --------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("no_pending_rows")
@pytest.mark.parametrize(("in_flight", "more"), [(10, []), (MAX_IN_FLIGHT, ["GetItem"])])
def test_a_synchronous_answer_takes_two_calls_of_the_tables(
    system: Direct, aws: Aws, project_key: str, in_flight: int, more: list[str]
) -> None:
    projects = ProjectStore(aws.names["ProjectsTable"], Clients.dynamodb())
    projects.create_project(Project(PROJECT_ID, "Tests", quotas={"judge": Quota(10**5, 10**5, in_flight)}))
    start(system)
    wait_for(project_key)
    with table_calls(aws) as (submissions, quotas):
        assert wait_for(project_key).json["verdict"] == "AC"
    assert submissions == ["TransactWriteItems"]
    # The first run of a minute in an item begins a new window, which is one update more.
    # No shard of a large quota holds the version of the endpoints: it is read during the run.
    assert quotas in (
        ["UpdateItem", *more, "TransactWriteItems"],
        ["UpdateItem", "UpdateItem", *more, "TransactWriteItems"],
    )


@pytest.mark.usefixtures("no_pending_rows")
def test_a_synchronous_answer_with_a_key_writes_its_claim_in_the_same_transaction(
    system: Direct, aws: Aws, project_key: str
) -> None:
    start(system)
    with table_calls(aws) as (submissions, _):
        first = wait_for(project_key, idempotency_key="key")
    assert submissions == ["GetItem", "TransactWriteItems"]
    assert wait_for(project_key, idempotency_key="key").json == first.json
    assert begun(system) == 1


def test_a_finished_direct_run_keeps_neither_code_nor_input(system: Direct, aws: Aws, project_key: str) -> None:
    start(system)
    assert wait_for(project_key, {**PROGRAM, "stdin": "secret input"}).status == 200
    assert (only_row(aws).code, only_row(aws).stdin, only_row(aws).input_key) == (None, None, None)


def test_a_long_run_has_a_pending_row_before_its_answer(system: Direct, aws: Aws, project_key: str) -> None:
    with long_run(system, aws), table_calls(aws) as (submissions, _):
        assert wait_for(project_key).json["verdict"] == "AC"
    assert [name for name in submissions if name != "Scan"] == ["PutItem", "TransactWriteItems"]
    # Only a pending row holds the code, in case that it must run again.
    assert (only_row(aws).is_final, only_row(aws).code) == (True, None)


# --- writes that fail -------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("no_pending_rows")
def test_a_final_row_that_cannot_be_written_is_an_error_and_leaves_nothing(
    system: Direct, aws: Aws, project_key: str, pipeline: Pipeline
) -> None:
    start(system)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Completer, "complete_new", throttled)
        for key in (None, "key"):
            assert wait_for(project_key, idempotency_key=key).status == 503
    assert (rows(aws), counts(pipeline)[1]) == ([], 0)
    assert wait_for(project_key, idempotency_key="key").status == 200  # no claim was left


def test_a_pending_row_that_cannot_be_written_does_not_cost_the_result(
    system: Direct, aws: Aws, project_key: str
) -> None:
    slot = HeldSlot()
    start(system, lambda: slot, slots=1)
    tried = threading.Event()

    def fail(*_: Any) -> None:
        tried.set()
        throttled()

    with pytest.MonkeyPatch.context() as patch, ThreadPoolExecutor(1) as threads:
        patch.setattr(SubmissionStore, "create", fail)
        answer = threads.submit(wait_for, project_key)
        assert tried.wait(20)
        slot.may_end.set()
        assert answer.result().json["verdict"] == "AC"
    assert only_row(aws).is_final


def test_a_pending_row_written_by_a_call_that_seemed_to_fail_becomes_final(
    system: Direct, aws: Aws, project_key: str
) -> None:
    create = SubmissionStore.create

    def write_and_fail(*arguments: Any) -> None:
        create(*arguments)
        throttled()

    with long_run(system, aws), pytest.MonkeyPatch.context() as patch:
        patch.setattr(SubmissionStore, "create", write_and_fail)
        answer = wait_for(project_key)
    assert answer.json["verdict"] == "AC"
    assert (only_row(aws).is_final, only_row(aws).submission_id) == (True, answer.json["id"])


def test_a_quota_that_is_used_up_runs_nothing(system: Direct, aws: Aws, project_key: str, pipeline: Pipeline) -> None:
    start(system)
    projects = ProjectStore(aws.names["ProjectsTable"], Clients.dynamodb())
    projects.create_project(Project(PROJECT_ID, "Tests", quotas={"judge": Quota(10, 10, 1)}))
    row = new_submission(submission_id=new_id(), project_id=PROJECT_ID, created_at=to_rfc3339(now_ms()))
    pipeline.quotas.charge(row.quota_claim, Quota(10, 10, 1))
    assert wait_for(project_key).status == 429
    assert (begun(system), rows(aws)) == (0, [])


def test_a_result_that_cannot_be_recorded_now_is_handed_to_record(
    system: Direct, aws: Aws, project_key: str, monkeypatch: pytest.MonkeyPatch, pipeline: Pipeline
) -> None:
    original = Completer.complete
    with long_run(system, aws) as slot:
        monkeypatch.setattr(Completer, "complete", throttled)

        def record() -> None:
            monkeypatch.setattr(Completer, "complete", original)
            assert pipeline.record(json.dumps(until(lambda: system.of_type("execution_completed"))[0])) == []

        waiting(monkeypatch, record)
        assert wait_for(project_key).json["verdict"] == "AC"
    assert len(slot.specs) == 1
    assert aws.messages("InteractiveQueue") == []


def test_a_result_that_can_go_nowhere_is_run_again_by_the_queue(
    system: Direct, aws: Aws, project_key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with long_run(system, aws) as slot:
        monkeypatch.setattr(Completer, "complete", throttled)
        monkeypatch.setattr(Queues, "send_completion", throttled)
        waiting(monkeypatch)
        assert wait_for(project_key).status == 408
        until(lambda: system.of_type("execution_completed"))
    assert len(slot.specs) == 2


def test_a_direct_run_that_outlasts_a_short_wait_goes_on_from_the_queue(
    system: Direct, aws: Aws, project_key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(start_module, "DIRECT_FROM_SECS", 0.1)
    slot = HeldSlot()
    start(system, lambda: slot, slots=1)
    answer = post(project_key, PROGRAM, query={"wait": "0.3"})
    assert answer.status == 408
    slot.may_end.set()
    until(lambda: system.of_type("execution_completed"))
    assert only_row(aws).submission_id == answer.json["id"]


def test_a_submission_deleted_meanwhile_is_gone(
    system: Direct, aws: Aws, project_key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    slot = HeldSlot()
    start(system, lambda: slot, slots=1)
    waiting(monkeypatch)
    with ThreadPoolExecutor(1) as threads:
        answer = threads.submit(wait_for, project_key)
        assert slot.begun.wait(20)
        submission_id = until(lambda: rows(aws))[0]["submission_id"]["S"]
        assert get(project_key, f"/api/result/{submission_id}", method="DELETE").status == 200
        slot.may_end.set()
        assert answer.result().status == 404
    assert rows(aws) == []


# --- crashes ----------------------------------------------------------------------------------------------------------


def test_a_run_whose_endpoints_version_cannot_be_read_is_refused_and_refunded(
    system: Direct, aws: Aws, project_key: str, pipeline: Pipeline
) -> None:
    slot = HeldSlot()
    start(system, lambda: slot, slots=1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(QuotaStore, "endpoints_version", throttled)
        assert wait_for(project_key).status == 503
    assert (rows(aws), counts(pipeline)) == ([], (0, 0))
    slot.may_end.set()  # after the runner's client is gone
    for message in until(lambda: system.of_type("execution_completed")):
        assert pipeline.record(json.dumps(message)) == []
    assert rows(aws) == []
    assert wait_for(project_key).json["verdict"] == "AC"


@pytest.mark.usefixtures("no_pending_rows")
@pytest.mark.parametrize(("key", "hook"), [(None, {}), ("key", HOOK)])
@pytest.mark.parametrize("point", ["submit.after_ask", "submit.after_answer", "complete.before_write"])
def test_a_crash_before_the_first_write_leaves_nothing_and_a_repeat_runs(
    system: Direct, aws: Aws, project_key: str, pipeline: Pipeline, point: str, key: str | None, hook: dict[str, str]
) -> None:
    aws.monkeypatch.setattr(start_module, "OVERTAKEN_AFTER_MS", 100)  # else a repeat with the key waits for 5 s
    start(system)
    with crash_at(point), pytest.raises(Crash):
        wait_for(project_key, {**PROGRAM, **hook}, idempotency_key=key)
    assert rows(aws) == []
    until(lambda: begun(system))
    # A runner whose client went away sends its completion to the queue, where it belongs to no row.
    for message in system.of_type("execution_completed"):
        assert pipeline.record(json.dumps(message)) == []
    answer = wait_for(project_key, {**PROGRAM, **hook}, idempotency_key=key)
    assert (answer.status, answer.json["verdict"], len(rows(aws))) == (200, "AC", 1)


@pytest.mark.parametrize(("key", "hook"), [(None, {}), ("key", HOOK)])
@pytest.mark.parametrize("point", ["complete.after_write", "complete.after_hint"])
def test_a_crash_after_the_only_write_loses_no_event(
    system: Direct, aws: Aws, project_key: str, pipeline: Pipeline, point: str, key: str | None, hook: dict[str, str]
) -> None:
    start(system)
    with crash_at(point), pytest.raises(Crash):
        wait_for(project_key, {**PROGRAM, **hook}, idempotency_key=key)
    finish_by_sweeping(system, aws, pipeline, with_webhook=bool(hook))


@pytest.mark.parametrize(("key", "hook"), [(None, {}), ("key", HOOK)])
@pytest.mark.parametrize(
    "point", ["submit.after_create", "submit.after_answer", "complete.before_write", "complete.after_write"]
)
def test_a_crash_after_the_pending_row_costs_no_result(
    system: Direct, aws: Aws, project_key: str, pipeline: Pipeline, point: str, key: str | None, hook: dict[str, str]
) -> None:
    with long_run(system, aws), crash_at(point), pytest.raises(Crash):
        wait_for(project_key, {**PROGRAM, **hook}, idempotency_key=key)
    finish_by_sweeping(system, aws, pipeline, with_webhook=bool(hook))


def finish_by_sweeping(system: Direct, aws: Aws, pipeline: Pipeline, *, with_webhook: bool) -> None:
    # Another message keeps the queue from being empty: the row must be sent again all the same.
    pipeline.time.ms = now_ms()
    pipeline.time.advance(DIRECT_DUE_SECS + 1)
    pipeline.new_sweep()
    aws.monkeypatch.setattr(Queues, "depth", lambda *_: 7)
    for _ in range(3):
        pipeline.sweep()
        if not only_row(aws).is_final:
            for message in until(lambda: system.of_type("execution_completed")):
                assert pipeline.record(json.dumps(message)) == []
        pipeline.time.advance(61)
    row = only_row(aws)
    assert (row.verdict, row.due_at_ms) == ("AC", None)
    assert (pipeline.delivery(row) is not None) is with_webhook
    assert counts(pipeline)[1] == 0
    assert begun(system) <= 2


@pytest.mark.parametrize("point", ["submit.before_send", "submit.after_send"])
def test_a_crash_on_the_way_back_to_the_queue_costs_no_result(
    aws: Aws, project_key: str, pipeline: Pipeline, point: str
) -> None:
    with Impostor(answering(503, lambda _: b"{}")) as impostor:
        use(aws, impostor.server_address[1])
        pipeline.time.ms = now_ms()
        with crash_at(point), pytest.raises(Crash):
            wait_for(project_key)
    pipeline.sweep(after_secs=DIRECT_DUE_SECS + 1)
    sent = aws.messages("InteractiveQueue")
    assert {message["submission_id"] for message in sent} == {only_row(aws).submission_id}
    assert len(sent) == (1 if point == "submit.before_send" else 2)
    pipeline.time.advance(3600 * 2)
    for _ in range(3):
        pipeline.sweep()
        pipeline.time.advance(61)
    assert only_row(aws).redrives >= 2  # from then on the sweeper handles it as every other
