"""One sweep on several threads: a large backlog gets more of them."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from functions.submissions.sweep.backlog import DueSubmission, Entry

if TYPE_CHECKING:
    from collections.abc import Callable

    from aws_lambda_powertools import Logger

    from functions.submissions.sweep.sweeper import Sweep

ALONE_ROWS = 100
"""Rows that one thread handles before HELPERS more threads start."""
HELPERS = 7
RESERVE_MS = 20_000
"""No row is begun in this last part of an invocation, so that its calls end in time."""


class SharedSweep:
    """The entries of one sweep. `remaining_ms`: of the invocation."""

    def __init__(self, sweep: Sweep, remaining_ms: Callable[[], int], log: Logger) -> None:
        self._sweep = sweep
        self._remaining_ms = remaining_ms
        self._log = log
        self._entries = sweep.entries()
        self._lock = threading.Lock()
        self._is_over = False
        self.handled = 0
        self.failed = 0

    def run(self) -> None:
        """Handle due rows until none remains or the time is over."""
        self._handle(ALONE_ROWS)
        if not self._is_over:
            with ThreadPoolExecutor(HELPERS) as pool:
                helpers = [pool.submit(self._handle) for _ in range(HELPERS)]
                self._handle()
            for helper in helpers:
                helper.result()

    def _handle(self, most: int | None = None) -> None:
        """Handle entries one after the other, at most `most` if it is not None."""
        while (most is None or self.handled < most) and (entry := self._next()) is not None:
            try:
                self._sweep.handle(entry)
            except Exception:  # noqa: BLE001 - one broken row must not stop the others; it is due again in a minute
                with self._lock:
                    self.failed += 1
                ids = {"submission_id": entry.submission_id} if isinstance(entry, DueSubmission) else {}
                self._log.exception("Due row not handled; it is due again in a minute", row=str(entry), extra=ids)

    def _next(self) -> Entry | None:
        with self._lock:
            if self._is_over or self._remaining_ms() < RESERVE_MS:
                self._is_over = True
                return None
            entry = next(self._entries, None)
            self._is_over = entry is None
            self.handled += entry is not None
            return entry
