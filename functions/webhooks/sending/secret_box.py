"""Secrets at rest: sealed with a KMS key, bound to the endpoint, or the run's own URL, that they belong to.

A box that is copied to another row cannot be opened there: its owner is KMS's encryption context.
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
    """KMS says that this is not what it sealed for this owner, and would say so again."""


class SecretBoxes:
    """Seals and opens. Both are kept in memory for five minutes: a call of KMS costs time and money.

    A project that gives all its runs one secret gets one box for all of them; no other project can open it. `client` is
    called when there is something to seal or open: few submissions need it.
    """

    def __init__(self, key_id: str, client: Callable[[], KMSClient], clock: Clock = now_ms) -> None:
        self._key_id = key_id
        self._client = client
        self._opened = _KmsCache[bytes, str](clock)
        self._sealed = _KmsCache[str, bytes](clock)

    def seal(self, secret: str, project_id: str, endpoint_id: str, purpose: Purpose = "sign") -> bytes:
        """Encrypt a secret of at most 4,096 bytes. Raises ClientError."""
        context = _context(project_id, endpoint_id, purpose)
        if (box := self._sealed.get(context, secret)) is not None:
            return box
        sealed = self._client().encrypt(KeyId=self._key_id, Plaintext=secret.encode(), EncryptionContext=context)
        return self._sealed.keep(context, secret, bytes(sealed["CiphertextBlob"]))

    def open(self, box: bytes, project_id: str, endpoint_id: str, purpose: Purpose = "sign") -> str:
        """Decrypt what `seal` gave for the same owner. Raises UnsealError, also for another owner's; ClientError."""
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
    """At most 1,000 answers of KMS by context and what was asked, each for five minutes."""

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
                del self._found[next(iter(self._found))]  # the oldest: one project's many leave the others theirs
            self._found[str(context), asked] = self._clock(), found
        return found


def _context(project_id: str, endpoint_id: str, purpose: Purpose) -> dict[str, str]:
    """Signing secrets have none for their purpose: those of older revisions must still open."""
    owner = {"project_id": project_id, "endpoint_id": endpoint_id}
    return owner if purpose == "sign" else {**owner, "purpose": purpose}
