"""The output of one request while its program runs, for clients that watch it. Nobody watches most runs."""

import json
from collections.abc import Iterable, Iterator, Sequence
from enum import StrEnum
from threading import Condition
from time import monotonic

from sandbox_runtime.jail.spec import CapturedOutput

# Mask secret values in a program's output.

MASK = b"****"
MIN_SECRET_BYTES = 4
"""Masking a shorter value would make most output unreadable, and would tell where it is."""
_MOST_STEPS_BACK = 8
_MOST_STARTS = 64
"""Beyond these, an output that looks like a secret everywhere waits for the end of the run. So its cost is bounded."""


def masked(output: bytes, secrets: Iterable[str]) -> bytes:
    """Replace every occurrence of a secret, and of each line of one with several lines, also within JSON and `repr`.

    It stops accidents, such as a printed configuration. A program that encodes a secret first can still print it.
    """
    return _masked(output, _forms_of(secrets))


class GrowingOutput:
    """Masks an output that grows. `shown` is the beginning of what `masked` returns for the whole output.

    It ends where no form of a secret can begin before and end after, whatever comes next.
    """

    def __init__(self, secrets: Iterable[str]) -> None:
        self._forms = _forms_of(secrets)
        # A form with an asterisk can match a mask of an earlier form, so only the whole output shows what is masked.
        self._needs_whole = any(b"*" in form for form in self._forms)
        self._rest = bytearray()
        self.read_bytes = 0
        self.shown = bytearray()

    def add(self, part: bytes) -> None:
        self.read_bytes += len(part)
        if self._needs_whole:
            return
        self._rest += part
        end = self._safe_end()
        self.shown += _masked(bytes(self._rest[:end]), self._forms)
        del self._rest[:end]

    def _safe_end(self) -> int:
        """Return the last position that no form can span, or 0."""
        end = min((self._start_of_unfinished(form) for form in self._forms), default=len(self._rest))
        for _ in range(_MOST_STEPS_BACK):
            spanning = [start for form in self._forms if (start := self._start_of_spanning(form, end)) >= 0]
            if not spanning:
                return end
            end = min(spanning)
        return 0

    def _start_of_unfinished(self, form: bytes) -> int:
        """Return where the output may have begun to print a form, or a position before that; else its end."""
        first = max(0, len(self._rest) - len(form) + 1)
        tail, start = bytes(self._rest[first:]), -1
        for tried in range(_MOST_STARTS):
            start = tail.find(form[:1], start + 1)
            if start < 0:
                return len(self._rest)
            if tried == _MOST_STARTS - 1 or form.startswith(memoryview(tail)[start:]):
                break
        return first + start

    def _start_of_spanning(self, form: bytes, end: int) -> int:
        """Return where a form begins that lies on both sides of a position, else -1."""
        return self._rest.find(form, max(0, end - len(form) + 1), end + len(form) - 1)


def _masked(output: bytes, forms: Sequence[bytes]) -> bytes:
    for form in forms:
        output = output.replace(form, MASK)
    return output


def _forms_of(secrets: Iterable[str]) -> list[bytes]:
    """Return all that must be masked, the longest first: a secret may contain another one."""
    parts = {part for secret in secrets for part in (secret, *secret.splitlines()) if len(part) >= MIN_SECRET_BYTES}
    forms = sorted({form for part in parts for form in _forms(part)}, key=len, reverse=True)
    return [form.encode("utf-8", "surrogatepass") for form in forms]


def _forms(text: str) -> Iterator[str]:
    """Yield a text as it is, and as JSON and Python show it in quotes.

    Python escapes single quotes only if the whole text that it shows has quotes of both kinds.
    """
    yield text
    yield json.dumps(text)[1:-1]
    yield json.dumps(text, ensure_ascii=False)[1:-1]
    both = "'\""
    for shown in (
        repr(both + text)[4:-1],
        ascii(both + text)[4:-1],
        repr((both + text).encode("utf-8", "surrogatepass"))[5:-1],
    ):
        yield shown
        yield shown.replace("\\'", "'")


CHUNK_SECS = 0.1
CHUNK_BYTES = 16_384
"""A watched program that prints all the time is read every CHUNK_SECS, or after each CHUNK_BYTES."""
STREAMS = ("stdout", "stderr")
_REFUSAL_BYTES = 64


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
        self._refusals: tuple[bytes, ...] = ()
        self._state = RunState.ABSENT
        self._execution = ""
        self._beginnings = 0

    def mask(self, secrets: Iterable[str]) -> None:
        """Mask these in all that is read. Call it before the program begins."""
        self._secrets = tuple(secrets)

    def hold(self, refusals: tuple[bytes, ...]) -> None:
        """Keep errors that begin so for the result, while the program prints nothing: see `refused_source`.

        The result of a refused source has other bytes. Call it before the program begins.
        """
        self._refusals = refusals

    def accept(self, execution: str) -> None:
        """Note that a runner has the request: it may run soon. `execution`: see `execution_tag`."""
        self._execution = execution
        self._become(RunState.RUNNING)

    def begin(self, captured: Sequence[CapturedOutput]) -> None:
        """Show the output of a run, stdout and stderr."""
        with self._changed:
            self._beginnings += 1
            self._masked = tuple(GrowingOutput(self._secrets) for _ in captured) if self._secrets else ()
            self._captured = captured

    def notify(self) -> None:
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

    @property
    def execution(self) -> str:
        """The name of the execution. A step that is repeated on a host without memory begins the output again."""
        return self._execution if self._beginnings <= 1 else f"{self._execution}-{self._beginnings}"

    def read(
        self, stream: str, after: int, wait_secs: float, absent_secs: float, most: int
    ) -> tuple[RunState, bytes, str]:
        """Return at most `most` bytes of a stream from the offset `after`, when there are any, or the wait is over.

        The text names the execution whose output they are; it is empty for an absent request. A wait for a request
        that is absent is over after `absent_secs`.
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
                        return self._state, content, self.execution
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
        if index == 1 and self._refusals and not self._captured[0].part(0, 1):
            head = captured.part(0, _REFUSAL_BYTES)
            if any(head.startswith(start) or start.startswith(head) for start in self._refusals):
                return b""
        if not self._masked:
            return captured.part(after, most)
        masked = self._masked[index]
        masked.add(captured.part(masked.read_bytes, captured.limit_bytes))
        return bytes(masked.shown[after : after + most])
