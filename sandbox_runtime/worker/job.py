"""One run, as the slot threads get it."""

from collections.abc import Callable
from dataclasses import dataclass

from sandbox_runtime.worker.managed_slot import ClosableSlot


@dataclass(frozen=True, slots=True)
class Job:
    """One run of a project. `name`: an id, for the log.

    `run` returns False when the slot must not be used again.
    """

    run: Callable[[ClosableSlot], bool]
    project_id: str
    name: str
