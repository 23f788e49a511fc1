"""The direct path: run a request that came over HTTP. Before it, the submissions that both intakes work on."""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import Enum, auto
from functools import partial
from threading import Lock
from time import monotonic

from events import MessageInvalidError
from events.judged import Completed
from events.message import is_correlation_id
from events.requested import Requested, parse_request
from sandbox_runtime.prewarm import PrewarmedSlot
from sandbox_runtime.server import Reply
from sandbox_runtime.worker.file_cache import DIRECT_GIVE_UP_SECS, NO_FILES, FetchedFiles
from sandbox_runtime.worker.reports import QueueHealth
from sandbox_runtime.worker.run_request import RequestRunner
from sandbox_runtime.worker.scheduler import Capacity, Priority, WaitingJob
from sandbox_runtime.worker.turns import NotRun, Turns

# SQS delivers a message again within its visibility timeout, and the sweeper sends a late one again within minutes.
# After this time a message of an ended submission runs again: its completion did not reach the table.
ENDED_SECS = 900
# About 1.5 MB.
MOST_ENDED = 10_000


class Claim(Enum):
    """The answer to a claim. DUPLICATE: the submission runs. ENDED: it has run, and SQS has its completion."""

    CLAIMED = auto()
    DUPLICATE = auto()
    ENDED = auto()


@dataclass(frozen=True, slots=True)
class Duplicate:
    """Another message of a running submission. `delete` it at the end of the run, or `give_back` both messages."""

    delete: Callable[[], None]
    give_back: Callable[[], None]


class RunningSubmissions:
    """Ids of submissions from the start of their run until their completion is sent. Safe for threads.

    `on_discard` is called after each removal.
    """

    def __init__(self, on_discard: Callable[[], None] = lambda: None, clock: Callable[[], float] = monotonic) -> None:
        self._running: dict[str, list[Duplicate]] = {}
        self._ended: OrderedDict[str, float] = OrderedDict()
        self._lock = Lock()
        self._on_discard = on_discard
        self._clock = clock

    def __len__(self) -> int:
        return len(self._running)

    def claim(self, submission_id: str, duplicate: Duplicate | None = None) -> Claim:
        """Claim a submission. If it runs, keep `duplicate` until its end."""
        with self._lock:
            found = self._state(submission_id, duplicate)
            if found is Claim.CLAIMED:
                self._running[submission_id] = []
            return found

    def find(self, submission_id: str, duplicate: Duplicate) -> Claim:
        """Like `claim`, but do not claim it: CLAIMED means that it is new."""
        with self._lock:
            return self._state(submission_id, duplicate)

    def end(self, submission_id: str) -> None:
        """Release a submission whose completion SQS has accepted, and delete its duplicates."""
        with self._lock:
            duplicates = self._running.pop(submission_id, [])
            self._ended[submission_id] = self._clock()
            self._ended.move_to_end(submission_id)
            if len(self._ended) > MOST_ENDED:
                self._ended.popitem(last=False)
        for duplicate in duplicates:
            duplicate.delete()
        self._on_discard()

    def discard(self, submission_id: str) -> None:
        """Release a submission that must run again, and give back its duplicates."""
        with self._lock:
            duplicates = self._running.pop(submission_id, [])
        for duplicate in duplicates:
            duplicate.give_back()
        self._on_discard()

    def discard_alone(self, submission_id: str) -> bool:
        """Release a submission unless it has duplicates. False: it has."""
        with self._lock:
            if self._running.get(submission_id):
                return False
            self._running.pop(submission_id, None)
        self._on_discard()
        return True

    def _state(self, submission_id: str, duplicate: Duplicate | None) -> Claim:
        if submission_id in self._running:
            if duplicate is not None:
                self._running[submission_id].append(duplicate)
            return Claim.DUPLICATE
        if self._clock() - self._ended.get(submission_id, -ENDED_SECS) < ENDED_SECS:
            return Claim.ENDED
        return Claim.CLAIMED


# The direct path: run a request that came over HTTP, and answer with its completion message.
#
# Without a free slot the caller gets 503 within SLOT_WAIT_SECS and uses the queue instead. When the caller
# disconnects, the run continues and its completion goes to the completions queue. The answer is sent before the slot
# is cleaned up for the next run.

