"""A run on its way to a slot: an intake makes it, `Capacity` starts it, and a thread of `SlotThreads` runs it."""

from abc import ABC, abstractmethod
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from math import inf
from threading import Condition, Lock
from time import monotonic

from sandbox_runtime.prewarm import PrewarmedSlot


@dataclass(eq=False, kw_only=True)
class Job(ABC):
    """One run of a project, or a part of it in a lent slot. `name`: an id, for the log."""

    project_id: str
    name: str

    @abstractmethod
    def run(self, slot: PrewarmedSlot) -> bool:
        """Run it. False: the slot must not be used again."""


# The policy that shares slots: between projects, and between the runs of each. It has no lock and reads no clock.
#
# Slots are shared by wall time, as weighted fair queuing with equal weights does it (Demers, Keshav and Shenker,
# 1989).

# Runs are not preempted. A project that fills every slot would block other projects until one of its runs ends, up to
# 25 s in the judge profile. A reserved slot would cost a single project half of a host with two cores. One run above
# the slots costs it nothing while it is alone, and with N slots each run keeps at least N/(N + 1) of a core.
NEWCOMER_SLOTS = 1
# A project with less work than its share falls behind its clock, and one that takes slots that no other wants gets
# ahead of it. Neither may count for long, so the difference is bounded by about the longest case.
MOST_LAG_SECS = 30.0


class Priority(StrEnum):
    """Interactive: a client waits for the result. Batch: no client waits."""

    INTERACTIVE = "interactive"
    BATCH = "batch"


@dataclass(eq=False, slots=True)
class Flow:
    """The place of one run in the fair queue. All jobs of the run share it.

    `start_tag`: the slot time that it had, on the clock of its project; `-inf` before it first waits for a slot.
    `turn_secs`: an estimate of its next turn, the wall time of its last case.
    """

    start_tag: float = -inf
    turn_secs: float = 0.0

    @property
    def finish_tag(self) -> float:
        """The slot time after its next turn."""
        return self.start_tag + self.turn_secs


@dataclass(eq=False, slots=True)
class SlotRequest:
    """One run that waits for a slot."""

    project_id: str
    priority: Priority
    flow: Flow = field(default_factory=Flow)


@dataclass(eq=False, kw_only=True)
class WaitingJob(Job, SlotRequest, ABC):
    """A run that waits for a slot. `is_message`: it came from a queue, and counts among the received messages.

    `goes_back`: give it back also when no slot gets free soon, because another runner may have one.
    `is_ready`: false while its files are fetched; only `Capacity.make_ready` changes it.
    """

    is_message: bool = True
    goes_back: bool = False
    is_ready: bool = True

    @abstractmethod
    def give_back(self) -> None:
        """Give it up before its start. Must return at once."""


@dataclass(slots=True)
class _Project:
    """`start_tag`: the slot time that it had, on the clock of all. `clock_secs`: the virtual time of its runs."""

    start_tag: float
    clock_secs: float = 0.0


class SlotTime:
    """The slot time of projects and runs, against virtual clocks.

    A clock shows the slot time that each would have if all with work were served at the same time, at equal rates.
    A new one starts at the time of the clock. So it has no credit for the past, and no run waits for ever while new
    ones come.
    """

    def __init__(self) -> None:
        self._projects: dict[str, _Project] = {}
        self._clock_secs = 0.0

    def start_tag(self, project_id: str) -> float:
        project = self._projects.get(project_id)
        return self._clock_secs if project is None else project.start_tag

    def arrive(self, request: SlotRequest) -> None:
        """Note that a run waits for a slot from now on, for the first time or again."""
        flow = request.flow
        project = self._projects.setdefault(request.project_id, _Project(self._clock_secs))
        if flow.start_tag == -inf:
            flow.start_tag = project.clock_secs
            return
        flow.start_tag = _bounded(flow.start_tag, project.clock_secs)
        project.start_tag = _bounded(project.start_tag, self._clock_secs)

    def advance(self, secs: float, running: Collection[SlotRequest], waiting: Collection[SlotRequest]) -> None:
        """Count the time since the last call, in which these runs held a slot or waited for one."""
        flows = defaultdict[str, set[Flow]](set)
        for request in (*running, *waiting):
            flows[request.project_id].add(request.flow)
        for request in running:
            project = self._projects[request.project_id]
            request.flow.start_tag += secs
            project.start_tag += secs
            project.clock_secs += secs / len(flows[request.project_id])
            self._clock_secs += secs / len(flows)
        # A project that had more than its share comes back with this debt, until the clock has passed it.
        kept = {name: one for name, one in self._projects.items() if name in flows or one.start_tag > self._clock_secs}
        self._projects = kept if flows else {}


def _bounded(start_tag: float, clock_secs: float) -> float:
    return min(max(start_tag, clock_secs - MOST_LAG_SECS), clock_secs + MOST_LAG_SECS)


def free_slots(priority: Priority, running: int, slots: int) -> int:
    """Count the slots that runs of a priority may still take. Batch runs leave the last of several slots free."""
    kept = 1 if priority is Priority.BATCH and slots > 1 else 0
    return max(0, slots - kept - running)


def choose[C: SlotRequest](
    waiting: Sequence[C], running: Mapping[str, int], slots: int, slot_time: SlotTime
) -> C | None:
    """Choose the run that starts next. None: all of them must wait.

    `waiting`: in order of arrival. `running`: the number of runs of each project that has any.
    The share of a project is `slots` divided by the number of projects that run or wait. The order is: projects below
    their share, then interactive before batch, then projects with fewer runs, then the project and its run with the
    least slot time after the turn that they would get: so a run of short cases does not wait for each long one.
    """
    total = sum(running.values())
    projects = len(running.keys() | {request.project_id for request in waiting})
    interactive_waits = any(request.priority is Priority.INTERACTIVE for request in waiting)

    def may_start(request: C) -> bool:
        if request.priority is Priority.BATCH and interactive_waits:
            # The last slot would not stay free anyway: an interactive run waits for it.
            return total < slots
        if request.priority is Priority.INTERACTIVE and request.project_id not in running:
            return total < slots + NEWCOMER_SLOTS
        return free_slots(request.priority, total, slots) > 0

    def order(request: C) -> tuple[bool, bool, int, float]:
        held = running.get(request.project_id, 0)
        finish_tag = slot_time.start_tag(request.project_id) + request.flow.turn_secs
        return held * projects >= slots, request.priority is Priority.BATCH, held, finish_tag

    first = dict[tuple[str, Priority], C]()
    for request in filter(may_start, waiting):
        key = request.project_id, request.priority
        if key not in first or request.flow.finish_tag < first[key].flow.finish_tag:
            first[key] = request
    return min(first.values(), key=order, default=None)


# The slots of one runner: which runs hold one, which runs wait, and how many messages the pollers may receive.
#
# A jail slot is ready, running, or being cleaned up. The share policy bounds only the running slots. So one slot can
# be cleaned up while the next run starts in another.

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
