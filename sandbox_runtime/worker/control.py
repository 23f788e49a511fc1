"""Wishes of clients about runs under way, cancels and watches of their output, and how a runner learns of them."""

import base64
import json
import logging
import os
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Event, Lock
from time import monotonic, time

from events.runner import cancelled_in, is_submission_id, watched_in
from sandbox_runtime.executor.live_output import STREAMS, LiveOutput, RunState
from sandbox_runtime.executor.step_runs import RunStop
from sandbox_runtime.transport import Transport, TransportError

# The stops of all requests under way, and the submissions that were cancelled before this runner began them.

# A message of a cancelled submission that comes later is answered without a run. After this time the object
# `deleted/<submission id>` still stops it.
CANCELLED_SECS = 900
MOST_CANCELLED = 10_000


class RunStops:
    """Safe for threads."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._open: dict[str, tuple[RunStop, float]] = {}  # since when
        self._cancelled: OrderedDict[str, float] = OrderedDict()
        self._is_draining = False
        self._lock = Lock()
        self._clock = clock

    @contextmanager
    def open(self, submission_id: str) -> Iterator[RunStop]:
        """Give the stop of a request until its end. It is set already if the submission was cancelled before."""
        stop = RunStop(os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK))
        with self._lock:
            stop.is_cancelled = self._clock() - self._cancelled.get(submission_id, -CANCELLED_SECS) < CANCELLED_SECS
            if stop.is_cancelled or self._is_draining:
                os.eventfd_write(stop.fd, 1)
            self._open[submission_id] = stop, self._clock()
        try:
            yield stop
        finally:
            with self._lock:
                self._open.pop(submission_id, None)
            os.close(stop.fd)

    def cancel(self, submission_id: str) -> bool:
        """Stop the run of a submission. False: it does not run here, and will not begin here."""
        with self._lock:
            stop, _ = self._open.get(submission_id, (None, 0.0))
            if stop is None:
                self._cancelled[submission_id] = self._clock()
                self._cancelled.move_to_end(submission_id)
                if len(self._cancelled) > MOST_CANCELLED:
                    self._cancelled.popitem(last=False)
                return False
            stop.is_cancelled = True
            os.eventfd_write(stop.fd, 1)
            return True

    def drain(self) -> None:
        """Stop all requests, also those that begin later. They must run again, unless they were cancelled."""
        with self._lock:
            self._is_draining = True
            for stop, _ in self._open.values():
                os.eventfd_write(stop.fd, 1)

    def has_older_than(self, secs: float) -> bool:
        """Whether a request has been under way for so long."""
        with self._lock:
            since = next(iter(self._open.values()), (None, self._clock()))[1]  # the oldest one is the first
            return self._clock() - since > secs


# The live outputs of all requests under way, and of those that a client waits for.

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
    def open(self, submission_id: str, execution: str) -> Iterator[LiveOutput]:
        """Give the live output of a request until its end. `execution`: see `execution_tag`."""
        with self._lock:
            self._ended.pop(submission_id, None)
            output = self._outputs.setdefault(submission_id, LiveOutput())
        output.accept(execution)
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
        state, content, execution = self.read(submission_id, stream, after, wait_secs, absent_secs=absent_secs)
        shown = {"state": state, "base64": base64.b64encode(content).decode(), "execution": execution or None}
        return json.dumps(shown).encode()

    def read(
        self,
        submission_id: str,
        stream: str,
        after: int,
        wait_secs: float,
        *,
        most: int = MOST_BYTES,
        absent_secs: float | None = None,
    ) -> tuple[RunState, bytes, str]:
        """Read on from an offset, and wait for output; for the start of an absent run for `absent_secs`.

        See `LiveOutput.read`.
        """
        absent_secs = min(wait_secs, ABSENT_SECS if absent_secs is None else absent_secs)
        with self._lock:
            if submission_id in self._ended:
                return RunState.ENDED, b"", ""
            output = self._outputs.get(submission_id)
            if self._count >= MOST_READERS:
                wait_secs = absent_secs = 0
            if output is None:
                if not absent_secs:
                    return RunState.ABSENT, b"", ""
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


# The output of watched runs in the bucket, for functions that cannot ask this runner directly.
#
# The control object names watched runs, until when. While one is watched, the beginning of each stream so far is put
# once a second if it has grown, every two seconds after the first five: each put has a price. At the end of the run an
# empty object takes its place: the result has all of it.

MOST_OBJECT_BYTES = 1_048_576
OFTEN_SECS, SELDOM_SECS = 5.0, 2.0

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Put:
    """What an object has: `size` bytes of an execution, put at `last_secs`. `first_secs`: when the first was put."""

    execution: str
    size: int
    first_secs: float
    last_secs: float


class LiveObjects:
    """For one thread."""

    def __init__(self, transport: Transport, outputs: LiveOutputs, clock: Callable[[], float] = time) -> None:
        self._transport, self._outputs, self._clock = transport, outputs, clock
        self._until_secs: dict[str, float] = {}
        self._seen: dict[tuple[str, str], _Put] = {}  # objects of runs that go on

    def watch(self, until_ms: Mapping[str, int]) -> None:
        """Take the watched runs, each with the end of its watch. Those of other runners are left out by `put`."""
        self._until_secs = {submission_id: end_ms / 1000 for submission_id, end_ms in until_ms.items()}

    def put(self) -> None:
        """Put what has grown, and end the objects of runs that have ended."""
        for submission_id in {*self._until_secs, *(submission_id for submission_id, _ in self._seen)}:
            for stream in STREAMS:
                self._put(submission_id, stream)

    def _put(self, submission_id: str, stream: str) -> None:
        seen = self._seen.get((submission_id, stream))
        state, content, execution = self._outputs.read(submission_id, stream, 0, 0, most=MOST_OBJECT_BYTES)
        if state is not RunState.RUNNING:
            if seen and self._has_put(submission_id, stream, b"", seen.execution):
                del self._seen[submission_id, stream]
            return
        now = self._clock()
        is_watched = self._until_secs.get(submission_id, 0) > now
        first_secs = now
        if seen and seen.execution == execution:
            first_secs = seen.first_secs
            is_early = now - first_secs > OFTEN_SECS and now - seen.last_secs < SELDOM_SECS
            if is_early or seen.size == len(content):
                return
        if is_watched and content and self._has_put(submission_id, stream, content, execution):
            self._seen[submission_id, stream] = _Put(execution, len(content), first_secs, now)

    def _has_put(self, submission_id: str, stream: str, content: bytes, execution: str) -> bool:
        try:
            self._transport.put_live_output(submission_id, stream, content, execution)
        except TransportError as error:
            extra = {"submission_id": submission_id, "step": error.operation, "code": error.code}
            _LOG.warning("live output not stored", extra=extra)
            return False
        return True


# Learn of cancelled and watched submissions without a direct path: poll one small object that the functions write.
#
# A poll costs a request of the bucket, so there is none unless a run has lasted for PERIOD_SECS.

PERIOD_SECS = 1.0


class ControlPolls:
    """Applies the control object of `node_id` to `stops` and `live_objects`. Call `run` on its own thread."""

    def __init__(self, transport: Transport, node_id: str, stops: RunStops, live_objects: LiveObjects) -> None:
        self._transport, self._node_id, self._stops = transport, node_id, stops
        self._live_objects = live_objects
        self._etag = ""
        self._failed_with = ""

    def run(self, stop: Event) -> None:
        while not stop.wait(PERIOD_SECS):
            if self._stops.has_older_than(PERIOD_SECS):
                self.poll()
            self._live_objects.put()

    def poll(self) -> None:
        """Read the object if it has changed, and stop the runs that it names."""
        try:
            found = self._transport.read_control(self._node_id, self._etag)
        except TransportError as error:
            if error.code != self._failed_with:
                _LOG.warning("control object not read", extra={"step": error.operation, "code": error.code})
            self._failed_with = error.code
            return
        self._failed_with = ""
        if found is None:
            return
        self._etag, text = found
        self._live_objects.watch(watched_in(text))
        for submission_id in cancelled_in(text):
            if self._stops.cancel(submission_id):
                _LOG.info("run cancelled", extra={"submission_id": submission_id})
