"""Slots in which a command waits for a program, shared by all slots of a runner; each command is used once.

A new one is started behind the answer, and only after a short time in which nobody wanted it: getting ready costs far
more than it saves, so when requests come one upon the other the ordinary way is the quicker one for all. Some are only
started when they were wanted, and ended when they are not wanted for long.
"""

from collections.abc import Callable, Sequence
from math import inf
from threading import Condition, Thread
from time import monotonic

from sandbox_runtime.jail import JailError, JailSpec, Outcome
from sandbox_runtime.warm.seat import Seat, WaitingSlot


class WaitingPool:
    """One slot for each of `specs`. `opener(index)` opens the slot of a seat; it raises JailError."""

    def __init__(self, specs: Sequence[JailSpec], opener: Callable[[int], WaitingSlot]) -> None:
        self._seats = [Seat(index, spec) for index, spec in enumerate(specs)]
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
            seat.log("waiting command failed", error)
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
            seat.close()

    def _take(self, spec: JailSpec) -> Seat | None:
        with self._changed:
            for seat in self._seats:
                if seat.spec.waiting != spec.waiting or self._closed:
                    continue
                seat.want()
                if seat.is_ready_for(spec):
                    seat.is_busy = True
                    return seat
                self._changed.notify_all()
        return None

    def _give_back(self, seat: Seat) -> None:
        with self._changed:
            seat.is_busy = False
            seat.refill()
            self._changed.notify_all()

    def _keep_filled(self) -> None:
        """Thread of the pool."""
        while (seat := self._next_due()) is not None:
            seat.serve(self._opener)
            with self._changed:
                seat.is_busy = False

    def _next_due(self) -> Seat | None:
        """Wait until there is something to do with a seat, and take it. None: closed."""
        with self._changed:
            while not self._closed:
                idle = [seat for seat in self._seats if not seat.is_busy]
                seat = min(idle, key=lambda seat: seat.due_at, default=None)
                left_secs = inf if seat is None else seat.due_at - monotonic()
                if seat is not None and left_secs <= 0:
                    seat.is_busy = True
                    return seat
                self._changed.wait(None if left_secs == inf else left_secs)
            return None
