"""The queue path: handle one received message, from parsing to deletion."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial

from sandbox_runtime.executor import not_run
from sandbox_runtime.messages import (
    Addressee,
    ExecutionCompleted,
    ExecutionRequested,
    ExecutionStarted,
    MessageInvalidError,
    addressee,
    format_time,
    parse,
)
from sandbox_runtime.transport import Received, Transport, TransportError
from sandbox_runtime.warm import WarmSlot
from sandbox_runtime.worker.capacity import Capacity, WaitingRun
from sandbox_runtime.worker.long_runs import LongRuns
from sandbox_runtime.worker.queue_batches import COMPLETION_GIVE_UP_SECS, BatchDeleter
from sandbox_runtime.worker.run_request import NotRun, RequestRunner
from sandbox_runtime.worker.running import RunningSubmissions
from sandbox_runtime.worker.slot_share import Priority
from sandbox_runtime.worker.slot_threads import Job
from sandbox_runtime.worker.visibility import VisibilityKeeper

RETRY_DELAY_SECS = 2
# An invalid message may lack its project. All of them share slots as one project.
_NO_PROJECT = ""

type _Parsed = ExecutionRequested | MessageInvalidError

_LOG = logging.getLogger(__name__)


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
    long_runs: LongRuns
    running: RunningSubmissions
    max_receives: int
    capacity: Capacity
    put: Callable[[Job], None]

    def accept(self, received: Received, priority: Priority) -> None:
        """Queue a message for a slot, and keep it invisible to other runners until it is handled."""
        try:
            request: _Parsed = parse(ExecutionRequested, received.body)
        except MessageInvalidError as error:
            request = error
        project_id = request.project_id if isinstance(request, ExecutionRequested) else _NO_PROJECT
        job = Job(partial(self._handle, received, request), project_id, received.message_id)
        self.keeper.hold(received)
        self.capacity.enqueue(
            WaitingRun(
                project_id, priority, start=partial(self.put, job), give_back=partial(self._give_back, received, 0)
            )
        )

    def _handle(self, received: Received, request: _Parsed, slot: WarmSlot) -> bool:
        """Handle one message in a slot. False: the slot must not be used again."""
        to = self._addressee_of_invalid(received, request) if isinstance(request, MessageInvalidError) else request
        if to is None:
            # SQS moves it to the dead-letter queue (redrive policy), which the sweeper consumes.
            self.keeper.drop(received)
            return True
        if not self.running.add(to.submission_id):
            # A duplicate, or its visibility timeout expired. It becomes visible again after the present run.
            extra = {"correlation_id": received.correlation_id, "submission_id": to.submission_id}
            _LOG.info("submission already running", extra=extra)
            self.keeper.drop(received)
            return True
        try:
            if isinstance(to, ExecutionRequested):
                return self._run(slot, received, to)
            message = "the request to run this submission was invalid"
            self._finish(received, not_run(to, self.runner.node_id, "ie_not_run", message))
        except Exception:
            self.keeper.drop(received)
            self.running.discard(to.submission_id)
            raise
        return True

    def _addressee_of_invalid(self, received: Received, error: MessageInvalidError) -> Addressee | None:
        if received.receive_count == 1:
            extra = {"message_id": received.message_id, "field": error.field, "problem": error.problem}
            _LOG.error("message invalid", extra=extra)
        return addressee(received.body)

    def _run(self, slot: WarmSlot, received: Received, request: ExecutionRequested) -> bool:
        started_at = datetime.now(UTC)
        node_id = self.runner.node_id
        correlation_id = received.correlation_id
        started = ExecutionStarted(
            request.submission_id, request.execution_id, node_id, format_time(started_at), correlation_id
        )
        with self.long_runs.watch(started):
            answer, is_usable = self.runner.run(
                slot, request, started_at, correlation_id=correlation_id, store_secs=COMPLETION_GIVE_UP_SECS
            )
        if isinstance(answer, ExecutionCompleted):
            self._finish(received, answer)
        elif answer is NotRun.LANGUAGE_NOT_OFFERED:  # another runner may offer it
            self._retry_or_fail(received, request, "ie_not_run", f"no runner offers {request.language}")
        elif answer is NotRun.SANDBOX_FAILED:
            self._retry_or_fail(received, request, "ie_supervisor_failure", "the sandbox could not be set up")
        else:
            self._return(received, request.submission_id, 0 if answer is NotRun.CANCELLED else RETRY_DELAY_SECS)
        return is_usable

    def _retry_or_fail(self, received: Received, request: ExecutionRequested, cause: str, message: str) -> None:
        if received.receive_count < self.max_receives:
            self._return(received, request.submission_id, RETRY_DELAY_SECS)
        else:
            self._finish(received, not_run(request, self.runner.node_id, cause, message))

    def _finish(self, received: Received, completed: ExecutionCompleted) -> None:
        """Send the completion. After SQS has accepted it, delete the request."""
        completed = replace(completed, correlation_id=received.correlation_id)

        def delete() -> None:
            self.keeper.drop(received)
            self.deleter.put(received)
            self.running.discard(completed.submission_id)

        give_back = partial(self._return, received, completed.submission_id, RETRY_DELAY_SECS)
        self.runner.send(completed, on_sent=delete, on_lost=give_back)

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
