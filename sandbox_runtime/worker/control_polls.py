"""Learn of cancelled and watched submissions without a direct path: poll one small object that the functions write.

A poll costs a request of the bucket, so there is none unless a run has lasted for PERIOD_SECS.
"""

import logging
from threading import Event

from events.runner import cancelled_in, watched_in
from sandbox_runtime.transport import Transport, TransportError
from sandbox_runtime.worker.live_objects import LiveObjects
from sandbox_runtime.worker.run_stops import RunStops

PERIOD_SECS = 1.0

_LOG = logging.getLogger(__name__)


class ControlPolls:
    """Applies the control object of `node_id` to `stops` and `live_objects`. Call `run` on its own thread."""

    def __init__(self, transport: Transport, node_id: str, stops: RunStops, live_objects: LiveObjects) -> None:
        self._transport, self._node_id, self._stops = transport, node_id, stops
        self._live_objects = live_objects
        self._etag = ""
        self._failed_with = ""

    def run(self, stop: Event) -> None:
        """Poll until `stop`."""
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