# In a burst of short runs a slot is soon free, and a request that falls back to the queue costs twice as much as a
# direct answer. When long runs hold every slot this second is lost; then another runner may receive the message.
SLOT_WAIT_SECS = 1.0


@dataclass(eq=False, kw_only=True)
class DirectRun(WaitingJob):
    """One request. `turns`: None until its first slot."""

    intake: "DirectIntake"
    request: Requested
    correlation_id: str | None
    reply: Reply
    files: FetchedFiles = NO_FILES
    turns: Turns | None = None

    def run(self, slot: PrewarmedSlot) -> bool:
        """Take a turn. False: the slot must not be used again."""
        return self.intake.take_turn(self, slot)

    def give_back(self) -> None:
        """Refuse it: the worker drains."""
        self.intake.refuse(self, 503, NotRun.DRAINING)


@dataclass(frozen=True, slots=True)
class DirectIntake:
    """Accept requests on connection threads and run them on slot threads."""

    runner: RequestRunner
    running: RunningSubmissions
    capacity: Capacity
    health: QueueHealth

    def accept(self, body: bytes, request_id: str, reply: Reply) -> None:
        """Start one execution, or refuse it before any work. `request_id`: the correlation id; else it is ignored."""
        if not self.health.works:
            reply.refuse(503, "cannot_report")
            return
        try:
            request = parse_request(body)
        except MessageInvalidError:
            reply.refuse(400, "bad_request")
            return
        if (obstacle := self.runner.obstacle(request)) is not None:  # the caller goes to the queue without a wait
            reply.refuse(422, obstacle)
        elif self.running.claim(request.submission_id) is not Claim.CLAIMED:
            reply.refuse(409, "already_running")
        else:
            self._run_soon(request, request_id if is_correlation_id(request_id) else None, reply)

    def _run_soon(self, request: Requested, correlation_id: str | None, reply: Reply) -> None:
        """Queue the run, and refuse it if it has no slot after SLOT_WAIT_SECS."""
        run = DirectRun(
            project_id=request.project_id,
            # Transforms are batch work: the last slot is for runs that a client waits for.
            priority=Priority.BATCH if request.priority == "batch" else Priority.INTERACTIVE,
            name=request.submission_id,
            is_message=False,
            intake=self,
            request=request,
            correlation_id=correlation_id,
            reply=reply,
            files=self.runner.fetcher.fetch(request, DIRECT_GIVE_UP_SECS),
        )
        self.capacity.enqueue(run)
        if not reply.wait(SLOT_WAIT_SECS) and self.capacity.withdraw(run):
            self.refuse(run, 503, "no_free_slot")

    def take_turn(self, run: DirectRun, slot: PrewarmedSlot) -> bool:
        """Take a turn on a slot's thread. False: the slot must not be used again."""
        try:
            if run.turns is None:
                run.turns = self.runner.begin(
                    run.request, correlation_id=run.correlation_id, store_secs=0, is_watched=False, files=run.files
                )
            answer, is_usable = run.turns.take(slot)
            if isinstance(answer, NotRun):
                self.refuse(run, 503 if answer is NotRun.DRAINING else 502, answer)
            elif answer is not None:
                self._deliver(answer, run.reply)
        except Exception:
            self.refuse(run, 500, "internal")
            raise
        if answer is None:
            run.flow.turn_secs = run.turns.case_secs
            # Another thread may take the next turn before this returns. A copy, because `_run_soon` withdraws `run`.
            self.capacity.enqueue(replace(run))
        return is_usable

    def refuse(self, run: DirectRun, status: int, code: str) -> None:
        """Answer an error. The caller uses the queue instead."""
        self.running.discard(run.request.submission_id)
        run.reply.refuse(status, code)

    def _deliver(self, completed: Completed, reply: Reply) -> None:
        """Answer the caller. A caller that left has sent a message, or will: the completions queue gets the result."""
        submission_id = completed.submission_id
        is_sent = reply.send(200, completed.serialise().encode())
        if is_sent and self.running.discard_alone(submission_id):
            self.runner.report(completed)
            return
        on_sent, on_lost = partial(self.running.end, submission_id), partial(self.running.discard, submission_id)
        self.runner.send(completed, on_sent, on_lost)
