"""A slot that is ready for what it is most asked for, and lets waiting commands of the pool run what fits them."""

from collections import Counter, deque
from dataclasses import replace

from sandbox_runtime.jail import JailSpec, Outcome, Slot
from sandbox_runtime.warm.pool import WaitingPool

# Requests that are looked back at. One that is not staged for costs about three times the set-up of one that is.
REMEMBERED = 8


class WarmSlot:
    """Owns `slot`; the pool belongs to all."""

    def __init__(self, slot: Slot, pool: WaitingPool) -> None:
        self._slot = slot
        self._pool = pool
        self._is_begun = False
        self._first_steps: deque[JailSpec] = deque(maxlen=REMEMBERED)

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
        if outcome is not None:
            return outcome
        if not self._is_begun:
            self._is_begun = True
            # Without what could wait: this slot is for when the pool has nothing.
            self._first_steps.append(replace(spec, files=(), stdin=b"", waiting=None))
        return self._slot.answer(spec, cancel_fd=cancel_fd)

    def settle(self) -> None:
        """As `Slot.settle`. Raises JailError."""
        self._slot.settle()

    def stage(self, spec: JailSpec) -> None:
        """As `Slot.stage`, but for the step that most of the last requests began with; `spec` before there were any.

        Raises JailError.
        """
        self._is_begun = False
        counts = Counter(self._first_steps)
        self._slot.stage(max(reversed(self._first_steps), key=counts.__getitem__, default=spec))

    def close(self) -> None:
        """As `Slot.close`."""
        self._slot.close()
