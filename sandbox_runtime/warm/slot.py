"""A slot that lets a waiting command of the pool run a step, where one fits, and runs everything else itself."""

from sandbox_runtime.jail import JailSpec, Outcome, Slot
from sandbox_runtime.warm.pool import WaitingPool


class WarmSlot:
    """Owns `slot`; the pool belongs to all."""

    def __init__(self, slot: Slot, pool: WaitingPool) -> None:
        self._slot = slot
        self._pool = pool

    @property
    def healthy(self) -> bool:
        """Of the own slot: one of the pool that fails is the pool's."""
        return self._slot.healthy

    @property
    def runs(self) -> int:
        """How many runs were begun in the own slot."""
        return self._slot.runs

    def answer(self, spec: JailSpec, *, cancel_fd: int | None = None) -> Outcome:
        """As `Slot.answer`. Raises JailError."""
        outcome = self._pool.answer(spec, cancel_fd=cancel_fd) if spec.waiting is not None else None
        return outcome if outcome is not None else self._slot.answer(spec, cancel_fd=cancel_fd)

    def settle(self) -> None:
        """As `Slot.settle`. Raises JailError."""
        self._slot.settle()

    def stage(self, spec: JailSpec) -> None:
        """As `Slot.stage`. Raises JailError."""
        self._slot.stage(spec)

    def close(self) -> None:
        """As `Slot.close`."""
        self._slot.close()
