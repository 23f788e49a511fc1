"""Background threads that survive their exceptions."""

import logging
from collections.abc import Callable
from threading import Event, Thread

from sandbox_runtime.retry import Backoff

_LOG = logging.getLogger(__name__)


def start_background(target: Callable[[], None], *, stop: Event) -> Thread:
    """Start a daemon thread. After an exception it calls `target` again, with backoff, until `stop` is set.

    Otherwise a bug would end the thread, and the worker would look alive and do nothing.
    """

    def run() -> None:
        backoff = Backoff()
        while True:
            try:
                target()
            except Exception:  # noqa: BLE001 - the entry point of this thread
                _LOG.exception("thread failed", extra={"step": target.__qualname__})
                if stop.wait(backoff.next_delay_secs()):
                    return
            else:
                return

    thread = Thread(target=run, name=target.__qualname__, daemon=True)
    thread.start()
    return thread
