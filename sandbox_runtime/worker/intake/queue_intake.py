"""The queue path: handle one received message, from parsing to deletion."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial

from sandbox_runtime.messages import (
    Addressee,
    Completed,
    JudgeRequested,
    MessageInvalidError,
    Request,
    addressee,
    parse_request,
    parse_time,
)
from sandbox_runtime.transport import Received, Transport, TransportError
from sandbox_runtime.warm import WarmSlot
from sandbox_runtime.worker.intake.running_submissions import Claim, Duplicate, RunningSubmissions
from sandbox_runtime.worker.intake.visibility import VisibilityKeeper
from sandbox_runtime.worker.not_run import NotRun
from sandbox_runtime.worker.reporting.queue_batches import COMPLETION_GIVE_UP_SECS, BatchDeleter
from sandbox_runtime.worker.run_request import RequestRunner, Turn
from sandbox_runtime.worker.slots.capacity import Capacity, WaitingRun
from sandbox_runtime.worker.slots.slot_share import Priority
from sandbox_runtime.worker.slots.slot_threads import Job

RETRY_DELAY_SECS = 2
# A message that waited less is run without a look into the bucket, which takes some 15 ms on AWS.
DELETION_AFTER = timedelta(seconds=1)
# An invalid message may lack its project. All of them share slots as one project.
_NO_PROJECT = ""

type _Parsed = Request | MessageInvalidError

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Work:
    """A request under way."""

    received: Received
    request: Request
    priority: Priority
    turn: Turn


@dataclass(frozen=True, slots=True)
class QueueIntake:
    """Handle the messages of a worker.

    A request stays in `running`, and invisible to other runners, until SQS has its completion or it is given back.
    `put`: hand a job to the slot threads.
    """

    runner: RequestRunner
    transport: Transport
    keeper: VisibilityKeeper
    deleter: BatchDeleter
    running: RunningSubmissions
    max_receives: int
    capacity: Capacity
    put: Callable[[Job], None]

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
        job = Job(partial(self._handle, received, request, priority), project_id, received.message_id)
        self.capacity.enqueue(
            WaitingRun(
                project_id,
                priority,
                start=partial(self.put, job),
                give_back=partial(self._give_back, received, 0),
                goes_back=slot_was_free and received.receive_count == 1,
            )
        )

    def _handle(self, received: Received, request: _Parsed, priority: Priority, slot: WarmSlot) -> bool:
        """Handle one message in a slot. False: the slot must not be used again."""
        to = self._addressee_of_invalid(received, request) if isinstance(request, MessageInvalidError) else request
        if to is None:
            # SQS moves it to the dead-letter queue (redrive policy), which the sweeper consumes.
            self.keeper.drop(received)
            return True
        if self._is_settled(received, to.submission_id, self.running.claim):
            return True
        if isinstance(to, Addressee):
            message = "the request to run this submission was invalid"
            with self._forgotten_on_error(received, to):
                self._finish(received, self.runner.failed(to, "ie_not_run", message))
            return True
        if self._was_deleted(received, to):
            self._delete(received)
            self.running.end(to.submission_id)
            return True
        turn = self.runner.begin(
            to, correlation_id=received.correlation_id, store_secs=COMPLETION_GIVE_UP_SECS, is_watched=True
        )
        return self._take_turn(_Work(received, to, priority, turn), slot)

    def _is_settled(self, received: Received, submission_id: str, claim: Callable[[str, Duplicate], Claim]) -> bool:
        """Whether the message repeats a run, because it came twice or its visibility timeout expired.

        The message stays invisible until the end of that run, and is then deleted.
        """
        duplicate = Duplicate(partial(self._delete, received), partial(self._give_back, received, RETRY_DELAY_SECS))
        found = claim(submission_id, duplicate)
        if found is Claim.CLAIMED:
            return False
        extra = {"correlation_id": received.correlation_id, "submission_id": submission_id}
        _LOG.info("submission already running" if found is Claim.DUPLICATE else "submission already ended", extra=extra)
        if found is Claim.ENDED:
            self._delete(received)
        return True

    def _was_deleted(self, received: Received, request: Request) -> bool:
        """Whether the submission was deleted since its message was sent."""
        waited = datetime.now(UTC) - parse_time(request.requested_at)
        if received.receive_count == 1 and waited < DELETION_AFTER:
            return False
        ids = {"correlation_id": received.correlation_id, "submission_id": request.submission_id}
        try:
            if not self.transport.was_deleted(request.submission_id):
                return False
        except TransportError as error:  # it runs, and its result is dropped if it was deleted
            _LOG.warning("deletion not looked up", extra={**ids, "code": error.code})
            return False
        _LOG.info("submission was deleted", extra=ids)
        return True

    def _addressee_of_invalid(self, received: Received, error: MessageInvalidError) -> Addressee | None:
        if received.receive_count == 1:
            extra = {"message_id": received.message_id, "field": error.field, "problem": error.problem}
            _LOG.error("message invalid", extra=extra)
        return addressee(received.body)

    def _take_turn(self, work: _Work, slot: WarmSlot) -> bool:
        with self._forgotten_on_error(work.received, work.request):
            answer, is_usable = work.turn(slot)
            if answer is None:
                self._wait_for_slot(work)
            else:
                self._answer(work.received, work.request, answer)
            return is_usable

    def _wait_for_slot(self, work: _Work) -> None:
        """Queue the next turn of a request. Another thread may take it before this returns."""
        project_id = work.request.project_id
        job = Job(partial(self._take_turn, work), project_id, work.received.message_id)
        give_back = partial(self._return, work.received, work.request.submission_id, 0)
        self.capacity.enqueue(WaitingRun(project_id, work.priority, start=partial(self.put, job), give_back=give_back))

    def _answer(self, received: Received, request: Request, answer: Completed | NotRun) -> None:
        if not isinstance(answer, NotRun):
            self._finish(received, answer)
        elif answer is NotRun.LANGUAGE_NOT_OFFERED:  # another runner may offer it
            self._retry_or_fail(received, request, "ie_not_run", _no_language(request))
        elif answer is NotRun.SANDBOX_FAILED:
            self._retry_or_fail(received, request, "ie_supervisor_failure", "the sandbox could not be set up")
        elif answer is NotRun.CASES_NOT_READ:
            self._retry_or_fail(received, request, "ie_not_run", "the cases could not be read")
        else:
            self._return(received, request.submission_id, 0 if answer is NotRun.CANCELLED else RETRY_DELAY_SECS)

    def _retry_or_fail(self, received: Received, request: Request, cause: str, message: str) -> None:
        if received.receive_count < self.max_receives:
            self._return(received, request.submission_id, RETRY_DELAY_SECS)
        else:
            self._finish(received, self.runner.failed(request, cause, message))

    def _finish(self, received: Received, completed: Completed) -> None:
        """Send the completion. After SQS has accepted it, delete the request."""
        completed = replace(completed, correlation_id=received.correlation_id)

        def delete() -> None:
            self._delete(received)
            self.running.end(completed.submission_id)

        give_back = partial(self._return, received, completed.submission_id, RETRY_DELAY_SECS)
        self.runner.send(completed, on_sent=delete, on_lost=give_back)

    @contextmanager
    def _forgotten_on_error(self, received: Received, to: Request | Addressee) -> Iterator[None]:
        """Stop working on a message when our code fails. It becomes visible by itself."""
        try:
            yield
        except Exception:
            self.keeper.drop(received)
            self.running.discard(to.submission_id)
            raise

    def _return(self, received: Received, submission_id: str, delay_secs: int) -> None:
        """Give back a message whose submission this runner had claimed."""
        self._give_back(received, delay_secs)
        self.running.discard(submission_id)

    def _delete(self, received: Received) -> None:
        self.keeper.drop(received)
        self.deleter.put(received)

    def _give_back(self, received: Received, delay_secs: int) -> None:
        """Make the message visible again after `delay_secs`, for this or another runner."""
        self.keeper.drop(received)
        try:
            self.transport.make_visible(received, delay_secs)
        except TransportError as error:
            # It becomes visible by itself when its visibility timeout expires.
            _LOG.warning("message not given back", extra={"message_id": received.message_id, "code": error.code})


def _no_language(request: Request) -> str:
    also = " and the languages of its checkers" if isinstance(request, JudgeRequested) else ""
    return f"no runner offers {request.language}{also}"
