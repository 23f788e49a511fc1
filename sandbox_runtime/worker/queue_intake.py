"""The queue path: poll the queues, keep messages invisible while they wait or run, and handle each one to its deletion.

The share policy decides when each execution starts.
"""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from threading import Event, Lock
from types import MappingProxyType

from events import MessageInvalidError
from events.judged import Completed
from events.message import parse_time
from events.requested import Addressee, JudgeRequested, Requested, addressee, parse_request
from events.vocabulary import Cause
from sandbox_runtime.metrics import Metrics
from sandbox_runtime.prewarm import PrewarmedSlot
from sandbox_runtime.retry import Backoff
from sandbox_runtime.settings import WorkerSettings
from sandbox_runtime.transport import Received, Transport, TransportError
from sandbox_runtime.worker.direct_intake import Claim, Duplicate, RunningSubmissions
from sandbox_runtime.worker.file_cache import NO_FILES, FetchedFiles
from sandbox_runtime.worker.reports import COMPLETION_GIVE_UP_SECS, BatchDeleter, QueueHealth
from sandbox_runtime.worker.run_request import RequestRunner
from sandbox_runtime.worker.scheduler import PEEK_PERIOD_SECS, Capacity, Priority, WaitingJob
from sandbox_runtime.worker.turns import NotRun, Turns

# Three attempts to extend fit into one visibility timeout.
EXTENSIONS_PER_VISIBILITY = 3

_LOG = logging.getLogger(__name__)


class _Held:
    def __init__(self, received: Received) -> None:
        self.received = received
        self.lock = Lock()
        self.dropped = False


class VisibilityKeeper:
    """Extend every held message once a period. Call `run` on its own thread."""

    def __init__(self, transport: Transport, *, visibility_secs: int) -> None:
        self._transport = transport
        self._period_secs = visibility_secs / EXTENSIONS_PER_VISIBILITY
        self._held: dict[str, _Held] = {}

    def hold(self, received: Received) -> None:
        self._held[received.receipt_handle] = _Held(received)

    def drop(self, received: Received) -> None:
        """Stop extending a message. No extension is in progress after this, so the caller may make it visible."""
        held = self._held.pop(received.receipt_handle, None)
        if held is not None:
            with held.lock:
                held.dropped = True

    def run(self, stop: Event) -> None:
        while not stop.wait(self._period_secs):
            self.extend_all()

    def extend_all(self) -> None:
        for held in list(self._held.values()):
            with held.lock:
                if not held.dropped:
                    self._extend(held.received)

    def _extend(self, received: Received) -> None:
        try:
            self._transport.extend(received)
        except TransportError as error:
            # Another runner may now run it too. Both completions name the same submission; the first one counts.
            _LOG.warning("visibility not extended", extra={"message_id": received.message_id, "code": error.code})


# The queue path: handle one received message, from parsing to deletion.

RETRY_DELAY_SECS = 2
# A message that waited less is run without a look into the bucket, which takes some 15 ms on AWS.
OVER_AFTER = timedelta(seconds=1)
# An invalid message may lack its project. All of them share slots as one project.
_NO_PROJECT = ""

# Cause and message of a run that fails so on its last attempt. Another runner may offer it, or be luckier.
_FAILURES = MappingProxyType(
    {
        NotRun.NETWORK_NOT_OFFERED: (Cause.IE_NOT_RUN, "no runner offers network"),
        NotRun.FILES_NOT_OFFERED: (Cause.IE_NOT_RUN, "no runner offers files"),
        NotRun.FILES_NOT_FETCHED: (Cause.IE_NOT_RUN, "the files of the run could not be read"),
        NotRun.SANDBOX_FAILED: (Cause.IE_SUPERVISOR_FAILURE, "the sandbox could not be set up"),
        NotRun.CASES_NOT_READ: (Cause.IE_NOT_RUN, "the cases could not be read"),
    }
)

type _Parsed = Requested | MessageInvalidError


