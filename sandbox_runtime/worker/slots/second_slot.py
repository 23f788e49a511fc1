"""A second slot for a judge run, until another run wants it."""

import logging
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass

from sandbox_runtime.prewarm import PrewarmedSlot
from sandbox_runtime.worker.slots.capacity import Capacity
from sandbox_runtime.worker.slots.job import Job
from sandbox_runtime.worker.slots.managed_slot import RUNS_PER_TEMPLATE

_LOG = logging.getLogger(__name__)


@dataclass(eq=False, kw_only=True)
class LentJob(Job):
    """The part of a judge run in a second slot. `ended` gets its end, or its error."""

    work: Callable[[PrewarmedSlot], bool]
    ended: Future[None]

    def run(self, slot: PrewarmedSlot) -> bool:
        """Do the work. False: the slot must not be used again."""
        try:
            is_usable = self.work(slot)
        except Exception as error:  # noqa: BLE001 - it is raised in the thread that waits
            self.ended.set_exception(error)
            return False
        self.ended.set_result(None)
        return is_usable


class SecondSlots:
    """Shares the slots of `capacity`. `put`: hand a job to the slot threads."""

    def __init__(self, capacity: Capacity, put: Callable[[Job], None]) -> None:
        self._capacity, self._put = capacity, put

    def may_keep(self, slot: PrewarmedSlot) -> bool:
        """Whether a judge run may judge its next case in the same slot, because no other run waits for one."""
        return not self._capacity.wants_slots_back and slot.runs < RUNS_PER_TEMPLATE

    @contextmanager
    def lend(self, project_id: str, name: str, work: Callable[[PrewarmedSlot], bool]) -> Iterator[bool]:
        """Run `work` in a second slot beside the block, if one is free: True. Waits for the end of both.

        `work` returns False when the slot must not be used again. Its error is raised here, unless the block raises.
        """
        ended = Future[None]()
        job = LentJob(project_id=project_id, name=name, work=work, ended=ended)
        if not self._capacity.lend(job):
            yield False
            return
        self._put(job)
        try:
            yield True
        except BaseException:
            if (error := ended.exception()) is not None:
                _LOG.warning("second slot failed too", extra={"problem": type(error).__name__})
            raise
        ended.result()
