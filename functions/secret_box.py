"""Secrets at rest: sealed with a KMS key, bound to the endpoint that they belong to.

A box that is copied to another row cannot be opened there: its owner is KMS's encryption context.
https://docs.aws.amazon.com/kms/latest/developerguide/encrypt_context.html
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from functions.core.clock import Clock, now_ms

if TYPE_CHECKING:
    from mypy_boto3_kms import KMSClient

_FRESH_MS = 300_000
_MOST_KEPT = 1_000
_NEVER_OPENS = frozenset({"InvalidCiphertextException", "IncorrectKeyException"})


class BoxInvalid(Exception):  # noqa: N818 - says what happened
    """KMS says that this is not what it sealed for this owner, and would say so again."""


class SecretBoxes:
    """Seals and opens. What was opened is kept in memory for five minutes: a call of KMS costs time and money."""

    def __init__(self, key_id: str, client: KMSClient, clock: Clock = now_ms) -> None:
        self._key_id = key_id
        self._client = client
        self._clock = clock
        self._lock = threading.Lock()
        self._opened: dict[tuple[str, str, bytes], tuple[int, str]] = {}

    def seal(self, secret: str, project_id: str, endpoint_id: str) -> bytes:
        """Encrypt a secret of at most 4,096 bytes."""
        sealed = self._client.encrypt(
            KeyId=self._key_id, Plaintext=secret.encode(), EncryptionContext=_context(project_id, endpoint_id)
        )
        return bytes(sealed["CiphertextBlob"])

    def open(self, box: bytes, project_id: str, endpoint_id: str) -> str:
        """Decrypt what `seal` gave for the same owner. Raises BoxInvalid, also for another owner's; ClientError."""
        kept, now = (project_id, endpoint_id, box), self._clock()
        with self._lock:
            opened_at_ms, secret = self._opened.get(kept, (0, ""))
        if secret and 0 <= now - opened_at_ms < _FRESH_MS:
            return secret
        try:
            opened = self._client.decrypt(
                KeyId=self._key_id, CiphertextBlob=box, EncryptionContext=_context(project_id, endpoint_id)
            )
        except ClientError as error:
            if error.response["Error"]["Code"] in _NEVER_OPENS:
                raise BoxInvalid from None
            raise
        secret = bytes(opened["Plaintext"]).decode()
        with self._lock:
            if len(self._opened) >= _MOST_KEPT:
                self._opened.clear()
            self._opened[kept] = (now, secret)
        return secret


def _context(project_id: str, endpoint_id: str) -> dict[str, str]:
    return {"project_id": project_id, "endpoint_id": endpoint_id}