@dataclass(eq=False, kw_only=True)
class NewMessage(WaitingJob):
    """A received message that waits for its first slot."""

    intake: "QueueIntake"
    received: Received
    request: _Parsed
    files: FetchedFiles = NO_FILES

    def run(self, slot: PrewarmedSlot) -> bool:
        """Handle it. False: the slot must not be used again."""
        return self.intake.handle(self, slot)

    def give_back(self) -> None:
        """Give it to another runner."""
        self.intake.give_back(self.received, 0)


@dataclass(eq=False, kw_only=True)
class RequestUnderWay(WaitingJob):
    """A request that this runner has claimed."""

    intake: "QueueIntake"
    received: Received
    request: Requested
    turns: Turns

    def run(self, slot: PrewarmedSlot) -> bool:
        """Take a turn. False: the slot must not be used again."""
        return self.intake.take_turn(self, slot)

    def give_back(self) -> None:
        """Give it to another runner, which begins anew."""
        self.intake.release(self.received, self.request.submission_id, 0)


@dataclass(frozen=True, slots=True)
class QueueIntake:
    """Handle the messages of a worker.

    A request stays in `running`, and invisible to other runners, until SQS has its completion or it is given back.
    """

    runner: RequestRunner
    transport: Transport
    keeper: VisibilityKeeper
    deleter: BatchDeleter
    running: RunningSubmissions
    max_receives: int
    capacity: Capacity

    def accept(self, received: Received, priority: Priority, slot_was_free: bool) -> None:  # noqa: FBT001 - positional for callers
        """Queue a message for a slot, and keep it invisible to other runners until it is handled.

        `slot_was_free`: when its poll began. If another run took the slot meanwhile, the message goes back, once: each
        receive is one of its attempts.
        """
        try:
            request: _Parsed = parse_request(received.body)
        except MessageInvalidError as error:
            request = error
        self.keeper.hold(received)
        project_id = _NO_PROJECT
        if not isinstance(request, MessageInvalidError):
            project_id = request.project_id
            if self._is_settled(received, request.submission_id, self.running.find):
                return  # without a slot: the run that it repeats may hold the only one
        has_files = not isinstance(request, MessageInvalidError) and self.runner.fetcher.needs(request)
        message = NewMessage(
            project_id=project_id,
            priority=priority,
            name=received.message_id,
            goes_back=slot_was_free and received.receive_count == 1,
            is_ready=not has_files,
            intake=self,
            received=received,
            request=request,
        )
        self.capacity.enqueue(message)
        if has_files:
            self._fetch_files(message)

    def _fetch_files(self, message: NewMessage) -> None:
        """Let a message start when its files are there."""

        def then(files: FetchedFiles) -> None:
            message.files = files
            self.capacity.make_ready(message)

        if not isinstance(message.request, MessageInvalidError):
            self.runner.fetcher.fetch_soon(message.request, then)

    def handle(self, message: NewMessage, slot: PrewarmedSlot) -> bool:
        """Handle one message in a slot. False: the slot must not be used again."""
        received, request = message.received, message.request
        to = self._addressee_of_invalid(received, request) if isinstance(request, MessageInvalidError) else request
        if to is None:
            # SQS moves it to the dead-letter queue (redrive policy), which the sweeper consumes.
            self.keeper.drop(received)
            return True
        if self._is_settled(received, to.submission_id, self.running.claim):
            return True
        if isinstance(to, Addressee):
            problem = "the request to run this submission was invalid"
            with self._forgotten_on_error(received, to):
                self._finish(received, self.runner.failed(to, Cause.IE_NOT_RUN, problem))
            return True
        if self._is_over(received, to):
            self._delete(received)
            self.running.end(to.submission_id)
            return True
        with self._forgotten_on_error(received, to):
            turns = self.runner.begin(
                to,
                correlation_id=received.correlation_id,
                store_secs=COMPLETION_GIVE_UP_SECS,
                is_watched=True,
                files=message.files,
            )
        under_way = RequestUnderWay(
            project_id=message.project_id,
            priority=message.priority,
            flow=message.flow,
            name=message.name,
            intake=self,
            received=received,
            request=to,
            turns=turns,
        )
        return self.take_turn(under_way, slot)

    def _is_settled(self, received: Received, submission_id: str, claim: Callable[[str, Duplicate], Claim]) -> bool:
        """Whether the message repeats a run, because it came twice or its visibility timeout expired.

        The message stays invisible until the end of that run, and is then deleted.
        """
        duplicate = Duplicate(partial(self._delete, received), partial(self.give_back, received, RETRY_DELAY_SECS))
        found = claim(submission_id, duplicate)
        if found is Claim.CLAIMED:
            return False
        extra = {"correlation_id": received.correlation_id, "submission_id": submission_id}
        _LOG.info("submission already running" if found is Claim.DUPLICATE else "submission already ended", extra=extra)
        if found is Claim.ENDED:
            self._delete(received)
        return True

    def _is_over(self, received: Received, request: Requested) -> bool:
        """Whether the submission needs no run any more: it was deleted or cancelled, or another message had it run."""
        waited = datetime.now(UTC) - parse_time(request.requested_at)
        if received.receive_count == 1 and waited < OVER_AFTER:
            return False
        ids = {"correlation_id": received.correlation_id, "submission_id": request.submission_id}
        try:
            if not self.transport.is_over(request.submission_id):
                return False
        except TransportError as error:  # it runs, and its result is dropped if the submission is over
            _LOG.warning("message not looked up", extra={**ids, "code": error.code})
            return False
        _LOG.info("submission is over", extra=ids)
        return True

    def _addressee_of_invalid(self, received: Received, error: MessageInvalidError) -> Addressee | None:
        if received.receive_count == 1:
            extra = {"message_id": received.message_id, "field": error.field, "problem": error.problem}
            _LOG.error("message invalid", extra=extra)
        return addressee(received.body)

    def take_turn(self, under_way: RequestUnderWay, slot: PrewarmedSlot) -> bool:
        """Work on a request in a slot. False: the slot must not be used again."""
        with self._forgotten_on_error(under_way.received, under_way.request):
            answer, is_usable = under_way.turns.take(slot)
            if answer is None:
                under_way.flow.turn_secs = under_way.turns.case_secs
                self.capacity.enqueue(under_way)  # another thread may take the next turn before this returns
            else:
                self._answer(under_way.received, under_way.request, answer)
            return is_usable

    def _answer(self, received: Received, request: Requested, answer: Completed | NotRun) -> None:
        if not isinstance(answer, NotRun):
            self._finish(received, answer)
        elif answer is NotRun.LANGUAGE_NOT_OFFERED:  # another runner may offer it
            self._retry_or_fail(received, request, Cause.IE_NOT_RUN, _no_language(request))
        elif answer in _FAILURES:
            self._retry_or_fail(received, request, *_FAILURES[answer])
        else:
            self.release(received, request.submission_id, 0 if answer is NotRun.DRAINING else RETRY_DELAY_SECS)

    def _retry_or_fail(self, received: Received, request: Requested, cause: Cause, message: str) -> None:
        if received.receive_count < self.max_receives:
            self.release(received, request.submission_id, RETRY_DELAY_SECS)
        else:
            self._finish(received, self.runner.failed(request, cause, message))

    def _finish(self, received: Received, completed: Completed) -> None:
        """Send the completion. After SQS has accepted it, delete the request."""
        completed = completed.changed(correlation_id=received.correlation_id)

        def delete() -> None:
            self._delete(received)
            self.running.end(completed.submission_id)

        give_back = partial(self.release, received, completed.submission_id, RETRY_DELAY_SECS)
        self.runner.send(completed, on_sent=delete, on_lost=give_back)

    @contextmanager
    def _forgotten_on_error(self, received: Received, to: Requested | Addressee) -> Iterator[None]:
        """Stop working on a message when our code fails. It becomes visible by itself."""
        try:
            yield
        except Exception:
            self.keeper.drop(received)
            self.running.discard(to.submission_id)
            raise

    def release(self, received: Received, submission_id: str, delay_secs: int) -> None:
        self.give_back(received, delay_secs)
        self.running.discard(submission_id)

    def _delete(self, received: Received) -> None:
        self.keeper.drop(received)
        self.deleter.put(received)

    def give_back(self, received: Received, delay_secs: int) -> None:
        """Make the message visible again after `delay_secs`, for this or another runner."""
        self.keeper.drop(received)
        try:
            self.transport.make_visible(received, delay_secs)
        except TransportError as error:
            # It becomes visible by itself when its visibility timeout expires.
            _LOG.warning("message not given back", extra={"message_id": received.message_id, "code": error.code})


