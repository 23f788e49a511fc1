"""Slots in which a command waits for a program, shared by all slots of a runner; each command is used once.

A new one is started behind the answer, and only after a short time in which nobody wanted it: getting ready costs far
more than it saves, so when requests come one upon the other the ordinary way is the quicker one for all.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from threading import Condition, Thread
from time import monotonic
from typing import Protocol

from sandbox_runtime.jail import JailError, JailSpec, Outcome

QUIET_SECS = 0.25
RETRY_SECS = 30.0

_LOG = logging.getLogger(__name__)


class WaitingSlot(Protocol):
    """What the pool needs of a slot."""

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
class _Seat:
    """One slot of the pool. `stage_at`: when to start its next command; None: it has one.

    `is_busy`: one thread has it for itself, to run in it or to fill it.
    """

    index: int
    spec: JailSpec
    slot: WaitingSlot | None = None
    stage_at: float | None = 0.0
    is_busy: bool = False


class WaitingPool:
    """One slot for each of `specs`. `opener(index)` opens the slot of a seat; it raises JailError."""

    def __init__(self, specs: Sequence[JailSpec], opener: Callable[[int], WaitingSlot]) -> None:
        self._seats = [_Seat(index, spec) for index, spec in enumerate(specs)]
        self._opener = opener
        self._changed = Condition()
        self._closed = False
        self._thread = Thread(target=self._keep_filled, daemon=True)

    def start(self) -> None:
        """Begin to fill the pool, in a thread of its own."""
        if self._seats:
            self._thread.start()

    def answer(self, spec: JailSpec, *, cancel_fd: int | None = None) -> Outcome | None:
        """Run this step in a slot that waits for it; None when there is none, or when it failed before its end."""
        seat = self._take(spec)
        if seat is None or seat.slot is None:
            return None
        try:
            return seat.slot.answer(spec, cancel_fd=cancel_fd)
        except JailError as error:
            # Nothing of a run that failed leaves its slot: it can be run again in another one.
            self._log("waiting command failed", seat, error)
            return None
        finally:
            self._give_back(seat)

    def close(self) -> None:
        """End all that waits. What runs is ended by its slot."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        if self._thread.is_alive():
            self._thread.join()
        for seat in self._seats:
            if seat.slot is not None:
                seat.slot.close()

    def _take(self, spec: JailSpec) -> _Seat | None:
        with self._changed:
            for seat in self._seats:
                if seat.spec.waiting != spec.waiting or self._closed:
                    continue
                if seat.stage_at is not None and not seat.is_busy:
                    seat.stage_at = monotonic() + QUIET_SECS  # somebody wants it: it is not quiet
                elif not seat.is_busy and self._is_ready(seat, spec):
                    seat.is_busy = True
                    return seat
        return None

    def _is_ready(self, seat: _Seat, spec: JailSpec) -> bool:
        try:
            return seat.slot is not None and seat.slot.is_ready_for(spec)
        except JailError as error:
            self._log("waiting command ended", seat, error)
            if seat.slot is not None:
                seat.slot.healthy = False
            seat.stage_at = monotonic() + QUIET_SECS
            self._changed.notify_all()
            return False

    def _give_back(self, seat: _Seat) -> None:
        with self._changed:
            seat.is_busy = False
            seat.stage_at = monotonic() + QUIET_SECS
            self._changed.notify_all()

    def _keep_filled(self) -> None:
        """Thread of the pool."""
        while (seat := self._next_due()) is not None:
            retry_at = None
            try:
                self._fill(seat)
            except JailError as error:
                self._log("waiting command not started", seat, error)
                retry_at = monotonic() + RETRY_SECS
            with self._changed:
                seat.is_busy, seat.stage_at = False, retry_at

    def _fill(self, seat: _Seat) -> None:
        if seat.slot is not None and not seat.slot.healthy:
            seat.slot.close()
            seat.slot = None
        if seat.slot is None:
            seat.slot = self._opener(seat.index)
        seat.slot.stage(seat.spec)

    def _next_due(self) -> _Seat | None:
        """Wait until a seat is to be filled, and take it. None: closed."""
        with self._changed:
            while not self._closed:
                due = [(seat.stage_at, seat.index) for seat in self._seats if seat.stage_at is not None]
                left = min(due)[0] - monotonic() if due else None
                if left is not None and left <= 0:
                    seat = self._seats[min(due)[1]]
                    seat.is_busy = True
                    return seat
                self._changed.wait(left)
            return None

    def _log(self, phrase: str, seat: _Seat, error: JailError) -> None:
        extra = {"slot": seat.index, "step": error.step, "target": error.target, "errno": error.errno}
        _LOG.error(phrase, extra=extra)
