"""The direct path: run a request that came over HTTP, and answer with its completion message.

Without a free slot the caller gets 503 within SLOT_WAIT_SECS and uses the queue instead.
When the caller disconnects, the run continues and its completion goes to the completions queue.
The answer is sent before the slot is cleaned up for the next run.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from sandbox_runtime.messages import (
    Completed,
    MessageInvalidError,
    Request,
    is_correlation_id,
    parse_request,
    serialise,
)
from sandbox_runtime.server import Reply
from sandbox_runtime.warm import WarmSlot
from sandbox_runtime.worker.intake.running_submissions import Claim, RunningSubmissions
from sandbox_runtime.worker.not_run import NotRun
from sandbox_runtime.worker.reporting.queue_health import Reporting
from sandbox_runtime.worker.run_request import RequestRunner, Turn
from sandbox_runtime.worker.slots.capacity import Capacity, WaitingRun
from sandbox_runtime.worker.slots.slot_share import Priority
from sandbox_runtime.worker.slots.slot_threads import Job

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
            request = parse_request(body)
        except MessageInvalidError:
            reply.refuse(400, "bad_request")
            return
        if not self.runner.offers(request.language):  # the caller goes to the queue without waiting for a slot
            reply.refuse(422, NotRun.LANGUAGE_NOT_OFFERED)
        elif self.running.claim(request.submission_id) is not Claim.CLAIMED:
            reply.refuse(409, "already_running")
        else:
            self._run_soon(request, request_id if is_correlation_id(request_id) else None, reply)

    def _run_soon(self, request: Request, correlation_id: str | None, reply: Reply) -> None:
        """Queue the run, and refuse it if it has no slot after SLOT_WAIT_SECS."""
        waiting = self._waiting_run(request, partial(self._run, request, correlation_id, reply), reply)
        self.capacity.enqueue(waiting)
        if not reply.wait(SLOT_WAIT_SECS) and self.capacity.withdraw(waiting):
            self._refuse(request, reply, 503, "no_free_slot")

    def _run(self, request: Request, correlation_id: str | None, reply: Reply, slot: WarmSlot) -> bool:
        """Take the first turn on a slot's thread. False: the slot must not be used again."""
        turn = self.runner.begin(request, correlation_id=correlation_id, store_secs=0, is_watched=False)
        return self._take_turn(request, turn, reply, slot)

    def _take_turn(self, request: Request, turn: Turn, reply: Reply, slot: WarmSlot) -> bool:
        try:
            answer, is_usable = turn(slot)
            if isinstance(answer, NotRun):
                self._refuse(request, reply, 503 if answer is NotRun.CANCELLED else 502, answer)
            elif answer is not None:
                self._deliver(answer, reply)
        except Exception:
            self._refuse(request, reply, 500, "internal")
            raise
        if answer is None:
            # Another thread may take the next turn before this returns.
            self.capacity.enqueue(self._waiting_run(request, partial(self._take_turn, request, turn, reply), reply))
        return is_usable

    def _waiting_run(self, request: Request, run: Callable[[WarmSlot], bool], reply: Reply) -> WaitingRun:
        job = Job(run, request.project_id, request.submission_id)
        return WaitingRun(
            request.project_id,
            Priority.INTERACTIVE,
            start=partial(self.put, job),
            give_back=partial(self._refuse, request, reply, 503, NotRun.CANCELLED),
            is_message=False,
        )

    def _refuse(self, request: Request, reply: Reply, status: int, code: str) -> None:
        self.running.discard(request.submission_id)
        reply.refuse(status, code)

    def _deliver(self, completed: Completed, reply: Reply) -> None:
        """Answer the caller. A caller that left has sent a message, or will: the completions queue gets the result."""
        submission_id = completed.submission_id
        is_sent = reply.send(200, serialise(completed).encode())
        if is_sent and self.running.discard_alone(submission_id):
            self.runner.report(completed)
            return
        on_sent, on_lost = partial(self.running.end, submission_id), partial(self.running.discard, submission_id)
        self.runner.send(completed, on_sent, on_lost)