def _no_language(request: Requested) -> str:
    also = " and the languages of its checkers" if isinstance(request, JudgeRequested) else ""
    return f"no runner offers {request.language}{also}"


# Poll the queues for executions. The share policy decides when each one starts.

# An interactive run may take the free slot during a batch poll, so that poll is short.
BATCH_WAIT_SECS = 1


@dataclass(frozen=True, slots=True)
class PolledQueue:
    """One queue, and how long a poll of it may wait."""

    priority: Priority
    queue_url: str
    wait_secs: int


class Poller:
    """Poll a queue until `stopping` is set, and give each message to `accept`. Retries when the queue fails.

    `accept` also gets whether a slot was free when the poll began.
    """

    def __init__(
        self,
        queue: PolledQueue,
        transport: Transport,
        capacity: Capacity,
        accept: Callable[[Received, Priority, bool], None],
        stopping: Event,
        health: QueueHealth,
        metrics: Metrics,
    ) -> None:
        self._queue = queue
        self._transport = transport
        self._capacity = capacity
        self._accept = accept
        self._stopping = stopping
        self._health = health
        self._metrics = metrics
        self._backoff = Backoff()

    def run(self) -> None:
        while not self._stopping.is_set():
            # Without the reports, each receive would cost its submission one of its attempts.
            if self._health.wait(PEEK_PERIOD_SECS):
                self._poll()

    def _poll(self) -> None:
        priority = self._queue.priority
        poll = self._capacity.begin_poll(priority)
        if poll is None:
            return
        try:
            for received in self._receive(poll.most, self._queue.wait_secs if poll.may_wait else 0):
                self._accept(received, priority, poll.may_wait)
        finally:
            self._capacity.end_poll()

    def _receive(self, most: int, wait_secs: int) -> list[Received]:
        try:
            found = self._transport.receive(self._queue.queue_url, most, wait_secs)
        except TransportError as error:
            self._pause(error)
            return []
        self._backoff.reset()
        return found

    def _pause(self, error: TransportError) -> None:
        priority = self._queue.priority
        self._metrics.count_receive_error(priority.name.lower())
        delay_secs = self._backoff.next_delay_secs()
        _LOG.warning(
            "queue not reachable",
            extra={"priority": priority, "step": error.operation, "code": error.code, "delay_secs": delay_secs},
        )
        self._stopping.wait(delay_secs)


def polled_queues(settings: WorkerSettings, *, network_support: bool) -> tuple[PolledQueue, ...]:
    """Return the queues whose runs this runner takes."""
    batch_secs = min(BATCH_WAIT_SECS, settings.receive_wait_secs)
    network = PolledQueue(Priority.BATCH, settings.network_queue_url, batch_secs)
    if not settings.interactive_queue_url:  # with all slots: there are no other runs
        network = PolledQueue(Priority.INTERACTIVE, settings.network_queue_url, settings.receive_wait_secs)
    queues = (
        PolledQueue(Priority.INTERACTIVE, settings.interactive_queue_url, settings.receive_wait_secs),
        PolledQueue(Priority.BATCH, settings.batch_queue_url, batch_secs),
        *((network,) if network_support else ()),
    )
    return tuple(queue for queue in queues if queue.queue_url)
