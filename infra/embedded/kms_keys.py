"""Master keys of KMS in a file of their own, readable by its owner only: a copy of the database opens no secret."""

from __future__ import annotations

import base64
import json
import os
from typing import TYPE_CHECKING, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from infra.embedded.errors import StoreUnusableError
from infra.embedded.storage.durable import sync

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Mapping
    from pathlib import Path

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
