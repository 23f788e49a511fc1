"""The engine: its file, clock, wake-ups and master key, and the process that it acts for."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from infra.embedded.errors import StoreUnusableError
from infra.embedded.holders import identify_live
from infra.embedded.kms_keys import WAY_OUT, MasterKeys
from infra.embedded.storage.object_files import ObjectFiles
from infra.embedded.storage.store import Store
from infra.embedded.waking import Waking

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable
    from pathlib import Path

    from infra.embedded.storage.store import Synchronous

REGION = "us-east-1"
ACCOUNT_ID = "000000000000"


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


@dataclass(frozen=True, slots=True)
class Engine:
    """`clock` gives epoch milliseconds. `holder`: the process that received messages belong to; None is this one.

    `dropped_frames`: damaged ones of the write-ahead log, which SQLite dropped when the folder was opened.
    """

    store: Store
    waking: Waking
    keys: MasterKeys
    files: ObjectFiles
    clock: Callable[[], int] = field(default=_now_ms)
    holder: str | None = None
    dropped_frames: int = 0

    @property
    def receiver(self) -> str:
        """The process that a message is received for."""
        return self.holder or identify_live(os.getpid())

    def close(self) -> None:
        """End all use of the folder by this process."""
        self.store.close()
        self.waking.close()


def open_engine(
    folder: Path, *, synchronous: Synchronous = "FULL", clock: Callable[[], int] = _now_ms, prepare: bool = True
) -> Engine:
    """Open the engine's folder. `prepare`: check its files and migrate first, which one process does at its start.

    A write that was answered survives the death of all processes. `synchronous`: with FULL, it survives a loss of power
    too as soon as `store.flush` has returned; messages and stream records are flushed before they are received.
    Raises StoreUnusableError.
    """
    try:
        store, keys = Store(folder, synchronous), MasterKeys(folder)
    except OSError as error:
        raise StoreUnusableError(f"{folder} cannot be used: {error.strerror}") from error
    dropped = 0
    if prepare:
        try:
            dropped = store.prepare([keys.path])
            with store.read() as connection:
                keys.require_all(connection)
                _require_fitting(keys, connection)
        except StoreUnusableError:
            store.close()
            raise
    return Engine(store, Waking(folder / "wake"), keys, ObjectFiles(folder), clock, dropped_frames=dropped)


def _require_fitting(keys: MasterKeys, connection: sqlite3.Connection) -> None:
    """Open a sealed parameter with each key: another key may have the same id."""
    for name, sealed in connection.execute("SELECT name, value FROM parameter WHERE type = 'SecureString'"):
        try:
            keys.open(bytes(sealed), {"parameter": name})
        except (KeyError, ValueError) as error:
            raise StoreUnusableError(f"{keys.path} does not open the secrets of the database: {WAY_OUT}") from error
