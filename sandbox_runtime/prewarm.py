"""Pre-warmed runs and waiting commands: started in advance, each used for one run."""

import logging
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import inf
from pathlib import Path
from threading import Condition, Event, Thread
from time import monotonic

from sandbox_runtime.jail import InputFile, JailError, JailSpec, Outcome, Slot
from sandbox_runtime.retry import start_background

# The shape of a run: a run without the data of its request, as it is set up in advance.

# Stands for the net namespace of any run with network.
_WITH_NETWORK = -1
# Stands for the files of any request.
_ANY = (InputFile("", 0),)


def shape_of(spec: JailSpec) -> JailSpec:
    """Return the run without its data. A waiting command is left out: it starts another way."""
    return replace(
        spec,
        limits=spec.limits.of_set_up,
        files=(),
        inputs=_ANY if spec.inputs else (),
        inputs_folder="",
        variables=(),
        stdin=b"",
        waiting=None,
        pipes=None,
        overtime_secs=0,
        net_namespace=None if spec.net_namespace is None else _WITH_NETWORK,
        keeps_box=False,
        output_watch=None,
    )


def can_be_prewarmed(shape: JailSpec) -> bool:
    """Whether it has neither network nor files: a namespace is made for one run, and root places files."""
    return shape.net_namespace is None and not shape.inputs


# The data slots: their templates have imported numpy and others. All slots of a runner share them, each for one run at
# a time. The first one is opened when a run wants it, the second when the first has a run; both are closed after
# IDLE_SECS without one.

# A template holds 180 MB, and another one takes two seconds of one core.
IDLE_SECS = 300.0
RETRY_SECS = 30.0
# All runs of a template share one address layout and one hash seed.
_RUNS_PER_TEMPLATE = 1000
OPENING_SECS = 10.0
"""A run waits so long for the first slot: an import of its own would count in its limits, and take as long."""
_READY_SECS = 0.1  # for the set-up of the next run, which takes milliseconds

_LOG = logging.getLogger(__name__)


class DataSlot:
    """Safe for threads. `opener()` opens the slot; it raises JailError.

    `wants(spec)`: whether a run seems to import the packages. The next run is set up in the shape of the last one.
    `opening_secs`: how long a run waits for the open slot.
    """

    def __init__(
        self, opener: Callable[[], Slot], wants: Callable[[JailSpec], bool], opening_secs: float = OPENING_SECS
    ) -> None:
        self._opener, self._wants, self._opening_secs = opener, wants, opening_secs
        self._shape: JailSpec | None = None
        self._slot: Slot | None = None
        self._is_free = False  # pre-warmed, and lent to nobody
        self.is_lent = False
        self._is_returned = False
        self._wanted_at: float | None = None
        self._open_at = 0.0
        self._changed = Condition()
        self._closed = Event()
        self._thread: Thread | None = None

    def start(self) -> None:
        self._thread = start_background(self._serve, stop=self._closed)

    def borrow(self, spec: JailSpec) -> Slot | None:
        """Lend the slot for one run, until `give_back`. None: this run does not want it, or it is not free."""
        if not self._wants(spec):
            return None
        with self._changed:
            self._wanted_at, self._shape = monotonic(), shape_of(spec)
            self._changed.notify_all()
            self._changed.wait_for(self._is_decided, self._opening_secs if self._slot is None else _READY_SECS)
            if self._is_free and not self._closed.is_set():
                self._is_free, self.is_lent = False, True
                return self._slot
        return None

    def _is_decided(self) -> bool:
        return self._is_free or self.is_lent or self._closed.is_set() or monotonic() < self._open_at

    def give_back(self) -> None:
        """Take the slot back. The files of its last run are gone after this."""
        with self._changed:
            self._is_returned, self.is_lent = True, False
            self._changed.notify_all()

    def close(self) -> None:
        """Close the slot. This kills a run that is still going on."""
        with self._changed:
            self._closed.set()
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join()
        self._close_slot()

    def _serve(self) -> None:
        while (step := self._next_step()) is not None:
            step()

    def _next_step(self) -> Callable[[], None] | None:
        """Wait for something to do. None: closed."""
        with self._changed:
            while not self._closed.is_set():
                now = monotonic()
                if self._slot is None and self._wanted_at is not None and now >= self._open_at:
                    return self._prepare
                if self._is_returned:
                    self._is_returned = False
                    return self._prepare
                if self._is_free and self._wanted_at is not None and now >= self._wanted_at + IDLE_SECS:
                    self._is_free, self._wanted_at = False, None
                    return self._close_slot
                self._changed.wait(self._secs_to_wait(now))
        return None

    def _secs_to_wait(self, now: float) -> float | None:
        if self._wanted_at is None:
            return None
        due = self._open_at if self._slot is None else self._wanted_at + IDLE_SECS
        return due - now if due > now else None

    def _prepare(self) -> None:
        """Make the slot ready for a run, in a new template if it must be. Nobody has the slot meanwhile."""
        try:
            if self._slot is not None and not (self._slot.healthy and self._slot.runs < _RUNS_PER_TEMPLATE):
                self._close_slot()
            if self._slot is None:
                self._slot = self._opener()
            self._slot.settle()
            _refuse_threads(self._slot)
            shape = self._shape
            if shape is not None and can_be_prewarmed(shape):
                self._slot.prewarm(shape)
        except (JailError, OSError) as error:
            _LOG.warning("data slot not opened", extra={"reason": str(error)})
            self._close_slot()
            self._open_at = monotonic() + RETRY_SECS
        with self._changed:
            self._is_free = self._slot is not None
            self._changed.notify_all()

    def _close_slot(self) -> None:
        slot, self._slot = self._slot, None
        if slot is not None:
            slot.close()


