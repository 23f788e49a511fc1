"""Standard Webhooks signatures, v1 (HMAC) and v1a (ed25519): read a key, sign the exact bytes that are sent.

Source: the Standard Webhooks specification; vectors in tests/unit/test_signature.py.
"""

import base64
import binascii
import hashlib
import hmac
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from functions.webhooks.vocabulary import CURRENT_VERSION

if TYPE_CHECKING:
    from nacl.signing import SigningKey as SodiumKey

PREFIX_SYMMETRIC = "whsec_"
PREFIX_PRIVATE = "whsk_"
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

    def entry(self, content: bytes) -> str:
        return "v1," + _text(hmac.digest(self.key, content, hashlib.sha256))


@dataclass(frozen=True, slots=True)
class PrivateKey:
    """The seed of an ed25519 key pair; never part of a repr."""

    seed: bytes = field(repr=False)

    def entry(self, content: bytes) -> str:
        return "v1a," + _text(_sodium_key(self.seed).sign(content).signature)

    def public_key(self) -> str:
        """Return the public key: whpk_ and its base64."""
        return PREFIX_PUBLIC + _text(bytes(_sodium_key(self.seed).verify_key))


def new_secret() -> str:
    """Return a new endpoint secret: whsec_ and 32 random bytes."""
    return PREFIX_SYMMETRIC + _text(secrets.token_bytes(_NEW_KEY_BYTES))


def new_private_key() -> str:
    """Return a new private key: whsk_ and the 32 random bytes of its seed."""
    return PREFIX_PRIVATE + _text(secrets.token_bytes(_NEW_KEY_BYTES))


def parse_private_key(text: str) -> PrivateKey:
    """Parse what `new_private_key` made."""
    return PrivateKey(base64.b64decode(text.removeprefix(PREFIX_PRIVATE)))


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


def sign(key: SigningKey | PrivateKey, message_id: str, timestamp_secs: int, body: bytes) -> str:
    """Return one entry, such as `v1,<base64>`, over id, integer Unix seconds and the body bytes."""
    return key.entry(f"{message_id}.{timestamp_secs}.".encode() + body)


def signatures(keys: Iterable[SigningKey | PrivateKey], message_id: str, timestamp_secs: int, body: bytes) -> str:
    """Return the `webhook-signature` header: one entry per key, those of two during a rotation overlap."""
    return " ".join(sign(key, message_id, timestamp_secs, body) for key in keys)


def _text(content: bytes) -> str:
    return base64.b64encode(content).decode()


def _sodium_key(seed: bytes) -> "SodiumKey":
    from nacl.signing import SigningKey as Key  # noqa: PLC0415 - libsodium takes 15 ms, and few endpoints need it

    return Key(seed)


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


USER_AGENT = "rustbox-webhook/1"

# Never sent as custom headers, even if the row has them.
_FRAMING = frozenset({"host", "connection", "content-length", "transfer-encoding", "accept-encoding", "te", "upgrade"})


def webhook_headers(
    webhook_id: str,
    timestamp_secs: int,
    signature: str,
    custom: Mapping[str, str] | None = None,
    api_version: str = CURRENT_VERSION,
    traceparent: str = "",
    of_body: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """Return all headers except those of the connection. `custom` was checked by `endpoints.requests`.

    `of_body`: those that describe it, if its format has any.

    Ours come last and all names are lower case, so that no custom header can replace ours.
    """
    lower = {name.lower(): value for name, value in (custom or {}).items()}
    return {
        **{name: value for name, value in lower.items() if name not in _FRAMING},
        "content-type": "application/json",
        "user-agent": USER_AGENT,
        "webhook-id": webhook_id,
        "webhook-timestamp": str(timestamp_secs),
        "webhook-signature": signature,
        "webhook-api-version": api_version,
        **({"traceparent": traceparent} if traceparent else {}),
        **(of_body or {}),
    }
