"""Sends without a lease and a slot: when they happen, what they guard, and what a stale or repeated hint may do."""

from __future__ import annotations

import socket
import threading
from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from functions import failpoint
from functions.aws.dynamodb.conditional import ConditionalUpdate
from functions.aws.dynamodb.table import Table
from functions.webhooks.deliveries.model import DeliveryState
from functions.webhooks.deliveries.publication import REPEATED_DELAY_MS, Hint, pending_hints
from functions.webhooks.egress import LONG, Egress, SlowSends, Wait
from functions.webhooks.endpoints.store import endpoint_key
from functions.webhooks.sending.deliverer import (
    FRESH_HINT_MS,
    MAX_BODY_BYTES,
    SLOW_SECS,
    TURN_SECS,
    WAIT_SECS,
    UnguardedSends,
)
from functions.webhooks.sending.lanes import FAILED_GUARD_MS, SLOW_GUARD_MS
from functions.webhooks.sending.slots import SLOT_MS
from functions.webhooks.vocabulary import Reply
from tests.adapters.hook_verification import is_genuine
from tests.adapters.pipeline import SECRET, Pipeline, changed, path_of
from tests.adapters.webhooks.call_counts import OUTCOME, known, owed, sent
from tests.adapters.webhooks.endpoint_runs import finish, hint_of, hold

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from functions.submissions.model import Submission
    from functions.webhooks.endpoints.model import Endpoint

NO_URL: dict[str, Any] = {"webhook_url": None, "webhook_secret": None}


class NotedEgress(Egress):
    """Notes the wait of each send; `answer` may act during one."""

    def __init__(self, answer: Callable[[Wait], Reply]) -> None:
        super().__init__()
        object.__setattr__(self, "_answer", answer)
        object.__setattr__(self, "waits", [])

    def post(self, url: str, headers: Mapping[str, str], body: bytes, wait: Wait = LONG) -> Reply:  # noqa: ARG002
        self.waits.append(wait)  # type: ignore[attr-defined]
        reply: Reply = self._answer(wait)  # type: ignore[attr-defined]
        return reply

    @property
    def are_guarded(self) -> list[bool]:
        """Whether each send had a lease and a slot."""
        return [wait is LONG for wait in self.waits]  # type: ignore[attr-defined]


@pytest.fixture
def endpoint(pipeline: Pipeline) -> Endpoint:
    endpoint = known(pipeline)
    pipeline.receiver.received.clear()
    return endpoint


def use(pipeline: Pipeline, answer: Callable[[Wait], Reply] = lambda _: Reply(5, 200)) -> NotedEgress:
    egress = NotedEgress(answer)
    pipeline.use(changed(pipeline.deliverer, egress=egress))
    return egress


def lane_row(pipeline: Pipeline) -> dict[str, Any]:
    (row,) = [item for item in pipeline.aws.items("DeliveriesTable") if item["sk"]["S"].startswith("LANE#")]
    return row


# --- which sends need a lease and a slot ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "is_guarded"),
    [({}, False), ({"max_concurrency": 9}, True), ({"max_per_second": 50}, True), ({"ordered": True}, True)],
)
def test_an_endpoint_with_limits_or_an_order_is_guarded(
    changes: dict[str, Any], *, is_guarded: bool, pipeline: Pipeline
) -> None:
    pipeline.endpoint(**changes)
    egress = use(pipeline)
    pipeline.webhook(*owed(pipeline, **NO_URL)[1])
    assert egress.are_guarded == [is_guarded]


def test_an_unguarded_send_waits_three_seconds(pipeline: Pipeline) -> None:
    egress = use(pipeline)
    pipeline.webhook(*owed(pipeline)[1])
    (wait,) = egress.waits  # type: ignore[attr-defined]
    assert (wait.total_secs, wait.slow_secs) == (WAIT_SECS, SLOW_SECS) == (3, 1)
    assert SLOW_GUARD_MS == 86_400_000  # the simulation of ADR 25 had these three numbers


