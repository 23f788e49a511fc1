"""The output of one request while its program runs, for clients that watch it. Nobody watches most runs."""

from collections.abc import Iterable, Sequence
from enum import StrEnum
from threading import Condition
from time import monotonic

from sandbox_runtime.executor.masking import GrowingOutput
from sandbox_runtime.jail.spec import CapturedOutput

CHUNK_SECS = 0.2
CHUNK_BYTES = 16_384
"""A watched program that prints all the time is read every CHUNK_SECS, or after each CHUNK_BYTES."""
STREAMS = ("stdout", "stderr")


class RunState(StrEnum):
    """ABSENT: it has not begun here. ENDED: its result comes."""

    ABSENT = "absent"
    RUNNING = "running"
    ENDED = "ended"


class LiveOutput:
    """The output of the run step, with its secrets masked. Safe for threads.

    `read` waits for output. The slot's thread calls `begin` with the captured streams, and `notify` for each part.
    """

    def __init__(self) -> None:
        self._changed = Condition()
        self._waiting = 0
        self._captured: Sequence[CapturedOutput] = ()
        self._masked: tuple[GrowingOutput, ...] = ()
        self._secrets: tuple[str, ...] = ()
        self._state = RunState.ABSENT

    def mask(self, secrets: Iterable[str]) -> None:
        """Mask these in all that is read. Call it before the program begins."""
        self._secrets = tuple(secrets)

    def accept(self) -> None:
        """Note that a runner has the request: it may run soon."""
        self._become(RunState.RUNNING)

    def begin(self, captured: Sequence[CapturedOutput]) -> None:
        """Show the output of a run, stdout and stderr."""
        with self._changed:
            self._masked = tuple(GrowingOutput(self._secrets) for _ in captured) if self._secrets else ()
            self._captured = captured

    def notify(self) -> None:
        """Tell waiting readers that there is more."""
        if self._waiting:  # a reader counts itself before it looks
            with self._changed:
                self._changed.notify_all()

    def end(self) -> None:
        """Note that the request has ended. The captured output is dropped, because its result has all of it."""
        self._become(RunState.ENDED)

    @property
    def is_absent(self) -> bool:
        """Whether no runner has the request yet."""
        return self._state is RunState.ABSENT

    def read(self, stream: str, after: int, wait_secs: float, absent_secs: float, most: int) -> tuple[RunState, bytes]:
        """Return at most `most` bytes of a stream from the offset `after`, when there are any, or the wait is over.

        A wait for a request that is absent is over after `absent_secs`.
        """
        index = STREAMS.index(stream)
        begun = monotonic()
        with self._changed:
            self._waiting += 1
            try:
                while True:
                    content = self._part(index, after, most)
                    waited_secs = monotonic() - begun
                    longest_secs = absent_secs if self._state is RunState.ABSENT else wait_secs
                    if content:
                        longest_secs = 0 if len(content) >= CHUNK_BYTES else min(CHUNK_SECS, wait_secs)
                    if self._state is RunState.ENDED or waited_secs >= longest_secs:
                        return self._state, content
                    self._changed.wait(longest_secs - waited_secs)
            finally:
                self._waiting -= 1

    def _become(self, state: RunState) -> None:
        with self._changed:
            self._state = state
            self._captured, self._masked = (), ()
            self._changed.notify_all()

    def _part(self, index: int, after: int, most: int) -> bytes:
        if not self._captured:
            return b""
        captured = self._captured[index]
        if not self._masked:
            return captured.part(after, most)
        masked = self._masked[index]
        masked.add(captured.part(masked.read_bytes, captured.limit_bytes))
        return bytes(masked.shown[after : after + most])
