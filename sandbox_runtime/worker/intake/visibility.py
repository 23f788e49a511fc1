"""Extend the visibility timeout of messages while their executions wait or run."""

import logging
from threading import Event, Lock

from sandbox_runtime.transport import Received, Transport, TransportError

# Three attempts to extend fit into one visibility timeout.
EXTENSIONS_PER_VISIBILITY = 3

_LOG = logging.getLogger(__name__)


class _Held:
    def __init__(self, received: Received) -> None:
        self.received = received
        self.lock = Lock()
        self.dropped = False


class VisibilityKeeper:
    """Extend every held message once a period. Call `run` on its own thread."""

    def __init__(self, transport: Transport, *, visibility_secs: int) -> None:
        self._transport = transport
        self._period_secs = visibility_secs / EXTENSIONS_PER_VISIBILITY
        self._held: dict[str, _Held] = {}

    def hold(self, received: Received) -> None:
        """Start to extend a message."""
        self._held[received.receipt_handle] = _Held(received)

    def drop(self, received: Received) -> None:
        """Stop extending a message. No extension is in progress after this, so the caller may make it visible."""
        held = self._held.pop(received.receipt_handle, None)
        if held is not None:
            with held.lock:
                held.dropped = True

    def run(self, stop: Event) -> None:
        """Extend until `stop`."""
        while not stop.wait(self._period_secs):
            self.extend_all()

    def extend_all(self) -> None:
        """Extend all held messages once."""
        for held in list(self._held.values()):
            with held.lock:
                if not held.dropped:
                    self._extend(held.received)

    def _extend(self, received: Received) -> None:
        try:
            self._transport.extend(received)
        except TransportError as error:
            # Another runner may now run it too. Both completions name the same submission; the first one counts.
            _LOG.warning("visibility not extended", extra={"message_id": received.message_id, "code": error.code})