def test_a_large_body_is_guarded(pipeline: Pipeline) -> None:
    egress = use(pipeline)
    submission = pipeline.submit()
    stdout = {"size_bytes": MAX_BODY_BYTES // 3 * 3 + 3, "base64": "eHh4" * (MAX_BODY_BYTES // 3 + 1)}
    assert pipeline.record(pipeline.completed(submission, stdout=stdout)) == []
    pipeline.webhook(*pipeline.hints())
    assert egress.are_guarded == [True]


def test_a_hint_that_is_old_or_was_received_before_is_read(pipeline: Pipeline) -> None:
    egress = use(pipeline)
    _, (old,) = owed(pipeline)
    pipeline.time.ms += FRESH_HINT_MS + 1
    pipeline.webhook(old)
    _, (repeated,) = owed(pipeline)
    pipeline.receives[repeated] += 1
    pipeline.webhook(repeated)
    assert egress.are_guarded == [True, True]


@pytest.mark.parametrize("error_code", [None, "connect_refused"])
def test_a_retry_and_what_follows_a_failure_are_guarded_until_a_success(
    error_code: str | None, pipeline: Pipeline, endpoint: Endpoint
) -> None:
    replies = [Reply(5, None if error_code else 500, error_code), Reply(5, 200), Reply(5, 200)]
    egress = use(pipeline, lambda _: replies.pop(0))
    for wait_ms in (0, 0, 2_000):
        pipeline.time.ms += wait_ms
        pipeline.webhook(*owed(pipeline, **NO_URL)[1])
    assert egress.are_guarded == [False, True, False]
    assert pipeline.at(endpoint).failing is None


def test_a_failure_of_a_runs_own_url_guards_its_host(pipeline: Pipeline) -> None:
    replies = [Reply(5, 404), Reply(5, 200), Reply(5, 200)]
    egress = use(pipeline, lambda _: replies.pop(0))
    for wait_ms in (0, FAILED_GUARD_MS - 2_001, 2_001):
        pipeline.time.ms += wait_ms
        pipeline.webhook(*owed(pipeline)[1])
    assert egress.are_guarded == [False, True, False]


# --- a slow target --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("reply", [Reply(3_000, error_code="timeout"), Reply(2_000, 200)], ids=["hangs", "is slow"])
@pytest.mark.parametrize("is_run", [True, False], ids=["run", "endpoint"])
def test_a_slow_send_guards_its_lane_while_it_goes_on(
    reply: Reply, *, is_run: bool, pipeline: Pipeline, endpoint: Endpoint
) -> None:
    rows: list[dict[str, Any]] = []

    def answer(wait: Wait) -> Reply:
        if wait.on_slow is not None:
            wait.on_slow()
            rows.append(lane_row(pipeline))
        return reply

    egress = use(pipeline, answer)
    hints = [hint for hint in owed(pipeline, **({} if is_run else NO_URL))[1] if ('"run"' in hint) is is_run]
    pipeline.webhook(*hints)
    assert int(rows[0]["guarded_until_ms"]["N"]) == pipeline.time() + SLOW_GUARD_MS
    following = [hint for hint in owed(pipeline, **({} if is_run else NO_URL))[1] if ('"run"' in hint) is is_run]
    pipeline.webhook(*following)
    assert egress.are_guarded == [False, True]
    assert endpoint.enabled


def test_a_real_send_that_hangs_calls_back_once_and_ends_in_time() -> None:
    slow: list[int] = []
    wait = Wait(0.4, 0.05, lambda: slow.append(1))
    egress = Egress(allow_insecure=True)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        reply = egress.post(f"http://127.0.0.1:{silent.getsockname()[1]}/", {"webhook-id": "x"}, b"{}", wait)
    assert (reply.error_code, slow) == ("timeout", [1])


def test_only_sends_that_go_on_are_slow() -> None:
    slow, is_slow = list[str](), threading.Event()

    def note(name: str) -> None:
        slow.append(name)
        is_slow.set()

    sends = SlowSends()
    with sends.watch(0.05, lambda: note("quick")):
        pass
    with sends.watch(0.05, lambda: note("long")):
        assert is_slow.wait(60)
    assert slow == ["long"]


# --- the share of a process -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("senders", "most"), [(1, 1), (4, 1), (32, 8)])
def test_a_project_makes_a_quarter_of_the_sends_of_a_process(senders: int, most: int, pipeline: Pipeline) -> None:
    pipeline.env.settings.webhook_senders_of_process = senders
    sends = UnguardedSends(pipeline.env)
    with ExitStack() as others:
        assert all(others.enter_context(sends._turn("one")) for _ in range(most))
        with sends._turn("one") as may_send, sends._turn("another") as may_another_send:
            assert (may_send, may_another_send) == (False, True)
    with sends._turn("one") as may_send:
        assert may_send


def test_beyond_its_share_a_project_needs_a_lease_and_a_slot(pipeline: Pipeline) -> None:
    hints = [owed(pipeline)[1][0] for _ in range(2)]

    def answer(wait: Wait) -> Reply:
        if wait is not LONG:
            pipeline.webhook(hints[1])  # another thread, while this one sends
        return Reply(5, 200)

    egress = use(pipeline, answer)
    pipeline.webhook(hints[0])
    assert egress.are_guarded == [False, True]


def test_a_send_to_a_healthy_endpoint_is_unguarded_where_others_wait_and_wakes_them(
    pipeline: Pipeline, endpoint: Endpoint
) -> None:
    hold(pipeline, endpoint)
    parked = finish(pipeline)
    pipeline.webhook(hint_of(parked, endpoint))
    pipeline.time.advance(SLOT_MS / 1000)  # the slots are free, and nobody passed one on
    egress = use(pipeline)
    submission, hints = owed(pipeline, **NO_URL)
    pipeline.webhook(*hints)
    assert egress.are_guarded == [False]
    assert pipeline.state(submission, endpoint.endpoint_id) is DeliveryState.DELIVERED
    pipeline.webhook(*pipeline.hints())
    assert pipeline.state(parked, endpoint.endpoint_id) is DeliveryState.DELIVERED


# --- stale hints and changes --------------------------------------------------------------------------------------


def test_a_hint_that_sqs_delivers_twice_at_once_sends_twice_and_records_once(pipeline: Pipeline) -> None:
    submission, (hint,) = owed(pipeline)
    assert sent(pipeline, hint) == {"BatchGetItem": 1, **OUTCOME, "Decrypt": 1}
    pipeline.receives.clear()  # a duplicate that SQS has not counted
    pipeline.webhook(hint)
    assert pipeline.sends(submission) == 2
    assert len(pipeline.attempts(submission)) == 1
    assert pipeline.state(submission) is DeliveryState.DELIVERED


def test_hints_of_a_completion_that_is_recorded_again_are_read(pipeline: Pipeline) -> None:
    submission = pipeline.run()
    again = pending_hints(pipeline.deliveries.deliveries_of(submission.submission_id))[0]
    (first,) = pipeline.hints()
    assert (Hint.parse(first).new is None, Hint.parse(again.text).new is None) == (False, True)
    pipeline.webhook(first, again.text)
    assert pipeline.sends(submission) == 1


def test_hints_of_a_completion_that_is_recorded_again_come_after_the_longest_unguarded_send(pipeline: Pipeline) -> None:
    submission, delays_secs = pipeline.submit(), list[int]()

    def note(params: Mapping[str, Any], **_: object) -> None:
        delays_secs.extend(entry["DelaySeconds"] for entry in params["Entries"])

    events = pipeline.aws.client("sqs").meta.events
    events.register("provide-client-params.sqs.SendMessageBatch", note)
    pipeline.finish(submission)
    pipeline.finish(submission)  # its first process died after the write, or while it sent the hints
    events.unregister("provide-client-params.sqs.SendMessageBatch", note)
    assert delays_secs == [0, REPEATED_DELAY_MS // 1000]
    longest_ms = FRESH_HINT_MS + 1000 * (TURN_SECS + WAIT_SECS)
    assert longest_ms < REPEATED_DELAY_MS


def test_a_delivery_that_another_sender_claims_meanwhile_is_recorded_by_that_one(pipeline: Pipeline) -> None:
    submission, (hint,) = owed(pipeline)

    def answer(_: Wait) -> Reply:
        assert pipeline.deliverer.claimer.claim(Hint.parse(hint), "other") is not None
        return Reply(5, 500)

    use(pipeline, answer)
    pipeline.webhook(hint)
    assert pipeline.state(submission) is DeliveryState.SENDING
    assert pipeline.attempts(submission) == []


def test_a_hint_of_another_project_sends_nothing(pipeline: Pipeline) -> None:
    submission, (hint,) = owed(pipeline)
    pipeline.webhook(replace(Hint.parse(hint).without_new, project_id="other").text)
    assert pipeline.receiver.received == []
    assert pipeline.state(submission) is DeliveryState.PENDING


def change_url(pipeline: Pipeline, endpoint: Endpoint) -> str:
    pipeline.change_endpoint(endpoint, {"url": pipeline.receiver.url_of("/moved")})
    pipeline.secrets["/moved"] = [SECRET]
    return "/moved"


def rotate(pipeline: Pipeline, endpoint: Endpoint) -> str:
    pipeline.rotate(endpoint, 0)
    return path_of(endpoint.endpoint_id)


def begin_to_fail(pipeline: Pipeline, endpoint: Endpoint) -> str:
    """Let another process record a failure of the endpoint."""
    failing: dict[str, Any] = {"failing_since_ms": 1, "failing_counted_ms": 1, "failing_spread": 2}
    update = ConditionalUpdate(failing, "", {})
    key = endpoint_key(endpoint.project_id, endpoint.endpoint_id)
    Table(pipeline.aws.names["DeliveriesTable"], pipeline.aws.client("dynamodb"))._update_unread(update, key)
    return path_of(endpoint.endpoint_id)


@pytest.mark.parametrize("change", [change_url, rotate, begin_to_fail])
def test_a_changed_endpoint_is_read_within_two_seconds(
    change: Callable[[Pipeline, Endpoint], str], pipeline: Pipeline, endpoint: Endpoint
) -> None:
    path = change(pipeline, endpoint)
    pipeline.time.advance(2)
    submission, (hint,) = owed(pipeline, **NO_URL)
    pipeline.webhook(hint)
    (request,) = pipeline.receiver.received
    assert request.path == path
    assert is_genuine(request, pipeline.secrets[path][-1])
    assert pipeline.state(submission, endpoint.endpoint_id) is DeliveryState.DELIVERED
    assert pipeline.at(endpoint).failing is None


@pytest.mark.parametrize(
    ("act", "state"),
    [
        (lambda pipeline, endpoint: pipeline.change_endpoint(endpoint, {"enabled": False}), DeliveryState.PAUSED),
        (lambda pipeline, endpoint: pipeline.endpoints.delete("dev", endpoint.endpoint_id), DeliveryState.CANCELLED),
    ],
    ids=["disabled", "deleted"],
)
def test_an_endpoint_that_is_gone_gets_its_last_event_within_two_seconds(
    act: Callable[[Pipeline, Endpoint], object], state: DeliveryState, pipeline: Pipeline, endpoint: Endpoint
) -> None:
    _, (last,) = owed(pipeline, **NO_URL)
    late, (hint,) = owed(pipeline, **NO_URL)
    act(pipeline, endpoint)
    pipeline.webhook(last)
    assert len(pipeline.receiver.received) == 1
    pipeline.time.ms += FRESH_HINT_MS + 1
    pipeline.webhook(hint)
    assert len(pipeline.receiver.received) == 1
    assert pipeline.state(late, endpoint.endpoint_id) is state


# --- deletion between any two calls ---------------------------------------------------------------------------------


def at(name: str, act: Callable[[], object]) -> None:
    """Call `act` once, when the code reaches `name`."""

    def hook(here: str) -> None:
        if here == name:
            failpoint.set_hook(None)
            act()

    failpoint.set_hook(hook)


@pytest.fixture
def _unhooked() -> Iterator[None]:
    yield
    failpoint.set_hook(None)


def delete(pipeline: Pipeline, submission: Submission) -> None:
    """Delete a finished run, as far as webhooks see it."""
    pipeline.deliveries.cancel_event(submission.submission_id)


@pytest.mark.usefixtures("_unhooked")
def test_a_submission_that_is_deleted_before_the_rows_owes_nothing(pipeline: Pipeline) -> None:
    submission = pipeline.submit()
    at("complete.before_write", lambda: delete(pipeline, submission))
    pipeline.record(pipeline.completed(submission))
    assert pipeline.hints() == []
    assert pipeline.delivery(submission) is None


@pytest.mark.usefixtures("_unhooked")
@pytest.mark.parametrize("point", ["complete.after_write", "complete.after_hint"])
def test_a_submission_that_is_deleted_around_its_hints_is_not_sent_two_seconds_later(
    point: str, pipeline: Pipeline, endpoint: Endpoint
) -> None:
    submission = pipeline.submit()
    at(point, lambda: delete(pipeline, submission))
    pipeline.finish(submission)
    hints = pipeline.hints()
    assert all(Hint.parse(hint).body for hint in hints)  # the bytes are in the queue
    assert len(hints) == 2
    pipeline.time.ms += FRESH_HINT_MS + 1
    pipeline.webhook(*hints)
    pipeline.sweep(after_secs=600)
    pipeline.webhook(*pipeline.hints())
    assert pipeline.receiver.received == []
    states = {pipeline.state(submission, name) for name in ("run", endpoint.endpoint_id)}
    assert states == {DeliveryState.CANCELLED}


@pytest.mark.parametrize("cancels", [0, 1, 2])
def test_a_deletion_that_dies_between_its_rows_and_is_repeated_stops_every_send(
    cancels: int, pipeline: Pipeline, endpoint: Endpoint
) -> None:
    submission, hints = owed(pipeline)
    client = pipeline.aws.client("dynamodb")
    update = client.update_item
    calls: list[str] = []

    def dying(**given: Any) -> Any:
        if len(calls) > cancels:
            raise ConnectionError
        calls.append(given["Key"]["sk"]["S"])
        return update(**given)

    with pipeline.aws.monkeypatch.context() as patch:
        patch.setattr(client, "update_item", dying)
        if cancels < 2:
            with pytest.raises(ConnectionError):
                delete(pipeline, submission)
        else:
            delete(pipeline, submission)
    assert calls[0] == "EVENT"
    delete(pipeline, submission)
    pipeline.time.ms += FRESH_HINT_MS + 1
    pipeline.webhook(*hints)
    assert pipeline.receiver.received == []
    states = {pipeline.state(submission, name) for name in ("run", endpoint.endpoint_id)}
    assert states == {DeliveryState.CANCELLED}
    assert pipeline.deliveries.get_event(submission.submission_id) is None


@pytest.mark.usefixtures("_unhooked")
@pytest.mark.parametrize("point", ["webhook.after_claim", "webhook.after_send", "webhook.after_record"])
def test_a_deletion_during_a_send_stops_every_later_send(point: str, pipeline: Pipeline) -> None:
    if point == "webhook.after_claim":
        pipeline.guard_all()
    pipeline.receiver.answers = [(500, {}, b"")]
    submission, (hint,) = owed(pipeline)
    at(point, lambda: delete(pipeline, submission))
    pipeline.webhook(hint)
    before = len(pipeline.receiver.received)
    for secs in (5, 300, 1_800, 86_400):
        pipeline.sweep(after_secs=secs)
        pipeline.webhook(hint, *pipeline.hints())
    assert len(pipeline.receiver.received) == before <= 1
    assert pipeline.state(submission) is DeliveryState.CANCELLED
    assert pipeline.slots.read("dev").live(pipeline.time()) == {}
