"""The live outputs of all requests under way, and of those that a client waits for."""

import base64
import json
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

from events.runner import is_submission_id
from sandbox_runtime.executor.live_output import STREAMS, LiveOutput, RunState

MOST_READERS = 256
"""Each has a thread and a connection. Further ones are answered at once, and may ask again."""
MOST_WAIT_SECS = 20.0
ABSENT_SECS = 1.0
"""A read waits so long for a run that has not begun here: it may begin elsewhere."""
MOST_BYTES = 131_072
_MOST_ENDED = 10_000


class ReadInvalidError(ValueError):
    """The body of a read is wrong."""


class LiveOutputs:
    """Safe for threads."""

    def __init__(self) -> None:
        self._outputs: dict[str, LiveOutput] = {}
        self._readers: dict[str, int] = {}
        self._count = 0
        # The result of these comes: nobody needs to wait until they begin.
        self._ended: OrderedDict[str, None] = OrderedDict()
        self._lock = Lock()

    @contextmanager
    def open(self, submission_id: str) -> Iterator[LiveOutput]:
        """Give the live output of a request until its end."""
        with self._lock:
            self._ended.pop(submission_id, None)
            output = self._outputs.setdefault(submission_id, LiveOutput())
        output.accept()
        try:
            yield output
        finally:
            with self._lock:
                self._ended[submission_id] = None
                if len(self._ended) > _MOST_ENDED:
                    self._ended.popitem(last=False)
                if self._outputs.get(submission_id) is output:
                    del self._outputs[submission_id]
            output.end()

    def answer(self, body: bytes) -> bytes:
        """Answer a read of the direct path; it may wait for output. Raises ReadInvalidError."""
        try:
            asked = json.loads(body)
            submission_id, stream, after, wait_secs = (
                asked[name] for name in ("submission_id", "stream", "after", "wait_secs")
            )
            is_valid = is_submission_id(submission_id) and stream in STREAMS
            is_valid &= type(after) is int and after >= 0 and 0 <= float(wait_secs) <= MOST_WAIT_SECS
        except (ValueError, TypeError, KeyError, OverflowError):
            is_valid = False
        if not is_valid:
            raise ReadInvalidError
        absent_secs = 0.0 if asked.get("has_begun") else ABSENT_SECS
        state, content = self.read(submission_id, stream, after, wait_secs, absent_secs=absent_secs)
        return json.dumps({"state": state, "base64": base64.b64encode(content).decode()}).encode()

    def read(
        self,
        submission_id: str,
        stream: str,
        after: int,
        wait_secs: float,
        *,
        most: int = MOST_BYTES,
        absent_secs: float | None = None,
    ) -> tuple[RunState, bytes]:
        """Read on from an offset, and wait for output; for the start of an absent run for `absent_secs`."""
        absent_secs = min(wait_secs, ABSENT_SECS if absent_secs is None else absent_secs)
        with self._lock:
            if submission_id in self._ended:
                return RunState.ENDED, b""
            output = self._outputs.get(submission_id)
            if self._count >= MOST_READERS:
                wait_secs = absent_secs = 0
            if output is None:
                if not absent_secs:
                    return RunState.ABSENT, b""
                output = self._outputs[submission_id] = LiveOutput()
            self._count += 1
            self._readers[submission_id] = self._readers.get(submission_id, 0) + 1
        try:
            return output.read(stream, after, wait_secs, absent_secs, most)
        finally:
            with self._lock:
                self._leave(submission_id, output)

    def _leave(self, submission_id: str, output: LiveOutput) -> None:
        self._count -= 1
        self._readers[submission_id] -= 1
        if self._readers[submission_id]:
            return
        del self._readers[submission_id]
        if self._outputs.get(submission_id) is output and output.is_absent:
            del self._outputs[submission_id]
