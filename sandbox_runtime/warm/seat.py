"""One slot in which a command waits for a program: when it is to be filled, and when nobody wants it any more."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from math import inf
from time import monotonic
from typing import Protocol

from sandbox_runtime.jail import JailError, JailSpec, Outcome

QUIET_SECS = 0.25
RETRY_SECS = 30.0
UNWANTED_SECS = 600.0

_LOG = logging.getLogger(__name__)


class WaitingSlot(Protocol):
    """What a seat needs of a slot."""

    healthy: bool

    def stage(self, spec: JailSpec) -> None:
        """Start what waits. Raises JailError."""
        ...

    def is_ready_for(self, spec: JailSpec) -> bool:
        """Whether it waits for a run like this. Raises JailError."""
        ...

    def answer(self, spec: JailSpec, *, cancel_fd: int | None = None) -> Outcome:
        """Run. Raises JailError."""
        ...

    def close(self) -> None:
        """End everything of the slot."""
        ...


@dataclass(slots=True)
class Seat:
    """`is_busy`: one thread has it for itself; all else happens under the pool's lock.

    `stage_at`: when to start the next command; None: it has one; infinity: when it was wanted twice in UNWANTED_SECS.
    """

    index: int
    spec: JailSpec
    slot: WaitingSlot | None = None
    stage_at: float | None = 0.0
    is_busy: bool = False
    _wanted_at: float = -inf

    def __post_init__(self) -> None:
        if self._is_on_demand:
            self.stage_at = inf

    @property
    def due_at(self) -> float:
        """When there is something to do with it: to fill it, or to give its memory back."""
        if self.stage_at is not None:
            return self.stage_at
        return self._wanted_at + UNWANTED_SECS if self._is_on_demand else inf

    def want(self) -> None:
        """Somebody wants it: it is not quiet. While one thread has it, only that thread decides what comes next."""
        now = monotonic()
        last, self._wanted_at = self._wanted_at, now
        if self.is_busy or self.stage_at is None:
            return
        if self.stage_at < inf:
            self.stage_at = max(self.stage_at, now + QUIET_SECS)  # what failed is not tried sooner
        elif now - last < UNWANTED_SECS:
            self.stage_at = now + QUIET_SECS

    def is_ready_for(self, spec: JailSpec) -> bool:
        """Whether it is free and its command waits for a run like this. One that died is to be started anew."""
        if self.is_busy or self.slot is None or self.stage_at is not None:
            return False
        try:
            return self.slot.is_ready_for(spec)
        except JailError as error:
            self.log("waiting command ended", error)
            self.slot.healthy = False
            self.refill()
            return False

    def refill(self) -> None:
        """Its command is used up."""
        self.stage_at = monotonic() + QUIET_SECS

    def serve(self, opener: Callable[[int], WaitingSlot]) -> None:
        """Do what is due; for the one thread that has it. `opener(index)` opens its slot."""
        if self._is_on_demand and self._wanted_at + UNWANTED_SECS <= monotonic():
            self.close()
            self.stage_at = inf
            return
        if self.stage_at is None:
            return  # wanted a moment ago
        try:
            if self.slot is not None and not self.slot.healthy:
                self.close()
            if self.slot is None:
                self.slot = opener(self.index)
            self.slot.stage(self.spec)
            self.stage_at = None
        except JailError as error:
            self.log("waiting command not started", error)
            self.stage_at = monotonic() + RETRY_SECS

    def close(self) -> None:
        """End what waits. What runs is ended by its slot."""
        if self.slot is not None:
            self.slot.close()
            self.slot = None

    def log(self, phrase: str, error: JailError) -> None:
        """Say what the sandbox could not do."""
        extra = {"slot": self.index, "step": error.step, "target": error.target, "errno": error.errno}
        _LOG.error(phrase, extra=extra)

    @property
    def _is_on_demand(self) -> bool:
        return self.spec.waiting is not None and self.spec.waiting.is_on_demand
