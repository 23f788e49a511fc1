"""The threads that run jobs, one for each managed slot."""

import logging
from collections.abc import Sequence
from queue import SimpleQueue
from threading import Event, Thread

from sandbox_runtime.background import start_background
from sandbox_runtime.worker.slots.capacity import Capacity
from sandbox_runtime.worker.slots.job import Job
from sandbox_runtime.worker.slots.managed_slot import ManagedSlot

_LOG = logging.getLogger(__name__)


type Work = SimpleQueue[Job | None]
"""Started jobs, in order. None ends a thread."""


class SlotThreads:
    """Run the jobs of `work`, which `capacity` has started.

    Tells `capacity` when a job has ended and when its slot is ready again.
    """

    def __init__(self, managed_slots: Sequence[ManagedSlot], work: Work, capacity: Capacity, stopping: Event) -> None:
        self._capacity = capacity
        self._stopping = stopping
        self._work = work
        self._managed_slots = managed_slots
        self._threads: list[Thread] = []

    def start(self) -> None:
        """Start the threads."""
        for managed_slot in self._managed_slots:
            self._threads.append(start_background(self._serve, managed_slot, stop=self._stopping))

    def finish(self, secs_each: float) -> None:
        """Run the queued jobs, then end the threads. Waits at most `secs_each` for each thread."""
        for _ in self._threads:
            self._work.put(None)
        for thread in self._threads:
            thread.join(secs_each)

    def _serve(self, managed_slot: ManagedSlot) -> None:
        is_usable = True
        while managed_slot.get_ready(self._stopping, is_usable=is_usable):
            self._capacity.add_ready()
            job = self._work.get()
            if job is None:
                return
            try:
                is_usable = job.run(managed_slot.slot)
            except Exception:  # noqa: BLE001
                # The entry point of this thread: a bug of ours costs one attempt, not the thread.
                _LOG.exception("request not handled because of an internal error", extra={"message_id": job.name})
                is_usable = False
            self._capacity.release(job)
