"""The direct path: run an execution requested over HTTP, and answer with its completion message.

Without a free slot the caller gets 503 within SLOT_WAIT_SECS and uses the queue instead.
When the caller disconnects, the run continues and its completion goes to the completions queue.
The answer is sent before the slot is cleaned up for the next run.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from time import monotonic

from sandbox_runtime.executor import CompileCache, ExecutionCancelledError, execute, slot_is_suspect
from sandbox_runtime.jail.errors import JailError
from sandbox_runtime.languages import Language, LimitRefusedError
from sandbox_runtime.messages import (
    ExecutionCompleted,
    ExecutionRequested,
    MessageInvalidError,
    parse,
    serialise,
)
from sandbox_runtime.server import Reply
from sandbox_runtime.transport import Transport, TransportError
from sandbox_runtime.worker import execution_log
from sandbox_runtime.worker.capacity import Capacity
from sandbox_runtime.worker.job import Job
from sandbox_runtime.worker.managed_slot import ClosableSlot
from sandbox_runtime.worker.queue_batches import COMPLETION_GIVE_UP_SECS, BatchSender, Outgoing
from sandbox_runtime.worker.running import RunningSubmissions
from sandbox_runtime.worker.slot_share import Priority

# In a burst of short runs a slot is soon free, and a request that falls back to the queue costs twice as much as a
# direct answer. When long runs hold every slot this second is lost; then another runner may receive the message.
SLOT_WAIT_SECS = 1.0


@dataclass(frozen=True, slots=True)
class DirectPath:
    """Accept requests on connection threads and run them on slot threads. `put`: hand a job to the slot threads."""

    transport: Transport
    sender: BatchSender
    capacity: Capacity
    running: RunningSubmissions
    languages: Mapping[str, Language]
    node_id: str
    cancel_fd: int
    put: Callable[[Job], None]
    compile_cache: CompileCache | None

    def take(self, body: bytes, reply: Reply) -> None:
        """Start one execution, or refuse it before any work."""
        try:
            request = parse(ExecutionRequested, body)
        except MessageInvalidError:
            reply.refuse(400, "bad_request")
            return
        language = self.languages.get(request.language)
        if language is None:
            reply.refuse(422, "language_not_offered")
        elif not self.running.add(request.submission_id):
            reply.refuse(409, "already_running")
        elif not self.capacity.acquire(request.project_id, Priority.INTERACTIVE, SLOT_WAIT_SECS):
            self.running.discard(request.submission_id)
            reply.refuse(503, "no_free_slot")
        else:
            self.put(Job(partial(self._run, request, language, reply), request.project_id, request.submission_id))

    def _run(self, request: ExecutionRequested, language: Language, reply: Reply, slot: ClosableSlot) -> bool:
        """Run on the slot's thread. False: the slot must not be used again."""
        try:
            return self._answer(request, language, reply, slot)
        finally:
            self.running.discard(request.submission_id)
            reply.refuse(500, "internal")  # has no effect unless a bug of ours left the caller without an answer

    def _answer(self, request: ExecutionRequested, language: Language, reply: Reply, slot: ClosableSlot) -> bool:
        started_at = datetime.now(UTC)
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
            self._deliver(execution_log.not_run(request, self.node_id, "ie_not_run", str(error)), reply)
            return True
        except ExecutionCancelledError:
            reply.refuse(503, "draining")
            return slot.healthy
        except JailError as error:
            reply.refuse(502, "sandbox_failed")
            execution_log.sandbox_failed(request, error)
            return False
        self._deliver(completed, reply)
        return slot.healthy and not slot_is_suspect(completed.result)

    def _deliver(self, completed: ExecutionCompleted, reply: Reply) -> None:
        try:
            content = serialise(self.transport.without_large_output(completed)).encode()
        except TransportError as error:
            reply.refuse(502, "output_not_stored")
            execution_log.not_sent(completed, error.operation, error.code)
            return
        if reply.send(200, content):
            execution_log.completed(completed)
            return
        self.sender.put(
            Outgoing(
                content.decode(),
                on_sent=partial(execution_log.completed, completed),
                on_lost=partial(execution_log.not_sent, completed, "send"),
                give_up_at=monotonic() + COMPLETION_GIVE_UP_SECS,
            )
        )
