"""The policy that shares slots: between projects, and between the runs of each. It has no lock and reads no clock.

Slots are shared by wall time, as weighted fair queuing with equal weights does it (Demers, Keshav and Shenker, 1989).
"""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from math import inf

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
        """Return the slot time of a project."""
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
