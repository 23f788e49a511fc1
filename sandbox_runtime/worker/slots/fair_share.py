"""The policy that shares slots between projects. Pure functions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

# Runs are not preempted. A project that fills every slot would block other projects until one of its runs ends, up to
# 25 s in the judge profile. A reserved slot would cost a single project half of a host with two cores. One run above
# the slots costs it nothing while it is alone, and with N slots each run keeps at least N/(N + 1) of a core.
NEWCOMER_SLOTS = 1


class Priority(StrEnum):
    """Interactive: a client waits for the result. Batch: no client waits."""

    INTERACTIVE = "interactive"
    BATCH = "batch"


@dataclass(eq=False, slots=True)
class SlotRequest:
    """One run that waits for a slot."""

    project_id: str
    priority: Priority


def free_slots(priority: Priority, running: int, slots: int) -> int:
    """Count the slots that runs of a priority may still take. Batch runs leave the last of several slots free."""
    kept = 1 if priority is Priority.BATCH and slots > 1 else 0
    return max(0, slots - kept - running)


def choose[C: SlotRequest](waiting: Sequence[C], running: Mapping[str, int], slots: int) -> C | None:
    """Choose the run that starts next. None: all of them must wait.

    `waiting`: in order of arrival. `running`: the number of runs of each project that has any.
    The share of a project is `slots` divided by the number of projects that run or wait. The order is: projects below
    their share, then interactive before batch, then projects with fewer runs.
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

    def order(request: C) -> tuple[bool, bool, int]:
        held = running.get(request.project_id, 0)
        return held * projects >= slots, request.priority is Priority.BATCH, held

    return min(filter(may_start, waiting), key=order, default=None)
