"""What a runner tells: completions, heartbeats, starts and progress of long runs. And the deletion of requests.

Messages go out in batches, on threads of their own, so that slot threads never wait for SQS.
"""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import accumulate, batched
from queue import Empty, SimpleQueue
from threading import Event, Lock
from time import monotonic

from events.judged import SIGN_OF_LIFE_SECS, CaseResult, JudgeProgress
from events.message import format_time
from events.runner import ExecutionStarted, RunnerHeartbeat
from sandbox_runtime.retry import Backoff, start_background
from sandbox_runtime.transport import MAX_BATCH_BYTES, MOST_PER_CALL, Received, Transport, TransportError

# Whether SQS takes this runner's messages. A runner that cannot report a result takes no new work, and says why.

# Shorter failures are hidden by the retries of the sender.
PATIENCE_SECS = 15.0

# AWS refuses a signature when the clock is off by more than five minutes, or when the secret key is wrong.
_CLOCK = frozenset({
    "InvalidSignatureException",
    "RequestExpired",
    "RequestTimeTooSkewed",
    "SignatureDoesNotMatch",
})  # fmt: skip
_CREDENTIALS = frozenset({
    "AccessDenied",
    "AccessDeniedException",
    "CredentialRetrievalError",
    "ExpiredToken",
    "ExpiredTokenException",
    "InvalidAccessKeyId",
    "InvalidClientTokenId",
    "MetadataRetrievalError",
    "NoCredentialsError",
    "PartialCredentialsError",
    "RuntimeError",  # of botocore: new credentials that have expired already
    "UnrecognizedClientException",
})  # fmt: skip
_QUEUE = frozenset({"AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist"})

_LOG = logging.getLogger(__name__)


class QueueHealth:
    """Follows the calls that send messages. Safe for threads.

    It works from the first accepted message on, and no longer when every call has failed for PATIENCE_SECS.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._works = Event()
        self._failing_since: float | None = None
        self._code = ""

    @property
    def works(self) -> bool:
        return self._works.is_set()

    def wait(self, timeout_secs: float) -> bool:
        """Wait until it works. False after the timeout."""
        return self._works.wait(timeout_secs)

    @property
    def problem(self) -> str:
        """Return why it does not work and what to check; empty when it works."""
        with self._lock:
            if self._works.is_set():
                return ""
            return advice(self._code) if self._code else "no heartbeat was accepted yet"

    def sent(self) -> None:
        with self._lock:
            was_failing = self._failing_since is not None and not self._works.is_set()
            self._failing_since, self._code = None, ""
            self._works.set()
        if was_failing:
            _LOG.info("runner takes work again")

    def failed(self, code: str) -> None:
        with self._lock:
            now, self._code = monotonic(), code
            if self._failing_since is None:
                self._failing_since = now
            lasts = now - self._failing_since >= PATIENCE_SECS
            if lasts:
                self._works.clear()
        if lasts:
            _LOG.error("runner takes no work", extra={"code": code, "problem": advice(code)})
        else:
            _LOG.warning("messages not sent", extra={"code": code})


def advice(code: str) -> str:
    """Return what to check after an error code."""
    if code in _CLOCK:
        return f"SQS refuses the signature ({code}): check the host's clock, then the secret key"
    if code in _CREDENTIALS:
        return f"SQS refuses the credentials ({code}): check the role or the keys of this host"
    if code in _QUEUE:
        return f"the completions queue does not exist ({code}): check COMPLETIONS_QUEUE_URL and the region"
    return f"SQS cannot be reached ({code}): check the network of this host"


# A call that SQS does not answer takes 30 s with its retries. The process does not wait that long for its end.
CLOSE_SECS = 10

type Step[T] = Callable[[list[T]], tuple[list[T], float]]
"""Handles some of the waiting items. Returns those that still wait, and the seconds until it must be called again."""


class BatchThread[T]:
    """Calls `step` with all waiting items, oldest first, as soon as there is one. One call at a time.

    So a single item is never held back, and a busy thread gets batches. A new item ends a pause.
    """

    def __init__(self, step: Step[T]) -> None:
        self._step = step
        self._arrived: SimpleQueue[T | None] = SimpleQueue()
        self._waiting: list[T] = []
        self._closed = Event()
        self._thread = start_background(self._run, stop=self._closed)

    def put(self, item: T) -> None:
        """Queue an item. Returns at once."""
        self._arrived.put(item)

    def wake(self) -> None:
        self._arrived.put(None)

    def close(self) -> None:
        """Handle the queued items, then end the thread. Waits at most CLOSE_SECS."""
        self._closed.set()
        self.wake()
        self._thread.join(CLOSE_SECS)

    def _run(self) -> None:
        pause_secs = 0.0
        while self._waiting or not (self._closed.is_set() and self._arrived.empty()):
            self._waiting += self._take(pause_secs if self._waiting else None)
            if self._waiting:
                # If it raises, the items still wait, and the thread's next start handles them.
                self._waiting, pause_secs = self._step(self._waiting.copy())

    def _take(self, timeout_secs: float | None) -> list[T]:
        """Wait for the first item or a wake-up, then take everything. Empty after `timeout_secs`; None: no timeout."""
        found: list[T | None] = []
        try:
            found.append(self._arrived.get(timeout=timeout_secs))
            while True:
                found.append(self._arrived.get_nowait())
        except Empty:
            return [item for item in found if item is not None]


# Send messages to the completions queue and delete requests, in batches, so that slot threads never wait for SQS.

# An outage of the completions queue may last this long before a completion is given up and its request runs again.
COMPLETION_GIVE_UP_SECS = 120


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A message for the completions queue.

    The sender's thread calls `on_sent` when SQS has accepted it, or `on_lost` with an error code.
    The sender repeats a failed call until `give_up_at`, a time of `monotonic`.
    """

    body: str
    on_sent: Callable[[], None]
    on_lost: Callable[[str], None]
    give_up_at: float = 0.0


