"""One case with an interactor: program and interactor run at the same time, each in a jail of its own."""

import os
import select
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, suppress
from dataclasses import replace
from threading import Thread
from typing import NamedTuple

from events import vocabulary
from events.vocabulary import Phase, Verdict
from sandbox_runtime.classify import Classification, classify
from sandbox_runtime.executor.step_runs import ExecutionDrainedError, Jail, RunStop, was_drained
from sandbox_runtime.jail import GuestPipes
from sandbox_runtime.jail.spec import JailSpec, Outcome
from sandbox_runtime.judging.judgement import Judgement, NextPass, of_run
from sandbox_runtime.judging.programs import INPUT, ReadyProgram, read_next_pass, with_next_pass

# Wire two programs by pipes: what one writes, the other one reads. The bytes of the first one are recorded.
#
# Nothing is shared between the two jails: each has pipes of its own, and this process copies between them.

_CHUNK_BYTES = 65_536


class _Direction:
    """Copies from one pipe to another. Waits with reading while the reader is slow.

    After the reader has gone, the bytes of the writer are still read, so that it ends by itself.
    """

    def __init__(self, most_bytes: int) -> None:
        self.source, self.guest_source = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        self.guest_target, self.target = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        os.set_blocking(self.guest_source, True)
        os.set_blocking(self.guest_target, True)
        self.recorded, self.is_cut, self.ended_ns = bytearray(), False, 0
        self._most_bytes, self._pending = most_bytes, b""
        self._reads, self._writes = True, True

    def interest(self) -> list[tuple[int, int]]:
        """Return the descriptors to poll, with their events."""
        found = []
        # While a chunk waits for its reader, the source is polled without events: poll still reports that the writer
        # has gone. After that it would report so again and again.
        if self._reads and not (self._pending and self.ended_ns):
            found.append((self.source, 0 if self._pending else select.POLLIN))
        if self._writes:  # without events poll still reports that the reader has gone
            found.append((self.target, select.POLLOUT if self._pending else 0))
        return found

    def handle(self, fd: int, events: int) -> None:
        """Copy the bytes that have arrived."""
        if fd == self.source and self._reads:
            if events & select.POLLHUP:
                self._note_end()
            if not self._pending:
                self._read()
        elif fd == self.target and self._writes:
            if events & select.POLLERR:
                self._stop_writing()
            elif self._pending:
                self._write()

    def drain(self) -> None:
        poller = select.poll()  # select(2) knows no descriptor above 1023
        poller.register(self.source, select.POLLIN)
        while self._reads and poller.poll(0):
            self._read()

    def close(self) -> None:
        self._stop_reading()
        self._stop_writing()

    def _read(self) -> None:
        with suppress(BlockingIOError):
            chunk = os.read(self.source, _CHUNK_BYTES)
            self.recorded += chunk
            if len(self.recorded) > self._most_bytes:
                del self.recorded[self._most_bytes :]
                self.is_cut, chunk = True, b""
            if not chunk:
                self._note_end()
                self._stop_reading()
                self._stop_writing()
            elif self._writes:
                self._pending = chunk
                self._write()

    def _note_end(self) -> None:
        """Note when the writer had gone. Its last bytes may still wait for a slow reader."""
        self.ended_ns = self.ended_ns or time.monotonic_ns()

    def _write(self) -> None:
        try:
            written = os.write(self.target, self._pending)
        except BlockingIOError:
            return
        except BrokenPipeError:
            self._stop_writing()
            return
        self._pending = self._pending[written:]

    def _stop_reading(self) -> None:
        if self._reads:
            self._reads = False
            os.close(self.source)

    def _stop_writing(self) -> None:
        self._pending = b""
        if self._writes:
            self._writes = False
            os.close(self.target)


class Relay:
    """Two directions, on a thread of its own from `start` to `close`.

    `first` and `second`: the guests' ends. A writer that sends more than its bound gets SIGPIPE.
    """

    def __init__(self, first_most_bytes: int, second_most_bytes: int) -> None:
        self._from_first, self._from_second = _Direction(first_most_bytes), _Direction(second_most_bytes)
        self.first = GuestPipes(self._from_second.guest_target, self._from_first.guest_source)
        self.second = GuestPipes(self._from_first.guest_target, self._from_second.guest_source)
        self._stop = os.eventfd(0, os.EFD_CLOEXEC)
        self._thread = Thread(target=self._run, daemon=True)

    def start(self) -> None:
        self._thread.start()

    @property
    def has_second_ended_first(self) -> bool:
        """Whether the output of the second ended before that of the first. Call it before `close`.

        A program that ends because the other one did, ends after it here, because this process tells it. The jails'
        clocks cannot show the order: each jail notices the end of its program a little later.
        """
        first_ns, second_ns = self._from_first.ended_ns, self._from_second.ended_ns
        return second_ns > 0 and (first_ns == 0 or second_ns < first_ns)

    def close(self) -> tuple[tuple[bytes, bool], tuple[bytes, bool]]:
        """Stop, and close everything. Returns the output of each up to its bound, and whether there was more.

        Call it when both guests are dead: then their output is read to its end.
        """
        self.first.close()
        self.second.close()
        if self._thread.is_alive():
            os.eventfd_write(self._stop, 1)
            self._thread.join()
        os.close(self._stop)
        found = []
        for direction in (self._from_first, self._from_second):
            direction.drain()
            direction.close()
            found.append((bytes(direction.recorded), direction.is_cut))
        return found[0], found[1]

    def _run(self) -> None:
        directions = (self._from_first, self._from_second)
        while True:
            poller, owners = select.poll(), dict[int, _Direction]()
            poller.register(self._stop, select.POLLIN)
            for direction in directions:
                for fd, events in direction.interest():
                    poller.register(fd, events)
                    owners[fd] = direction
            for fd, events in poller.poll():
                if fd == self._stop:
                    return
                owners[fd].handle(fd, events)


