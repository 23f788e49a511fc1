"""Sealed secrets ("boxes"): encrypted with a KMS key for one endpoint of one project, or for a run's own URL.

The owner is the encryption context, so a box copied to another row cannot be opened there.
https://docs.aws.amazon.com/kms/latest/developerguide/encrypt_context.html
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Literal

from botocore.exceptions import ClientError

from functions.clock import Clock, now_ms

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mypy_boto3_kms import KMSClient

_FRESH_MS = 300_000
_MAX_CACHED = 1_000
_NEVER_OPENS = frozenset({"InvalidCiphertextException", "IncorrectKeyException"})


type Purpose = Literal["sign", "headers"]


class UnsealError(Exception):
    """KMS did not seal this box for this owner. A retry fails too."""


class SecretBoxes:
    """Seals and opens secrets. Results are cached for five minutes, because KMS calls cost time and money.

    Runs of a project with the same secret share one box. `client` is called on first use: few submissions need KMS.
    """

    def __init__(self, key_id: str, client: Callable[[], KMSClient], clock: Clock = now_ms) -> None:
        self._key_id = key_id
        self._client = client
        self._opened = _KmsCache[bytes, str](clock)
        self._sealed = _KmsCache[str, bytes](clock)

    def seal(self, secret: str, project_id: str, endpoint_id: str, purpose: Purpose = "sign") -> bytes:
        """Seal a secret of at most 4,096 bytes. Raises ClientError."""
        context = _context(project_id, endpoint_id, purpose)
        if (box := self._sealed.get(context, secret)) is not None:
            return box
        sealed = self._client().encrypt(KeyId=self._key_id, Plaintext=secret.encode(), EncryptionContext=context)
        return self._sealed.keep(context, secret, bytes(sealed["CiphertextBlob"]))

    def open(self, box: bytes, project_id: str, endpoint_id: str, purpose: Purpose = "sign") -> str:
        """Open a box of the same owner. Raises UnsealError, also for another owner's box, and ClientError."""
        context = _context(project_id, endpoint_id, purpose)
        if (secret := self._opened.get(context, box)) is not None:
            return secret
        try:
            opened = self._client().decrypt(KeyId=self._key_id, CiphertextBlob=box, EncryptionContext=context)
        except ClientError as error:
            if error.response["Error"]["Code"] in _NEVER_OPENS:
                raise UnsealError from None
            raise
        return self._opened.keep(context, box, bytes(opened["Plaintext"]).decode())


class _KmsCache[Key, Found]:
    """Caches at most 1,000 KMS results for five minutes, by encryption context and input."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._found: dict[tuple[str, Key], tuple[int, Found]] = {}

    def get(self, context: Mapping[str, str], asked: Key) -> Found | None:
        with self._lock:
            kept = self._found.get((str(context), asked))
        return kept[1] if kept is not None and 0 <= self._clock() - kept[0] < _FRESH_MS else None

    def keep(self, context: Mapping[str, str], asked: Key, found: Found) -> Found:
        with self._lock:
            self._found.pop((str(context), asked), None)
            if len(self._found) >= _MAX_CACHED:
                del self._found[next(iter(self._found))]  # the oldest entry
            self._found[str(context), asked] = self._clock(), found
        return found


def _context(project_id: str, endpoint_id: str, purpose: Purpose) -> dict[str, str]:
    """Return the encryption context. Signing secrets name no purpose, so that boxes of older revisions still open."""
    owner = {"project_id": project_id, "endpoint_id": endpoint_id}
    return owner if purpose == "sign" else {**owner, "purpose": purpose}
