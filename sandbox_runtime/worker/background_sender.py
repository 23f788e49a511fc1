"""Send `started` messages and heartbeats in the background, so that slot threads never wait for SQS."""

import logging
from queue import SimpleQueue
from threading import Thread

from sandbox_runtime.liveness import Liveness
from sandbox_runtime.messages import ExecutionStarted, RunnerHeartbeat
from sandbox_runtime.transport import Transport, TransportError

CLOSE_SECS = 2

_LOG = logging.getLogger(__name__)


class BackgroundSender:
    """A queue with one sending thread. Messages are sent in order.

    A message that cannot be sent is logged and dropped: a later message or the completion replaces it.
    A heartbeat touches the liveness file only after SQS has accepted it.
    """

    def __init__(self, transport: Transport, liveness: Liveness) -> None:
        self._transport = transport
        self._liveness = liveness
        liveness.begin()
        self._waiting: SimpleQueue[ExecutionStarted | RunnerHeartbeat | None] = SimpleQueue()
        self._thread = Thread(target=self._run, name="sender", daemon=True)
        self._thread.start()

    def put(self, message: ExecutionStarted | RunnerHeartbeat) -> None:
        """Queue a message. Returns at once."""
        self._waiting.put(message)

    def close(self) -> None:
        """Send the queued messages, then stop. Waits at most CLOSE_SECS."""
        self._waiting.put(None)
        self._thread.join(CLOSE_SECS)

    def _run(self) -> None:
        while (message := self._waiting.get()) is not None:
            try:
                self._transport.send(message)
            except TransportError as error:
                _LOG.warning("message not sent", extra={"step": type(message).__name__, "code": error.code})
            else:
                if isinstance(message, RunnerHeartbeat):
                    self._liveness.show()
