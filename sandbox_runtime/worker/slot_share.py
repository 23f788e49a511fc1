"""The policy that shares slots between projects. Pure: the same state gives the same choice."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

# Runs are not preempted, so a project that fills every slot would keep the others out until one of its runs ends, 25 s
# in the judge profile. A reserved slot would cost a single project half of a host with two cores. One run more than
# there are slots costs it nothing, and with N slots each run keeps at least N/(N + 1) of a core.
NEWCOMER_SLOTS = 1


class Priority(StrEnum):
    """Interactive: a client waits for the result. Batch: none does."""

    INTERACTIVE = "interactive"
    BATCH = "batch"


@dataclass(eq=False, slots=True)
class Claim:
    """One run that waits for a slot."""

    project_id: str
    priority: Priority


def free_slots(priority: Priority, running: int, slots: int) -> int:
    """Count the slots that any project may take for such work. Batch work leaves the last of several slots free."""
    kept = 1 if priority is Priority.BATCH and slots > 1 else 0
    return max(0, slots - kept - running)


def choose[C: Claim](waiting: Sequence[C], running: Mapping[str, int], slots: int) -> C | None:
    """Choose the run that starts next; None: all of them must wait.

    `waiting` is in order of arrival. `running` has the number of runs of each project that has any.
    The share of a project is `slots` divided by the number of projects that run or wait. A project below its share goes
    before one that has it. Then interactive work goes before batch work, then the project with fewer runs.
    """
    total = sum(running.values())
    projects = len(running.keys() | {claim.project_id for claim in waiting})
    interactive_waits = any(claim.priority is Priority.INTERACTIVE for claim in waiting)

    def may_start(claim: C) -> bool:
        if claim.priority is Priority.BATCH and interactive_waits:
            # The last slot would not stay free: a waiting interactive run takes it, whatever its project has already.
            return total < slots
        if claim.priority is Priority.INTERACTIVE and claim.project_id not in running:
            return total < slots + NEWCOMER_SLOTS
        return free_slots(claim.priority, total, slots) > 0

    def order(claim: C) -> tuple[bool, bool, int]:
        held = running.get(claim.project_id, 0)
        return held * projects >= slots, claim.priority is Priority.BATCH, held

    return min(filter(may_start, waiting), key=order, default=None)
