"""The engine: its file, clock, wake-ups and master key, and the process that it acts for."""

import base64
import itertools
import json
import os
import select
import socket
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from infra.embedded.errors import StoreUnusableError
from infra.embedded.sockets import SocketFolder
from infra.embedded.storage.files import ObjectFiles, sync
from infra.embedded.storage.store import Store, Synchronous

# Master keys of KMS in a file of their own, readable by its owner only: a copy of the database opens no secret.

KEYS_FILE_NAME: Final = "kms.json"
_VERSION: Final = b"\x01"
_KEY_ID_BYTES: Final = 36
_NONCE_BYTES: Final = 12
_KEY_BYTES: Final = 32
WAY_OUT: Final = f"copy the {KEYS_FILE_NAME} that belongs to the database there first"


class MasterKeys:
    """AES-256-GCM. A box is version, key id, nonce and ciphertext; the encryption context is authenticated with it."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / KEYS_FILE_NAME
        self._known: dict[str, bytes] = {}

    def require_all(self, connection: sqlite3.Connection) -> None:
        """Raise StoreUnusableError if the file is damaged or lacks a key of this database."""
        if {key_id for (key_id,) in connection.execute("SELECT id FROM kms_key")} - self._read().keys():
            problem = f"{self.path} lacks a master key of the database"
            raise StoreUnusableError(f"{problem}: {WAY_OUT}")

    def create(self, key_id: str) -> None:
        """Make the key and write the file. The caller holds the store's write transaction, which orders writers."""
        draft = self.path.with_name(self.path.name + ".new")
        keys = self._read() | {key_id: AESGCM.generate_key(8 * _KEY_BYTES)}
        text = json.dumps({name: base64.b64encode(key).decode() for name, key in keys.items()})
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(text)
        sync(draft)
        draft.replace(self.path)
        sync(self.path.parent)

    def seal(self, key_id: str, plaintext: bytes, context: Mapping[str, str]) -> bytes:
        """Encrypt. Raises KeyError where the file has no such key."""
        nonce = os.urandom(_NONCE_BYTES)
        head = _VERSION + key_id.encode("ascii")
        return head + nonce + AESGCM(self._key(key_id)).encrypt(nonce, plaintext, head + _bound(context))

    def open(self, box: bytes, context: Mapping[str, str]) -> tuple[str, bytes]:
        """Return key id and plaintext.

        Raises ValueError for another context or a box that `seal` did not make, KeyError for a key that is not here.
        """
        head, rest = box[: 1 + _KEY_ID_BYTES], box[1 + _KEY_ID_BYTES :]
        if len(rest) <= _NONCE_BYTES or head[:1] != _VERSION:
            raise ValueError("no box of this engine")
        key_id = head[1:].decode("ascii", "replace")
        cipher = AESGCM(self._key(key_id))
        try:
            plaintext = cipher.decrypt(rest[:_NONCE_BYTES], rest[_NONCE_BYTES:], head + _bound(context))
        except InvalidTag:
            raise ValueError("another context, or a changed box") from None
        return key_id, plaintext

    def _key(self, key_id: str) -> bytes:
        if key_id not in self._known:
            self._known = self._read()
        return self._known[key_id]

    def _read(self) -> dict[str, bytes]:
        try:
            text = self.path.read_text(encoding="ascii")
        except FileNotFoundError:
            return {}
        except (OSError, UnicodeDecodeError) as error:
            raise StoreUnusableError(f"{self.path} cannot be read ({error}): {WAY_OUT}") from error
        try:
            keys = {name: base64.b64decode(key, validate=True) for name, key in json.loads(text).items()}
        except (ValueError, TypeError, AttributeError) as error:
            raise StoreUnusableError(f"{self.path} holds no master keys ({error}): {WAY_OUT}") from error
        if any(len(key) != _KEY_BYTES for key in keys.values()):
            raise StoreUnusableError(f"{self.path} holds a damaged master key: {WAY_OUT}")
        return keys


def _bound(context: Mapping[str, str]) -> bytes:
    return json.dumps(sorted(context.items()), ensure_ascii=True).encode("ascii")


# Processes that hold messages, as `pid:start`: a pid alone may belong to another process by now.
#
# A process that calls for clients of its own names each of them behind a slash: `pid:start/client`.

# proc_pid_stat(5), counted behind the command's name: field 3 is the state, field 22 the start in ticks since boot.
_STATE, _START = 0, 19


def identify(pid: int) -> str:
    """Return the identity of a process. That of one which has ended has no start."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return f"{pid}:"
    fields = text.rpartition(")")[2].split()
    return f"{pid}:" if fields[_STATE] in {"Z", "X"} else f"{pid}:{fields[_START]}"


@cache
def identify_live(pid: int) -> str:
    """Identify this process or one that it was forked from: a live one's identity does not change."""
    return identify(pid)


def is_alive(identity: str) -> bool:
    """Tell whether this very process still runs. Of a client: the process that calls for it."""
    process = identity.partition("/")[0]
    pid, _, started = process.partition(":")
    return started != "" and identify(int(pid)) == process


# Wake-ups of long polls across processes: one datagram socket for each poll that waits.

_numbers = itertools.count()

type Wait = Callable[[float], None]
"""Returns on a wake-up, or after so many milliseconds."""


class Waking:
    """A folder of sockets named `<channel>.<pid>.<number>`. A file whose process died is removed by the next sender.

    A channel is the number of a queue, or `stream-` and the number of a table.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._directory = SocketFolder(folder)

    def wake(self, channel: int | str) -> None:
        """Wake all polls of a channel, whichever process they are in. Call it when the change is committed.

        A failure, such as too many open files, is no failure of the change: polls look every second too.
        """
        with suppress(OSError):
            self._wake(channel)

    def _wake(self, channel: int | str) -> None:
        prefix = f"{channel}."
        waiting = [name for name in os.listdir(self._folder) if name.startswith(prefix)]  # noqa: PTH208 - bare names
        if not waiting:
            return
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as sender:
            for name in waiting:
                address = self._directory.address(name)
                try:
                    sender.sendto(b"!", address)
                except ConnectionRefusedError:
                    Path(address).unlink(missing_ok=True)
                except (FileNotFoundError, BlockingIOError):
                    continue  # it ended, or has a wake-up that it has not read yet

    @contextmanager
    def waiter(self, channel: int | str) -> Iterator[Wait]:
        """Lend a function that waits. Look again after entering: from then on no change is missed."""
        address = self._directory.address(f"{channel}.{os.getpid()}.{next(_numbers)}")
        Path(address).unlink(missing_ok=True)  # of a process that had this pid and was killed
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as own:
            own.bind(address)
            try:
                yield partial(_wait, own)
            finally:
                Path(address).unlink(missing_ok=True)

    def close(self) -> None:
        self._directory.close()


def _wait(own: socket.socket, timeout_ms: float) -> None:
    poller = select.poll()
    poller.register(own, select.POLLIN)
    if poller.poll(timeout_ms):
        with suppress(BlockingIOError):
            while True:
                own.recv(1)


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
