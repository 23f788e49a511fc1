"""What a slot is given to do."""

from collections.abc import Callable
from dataclasses import dataclass

from sandbox_runtime.worker.place import ClosableSlot


@dataclass(frozen=True, slots=True)
class Job:
    """Holds one permit. `run` returns False when the slot must not be used again. `name`: an id, for the log."""

    run: Callable[[ClosableSlot], bool]
    name: str
