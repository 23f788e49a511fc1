"""Send notices that nobody waits for, in order and off the slots' threads."""

import logging
from queue import SimpleQueue
from threading import Thread

from sandbox_runtime.liveness import Liveness
from sandbox_runtime.messages import ExecutionStarted, RunnerHeartbeat
from sandbox_runtime.transport import Transport, TransportError

CLOSE_SECS = 2

_LOG = logging.getLogger(__name__)


class Outbox:
    """A queue with one sending thread. A notice that cannot be sent is logged and dropped: the next state heals it.

    A heartbeat counts as a sign of life once the queue has taken it, not before.
    """

    def __init__(self, transport: Transport, liveness: Liveness) -> None:
        self._transport = transport
        self._liveness = liveness
        liveness.begin()
        self._waiting: SimpleQueue[ExecutionStarted | RunnerHeartbeat | None] = SimpleQueue()
        self._thread = Thread(target=self._run, name="outbox", daemon=True)
        self._thread.start()

    def put(self, notice: ExecutionStarted | RunnerHeartbeat) -> None:
        """Send soon."""
        self._waiting.put(notice)

    def close(self) -> None:
        """Send what is left, for at most CLOSE_SECS."""
        self._waiting.put(None)
        self._thread.join(CLOSE_SECS)

    def _run(self) -> None:
        while (notice := self._waiting.get()) is not None:
            try:
                self._transport.send(notice)
            except TransportError as error:
                _LOG.warning("notice not sent", extra={"step": type(notice).__name__, "code": error.code})
            else:
                if isinstance(notice, RunnerHeartbeat):
                    self._liveness.show()
