"""The stops of all requests under way, and the submissions that were cancelled before this runner began them."""

import os
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock
from time import monotonic

from sandbox_runtime.executor.run_stop import RunStop

# A message of a cancelled submission that comes later is answered without a run. After this time the object
# `deleted/<submission id>` still stops it.
CANCELLED_SECS = 900
MOST_CANCELLED = 10_000


class RunStops:
    """Safe for threads."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._open: dict[str, tuple[RunStop, float]] = {}  # since when
        self._cancelled: OrderedDict[str, float] = OrderedDict()
        self._is_draining = False
        self._lock = Lock()
        self._clock = clock

    @contextmanager
    def open(self, submission_id: str) -> Iterator[RunStop]:
        """Give the stop of a request until its end. It is set already if the submission was cancelled before."""
        stop = RunStop(os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK))
        with self._lock:
            stop.is_cancelled = self._clock() - self._cancelled.get(submission_id, -CANCELLED_SECS) < CANCELLED_SECS
            if stop.is_cancelled or self._is_draining:
                os.eventfd_write(stop.fd, 1)
            self._open[submission_id] = stop, self._clock()
        try:
            yield stop
        finally:
            with self._lock:
                self._open.pop(submission_id, None)
            os.close(stop.fd)

    def cancel(self, submission_id: str) -> bool:
        """Stop the run of a submission. False: it does not run here, and will not begin here."""
        with self._lock:
            stop, _ = self._open.get(submission_id, (None, 0.0))
            if stop is None:
                self._cancelled[submission_id] = self._clock()
                self._cancelled.move_to_end(submission_id)
                if len(self._cancelled) > MOST_CANCELLED:
                    self._cancelled.popitem(last=False)
                return False
            stop.is_cancelled = True
            os.eventfd_write(stop.fd, 1)
            return True

    def drain(self) -> None:
        """Stop all requests, also those that begin later. They must run again, unless they were cancelled."""
        with self._lock:
            self._is_draining = True
            for stop, _ in self._open.values():
                os.eventfd_write(stop.fd, 1)

    def has_older_than(self, secs: float) -> bool:
        """Whether a request has been under way for so long."""
        with self._lock:
            since = next(iter(self._open.values()), (None, self._clock()))[1]  # the oldest one is the first
            return self._clock() - since > secs
