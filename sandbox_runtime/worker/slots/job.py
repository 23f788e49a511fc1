"""A run on its way to a slot: an intake makes it, `Capacity` starts it, and a thread of `SlotThreads` runs it."""

from abc import ABC, abstractmethod
from dataclasses import dataclass

from sandbox_runtime.prewarm import PrewarmedSlot
from sandbox_runtime.worker.slots.fair_share import SlotRequest


@dataclass(eq=False, kw_only=True)
class Job(ABC):
    """One run of a project, or a part of it in a lent slot. `name`: an id, for the log."""

    project_id: str
    name: str

    @abstractmethod
    def run(self, slot: PrewarmedSlot) -> bool:
        """Run it. False: the slot must not be used again."""


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
