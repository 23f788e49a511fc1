"""The slots of a runner and their threads: managed slots, second slots of judge runs, and slots of interactors."""

import logging
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from queue import SimpleQueue
from threading import BoundedSemaphore, Event, Lock, Thread
from time import monotonic

from sandbox_runtime.jail.errors import JailError
from sandbox_runtime.jail.spec import JailSpec
from sandbox_runtime.prewarm import PrewarmedSlot
from sandbox_runtime.retry import Backoff, start_background
from sandbox_runtime.worker.scheduler import Capacity, Job

# All runs of a template share its address layout and hash seed. A bound limits the guesses of an attacker.
RUNS_PER_TEMPLATE = 1000

_LOG = logging.getLogger(__name__)


class ManagedSlot:
    """Owns one slot at a time: replaces it after a failure or after RUNS_PER_TEMPLATE runs, and pre-warms its next run.

    `prewarmed`: the run to set up in advance while the slot is idle.
    """

    def __init__(self, index: int, opener: Callable[[int], PrewarmedSlot], prewarmed: JailSpec | None = None) -> None:
        self.index = index
        self._opener = opener
        self._prewarmed = prewarmed
        self._is_closed = False
        self._opening = Lock()  # `close` must not miss a slot that another thread is just opening
        self.slot = self._open()

    def get_ready(self, stop: Event, *, is_usable: bool = True) -> bool:
        """Make the slot ready for the next run. Call it at the start and after each run.

        False: `stop` was set before a usable slot could be opened.
        """
        if not is_usable or not self.slot.healthy or self.slot.runs >= RUNS_PER_TEMPLATE:
            return self._replace(stop)
        return self._prewarm() or self._replace(stop)

    def _prewarm(self) -> bool:
        try:
            self.slot.settle()
            if self._prewarmed is not None:
                self.slot.prewarm(self._prewarmed)
        except JailError as error:
            self._log("slot not ready", error)
            return False
        return True

    def _replace(self, stop: Event) -> bool:
        """Close the slot and open another one. Retries with backoff until `stop`."""
        backoff = Backoff()
        is_planned = self.slot.healthy
        while not stop.is_set():
            self.slot.close()  # also a new one that could not prewarm: its template and its groups would stay
            try:
                with self._opening:
                    if self._is_closed:
                        return False
                    self.slot = self._open()
            except JailError as error:
                self._log("slot not opened", error)
            else:
                _LOG.log(logging.DEBUG if is_planned else logging.INFO, "slot replaced", extra={"slot": self.index})
                if self._prewarm():
                    return True
            stop.wait(backoff.next_delay_secs())
        return False

    def _open(self) -> PrewarmedSlot:
        """Raises JailError for every failure, so that `_replace` retries: another error would end the slot's thread."""
        try:
            return self._opener(self.index)
        except OSError as error:
            raise JailError("open slot", errno=error.errno or 0) from error

    def _log(self, phrase: str, error: JailError) -> None:
        facts = {"step": error.step, "target": error.target, "errno": error.errno, "problem": error.hint}
        _LOG.error(phrase, extra={"slot": self.index, **facts})

    def close(self) -> None:
        """Close the slot for good. Waits while another thread opens one."""
        with self._opening:
            self._is_closed = True
            self.slot.close()


# A second slot for a judge run, until another run wants it.


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


# The slots of interactors: one is opened when it is needed, and kept for later interactions until it is idle.

MOST_INTERACTORS = 16
# An idle slot holds the memory of a template; another one takes a sixth of a second of one core.
IDLE_SECS = 300.0


class InteractorSlots:
    """Safe for threads. `opener(index)` opens a slot; it raises JailError."""

    def __init__(self, opener: Callable[[int], PrewarmedSlot], clock: Callable[[], float] = monotonic) -> None:
        self._opener = opener
        self._clock = clock
        self._permits = BoundedSemaphore(MOST_INTERACTORS)
        self._free = list(range(MOST_INTERACTORS))
        self._idle: dict[int, tuple[PrewarmedSlot, float]] = {}  # since when
        self._lock = Lock()

    @contextmanager
    def borrow(self) -> Iterator[PrewarmedSlot]:
        """Lend a slot for one run. Waits while MOST_INTERACTORS are lent. Raises JailError."""
        with self._permits:
            with self._lock:
                index = self._free.pop()
                slot, _ = self._idle.pop(index, (None, 0.0))
            try:
                if slot is None:
                    slot = self._opener(index)
                yield slot
                slot.settle()
            except OSError as error:
                raise JailError("open slot", errno=error.errno or 0) from error
            finally:
                self._take_back(index, slot)

    def _take_back(self, index: int, slot: PrewarmedSlot | None) -> None:
        is_usable = slot is not None and slot.healthy and slot.runs < RUNS_PER_TEMPLATE
        try:
            if slot is not None and not is_usable:
                slot.close()
        finally:
            with self._lock:
                if slot is not None and is_usable:
                    self._idle[index] = slot, self._clock()
                self._free.append(index)  # last in, first out: an idle slot is used again before another one is opened

    def drop_idle(self) -> None:
        """Close the slots that were idle for IDLE_SECS. Call it from time to time."""
        self._close_idle_until(self._clock() - IDLE_SECS)

    def close(self) -> None:
        """Close the idle slots. Call it when no slot is lent."""
        self._close_idle_until(self._clock())

    def _close_idle_until(self, at: float) -> None:
        with self._lock:  # meanwhile nobody opens a slot with the same index
            for index, (slot, since) in list(self._idle.items()):
                if since <= at:
                    del self._idle[index]
                    slot.close()


# The threads that run jobs, one for each managed slot.

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
