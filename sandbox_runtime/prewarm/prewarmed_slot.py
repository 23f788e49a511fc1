"""A slot that pre-warms the most frequent step, and uses the pool's waiting commands for steps that fit them."""

import logging
from collections import Counter, deque

from sandbox_runtime.jail import JailError, JailSpec, Outcome, Slot
from sandbox_runtime.prewarm.data_slot import DataSlot
from sandbox_runtime.prewarm.run_shape import can_be_prewarmed, shape_of
from sandbox_runtime.prewarm.waiting_pool import WaitingPool

# Requests whose first steps we count. A step that is not pre-warmed takes about three times as long to set up.
REMEMBERED = 8

_LOG = logging.getLogger(__name__)


class PrewarmedSlot:
    """Owns `slot`. `pool` and `data`: shared with other slots."""

    def __init__(self, slot: Slot, pool: WaitingPool, data: DataSlot | None = None) -> None:
        self._slot = slot
        self._pool = pool
        self._data = data
        self._has_borrowed = False
        self._is_begun = False
        self._first_steps: deque[JailSpec] = deque(maxlen=REMEMBERED)

    @property
    def healthy(self) -> bool:
        """Whether the own slot is usable. The pool replaces its slots itself."""
        return self._slot.healthy

    @property
    def runs(self) -> int:
        """The number of runs that started in the own slot."""
        return self._slot.runs

    def answer(self, spec: JailSpec, *, cancel_fd: int | None = None) -> Outcome:
        """As `Slot.answer`. Raises JailError."""
        outcome = self._pool.answer(spec, cancel_fd=cancel_fd) if spec.waiting is not None else None
        if outcome is None:
            outcome = self._answer_in_data_slot(spec, cancel_fd)
        if outcome is not None:
            return outcome
        if not self._is_begun:
            self._is_begun = True
            # This slot serves the step when the pool has no command ready.
            self._first_steps.append(shape_of(spec))
        return self._slot.answer(spec, cancel_fd=cancel_fd)

    def _answer_in_data_slot(self, spec: JailSpec, cancel_fd: int | None) -> Outcome | None:
        """Run this step in the data slot. None: it is not for this run, or not free, or it failed."""
        self._give_back()
        slot = None if self._data is None else self._data.borrow(spec)
        if slot is None:
            return None
        self._has_borrowed = True  # until its files were read, see `settle`
        try:
            return slot.answer(spec, cancel_fd=cancel_fd)
        except JailError as error:
            # A failed run has no effect outside its slot, so the program can run again in the own one.
            _LOG.error("data slot failed", extra={"step": error.step, "target": error.target, "errno": error.errno})
            self._give_back()
            return None

    def _give_back(self) -> None:
        if self._data is not None and self._has_borrowed:
            self._has_borrowed = False
            self._data.give_back()

    def settle(self) -> None:
        """As `Slot.settle`. Raises JailError."""
        self._give_back()
        self._slot.settle()

    def prewarm(self, spec: JailSpec) -> None:
        """As `Slot.prewarm`, for the most frequent first step of the last REMEMBERED requests; `spec` before any.

        Does nothing if that is a run with network or files. Raises JailError.
        """
        self._give_back()
        self._is_begun = False
        counts = Counter(self._first_steps)
        chosen = max(reversed(self._first_steps), key=counts.__getitem__, default=spec)
        if can_be_prewarmed(chosen):
            self._slot.prewarm(chosen)

    def close(self) -> None:
        """As `Slot.close`."""
        self._give_back()
        self._slot.close()