class BatchSender:
    """Sends messages, several in one call when several wait. A refused message does not delay the others."""

    def __init__(self, transport: Transport, health: QueueHealth) -> None:
        self._transport = transport
        self._health = health
        self._backoff = Backoff()
        self._gives_up = Event()
        self._thread = BatchThread[Outgoing](self._send_some)

    def put(self, message: Outgoing) -> None:
        self._thread.put(message)

    def close(self) -> None:
        self._thread.close()

    def stop_retrying(self) -> None:
        """Give up each message whose next call fails."""
        self._gives_up.set()
        self._thread.wake()

    def _send_some(self, waiting: list[Outgoing]) -> tuple[list[Outgoing], float]:
        count = _fitting(waiting)
        batch, rest = waiting[:count], waiting[count:]
        try:
            codes = self._transport.send([message.body for message in batch])
        except TransportError as error:
            codes = [error.code] * count
        if None in codes:
            self._health.sent()
        else:
            self._health.failed(codes[0] or "")
        again = []
        for message, code in zip(batch, codes, strict=True):
            if code is None:
                message.on_sent()
            elif self._gives_up.is_set() or monotonic() >= message.give_up_at:
                message.on_lost(code)
            else:
                again.append(message)
        if len(again) == count:  # SQS accepts nothing: pause
            return rest + again, self._backoff.next_delay_secs()
        self._backoff.reset()
        return rest + again, 0.0


