"""The turns of one request: the part of its work that it does each time it has a slot."""

from abc import ABC, abstractmethod

from events.judged import Completed
from sandbox_runtime.prewarm import PrewarmedSlot
from sandbox_runtime.worker.not_run import NotRun


class Turns(ABC):
    """An execution has one turn; a judge run has as many as the share policy leaves it."""

    @property
    def case_secs(self) -> float:
        """The wall time of the last case of a judge run."""
        return 0.0

    @abstractmethod
    def take(self, slot: PrewarmedSlot) -> tuple[Completed | NotRun | None, bool]:
        """Work in a slot. Returns the answer, and whether the slot may be used again.

        Without an answer the request needs another turn, in this slot or another one.
        """
