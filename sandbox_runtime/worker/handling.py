"""Handle one received message, from parsing to deletion."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from threading import Event

from sandbox_runtime.executor import CompileCache, ExecutionCancelledError, execute, platform_failure, slot_is_suspect
from sandbox_runtime.jail.errors import JailError
from sandbox_runtime.languages import Language, LimitRefusedError
from sandbox_runtime.messages import (
    ExecutionCompleted,
    ExecutionRequested,
    ExecutionStarted,
    MessageInvalidError,
    addressee,
    format_time,
    parse,
)
from sandbox_runtime.transport import Received, Transport, TransportError
from sandbox_runtime.worker import execution_log
from sandbox_runtime.worker.background_sender import BackgroundSender
from sandbox_runtime.worker.capacity import Capacity, WaitingRun
from sandbox_runtime.worker.job import Job
from sandbox_runtime.worker.managed_slot import ClosableSlot
from sandbox_runtime.worker.running import RunningSubmissions
from sandbox_runtime.worker.slot_share import Priority
from sandbox_runtime.worker.visibility import VisibilityKeeper

RETRY_DELAY_SECS = 2
# An invalid message may lack its project. All of them share slots as one project.
_NO_PROJECT = ""

type _Parsed = ExecutionRequested | MessageInvalidError

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Handler:
    """Handle the messages of a worker.

    `put`: hand a job to the slot threads. `quit_now`: when set, stop every wait and retry.
    """

    transport: Transport
    keeper: VisibilityKeeper
    sender: BackgroundSender
    running: RunningSubmissions
    languages: Mapping[str, Language]
    node_id: str
    max_receives: int
    cancel_fd: int
    quit_now: Event
    capacity: Capacity
    put: Callable[[Job], None]
    compile_cache: CompileCache | None

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
                project_id, priority, start=partial(self.put, job), give_back=partial(self.give_back, received, 0)
            )
        )

    def _handle(
        self, received: Received, request: ExecutionRequested | MessageInvalidError, slot: ClosableSlot
    ) -> bool:
        """Handle one message in a slot. False: the slot must not be used again."""
        try:
            if isinstance(request, MessageInvalidError):
                self._refuse(received, request)
                return True
            return self._run_once(slot, received, request)
        finally:
            self.keeper.drop(received)

    def _run_once(self, slot: ClosableSlot, received: Received, request: ExecutionRequested) -> bool:
        if not self.running.add(request.submission_id):
            # A duplicate, or its visibility timeout expired. It becomes visible again after the present run.
            _LOG.info("submission already running", extra={"submission_id": request.submission_id})
            return True
        try:
            return self._run(slot, received, request)
        finally:
            self.running.discard(request.submission_id)

    def give_back(self, received: Received, delay_secs: int) -> None:
        """Make the message visible again after `delay_secs`, for this or another runner."""
        self.keeper.drop(received)
        try:
            self.transport.make_visible(received, delay_secs)
        except TransportError as error:
            # It becomes visible by itself when its visibility timeout expires.
            _LOG.warning("message not given back", extra={"message_id": received.message_id, "code": error.code})

    def _run(self, slot: ClosableSlot, received: Received, request: ExecutionRequested) -> bool:
        started_at = datetime.now(UTC)
        language = self.languages.get(request.language)
        if language is None:
            # Another runner may offer it.
            self._retry_or_fail(received, request, "ie_not_run", f"no runner offers {request.language}")
            return True
        self.sender.put(
            ExecutionStarted(request.submission_id, request.execution_id, self.node_id, format_time(started_at))
        )
        try:
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
            self._finish(received, execution_log.not_run(request, self.node_id, "ie_not_run", str(error)))
            return True
        except ExecutionCancelledError:
            self.give_back(received, 0)
            return slot.healthy
        except JailError as error:
            execution_log.sandbox_failed(request, error)
            self._retry_or_fail(received, request, "ie_supervisor_failure", "the sandbox could not be set up")
            return False
        self._finish(received, completed)
        return slot.healthy and not slot_is_suspect(completed.result)

    def _retry_or_fail(self, received: Received, request: ExecutionRequested, cause: str, message: str) -> None:
        if received.receive_count < self.max_receives:
            self.give_back(received, RETRY_DELAY_SECS)
        else:
            self._finish(received, execution_log.not_run(request, self.node_id, cause, message))

    def _refuse(self, received: Received, error: MessageInvalidError) -> None:
        extra = {"message_id": received.message_id, "field": error.field, "problem": error.problem}
        if received.receive_count == 1:
            _LOG.error("message invalid", extra=extra)
        to = addressee(received.body)
        if to is None:
            return  # SQS moves it to the dead-letter queue (redrive policy), which the sweeper consumes
        completed = platform_failure(
            (to.submission_id, to.execution_id),
            to.language,
            node_id=self.node_id,
            started_at=datetime.now(UTC),
            cause="ie_not_run",
            message="the request to run this submission was invalid",
        )
        self._finish(received, completed)

    def _finish(self, received: Received, completed: ExecutionCompleted) -> None:
        try:
            self.transport.send_completed(completed, stop=self.quit_now)
        except TransportError as error:
            execution_log.not_sent(completed, error.operation, error.code)
            self.give_back(received, RETRY_DELAY_SECS)
            return
        self.keeper.drop(received)
        try:
            self.transport.delete(received)
        except TransportError as error:
            # It will run again. The second completion changes nothing, because the submission is final.
            ids = {"submission_id": completed.submission_id, "execution_id": completed.execution_id}
            _LOG.warning("message not deleted", extra={**ids, "code": error.code})
        execution_log.completed(completed)