def _refuse_threads(slot: Slot) -> None:
    """Raise JailError unless the template has exactly one thread: a fork would have its locks, but not the others."""
    count = len(list(Path(f"/proc/{slot.template_pid}/task").iterdir()))
    if count != 1:
        raise JailError("fork the template", hint=f"it has {count} threads")


# A pool of slots in which Java's compiler and JVM wait for a program. All slots of a runner share it.
#
# Each waiting command serves one run. The pool starts the next command only after QUIET_SECS without a request. A
# start costs more CPU time than it saves, so a busy runner starts each run the ordinary way.

QUIET_SECS = 0.25


@dataclass(slots=True)
class _Entry:
    """One slot of the pool. `start_at`: when to start its next command; infinity: a command waits.

    `is_busy`: one thread runs a program in the slot or starts a command. Other fields change under the pool's lock.
    """

    index: int
    spec: JailSpec
    slot: Slot | None = None
    start_at: float = 0.0
    is_busy: bool = False

    def is_ready_for(self, spec: JailSpec) -> bool:
        """Whether a command waits for a run like this one. A dead command makes the slot unhealthy."""
        if self.slot is None or self.start_at < inf:
            return False
        try:
            return self.slot.is_ready_for(spec)
        except JailError as error:
            self.log("waiting command ended", error)
            self.slot.healthy = False
            return False

    def start(self, opener: Callable[[int], Slot]) -> None:
        """Start a command, in a new slot if the old one failed. Retries after RETRY_SECS."""
        try:
            if self.slot is not None and not self.slot.healthy:
                self.close()
            if self.slot is None:
                self.slot = opener(self.index)
            self.slot.prewarm(self.spec)
            self.start_at = inf
        except JailError as error:
            self.log("waiting command not started", error)
            self.start_at = monotonic() + RETRY_SECS

    def close(self) -> None:
        if self.slot is not None:
            self.slot.close()
            self.slot = None

    def log(self, phrase: str, error: JailError) -> None:
        extra = {"slot": self.index, "step": error.step, "target": error.target, "errno": error.errno}
        _LOG.error(phrase, extra=extra)