class BatchDeleter:
    """Deletes requests whose completions are sent, several in one call when several wait."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._thread = BatchThread[Received](self._delete_some)

    def put(self, received: Received) -> None:
        self._thread.put(received)

    def close(self) -> None:
        self._thread.close()

    def _delete_some(self, waiting: list[Received]) -> tuple[list[Received], float]:
        queue_url = waiting[0].queue_url
        batch = [received for received in waiting if received.queue_url == queue_url][:MOST_PER_CALL]
        try:
            codes = self._transport.delete(queue_url, [received.receipt_handle for received in batch])
        except TransportError as error:
            codes = [error.code] * len(batch)
        for received, code in zip(batch, codes, strict=True):
            if code is not None:
                # It will run again. The second completion changes nothing, because the submission is final.
                _LOG.warning("message not deleted", extra={"message_id": received.message_id, "code": code})
        return [received for received in waiting if received not in batch], 0.0


def _fitting(waiting: list[Outgoing]) -> int:
    """Count the first messages that fit into one call."""
    sizes = accumulate(len(message.body.encode()) for message in waiting[:MOST_PER_CALL])
    return max(1, sum(size <= MAX_BATCH_BYTES for size in sizes))


# All messages of one runner to the completions queue, and the deletion of the requests that they answer.


class Reports:
    """The senders of a runner. Call `close_reports_of_runs`, then `close`, when no run is left."""

    def __init__(self, transport: Transport) -> None:
        self.transport = transport
        self.health = QueueHealth()
        self.sender = BatchSender(transport, self.health)
        self.deleter = BatchDeleter(transport)
        self.long_runs = LongRuns(self._send_once)
        self.progress = ProgressReports(self._send_once)

    def send_heartbeat(self, heartbeat: RunnerHeartbeat, on_sent: Callable[[], None], retry_secs: float) -> None:
        """Queue a heartbeat, and retry for `retry_secs`."""
        self._send(heartbeat, on_sent, monotonic() + retry_secs)

    def close_reports_of_runs(self) -> None:
        """Send no more of runs under way."""
        self.long_runs.close()
        self.progress.close()

    def close(self) -> None:
        """Send and delete what is queued, then stop."""
        self.sender.close()
        self.deleter.close()

    def _send_once(self, message: ExecutionStarted | JudgeProgress) -> None:
        """Send a message that the completion replaces: it is not sent again."""
        self._send(message, lambda: None, 0.0)

    def _send(
        self,
        message: ExecutionStarted | JudgeProgress | RunnerHeartbeat,
        on_sent: Callable[[], None],
        give_up_at: float,
    ) -> None:
        # `health` logs each failed call.
        self.sender.put(Outgoing(message.serialise(), on_sent, lambda _code: None, give_up_at))


# Report finished cases of judge runs while they go on, at most twice a second and at least once a minute for each run.

PERIOD_SECS = 0.5
MOST_CASES = 200
"""Of one message."""


class ProgressReports:
    """Collects results and calls `send` for each run that has new ones. One thread serves all runs.

    A run that ends within PERIOD_SECS sends none: its completion has all results. One without new results sends an
    empty message each SIGN_OF_LIFE_SECS, also while it waits for its slot.
    """

    def __init__(self, send: Callable[[JudgeProgress], None]) -> None:
        self._send = send
        self._unsent: dict[str, JudgeProgress] = {}
        self._under_way: dict[str, tuple[float, JudgeProgress]] = {}
        self._lock = Lock()
        self._has_some = Event()
        self._closed = Event()
        start_background(self._run, stop=self._closed)

    def add(self, progress: JudgeProgress) -> None:
        """Add new results of a run. They are sent without outputs and messages, and `sent_at` is set then.

        The first call, perhaps without results, begins its signs of life.
        """
        with self._lock:
            if progress.cases or progress.execution_id not in self._under_way:
                self._under_way[progress.execution_id] = monotonic(), progress.changed(cases=())
            known = self._unsent.get(progress.execution_id)
            cases = progress.cases if known is None else known.cases + progress.cases
            self._unsent[progress.execution_id] = progress.changed(cases=cases)
        self._has_some.set()

    def drop(self, execution_id: str) -> None:
        """Forget the results of a run that has ended: send no progress after its completion."""
        with self._lock:
            self._unsent.pop(execution_id, None)
            self._under_way.pop(execution_id, None)

    def close(self) -> None:
        self._closed.set()
        self._has_some.set()

    def _run(self) -> None:
        while not self._closed.is_set():
            self._has_some.wait(SIGN_OF_LIFE_SECS / 4)
            if self._closed.wait(PERIOD_SECS):
                return
            self._has_some.clear()
            self._send_all()

    def _send_all(self) -> None:
        with self._lock:
            unsent, self._unsent = self._unsent, {}
            now = monotonic()
            silent = [last for since, last in self._under_way.values() if now - since >= SIGN_OF_LIFE_SECS]
            self._under_way |= {last.execution_id: (now, last) for last in silent}
        for progress in unsent.values():
            for cases in batched(map(_without_texts, progress.cases), MOST_CASES):
                self._send(progress.changed(cases=cases, sent_at=format_time(datetime.now(UTC))))
        for progress in silent:
            self._send(progress.changed(sent_at=format_time(datetime.now(UTC))))


def _without_texts(case: CaseResult) -> CaseResult:
    """Return a case whose size no program decides: MOST_CASES of them fit into a message, and into a row."""
    case = case.changed(checker_message=None, team_message=None)
    if case.run is None:
        return case
    streams = {name: getattr(case.run, name).changed(head=b"", object_key=None) for name in ("stdout", "stderr")}
    return case.changed(run=case.run.changed(**streams))


# Send `execution_started` for runs that last. The completion of a short run carries `started_at` too.

STARTED_AFTER_SECS = 0.25


@dataclass(eq=False, slots=True)
class _Run:
    started: ExecutionStarted
    due_at: float
    has_ended: bool = False


class LongRuns:
    """Calls `send` for each run that has not ended STARTED_AFTER_SECS after its start. One thread serves all runs."""

    def __init__(self, send: Callable[[ExecutionStarted], None]) -> None:
        self._send = send
        # All runs wait equally long, so the first one is due first.
        self._begun: SimpleQueue[_Run | None] = SimpleQueue()
        self._closed = Event()
        start_background(self._run, stop=self._closed)

    @contextmanager
    def watch(self, started: ExecutionStarted) -> Iterator[None]:
        """Watch a run from its start to its end."""
        run = _Run(started, time.monotonic() + STARTED_AFTER_SECS)
        self._begun.put(run)
        try:
            yield
        finally:
            run.has_ended = True

    def close(self) -> None:
        self._closed.set()
        self._begun.put(None)

    def _run(self) -> None:
        while (run := self._begun.get()) is not None:
            # Short runs have ended before this thread reaches them. So it wakes at most a few times a second.
            if run.has_ended or self._closed.wait(max(0.0, run.due_at - time.monotonic())):
                continue
            if not run.has_ended:
                self._send(run.started)
