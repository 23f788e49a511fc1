"""The threads that run jobs, one for each place."""

import logging
from collections.abc import Sequence
from queue import SimpleQueue
from threading import Event, Semaphore, Thread

from sandbox_runtime.worker.capacity import Capacity
from sandbox_runtime.worker.job import Job
from sandbox_runtime.worker.place import Place

_LOG = logging.getLogger(__name__)


class Crew:
    """Takes jobs that hold a permit of `capacity`, and gives the permits back.

    There may be more places than permits: then a place is made ready for its next run while others run. Whoever has a
    permit finds one that is ready.
    """

    def __init__(self, places: Sequence[Place], capacity: Capacity, slots: int, stopping: Event) -> None:
        self._places = places
        self._capacity = capacity
        self._spare = Semaphore(len(places) - slots)
        self._stopping = stopping
        self._work: SimpleQueue[Job | None] = SimpleQueue()
        self._threads = [Thread(target=self._serve, args=(place,), daemon=True) for place in places]

    def start(self) -> None:
        """Begin."""
        for thread in self._threads:
            thread.start()

    def put(self, job: Job) -> None:
        """Run it soon."""
        self._work.put(job)

    def finish(self, secs_each: float) -> None:
        """Run what was put, then end."""
        for _ in self._threads:
            self._work.put(None)
        for thread in self._threads:
            thread.join(secs_each)

    def _serve(self, place: Place) -> None:
        is_ready = place.get_ready(self._stopping)
        while is_ready and (job := self._work.get()) is not None:
            try:
                is_usable = job.run(place.slot)
            except Exception:  # noqa: BLE001
                # The entry point of this thread: a fault of ours costs one request's try, not the slot.
                _LOG.exception("handling failed", extra={"message_id": job.name})
                is_usable = False
            is_ready = self._get_ready(place, is_usable=is_usable)

    def _get_ready(self, place: Place, *, is_usable: bool) -> bool:
        """Give the permit back: now, if another place is ready for it, else when this one is."""
        is_spared = self._spare.acquire(blocking=False)
        if is_spared:
            self._capacity.release()
        is_ready = place.get_ready(self._stopping, is_usable=is_usable)
        if not is_spared:
            self._capacity.release()
        elif is_ready:
            self._spare.release()
        return is_ready
