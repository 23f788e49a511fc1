"""Send messages to the completions queue and delete requests, in batches, so that slot threads never wait for SQS."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from itertools import accumulate
from threading import Event
from time import monotonic

from sandbox_runtime.retry import Backoff
from sandbox_runtime.transport import MAX_BATCH_BYTES, MOST_PER_CALL, Received, Transport, TransportError
from sandbox_runtime.worker.batch_thread import BatchThread
from sandbox_runtime.worker.reporting.queue_health import QueueHealth

# An outage of the completions queue may last this long before a completion is given up and its request runs again.
COMPLETION_GIVE_UP_SECS = 120

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A message for the completions queue.

    The sender's thread calls `on_sent` when SQS has accepted it, or `on_lost` with an error code.
    The sender repeats a failed call until `give_up_at`, a time of `monotonic`.
    """

    body: str
    on_sent: Callable[[], None]
    on_lost: Callable[[str], None]
    give_up_at: float = 0.0


class BatchSender:
    """Sends messages, several in one call when several wait. A refused message does not delay the others."""

    def __init__(self, transport: Transport, health: QueueHealth) -> None:
        self._transport = transport
        self._health = health
        self._backoff = Backoff()
        self._gives_up = Event()
        self._thread = BatchThread[Outgoing](self._send_some)

    def put(self, message: Outgoing) -> None:
        """Queue a message. Returns at once."""
        self._thread.put(message)

    def close(self) -> None:
        """Send the queued messages, then stop."""
        self._thread.close()

    def stop_retrying(self) -> None:
        """Give up each message whose next call fails."""
        self._gives_up.set()
        self._thread.wake()

    def _send_some(self, waiting: list[Outgoing]) -> tuple[list[Outgoing], float]:
        count = _fitting(waiting)
        batch, rest = waiting[:count], waiting[count:]
        try:
            codes = self._transport.send([message.body for message in batch])
        except TransportError as error:
            codes = [error.code] * count
        if None in codes:
            self._health.sent()
        else:
            self._health.failed(codes[0] or "")
        again = []
        for message, code in zip(batch, codes, strict=True):
            if code is None:
                message.on_sent()
            elif self._gives_up.is_set() or monotonic() >= message.give_up_at:
                message.on_lost(code)
            else:
                again.append(message)
        if len(again) == count:  # SQS accepts nothing: pause
            return rest + again, self._backoff.next_delay_secs()
        self._backoff.reset()
        return rest + again, 0.0


class BatchDeleter:
    """Deletes requests whose completions are sent, several in one call when several wait."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._thread = BatchThread[Received](self._delete_some)

    def put(self, received: Received) -> None:
        """Queue a request. Returns at once."""
        self._thread.put(received)

    def close(self) -> None:
        """Delete the queued requests, then stop."""
        self._thread.close()

    def _delete_some(self, waiting: list[Received]) -> tuple[list[Received], float]:
        queue_url = waiting[0].queue_url
        batch = [received for received in waiting if received.queue_url == queue_url][:MOST_PER_CALL]
        try:
            codes = self._transport.delete(queue_url, [received.receipt_handle for received in batch])
        except TransportError as error:
            codes = [error.code] * len(batch)
        for received, code in zip(batch, codes, strict=True):
            if code is not None:
                # It will run again. The second completion changes nothing, because the submission is final.
                _LOG.warning("message not deleted", extra={"message_id": received.message_id, "code": code})
        return [received for received in waiting if received not in batch], 0.0


def _fitting(waiting: list[Outgoing]) -> int:
    """Count the first messages that fit into one call."""
    sizes = accumulate(len(message.body.encode()) for message in waiting[:MOST_PER_CALL])
    return max(1, sum(size <= MAX_BATCH_BYTES for size in sizes))
