"""Threads that serve until they are asked to stop."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    from infra.local.console import Console

_AGAIN_SECS: Final = 1.0


class StoppableThreads:
    """The base of parts with threads. Each thread checks `_stopping` between two pieces of work.

    A thread goes on after an error: otherwise the stack would look alive, and part of its work would not be done.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._stopping = threading.Event()
        self._threads: list[threading.Thread] = []

    def stop(self, grace_secs: float) -> None:
        """Let each thread finish its work, for at most `grace_secs`."""
        self._stopping.set()
        for thread in self._threads:
            thread.join(grace_secs)

    def _start_thread(self, name: str, target: Callable[..., None], *args: object) -> None:
        def serve() -> None:
            while True:
                try:
                    target(*args)
                except Exception:  # noqa: BLE001 - the entry point of this thread
                    self._console.failure("stack", name)
                    if self._stopping.wait(_AGAIN_SECS):
                        return
                else:
                    return

        thread = threading.Thread(target=serve, name=name, daemon=True)
        thread.start()
        self._threads.append(thread)
