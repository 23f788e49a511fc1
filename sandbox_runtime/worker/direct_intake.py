"""The direct path: run an execution requested over HTTP, and answer with its completion message.

Without a free slot the caller gets 503 within SLOT_WAIT_SECS and uses the queue instead.
When the caller disconnects, the run continues and its completion goes to the completions queue.
The answer is sent before the slot is cleaned up for the next run.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

from sandbox_runtime.messages import (
    ExecutionCompleted,
    ExecutionRequested,
    MessageInvalidError,
    is_correlation_id,
    parse,
    serialise,
)
from sandbox_runtime.server import Reply
from sandbox_runtime.warm import WarmSlot
from sandbox_runtime.worker.capacity import Capacity
from sandbox_runtime.worker.reporting import Reporting
from sandbox_runtime.worker.run_request import NotRun, RequestRunner
from sandbox_runtime.worker.running import RunningSubmissions
from sandbox_runtime.worker.slot_share import Priority
from sandbox_runtime.worker.slot_threads import Job

# In a burst of short runs a slot is soon free, and a request that falls back to the queue costs twice as much as a
# direct answer. When long runs hold every slot this second is lost; then another runner may receive the message.
SLOT_WAIT_SECS = 1.0


@dataclass(frozen=True, slots=True)
class DirectIntake:
    """Accept requests on connection threads and run them on slot threads. `put`: hand a job to the slot threads."""

    runner: RequestRunner
    running: RunningSubmissions
    capacity: Capacity
    put: Callable[[Job], None]
    reporting: Reporting

    def accept(self, body: bytes, request_id: str, reply: Reply) -> None:
        """Start one execution, or refuse it before any work. `request_id`: the correlation id; else it is ignored."""
        if not self.reporting.works:
            reply.refuse(503, "cannot_report")
            return
        try:
            request = parse(ExecutionRequested, body)
        except MessageInvalidError:
            reply.refuse(400, "bad_request")
            return
        if request.language not in self.runner.languages:  # the caller goes to the queue without waiting for a slot
            reply.refuse(422, NotRun.LANGUAGE_NOT_OFFERED)
        elif not self.running.add(request.submission_id):
            reply.refuse(409, "already_running")
        elif not self.capacity.acquire(request.project_id, Priority.INTERACTIVE, SLOT_WAIT_SECS):
            self.running.discard(request.submission_id)
            reply.refuse(503, "no_free_slot")
        else:
            correlation_id = request_id if is_correlation_id(request_id) else None
            run = partial(self._run, request, correlation_id, reply)
            self.put(Job(run, request.project_id, request.submission_id))

    def _run(self, request: ExecutionRequested, correlation_id: str | None, reply: Reply, slot: WarmSlot) -> bool:
        """Run on the slot's thread. False: the slot must not be used again."""
        try:
            answer, is_usable = self.runner.run(
                slot, request, datetime.now(UTC), correlation_id=correlation_id, store_secs=0
            )
            if isinstance(answer, NotRun):
                reply.refuse(503 if answer is NotRun.CANCELLED else 502, answer)
            else:
                self._deliver(answer, reply)
            return is_usable
        finally:
            self.running.discard(request.submission_id)
            reply.refuse(500, "internal")  # has no effect unless a bug of ours left the caller without an answer

    def _deliver(self, completed: ExecutionCompleted, reply: Reply) -> None:
        if reply.send(200, serialise(completed).encode()):
            self.runner.report(completed)
        else:
            self.runner.send(completed)
