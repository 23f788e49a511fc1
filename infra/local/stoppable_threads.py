"""Threads that serve until they are asked to stop."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class StoppableThreads:
    """The base of a part with threads, each of which looks at `_stopping` between two pieces of work."""

    def __init__(self) -> None:
        self._stopping = threading.Event()
        self._threads: list[threading.Thread] = []

    def stop(self, grace_secs: float) -> None:
        """Let each thread finish its work, for at most `grace_secs`."""
        self._stopping.set()
        for thread in self._threads:
            thread.join(grace_secs)

    def _start_thread(self, name: str, target: Callable[..., None], *args: object) -> None:
        thread = threading.Thread(target=target, args=args, name=name, daemon=True)
        thread.start()
        self._threads.append(thread)
