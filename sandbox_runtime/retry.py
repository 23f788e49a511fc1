"""Retries with backoff, and background threads that survive their exceptions."""

import logging
import random
from collections.abc import Callable
from threading import Event, Thread
from time import monotonic

BACKOFF_FIRST_SECS = 0.2
BACKOFF_MOST_SECS = 20.0
_RANDOM = random.SystemRandom()


class Backoff:
    """Exponential backoff with full jitter, so that runners do not retry in lockstep after an outage."""

    def __init__(self) -> None:
        self._failures = 0

    def reset(self) -> None:
        self._failures = 0

    def next_delay_secs(self) -> float:
        """Count one more failure. Returns the seconds to wait."""
        longest = min(BACKOFF_MOST_SECS, BACKOFF_FIRST_SECS * 2 ** min(self._failures, 16))
        self._failures += 1
        return _RANDOM.uniform(0, longest)


def persist[Result](
    action: Callable[[], Result], *, error: type[Exception], stop: Event, give_up_secs: float
) -> Result:
    """Repeat an action until it succeeds. Raises its last `error` after `give_up_secs` or when `stop` is set."""
    backoff = Backoff()
    give_up_at = monotonic() + give_up_secs
    while True:
        try:
            return action()
        except error:
            if monotonic() >= give_up_at or stop.wait(backoff.next_delay_secs()):
                raise


# Background threads that survive their exceptions.

_LOG = logging.getLogger(__name__)


def start_background[*Arguments](target: Callable[[*Arguments], None], *arguments: *Arguments, stop: Event) -> Thread:
    """Start a daemon thread that calls `target`. After an exception it calls again, with backoff, until `stop` is set.

    Otherwise a bug would end the thread, and the worker would look alive and do nothing.
    """

    def run() -> None:
        backoff = Backoff()
        while True:
            try:
                target(*arguments)
            except Exception:  # noqa: BLE001 - the entry point of this thread
                _LOG.exception("thread failed", extra={"step": target.__qualname__})
                if stop.wait(backoff.next_delay_secs()):
                    return
            else:
                return

    thread = Thread(target=run, name=target.__qualname__, daemon=True)
    thread.start()
    return thread
