"""The output of watched runs in the bucket, for functions that cannot ask this runner directly.

The control object names watched runs, until when. While one is watched, the beginning of each stream so far is put once
a second if it has grown. At the end of the run an empty object takes its place: the result has all of it.
"""

import logging
from collections.abc import Callable, Mapping
from time import time

from sandbox_runtime.executor.live_output import STREAMS, RunState
from sandbox_runtime.transport import Transport, TransportError
from sandbox_runtime.worker.live_outputs import LiveOutputs

MOST_OBJECT_BYTES = 1_048_576

_LOG = logging.getLogger(__name__)


class LiveObjects:
    """For one thread."""

    def __init__(self, transport: Transport, outputs: LiveOutputs, clock: Callable[[], float] = time) -> None:
        self._transport, self._outputs, self._clock = transport, outputs, clock
        self._until_secs: dict[str, float] = {}
        self._sizes: dict[tuple[str, str], int] = {}  # of objects of runs that go on

    def watch(self, until_ms: Mapping[str, int]) -> None:
        """Take the watched runs, each with the end of its watch. Those of other runners are left out by `put`."""
        self._until_secs = {submission_id: end_ms / 1000 for submission_id, end_ms in until_ms.items()}

    def put(self) -> None:
        """Put what has grown, and end the objects of runs that have ended."""
        for submission_id in {*self._until_secs, *(submission_id for submission_id, _ in self._sizes)}:
            for stream in STREAMS:
                self._put(submission_id, stream)

    def _put(self, submission_id: str, stream: str) -> None:
        size = self._sizes.get((submission_id, stream), 0)
        state, content = self._outputs.read(submission_id, stream, 0, 0, most=MOST_OBJECT_BYTES)
        if state is not RunState.RUNNING:
            if size and self._has_put(submission_id, stream, b""):
                del self._sizes[submission_id, stream]
            return
        is_watched = self._until_secs.get(submission_id, 0) > self._clock()
        if is_watched and len(content) > size and self._has_put(submission_id, stream, content):
            self._sizes[submission_id, stream] = len(content)

    def _has_put(self, submission_id: str, stream: str, content: bytes) -> bool:
        try:
            self._transport.put_live_output(submission_id, stream, content)
        except TransportError as error:
            extra = {"submission_id": submission_id, "step": error.operation, "code": error.code}
            _LOG.warning("live output not stored", extra=extra)
            return False
        return True
