"""The slots of one runner: which runs hold one, which runs wait, and how many messages the pollers may receive.

A jail slot is ready, running, or being cleaned up. The share policy bounds only the running slots.
So one slot can be cleaned up while the next run starts in another.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Condition, Lock
from time import monotonic

from sandbox_runtime.worker.slots.fair_share import Priority, SlotTime, choose, free_slots
from sandbox_runtime.worker.slots.job import Job, WaitingJob

# Messages of one queue that may wait here for a slot. Ten fill one receive call, and ten is the default in-flight
# quota of a project. With more, messages would wait here while another runner has a free slot.
MOST_WAITING_MESSAGES = 10
# While no slot is free, a poll looks only for messages of projects without a run. It must not compete with the long
# polls of idle runners, so it waits this long first and then takes only messages that no idle runner has taken.
PEEK_PERIOD_SECS = 1.0


@dataclass(frozen=True, slots=True)
class Poll:
    """Permission to receive up to `most` messages. `may_wait`: a long poll is allowed."""

    most: int
    may_wait: bool


@dataclass(slots=True)
class _State:
    ready: int = 0
    running: list[WaitingJob] = field(default_factory=list)
    lent: list[Job] = field(default_factory=list)
    waiting: list[WaitingJob] = field(default_factory=list)
    polls: int = 0
    is_closed: bool = False

    @property
    def busy(self) -> int:
        return len(self.running) + len(self.lent)

    @property
    def ready_to_start(self) -> list[WaitingJob]:
        return [run for run in self.waiting if run.is_ready]


class Capacity:
    """Shares `slots` between projects. Safe for threads.

    `start` is called, under the lock, with each job that gets a slot: it hands the job to the slot threads.
    `on_release` is called, outside the lock, after each release.
    Each started run must be followed by `release` when it has its result, and by `add_ready` when its slot is clean.
    """

    def __init__(
        self,
        slots: int,
        start: Callable[[WaitingJob], None],
        on_release: Callable[[], None] = lambda: None,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._slots = slots
        self._start = start
        self._state = _State()
        self._slot_time, self._clock, self._counted_until = SlotTime(), clock, clock()
        self._lock = Lock()
        self._slot_freed = Condition(self._lock)
        self._on_release = on_release

    def add_ready(self) -> None:
        """Count one more jail slot as ready for a run."""
        with self._lock:
            self._state.ready += 1
            self._start_runs()

    def enqueue(self, run: WaitingJob) -> None:
        """Start a run now or later, when the share policy chooses it."""
        with self._lock:
            if not self._state.is_closed:
                self._count_slot_time()
                self._state.waiting.append(run)
                if run.is_ready:
                    self._slot_time.arrive(run)
                self._start_runs()
                return
        run.give_back()

    def make_ready(self, run: WaitingJob) -> None:
        """Let a run start that was not ready. It may have been given back meanwhile."""
        with self._lock:
            self._count_slot_time()
            run.is_ready = True
            if run in self._state.waiting:
                self._slot_time.arrive(run)
            self._start_runs()

    def withdraw(self, run: WaitingJob) -> bool:
        """Take back a run that still waits. False: it was started or given back."""
        with self._lock:
            if run not in self._state.waiting:
                return False
            self._count_slot_time()
            self._state.waiting.remove(run)
            self._start_runs()  # one project fewer: the shares of the others grow
            return True

    def lend(self, job: Job) -> bool:
        """Take a second slot for a part of a run, if no run waits and one is free.

        Its holder watches `wants_slots_back`. For all others a lent slot counts as free: a run starts at once if a
        spare jail slot is ready, and the lent slot comes back soon. Nobody else wanted it, so its time does not count.
        """
        with self._lock:
            state = self._state
            if self._wants_slots_back or not state.ready or state.busy >= self._slots:
                return False
            state.ready -= 1
            state.lent.append(job)
            return True

    @property
    def wants_slots_back(self) -> bool:
        """Whether judge runs must give up their slots after a case: a run waits, too many run, or the worker drains."""
        with self._lock:
            return self._wants_slots_back

    @property
    def _wants_slots_back(self) -> bool:
        state = self._state
        return bool(state.ready_to_start) or state.is_closed or state.busy > self._slots

    def release(self, job: Job) -> None:
        """Take back the slot of a started or lent job."""
        with self._lock:
            self._count_slot_time()
            if isinstance(job, WaitingJob):
                self._state.running.remove(job)
            else:
                self._state.lent.remove(job)
            self._start_runs()
        self._on_release()

    def begin_poll(self, priority: Priority, wait_secs: float = PEEK_PERIOD_SECS) -> Poll | None:
        """Wait up to `wait_secs` for a free slot. None: do not receive now. Else the caller must call `end_poll`.

        If none gets free, the messages that `goes_back` go back. This poll is left out, or it would receive them again.
        """
        deadline = monotonic() + wait_secs
        with self._lock:
            while not (free := self._free_for_messages(priority)) and not self._state.is_closed:
                if not self._slot_freed.wait(deadline - monotonic()):
                    break
            going_back = [] if free else self._take_going_back(priority)
            most = free or MOST_WAITING_MESSAGES - self._waiting_messages(priority)
            if not going_back and (self._state.is_closed or most <= 0):
                return None
            self._state.polls += 1
            if not going_back:
                return Poll(most, may_wait=free > 0)
        for run in going_back:
            run.give_back()
        self.end_poll()
        return None

    def _take_going_back(self, priority: Priority) -> list[WaitingJob]:
        waiting = self._state.waiting
        found = [run for run in waiting if run.goes_back and run.is_ready and run.priority is priority]
        if found:
            self._count_slot_time()
            self._state.waiting = [run for run in waiting if run not in found]
            self._start_runs()  # perhaps fewer projects: the shares of the others grow
        return found

    def end_poll(self) -> None:
        """End a poll. Call it after the poll's messages are enqueued."""
        with self._lock:
            self._state.polls -= 1
        self._on_release()

    def close(self) -> None:
        """Start no more runs and give back the waiting ones."""
        with self._lock:
            self._state.is_closed = True
            waiting, self._state.waiting = self._state.waiting, []
            self._slot_freed.notify_all()
        for run in waiting:
            run.give_back()

    @property
    def running(self) -> int:
        """Count the runs that hold a slot."""
        with self._lock:
            return self._state.busy

    @property
    def is_idle(self) -> bool:
        """No run has a slot and no poll is under way."""
        with self._lock:
            return not self._state.busy and not self._state.polls

    def _waiting_messages(self, priority: Priority) -> int:
        return sum(run.is_message and run.priority is priority for run in self._state.waiting)

    def _free_for_messages(self, priority: Priority) -> int:
        state = self._state
        free = min(free_slots(priority, len(state.running), self._slots), state.ready + len(state.lent))
        waiting = self._waiting_messages(priority)
        fetching = sum(not run.is_ready and run.priority is priority for run in state.waiting)
        # Those whose files are fetched need no slot yet, but their number is bounded.
        return max(0, min(free - (waiting - fetching), MOST_WAITING_MESSAGES - waiting))

    def _count_slot_time(self) -> None:
        """Count the slot time until now. Called before a run begins or ends to wait, or to hold a slot."""
        now, state = self._clock(), self._state
        self._slot_time.advance(now - self._counted_until, state.running, state.ready_to_start)
        self._counted_until = now

    def _start_runs(self) -> None:
        """Start all runs that may start. The caller holds the lock."""
        state = self._state
        if state.waiting:
            self._count_slot_time()
        while state.waiting and state.ready:
            running = Counter(run.project_id for run in state.running)
            run = choose(state.ready_to_start, running, self._slots, self._slot_time)
            if run is None:
                break
            state.waiting.remove(run)
            state.ready -= 1
            state.running.append(run)
            self._start(run)
        if any(map(self._free_for_messages, Priority)):  # else the pollers would only find that they must wait on
            self._slot_freed.notify_all()
