"""The direct path: an execution asked for over HTTP, and answered with the message that the queue would have got.

It never waits long: without a free slot the caller is soon told and goes to the queue. A caller that goes away leaves
the run to its end; its completion is then sent to the completions queue, so that nothing is run in vain. The answer
leaves before the place is made ready for the next run.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from threading import Event

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
from sandbox_runtime.worker import journal
from sandbox_runtime.worker.capacity import Capacity
from sandbox_runtime.worker.job import Job
from sandbox_runtime.worker.place import ClosableSlot
from sandbox_runtime.worker.running import RunningSubmissions
from sandbox_runtime.worker.slot_share import Priority

# In a burst of short runs a slot is free in no time, and each request that is sent on to the queue costs twice as much
# as one that is answered. Where long runs hold every slot, this is lost, and another runner's queue poller may help.
SLOT_WAIT_SECS = 1.0


@dataclass(frozen=True, slots=True)
class DirectPath:
    """Takes requests on the threads of connections and runs them on those of slots. `put`: gives a job to a slot."""

    transport: Transport
    capacity: Capacity
    running: RunningSubmissions
    languages: Mapping[str, Language]
    node_id: str
    cancel_fd: int
    quit_now: Event
    put: Callable[[Job], None]
    compile_cache: CompileCache | None

    def take(self, body: bytes, reply: Reply) -> None:
        """Begin one execution, or refuse it before any work."""
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
        """On the slot's thread. False: the slot must not be used again."""
        try:
            return self._answer(request, language, reply, slot)
        finally:
            self.running.discard(request.submission_id)
            reply.refuse(500, "internal")  # counts only where a fault of ours left the caller without an answer

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
            self._deliver(journal.not_run(request, self.node_id, "ie_not_run", str(error)), reply)
            return True
        except ExecutionCancelledError:
            reply.refuse(503, "draining")
            return slot.healthy
        except JailError as error:
            reply.refuse(502, "sandbox_failed")
            journal.sandbox_failed(request, error)
            return False
        self._deliver(completed, reply)
        return slot.healthy and not slot_is_suspect(completed.result)

    def _deliver(self, completed: ExecutionCompleted, reply: Reply) -> None:
        try:
            content = serialise(self.transport.without_large_output(completed)).encode()
        except TransportError as error:
            reply.refuse(502, "output_not_stored")
            journal.not_sent(completed, error.operation, error.code)
            return
        if not reply.send(200, content):
            try:
                self.transport.send_completed(completed, stop=self.quit_now)
            except TransportError as error:
                journal.not_sent(completed, error.operation, error.code)
                return
        journal.completed(completed)
