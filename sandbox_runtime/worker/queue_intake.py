"""The queue path: handle one received message, from parsing to deletion."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial

from sandbox_runtime.messages import (
    Addressee,
    Completed,
    JudgeRequested,
    MessageInvalidError,
    Request,
    addressee,
    parse_request,
)
from sandbox_runtime.transport import Received, Transport, TransportError
from sandbox_runtime.warm import WarmSlot
from sandbox_runtime.worker.capacity import Capacity, WaitingRun
from sandbox_runtime.worker.not_run import NotRun
from sandbox_runtime.worker.queue_batches import COMPLETION_GIVE_UP_SECS, BatchDeleter
from sandbox_runtime.worker.run_request import RequestRunner, Turn
from sandbox_runtime.worker.running_submissions import RunningSubmissions
from sandbox_runtime.worker.slot_share import Priority
from sandbox_runtime.worker.slot_threads import Job
from sandbox_runtime.worker.visibility import VisibilityKeeper

RETRY_DELAY_SECS = 2
# Longer than almost every run: each receive counts, and after a few SQS moves the duplicate to the dead letters.
# Then the sweeper would end the run as IE.
DUPLICATE_DELAY_SECS = 900
# An invalid message may lack its project. All of them share slots as one project.
_NO_PROJECT = ""

type _Parsed = Request | MessageInvalidError

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Claim:
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

    def accept(self, received: Received, priority: Priority) -> None:
        """Queue a message for a slot, and keep it invisible to other runners until it is handled."""
        try:
            request: _Parsed = parse_request(received.body)
        except MessageInvalidError as error:
            request = error
        project_id = _NO_PROJECT if isinstance(request, MessageInvalidError) else request.project_id
        job = Job(partial(self._handle, received, request, priority), project_id, received.message_id)
        self.keeper.hold(received)
        self.capacity.enqueue(
            WaitingRun(
                project_id, priority, start=partial(self.put, job), give_back=partial(self._give_back, received, 0)
            )
        )

    def _handle(self, received: Received, request: _Parsed, priority: Priority, slot: WarmSlot) -> bool:
        """Handle one message in a slot. False: the slot must not be used again."""
        to = self._addressee_of_invalid(received, request) if isinstance(request, MessageInvalidError) else request
        if to is None:
            # SQS moves it to the dead-letter queue (redrive policy), which the sweeper consumes.
            self.keeper.drop(received)
            return True
        if not self.running.add(to.submission_id):
            # A duplicate, or its visibility timeout expired. The present run answers it.
            extra = {"correlation_id": received.correlation_id, "submission_id": to.submission_id}
            _LOG.info("submission already running", extra=extra)
            self._give_back(received, DUPLICATE_DELAY_SECS)
            return True
        if isinstance(to, Addressee):
            message = "the request to run this submission was invalid"
            with self._forgotten_on_error(received, to):
                self._finish(received, self.runner.failed(to, "ie_not_run", message))
            return True
        turn = self.runner.begin(
            to, correlation_id=received.correlation_id, store_secs=COMPLETION_GIVE_UP_SECS, is_watched=True
        )
        return self._take_turn(_Claim(received, to, priority, turn), slot)

    def _addressee_of_invalid(self, received: Received, error: MessageInvalidError) -> Addressee | None:
        if received.receive_count == 1:
            extra = {"message_id": received.message_id, "field": error.field, "problem": error.problem}
            _LOG.error("message invalid", extra=extra)
        return addressee(received.body)

    def _take_turn(self, claim: _Claim, slot: WarmSlot) -> bool:
        with self._forgotten_on_error(claim.received, claim.request):
            answer, is_usable = claim.turn(slot)
            if answer is None:
                self._wait_for_slot(claim)
            else:
                self._answer(claim.received, claim.request, answer)
            return is_usable

    def _wait_for_slot(self, claim: _Claim) -> None:
        """Queue the next turn of a request. Another thread may take it before this returns."""
        project_id = claim.request.project_id
        job = Job(partial(self._take_turn, claim), project_id, claim.received.message_id)
        give_back = partial(self._return, claim.received, claim.request.submission_id, 0)
        self.capacity.enqueue(WaitingRun(project_id, claim.priority, start=partial(self.put, job), give_back=give_back))

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
            self.keeper.drop(received)
            self.deleter.put(received)
            self.running.discard(completed.submission_id)

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
