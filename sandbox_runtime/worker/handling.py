"""Handle one received message, from parsing to deletion."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from threading import BoundedSemaphore, Event
from time import monotonic

from sandbox_runtime.executor import CompileCache, ExecutionCancelledError, execute, slot_is_suspect
from sandbox_runtime.jail.errors import JailError
from sandbox_runtime.languages import Language, LimitRefusedError
from sandbox_runtime.messages import (
    Addressee,
    ExecutionCompleted,
    ExecutionRequested,
    ExecutionStarted,
    MessageInvalidError,
    addressee,
    format_time,
    parse,
    serialise,
)
from sandbox_runtime.retry import persist
from sandbox_runtime.transport import Received, Transport, TransportError
from sandbox_runtime.worker import execution_log
from sandbox_runtime.worker.capacity import Capacity, WaitingRun
from sandbox_runtime.worker.job import Job
from sandbox_runtime.worker.long_runs import LongRuns
from sandbox_runtime.worker.managed_slot import ClosableSlot
from sandbox_runtime.worker.queue_batches import COMPLETION_GIVE_UP_SECS, BatchDeleter, BatchSender, Outgoing
from sandbox_runtime.worker.running import RunningSubmissions
from sandbox_runtime.worker.slot_share import Priority
from sandbox_runtime.worker.visibility import VisibilityKeeper

RETRY_DELAY_SECS = 2
# With more unsent completions, runs wait: the memory of this process is bounded.
MOST_UNSENT = 10
# An invalid message may lack its project. All of them share slots as one project.
_NO_PROJECT = ""

type _Parsed = ExecutionRequested | MessageInvalidError

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Handler:
    """Handle the messages of a worker.

    A request stays in `running`, and invisible to other runners, until SQS has its completion or it is given back.
    `put`: hand a job to the slot threads. `quit_now`: when set, stop every wait and retry.
    """

    transport: Transport
    keeper: VisibilityKeeper
    sender: BatchSender
    deleter: BatchDeleter
    long_runs: LongRuns
    running: RunningSubmissions
    languages: Mapping[str, Language]
    node_id: str
    max_receives: int
    cancel_fd: int
    quit_now: Event
    capacity: Capacity
    put: Callable[[Job], None]
    compile_cache: CompileCache | None
    unsent: BoundedSemaphore = field(default_factory=lambda: BoundedSemaphore(MOST_UNSENT))

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

    def _handle(self, received: Received, request: _Parsed, slot: ClosableSlot) -> bool:
        """Handle one message in a slot. False: the slot must not be used again."""
        to = self._addressee_of_invalid(received, request) if isinstance(request, MessageInvalidError) else request
        if to is None:
            # SQS moves it to the dead-letter queue (redrive policy), which the sweeper consumes.
            self.keeper.drop(received)
            return True
        if not self.running.add(to.submission_id):
            # A duplicate, or its visibility timeout expired. It becomes visible again after the present run.
            _LOG.info("submission already running", extra={"submission_id": to.submission_id})
            self.keeper.drop(received)
            return True
        try:
            if isinstance(to, ExecutionRequested):
                return self._run(slot, received, to)
            self._finish(received, self._not_run(to, "ie_not_run", "the request to run this submission was invalid"))
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

    def _run(self, slot: ClosableSlot, received: Received, request: ExecutionRequested) -> bool:
        language = self.languages.get(request.language)
        if language is None:
            # Another runner may offer it.
            self._retry_or_fail(received, request, "ie_not_run", f"no runner offers {request.language}")
            return True
        started_at = datetime.now(UTC)
        started = ExecutionStarted(request.submission_id, request.execution_id, self.node_id, format_time(started_at))
        try:
            with self.long_runs.watch(started):
                completed = execute(
                    slot,
                    request,
                    language,
                    node_id=self.node_id,
                    started_at=started_at,
                    cancel_fd=self.cancel_fd,
                    compile_cache=self.compile_cache,
                )
        except LimitRefusedError as error:
            self._finish(received, self._not_run(request, "ie_not_run", str(error)))
            return True
        except ExecutionCancelledError:
            self._return(received, request.submission_id, 0)
            return slot.healthy
        except JailError as error:
            execution_log.sandbox_failed(request, error)
            self._retry_or_fail(received, request, "ie_supervisor_failure", "the sandbox could not be set up")
            return False
        self._finish(received, completed)
        return slot.healthy and not slot_is_suspect(completed.result)

    def _retry_or_fail(self, received: Received, request: ExecutionRequested, cause: str, message: str) -> None:
        if received.receive_count < self.max_receives:
            self._return(received, request.submission_id, RETRY_DELAY_SECS)
        else:
            self._finish(received, self._not_run(request, cause, message))

    def _not_run(self, request: ExecutionRequested | Addressee, cause: str, message: str) -> ExecutionCompleted:
        return execution_log.not_run(request, self.node_id, cause, message)

    def _finish(self, received: Received, completed: ExecutionCompleted) -> None:
        """Hand the completion to the sender. After SQS has accepted it, the request is deleted."""

        def sent() -> None:
            self.unsent.release()
            self.keeper.drop(received)
            self.deleter.put(received)
            self.running.discard(completed.submission_id)
            execution_log.completed(completed)

        def lost(code: str) -> None:
            self.unsent.release()
            execution_log.not_sent(completed, "send", code)
            self._return(received, completed.submission_id, RETRY_DELAY_SECS)

        try:
            small = persist(
                lambda: self.transport.without_large_output(completed),
                error=TransportError,
                stop=self.quit_now,
                give_up_secs=COMPLETION_GIVE_UP_SECS,
            )
        except TransportError as error:
            execution_log.not_sent(completed, error.operation, error.code)
            self._return(received, completed.submission_id, RETRY_DELAY_SECS)
            return
        body = serialise(small)
        self.unsent.acquire()
        self.sender.put(Outgoing(body, sent, lost, monotonic() + COMPLETION_GIVE_UP_SECS))

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
