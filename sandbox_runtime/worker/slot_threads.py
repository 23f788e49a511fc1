"""The threads that run jobs, one for each place."""

import logging
from collections.abc import Sequence
from queue import SimpleQueue
from threading import Event, Thread

from sandbox_runtime.worker.capacity import Capacity
from sandbox_runtime.worker.job import Job
from sandbox_runtime.worker.place import Place

_LOG = logging.getLogger(__name__)


class Crew:
    """Takes jobs that `capacity` has started, and tells it when each has ended and when its place is ready again."""

    def __init__(self, places: Sequence[Place], capacity: Capacity, stopping: Event) -> None:
        self._capacity = capacity
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
        is_usable = True
        while place.get_ready(self._stopping, is_usable=is_usable):
            self._capacity.add_ready()
            job = self._work.get()
            if job is None:
                return
            try:
                is_usable = job.run(place.slot)
            except Exception:  # noqa: BLE001
                # The entry point of this thread: a fault of ours costs one request's try, not the slot.
                _LOG.exception("handling failed", extra={"message_id": job.name})
                is_usable = False
            self._capacity.release(job.project_id)
