"""Batches of the runner's queue calls: nothing is held back, nothing waits for a refused entry, nothing is lost."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from logging import LogRecord
from threading import Event, Lock
from time import monotonic
from typing import cast
from uuid import uuid4

import pytest

from events.files import MAX_CASES
from events.judged import MAX_CHECKER_MESSAGE_CHARACTERS, CaseResult, JudgeProgress
from events.message import MAX_MESSAGE_BYTES
from events.runner import ExecutionStarted
from events.vocabulary import Outcome
from sandbox_runtime.transport import MAX_BATCH_BYTES, Received, Transport, TransportError
from sandbox_runtime.worker import reports as long_runs
from sandbox_runtime.worker import reports as progress
from sandbox_runtime.worker.reports import BatchDeleter, BatchSender, LongRuns, Outgoing, QueueHealth
from tests.until import PATIENCE_SECS, until


@dataclass
class Queues:
    """Records each call. `hold()` makes calls wait; `answer` gives the error codes of a call or raises."""

    answer: Callable[[Sequence[str]], list[str | None]] = lambda entries: [None] * len(entries)
    calls: list[list[str]] = field(default_factory=list)
    may_go: Event = field(default_factory=Event)
    under_way: Lock = field(default_factory=Lock)

    def __post_init__(self) -> None:
        self.may_go.set()

    def send(self, bodies: Sequence[str]) -> list[str | None]:
        assert self.under_way.acquire(blocking=False), "two calls at once"
        try:
            self.calls.append(list(bodies))
            assert self.may_go.wait(PATIENCE_SECS)
            return self.answer(bodies)
        finally:
            self.under_way.release()

    def delete(self, queue_url: str, receipt_handles: Sequence[str]) -> list[str | None]:
        return self.send([f"{queue_url}/{handle}" for handle in receipt_handles])


@dataclass
class Sender:
    queues: Queues
    sent: list[str] = field(default_factory=list)
    lost: list[tuple[str, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.batches = BatchSender(cast("Transport", self.queues), QueueHealth())

    def put(self, *bodies: str, give_up_secs: float = PATIENCE_SECS) -> None:
        for body in bodies:
            sent = self._note_sent(body)
            self.batches.put(Outgoing(body, sent, self._note_lost(body), monotonic() + give_up_secs))

    def _note_sent(self, body: str) -> Callable[[], None]:
        return lambda: self.sent.append(body)

    def _note_lost(self, body: str) -> Callable[[str], None]:
        return lambda code: self.lost.append((body, code))

    def put_during_a_call(self, *bodies: str) -> None:
        """Put messages while the call of a first one is under way."""
        self.queues.may_go.clear()
        self.put("first")
        until(lambda: self.queues.calls)
        self.put(*bodies)
        self.queues.may_go.set()


def unreachable(_entries: Sequence[str]) -> list[str | None]:
    raise TransportError("send", "EndpointConnectionError")


@pytest.fixture
def sender() -> Iterator[Sender]:
    opened = Sender(Queues())
    yield opened
    opened.batches.stop_retrying()
    opened.batches.close()


def test_a_single_message_goes_at_once_and_alone(sender: Sender) -> None:
    for body in ("one", "two"):
        sender.put(body)
        until(lambda body=body: sender.sent[-1:] == [body])  # type: ignore[misc]  # mypy infers no type of a default
    assert sender.queues.calls == [["one"], ["two"]]


def test_messages_that_arrive_during_a_call_share_the_next_one(sender: Sender) -> None:
    sender.put_during_a_call("one", "two", "three")
    until(lambda: len(sender.sent) == 4)
    assert sender.queues.calls == [["first"], ["one", "two", "three"]]


def test_a_call_takes_at_most_ten_messages_in_the_order_of_their_arrival(sender: Sender) -> None:
    bodies = [str(number) for number in range(23)]
    sender.put_during_a_call(*bodies)
    until(lambda: len(sender.sent) == 24)
    assert sender.queues.calls == [["first"], bodies[:10], bodies[10:20], bodies[20:]]


def test_a_call_stays_below_the_bytes_that_sqs_takes(sender: Sender) -> None:
    # "ä" has two bytes.
    bodies = ["ä" * (MAX_BATCH_BYTES // 4), "b" * (MAX_BATCH_BYTES // 2), "c", "d" * MAX_BATCH_BYTES, "e"]
    sender.put_during_a_call(*bodies)
    until(lambda: len(sender.sent) == 6)
    assert sender.queues.calls[1:] == [bodies[:2], bodies[2:3], bodies[3:4], bodies[4:]]


def test_a_refused_message_delays_no_other_one_and_is_given_up_at_its_time(sender: Sender) -> None:
    sender.queues.answer = lambda bodies: ["InvalidMessageContents" if body == "bad" else None for body in bodies]
    sender.put_during_a_call("one", "bad", "two")
    until(lambda: len(sender.sent) == 3)
    for number in range(3):
        sender.put(str(number))
        until(lambda number=number: len(sender.sent) == 4 + number)  # type: ignore[misc]
    assert sender.lost == []
    sender.put("bad", give_up_secs=0)
    until(lambda: sender.lost)
    assert sender.lost == [("bad", "InvalidMessageContents")]
    assert sender.sent.count("bad") == 0


def test_messages_survive_an_outage(sender: Sender) -> None:
    sender.queues.answer = unreachable
    sender.put("one", "two")
    until(lambda: len(sender.queues.calls) > 2)
    assert (sender.sent, sender.lost) == ([], [])
    sender.queues.answer = lambda entries: [None] * len(entries)
    until(lambda: sorted(sender.sent) == ["one", "two"])


def test_a_call_that_fails_in_an_unknown_way_is_made_again(sender: Sender) -> None:
    failures = iter([ZeroDivisionError()])

    def fail_once(entries: Sequence[str]) -> list[str | None]:
        for error in failures:
            raise error
        return [None] * len(entries)

    sender.queues.answer = fail_once
    sender.put("one")
    until(lambda: sender.sent == ["one"])
    assert (sender.queues.calls, sender.lost) == ([["one"], ["one"]], [])


def test_in_an_outage_a_message_without_retries_is_lost_alone(sender: Sender) -> None:
    sender.queues.answer = unreachable
    sender.put("completion")
    sender.put("heartbeat", give_up_secs=0)
    until(lambda: sender.lost)
    assert sender.lost == [("heartbeat", "EndpointConnectionError")]


def test_at_the_end_a_message_is_tried_once_more_and_then_lost(sender: Sender) -> None:
    sender.queues.answer = unreachable
    sender.put("one", "two")
    until(lambda: len(sender.queues.calls) > 1)
    sender.batches.stop_retrying()
    until(lambda: sorted(body for body, _ in sender.lost) == ["one", "two"])


def test_closing_sends_the_queued_messages(sender: Sender) -> None:
    bodies = [str(number) for number in range(23)]
    sender.put_during_a_call(*bodies)
    sender.batches.close()
    assert sender.sent == ["first", *bodies]


def received(queue: str, number: int) -> Received:
    return Received(queue, str(number), f"message-{number}", 1, "")


def test_requests_of_one_queue_are_deleted_in_one_call() -> None:
    queues = Queues()
    queues.may_go.clear()
    deleter = BatchDeleter(cast("Transport", queues))
    deleter.put(received("interactive", 0))
    until(lambda: queues.calls)
    for number in range(1, 13):
        deleter.put(received("interactive", number))
    for number in range(2):
        deleter.put(received("batch", number))
    queues.may_go.set()
    deleter.close()
    handles = [f"interactive/{number}" for number in range(13)]
    assert queues.calls == [handles[:1], handles[1:11], handles[11:], ["batch/0", "batch/1"]]


def _not_deleted(caplog: pytest.LogCaptureFixture) -> list[LogRecord]:
    return [record for record in caplog.records if record.getMessage() == "message not deleted"]


def test_a_request_that_cannot_be_deleted_is_logged_and_harms_no_other(caplog: pytest.LogCaptureFixture) -> None:
    queues = Queues(answer=lambda entries: ["ReceiptHandleIsInvalid" if "/0" in entry else None for entry in entries])
    deleter = BatchDeleter(cast("Transport", queues))
    for number in range(2):
        deleter.put(received("interactive", number))
    deleter.close()
    assert sorted(entry for call in queues.calls for entry in call) == ["interactive/0", "interactive/1"]
    assert [vars(record)["code"] for record in _not_deleted(caplog)] == ["ReceiptHandleIsInvalid"]


def test_a_delete_call_that_fails_is_not_repeated(caplog: pytest.LogCaptureFixture) -> None:
    queues = Queues(answer=unreachable)
    deleter = BatchDeleter(cast("Transport", queues))
    deleter.put(received("interactive", 0))
    deleter.close()
    assert len(queues.calls) == 1
    assert len(_not_deleted(caplog)) == 1


def started() -> ExecutionStarted:
    return ExecutionStarted(
        submission_id=str(uuid4()), execution_id=str(uuid4()), node_id="node", started_at="2026-11-26T12:00:00.000Z"
    )


def test_only_a_long_run_sends_its_start(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[ExecutionStarted] = []
    runs = LongRuns(told.append)
    short, first, second = started(), started(), started()
    monkeypatch.setattr(long_runs, "STARTED_AFTER_SECS", 0.05)
    with runs.watch(first):
        monkeypatch.setattr(long_runs, "STARTED_AFTER_SECS", 3600)
        with runs.watch(short):
            pass
        monkeypatch.setattr(long_runs, "STARTED_AFTER_SECS", 0.05)
        with runs.watch(second):
            until(lambda: len(told) == 2)
    runs.close()
    assert told == [first, second]


def test_progress_with_the_longest_messages_of_all_checkers_fits_into_a_message(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(progress, "PERIOD_SECS", 0.01)
    sent: list[JudgeProgress] = []
    reports = progress.ProgressReports(sent.append)
    text = "\U0001f600" * MAX_CHECKER_MESSAGE_CHARACTERS
    cases = tuple(CaseResult(index, Outcome.JUDGE_ERROR, text, None, None, text) for index in range(MAX_CASES))
    now = "2026-11-26T12:00:00.000Z"
    ids = {"submission_id": str(uuid4()), "execution_id": str(uuid4())}
    reports.add(JudgeProgress(**ids, node_id="node", started_at=now, sent_at=now, cases=cases))
    until(lambda: sum(len(message.cases) for message in sent) == MAX_CASES)
    reports.close()
    assert [case.index for message in sent for case in message.cases] == list(range(MAX_CASES))
    assert all(len(message.serialise()) < MAX_MESSAGE_BYTES for message in sent)
    assert len({message.sent_at for message in sent}) == len(sent), "the functions keep a row for each"


def test_a_judge_run_without_new_results_tells_that_it_is_under_way_until_it_ends(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(progress, "PERIOD_SECS", 0.01)
    monkeypatch.setattr(progress, "SIGN_OF_LIFE_SECS", 0.04)
    sent: list[JudgeProgress] = []
    reports = progress.ProgressReports(sent.append)
    now = "2026-11-26T12:00:00.000Z"
    begun = JudgeProgress(
        submission_id=str(uuid4()), execution_id=str(uuid4()), node_id="node", started_at=now, sent_at=now, cases=()
    )
    reports.add(begun)
    until(lambda: len(sent) >= 2)
    assert {message.cases for message in sent} == {()}
    assert all(JudgeProgress.parse(message.serialise()).sent_at > now for message in sent)
    reports.add(begun.changed(cases=(CaseResult(0, Outcome.PASSED, None, None, None),)))
    until(lambda: any(message.cases for message in sent))
    until(lambda: sent[-1].cases == ())
    reports.drop(begun.execution_id)
    reports.add(begun.changed(execution_id=str(uuid4())))
    until(lambda: sent[-1].execution_id != begun.execution_id)
    told = len([message for message in sent if message.execution_id == begun.execution_id])
    until(lambda: len(sent) >= told + 4)
    assert len([message for message in sent if message.execution_id == begun.execution_id]) == told
    reports.close()


def test_a_run_that_fails_is_over_too(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[ExecutionStarted] = []
    runs = LongRuns(told.append)
    failed, lasting = started(), started()
    monkeypatch.setattr(long_runs, "STARTED_AFTER_SECS", 3600)
    with pytest.raises(ZeroDivisionError), runs.watch(failed):
        raise ZeroDivisionError
    monkeypatch.setattr(long_runs, "STARTED_AFTER_SECS", 0)
    with runs.watch(lasting):
        until(lambda: told)
    runs.close()
    assert told == [lasting]
