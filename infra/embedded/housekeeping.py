"""Removes expired data, and returns the messages of dead processes. One process of a stack does it."""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from infra.embedded.dynamodb.tables import expire_records
from infra.embedded.dynamodb.writes import expire_items
from infra.embedded.errors import ServiceError
from infra.embedded.s3 import expire_objects, remove_unused_files
from infra.embedded.sqs_receiving import bring_back, expire_messages, release_dead

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable

    from infra.embedded.engine import Engine

_RELEASE_SECS: Final = 1.0
_EXPIRE_SECS: Final = 60.0
# Writers wait for a transaction: many short ones, of a few milliseconds, are better than a long one.
_ROWS_PER_TRANSACTION: Final = 20


class Housekeeping:
    """A thread. A failure, such as a full disk, is tried again in the next pass."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="housekeeping", daemon=True)

    def start(self) -> None:
        """Return the messages of dead processes, and begin; the first pass is at once.

        Afterwards no receiver gets a message before those that a dead process held.
        """
        self.release()
        self._thread.start()

    def release(self) -> None:
        """Return the messages of dead processes now: one of these is about to be replaced."""
        with suppress(ServiceError, OSError):  # as below
            release_dead(self._engine)

    def stop(self) -> None:
        """End after the current pass."""
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        expire_at = 0.0
        while True:
            try:
                release_dead(self._engine)
                if time.monotonic() >= expire_at:
                    expire_at = time.monotonic() + _EXPIRE_SECS
                    expire(self._engine, self._stop)
            except (ServiceError, OSError):
                pass  # callers of the engine see the same failure, and report it
            if self._stop.wait(_RELEASE_SECS):
                return


def expire(engine: Engine, stop: threading.Event) -> None:
    """Remove all items, stream records, messages and objects whose time is over. SQLite uses their space again.

    Messages from the future come back: the clock ran ahead, and is right again.
    """
    now_ms = engine.clock()
    for remove in (expire_items, expire_records, expire_messages, expire_objects, bring_back):
        _remove_all(engine, remove, now_ms, stop)
    remove_unused_files(engine)


def _remove_all(
    engine: Engine, remove: Callable[[sqlite3.Connection, int, int], int], now_ms: int, stop: threading.Event
) -> None:
    """Leave writers as much time as each transaction takes: they would not get the lock between two of them."""
    removed = _ROWS_PER_TRANSACTION
    while removed == _ROWS_PER_TRANSACTION:
        begun = time.monotonic()
        with engine.store.write() as connection:
            removed = remove(connection, now_ms, _ROWS_PER_TRANSACTION)
        if stop.wait(time.monotonic() - begun):
            return