class WaitingPool:
    """One slot for each of `specs`. `opener(index)` opens the slot of an entry; it raises JailError."""

    def __init__(self, specs: Sequence[JailSpec], opener: Callable[[int], Slot]) -> None:
        self._entries = [_Entry(index, spec) for index, spec in enumerate(specs)]
        self._opener = opener
        self._changed = Condition()
        self._closed = Event()
        self._thread: Thread | None = None

    def start(self) -> None:
        if self._entries:
            self._thread = start_background(self._keep_filled, stop=self._closed)

    def answer(self, spec: JailSpec, *, cancel_fd: int | None = None) -> Outcome | None:
        """Run this step in a waiting slot. None: no slot is ready for it, or the sandbox failed."""
        entry = self._take(spec)
        if entry is None or entry.slot is None:
            return None
        try:
            return entry.slot.answer(spec, cancel_fd=cancel_fd)
        except JailError as error:
            # A failed run has no effect outside its slot, so the caller can run the program again elsewhere.
            entry.log("waiting command failed", error)
            return None
        finally:
            with self._changed:
                entry.is_busy = False
                self._postpone(entry)

    def close(self) -> None:
        """Close all slots. This kills a run that is still going on."""
        with self._changed:
            self._closed.set()
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join()
        for entry in self._entries:
            entry.close()

    def _take(self, spec: JailSpec) -> _Entry | None:
        with self._changed:
            for entry in self._entries:
                if entry.spec.waiting != spec.waiting or entry.is_busy or self._closed.is_set():
                    continue
                if entry.is_ready_for(spec):
                    entry.is_busy = True
                    return entry
                if entry.start_at < inf or (entry.slot is not None and not entry.slot.healthy):
                    self._postpone(entry)
        return None

    def _postpone(self, entry: _Entry) -> None:
        """Delay the next start until QUIET_SECS without a request. A failed start keeps its later retry time."""
        quiet_at = monotonic() + QUIET_SECS
        entry.start_at = quiet_at if entry.start_at == inf else max(entry.start_at, quiet_at)
        self._changed.notify_all()

    def _keep_filled(self) -> None:
        """Start commands that are due, until the pool is closed."""
        while (entry := self._next_due()) is not None:
            entry.start(self._opener)
            with self._changed:
                entry.is_busy = False

    def _next_due(self) -> _Entry | None:
        """Wait until an entry needs a command, and take it. None: closed."""
        with self._changed:
            while not self._closed.is_set():
                idle = [entry for entry in self._entries if not entry.is_busy]
                entry = min(idle, key=lambda entry: entry.start_at, default=None)
                left_secs = inf if entry is None else entry.start_at - monotonic()
                if entry is not None and left_secs <= 0:
                    entry.is_busy = True
                    return entry
                self._changed.wait(None if left_secs == inf else left_secs)
            return None


# A slot that pre-warms the most frequent step, and uses the pool's waiting commands for steps that fit them.

# Requests whose first steps we count. A step that is not pre-warmed takes about three times as long to set up.
REMEMBERED = 8


class PrewarmedSlot:
    """Owns `slot`. `pool` and `data`: shared with other slots."""

    def __init__(self, slot: Slot, pool: WaitingPool, data: Sequence[DataSlot] = ()) -> None:
        self._slot = slot
        self._pool = pool
        self._data = data
        self._borrowed: DataSlot | None = None
        self._is_begun = False
        self._first_steps: deque[JailSpec] = deque(maxlen=REMEMBERED)

    @property
    def healthy(self) -> bool:
        """Whether the own slot is usable. The pool replaces its slots itself."""
        return self._slot.healthy

    @property
    def runs(self) -> int:
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
        """Run this step in a data slot. None: it is not for this run, none is free, or it failed and may run again."""
        self._give_back()
        slot = self._borrow(spec)
        if slot is None:
            return None
        try:
            return slot.answer(spec, cancel_fd=cancel_fd)
        except JailError as error:
            _LOG.error("data slot failed", extra={"step": error.step, "target": error.target, "errno": error.errno})
            self._give_back()
            if spec.pipes is not None or spec.net_namespace is not None:
                raise  # its pipes are closed, so others may have their numbers; its hosts have seen its requests
            # Any other run has no effect outside its slot, so the program can run again in the own one.
            return None

    def _borrow(self, spec: JailSpec) -> Slot | None:
        for data in self._data:
            if (slot := data.borrow(spec)) is not None:
                self._borrowed = data  # until its files were read, see `settle`
                return slot
            if not data.is_lent:
                return None
        return None

    def _give_back(self) -> None:
        borrowed, self._borrowed = self._borrowed, None
        if borrowed is not None:
            borrowed.give_back()

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
        self._give_back()
        self._slot.close()
