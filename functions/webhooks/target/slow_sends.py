"""Calls back while a send goes on that takes long. One thread of the process watches all sends."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from time import monotonic
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class SlowSends:
    """Sends under way. All of them are slow after the same time."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._sends: dict[object, tuple[float, Callable[[], None]]] = {}  # in the order of their times
        self._thread: threading.Thread | None = None

    @contextmanager
    def watch(self, secs: float, on_slow: Callable[[], None]) -> Iterator[None]:
        """Call `on_slow`, which must not raise, if the block takes longer than `secs`."""
        send = object()
        with self._changed:
            self._sends[send] = (monotonic() + secs, on_slow)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, daemon=True, name="slow-sends")
                self._thread.start()
            elif len(self._sends) == 1:
                self._changed.notify()
        try:
            yield
        finally:
            with self._changed:
                self._sends.pop(send, None)

    def _run(self) -> None:
        while True:
            self._next()()

    def _next(self) -> Callable[[], None]:
        with self._changed:
            while True:
                if not self._sends:
                    self._changed.wait()
                    continue
                send, (at, on_slow) = next(iter(self._sends.items()))
                left_secs = at - monotonic()
                if left_secs <= 0:
                    del self._sends[send]
                    return on_slow
                self._changed.wait(left_secs)