# An interactor that waits for its program outlives it, so that a deadlock is the program's time limit.
EXTRA_WALL_SECS = 5
INTERACTOR_OUTPUT_BYTES = 8 << 20
"""Or the program's limit if that is more; and as many bytes as its input has, because it passes parts of it on."""

INTERACTOR_CUT = (
    "the interactor wrote more than its input and the limit of the program's output, "
    f"at least {INTERACTOR_OUTPUT_BYTES:,} bytes. Raise output_kb of the problem"
)

type LendSlot = Callable[[], AbstractContextManager[Jail]]
"""Lends a second slot. Raises JailError."""


class BothEnds(NamedTuple):
    """The outcomes of program and interactor, and whether the interactor's output ended first.

    `after`: of a multi-pass case, see `read_next_pass`.
    """

    program: Outcome
    interactor: Outcome
    is_interactor_first: bool
    after: NextPass | Judgement | None = None


def interact(
    program: Jail, interactor_slot: LendSlot, spec: JailSpec, interactor_spec: JailSpec, stop: RunStop | None
) -> BothEnds:
    """Run both. Raises JailError and ExecutionDrainedError."""
    wall_secs = spec.limits.wall_time_secs + spec.overtime_secs + EXTRA_WALL_SECS
    limits = replace(interactor_spec.limits, wall_time_secs=wall_secs)
    input_bytes = sum(len(file.content) for file in interactor_spec.files if file.name == INPUT)
    most_bytes = max(INTERACTOR_OUTPUT_BYTES, spec.limits.output_bytes) + input_bytes
    relay = Relay(spec.limits.output_bytes, most_bytes)
    try:
        # Waiting commands and pre-warmed runs have their streams already.
        first = replace(spec, pipes=relay.first, stdin=b"", waiting=None)
        second = replace(interactor_spec, pipes=relay.second, limits=limits, waiting=None)
        with interactor_slot() as other, ThreadPoolExecutor(1) as threads:
            relay.start()
            answering = threads.submit(_answer, other, second, stop, relay.second.close)
            ran = _answer(program, first, stop, relay.first.close)
            answered = answering.result()
            # Another judge run may borrow the slot next, and then the working directory is gone.
            after = read_next_pass(answered.box) if second.keeps_box else None
        is_interactor_first = relay.has_second_ended_first
    finally:
        written, told = relay.close()
    for outcome in (ran, answered):
        if was_drained(outcome, stop):
            raise ExecutionDrainedError
    return BothEnds(
        replace(ran, stdout=written[0], stdout_cut=written[1]),
        # Its output was for the program, and is no message of the judge.
        replace(answered, stdout=b"", stdout_cut=told[1]),
        is_interactor_first,
        after,
    )


def _answer(jail: Jail, spec: JailSpec, stop: RunStop | None, close_pipes: Callable[[], None]) -> Outcome:
    try:
        return jail.answer(spec, cancel_fd=None if stop is None else stop.fd)
    finally:
        close_pipes()  # if the run never started, the other one must not wait for it


def judgement_of_both(interactor: ReadyProgram, ends: BothEnds, found: Classification) -> Judgement:
    """Judge a case by both ends. `found`: of the program.

    The interactor decides if its output ended first and it did not accept: the program may have failed for that reason.
    It never accepts a program that failed.
    """
    own, answered = of_run(found), ends.interactor
    if own is not None and found.verdict is Verdict.IE:
        return own
    if answered.stdout_cut:
        decided = Judgement(vocabulary.Outcome.JUDGE_ERROR, INTERACTOR_CUT)
    else:
        decided = interactor.judgement(answered, classify(answered, Phase.RUN), name="interactor")
        decided = with_next_pass(decided, ends.after)
    has_accepted = decided.outcome in {vocabulary.Outcome.PASSED, vocabulary.Outcome.PARTIAL}
    if own is None or (ends.is_interactor_first and not has_accepted):
        return decided
    return own
