"""Sealed secrets ("boxes"): encrypted with a KMS key for one endpoint of one project, or for a run's own URL.

The owner is the encryption context, so a box copied to another row cannot be opened there.
https://docs.aws.amazon.com/kms/latest/developerguide/encrypt_context.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from botocore.exceptions import ClientError

from functions.clock import Clock, now_ms
from functions.ttl_cache import TtlCache

if TYPE_CHECKING:
    from collections.abc import Callable

    from mypy_boto3_kms import KMSClient

_FRESH_MS = 300_000
_MAX_CACHED = 1_000
_NEVER_OPENS = frozenset({"InvalidCiphertextException", "IncorrectKeyException"})


type Purpose = Literal["sign", "headers", "routing_key", "environment", "inbound", "report"]


class UnsealError(Exception):
    """KMS did not seal this box for this owner. A retry fails too."""


class SecretBoxes:
    """Seals and opens secrets. Results are cached for five minutes, because KMS calls cost time and money.

    So an opened secret stays in this process's memory for five minutes, and until the cache is next used. Runs of a
    project with the same secret share one box. `client` is called on first use: few submissions need KMS.
    """

    def __init__(self, key_id: str, client: Callable[[], KMSClient], clock: Clock = now_ms) -> None:
        self._key_id = key_id
        self._client = client
        self._opened = TtlCache[tuple[str, bytes], str](_FRESH_MS, _MAX_CACHED, clock)
        self._sealed = TtlCache[tuple[str, str], bytes](_FRESH_MS, _MAX_CACHED, clock)

    def seal(self, secret: str, project_id: str, endpoint_id: str, purpose: Purpose = "sign") -> bytes:
        """Seal a secret of at most 4,096 bytes. Raises ClientError."""
        context = _context(project_id, endpoint_id, purpose)
        if (box := self._sealed.get((str(context), secret))) is not None:
            return box
        sealed = self._client().encrypt(KeyId=self._key_id, Plaintext=secret.encode(), EncryptionContext=context)
        return self._sealed.keep((str(context), secret), bytes(sealed["CiphertextBlob"]))

    def open(self, box: bytes, project_id: str, endpoint_id: str, purpose: Purpose = "sign") -> str:
        """Open a box of the same owner. Raises UnsealError, also for another owner's box, and ClientError."""
        context = _context(project_id, endpoint_id, purpose)
        if (secret := self._opened.get((str(context), box))) is not None:
            return secret
        try:
            opened = self._client().decrypt(KeyId=self._key_id, CiphertextBlob=box, EncryptionContext=context)
        except ClientError as error:
            if error.response["Error"]["Code"] in _NEVER_OPENS:
                raise UnsealError from None
            raise
        return self._opened.keep((str(context), box), bytes(opened["Plaintext"]).decode())


def _context(project_id: str, endpoint_id: str, purpose: Purpose) -> dict[str, str]:
    """Return the encryption context. Signing secrets name no purpose: they were the first boxes."""
    owner = {"project_id": project_id, "endpoint_id": endpoint_id}
    return owner if purpose == "sign" else {**owner, "purpose": purpose}
