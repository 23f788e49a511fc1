"""Standard Webhooks v1 signatures: read a secret, sign the exact bytes that are sent.

Source: the Standard Webhooks specification; vectors in tests/unit/test_signature.py.
"""

import base64
import binascii
import hashlib
import hmac
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field

PREFIX_SYMMETRIC = "whsec_"
PREFIX_PUBLIC = "whpk_"
MIN_KEY_BYTES = 24
MAX_KEY_BYTES = 64
MAX_RAW_SECRET_BYTES = 256
_NEW_KEY_BYTES = 32


class InvalidSecretError(ValueError):
    """A webhook secret cannot be used. The message states the problem and never quotes the secret."""


@dataclass(frozen=True, slots=True)
class SigningKey:
    """HMAC key; never part of a repr."""

    key: bytes = field(repr=False)


def new_secret() -> str:
    """Return a new endpoint secret: whsec_ and 32 random bytes."""
    return PREFIX_SYMMETRIC + base64.b64encode(secrets.token_bytes(_NEW_KEY_BYTES)).decode()


def parse_secret(secret: str) -> SigningKey:
    """Parse a webhook secret; raises InvalidSecretError.

    `whsec_` + base64 (padding may be missing) of 24 to 64 bytes; any other text of 1 to 256 UTF-8 bytes is
    used raw, except `whpk_`: a public key cannot key an HMAC.
    """
    if secret.startswith(PREFIX_PUBLIC):
        raise InvalidSecretError("webhook_secret is a public key (whpk_); give a whsec_ secret")
    if secret.startswith(PREFIX_SYMMETRIC):
        return _decode(secret.removeprefix(PREFIX_SYMMETRIC))
    try:
        raw = secret.encode()
    except UnicodeEncodeError as error:  # a lone surrogate from JSON
        raise InvalidSecretError("webhook_secret is not valid Unicode text") from error
    if not 1 <= len(raw) <= MAX_RAW_SECRET_BYTES:
        raise InvalidSecretError(f"webhook_secret must have 1 to {MAX_RAW_SECRET_BYTES} bytes")
    return SigningKey(raw)


def sign(key: SigningKey, message_id: str, timestamp_secs: int, body: bytes) -> str:
    """Return one `v1,<base64>` entry over id, integer Unix seconds and the body bytes."""
    content = f"{message_id}.{timestamp_secs}.".encode() + body
    return "v1," + base64.b64encode(hmac.digest(key.key, content, hashlib.sha256)).decode()


def signatures(keys: Iterable[SigningKey], message_id: str, timestamp_secs: int, body: bytes) -> str:
    """Return the `webhook-signature` header: one entry per key, two during a rotation overlap."""
    return " ".join(sign(key, message_id, timestamp_secs, body) for key in keys)


def _decode(text: str) -> SigningKey:
    unpadded = text.rstrip("=")
    padded = unpadded + "=" * (-len(unpadded) % 4)
    if text not in (unpadded, padded):
        raise InvalidSecretError("webhook_secret: the text after whsec_ has wrong base64 padding")
    try:
        key = base64.b64decode(padded, validate=True)
    except (binascii.Error, ValueError) as error:
        raise InvalidSecretError("webhook_secret: the text after whsec_ is not base64") from error
    if not MIN_KEY_BYTES <= len(key) <= MAX_KEY_BYTES:
        raise InvalidSecretError(f"webhook_secret: whsec_ must hold {MIN_KEY_BYTES} to {MAX_KEY_BYTES} bytes in base64")
    return SigningKey(key)
