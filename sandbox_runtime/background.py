"""Background threads that survive their exceptions."""

import logging
from collections.abc import Callable
from threading import Event, Thread

from sandbox_runtime.retry import Backoff

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
