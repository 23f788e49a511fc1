"""The error of the transport, and retries with backoff."""

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event
from time import monotonic

from botocore.exceptions import BotoCoreError, ClientError

BACKOFF_FIRST_SECS = 0.2
BACKOFF_MOST_SECS = 20.0
_RANDOM = random.SystemRandom()


class TransportError(Exception):
    """A call of SQS or S3 failed. `code` is AWS's error code or the name of the client's own error."""

    def __init__(self, operation: str, code: str) -> None:
        self.operation = operation
        self.code = code
        super().__init__(f"{operation}: {code}")


@contextmanager
def translated(operation: str) -> Iterator[None]:
    """Turn the SDK's errors into TransportError, without their texts, which may quote the request."""
    try:
        yield
    except ClientError as error:
        raise TransportError(operation, error.response.get("Error", {}).get("Code", "Unknown")) from error
    except BotoCoreError as error:
        raise TransportError(operation, type(error).__name__) from error


class Backoff:
    """Exponential backoff with full jitter, so that runners do not retry in lockstep after an outage."""

    def __init__(self) -> None:
        self._failures = 0

    def reset(self) -> None:
        """Reset the delay after a success."""
        self._failures = 0

    def next_delay_secs(self) -> float:
        """Count one more failure. Returns the seconds to wait."""
        longest = min(BACKOFF_MOST_SECS, BACKOFF_FIRST_SECS * 2 ** min(self._failures, 16))
        self._failures += 1
        return _RANDOM.uniform(0, longest)


def persist(action: Callable[[], None], *, stop: Event, give_up_secs: float) -> None:
    """Repeat an action until it succeeds. Raises its last TransportError after `give_up_secs` or when `stop` is set."""
    backoff = Backoff()
    give_up_at = monotonic() + give_up_secs
    while True:
        try:
            action()
        except TransportError:
            if monotonic() >= give_up_at or stop.wait(backoff.next_delay_secs()):
                raise
        else:
            return
