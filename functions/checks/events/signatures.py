"""Signatures of calls that start runs: one function for each scheme. Pure.

Each compares the bytes as they came, in constant time, before anything of the body is parsed.
Sources: the pages of the vendors in docs/checks.md; their published vectors in tests/unit/test_inbound_signatures.py.
"""

import base64
import hashlib
import hmac
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from functions.webhooks.target.signature import parse_secret
from functions.webhooks.target.signature import sign as sign_standard

TOLERANCE_SECS = 300
ID_MAX_CHARS = 256
_MAX_STRIPE_PARTS = 16
_SECS = re.compile(r"[0-9]{1,12}", re.ASCII)


class Scheme(StrEnum):
    """How the sender of calls signs them."""

    STANDARD = "standard"
    GITHUB = "github"
    GITLAB = "gitlab"
    STRIPE = "stripe"
    SLACK = "slack"
    HMAC = "hmac"


class Encoding(StrEnum):
    """How a signature is written as text."""

    HEX = "hex"
    BASE64 = "base64"


@dataclass(frozen=True, slots=True)
class Verification:
    """The scheme of a check's calls. The other fields are those of `hmac`.

    With `timestamp_header`, `<timestamp>.<body>` is signed, else the body. `id_header` names a call, and
    `event_header` has its type.
    """

    scheme: Scheme = Scheme.STANDARD
    header: str = ""
    prefix: str = ""
    encoding: Encoding = Encoding.HEX
    timestamp_header: str | None = None
    id_header: str | None = None
    event_header: str | None = None


@dataclass(frozen=True, slots=True)
class Call:
    """A call as it came. `headers`: by names in any case."""

    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    at_secs: int

    def header(self, name: str) -> str:
        """Return a header; empty if it is missing."""
        return self.headers.get(name.lower()) or ""


class NotGenuineError(Exception):
    """The call is not signed as its check requires. The text says why, and quotes nothing of the call."""


def verify(call: Call, verification: Verification, secret: str) -> None:
    """Check the signature of a call. Raises NotGenuineError."""
    _VERIFY[verification.scheme](call, verification, secret)


def _standard(call: Call, _: Verification, secret: str) -> None:
    """Standard Webhooks. The id is signed too."""
    webhook_id = call.header("webhook-id")
    if not 0 < len(webhook_id) <= ID_MAX_CHARS:
        raise NotGenuineError(f"webhook-id is missing, or has more than {ID_MAX_CHARS} characters")
    secs = _signed_secs(call, call.header("webhook-timestamp"), "webhook-timestamp")
    expected = sign_standard(parse_secret(secret), webhook_id, int(secs), call.body)
    _require(call, "webhook-signature", expected, call.header("webhook-signature").split(" "))


def _github(call: Call, _: Verification, secret: str) -> None:
    """GitHub: HMAC-SHA256 of the body. Neither id nor type is signed."""
    expected = "sha256=" + _digest(secret, call.body).hex()
    _require(call, "x-hub-signature-256", expected, [call.header("x-hub-signature-256")])


def _gitlab(call: Call, _: Verification, secret: str) -> None:
    """GitLab: the secret itself is in a header, and nothing is signed."""
    _require(call, "x-gitlab-token", secret, [call.header("x-gitlab-token")])


def _stripe(call: Call, _: Verification, secret: str) -> None:
    """Stripe: `t=<secs>,v1=<hex>`, of `<secs>.<body>`; one v1 for each secret while the secret is rolled."""
    parts = [part.partition("=") for part in call.header("stripe-signature").split(",", _MAX_STRIPE_PARTS)]
    times = [value for name, _, value in parts if name == "t"]
    secs = _signed_secs(call, times[0] if len(times) == 1 else "", "t of stripe-signature")
    expected = _digest(secret, secs.encode() + b"." + call.body).hex()
    _require(call, "stripe-signature", expected, [value for name, _, value in parts if name == "v1"])


def _slack(call: Call, _: Verification, secret: str) -> None:
    """Slack: `v0=<hex>`, of `v0:<secs>:<body>`."""
    secs = _signed_secs(call, call.header("x-slack-request-timestamp"), "x-slack-request-timestamp")
    expected = "v0=" + _digest(secret, f"v0:{secs}:".encode() + call.body).hex()
    _require(call, "x-slack-signature", expected, [call.header("x-slack-signature")])


def _hmac(call: Call, verification: Verification, secret: str) -> None:
    """HMAC-SHA256 in a header of the sender's choice."""
    content, time_header = call.body, verification.timestamp_header
    if time_header is not None:
        content = _signed_secs(call, call.header(time_header), time_header).encode() + b"." + content
    digest = _digest(secret, content)
    text = digest.hex() if verification.encoding is Encoding.HEX else base64.b64encode(digest).decode()
    _require(call, verification.header, verification.prefix + text, [call.header(verification.header)])


_VERIFY: Final[Mapping[Scheme, Callable[[Call, Verification, str], None]]] = {
    Scheme.STANDARD: _standard,
    Scheme.GITHUB: _github,
    Scheme.GITLAB: _gitlab,
    Scheme.STRIPE: _stripe,
    Scheme.SLACK: _slack,
    Scheme.HMAC: _hmac,
}


def _digest(secret: str, content: bytes) -> bytes:
    return hmac.digest(secret.encode(), content, hashlib.sha256)


def _signed_secs(call: Call, text: str, name: str) -> str:
    """Return a timestamp as it was signed. Raises NotGenuineError."""
    if not _SECS.fullmatch(text):
        raise NotGenuineError(f"{name} is missing, or not one number of seconds")
    if abs(int(text) - call.at_secs) > TOLERANCE_SECS:
        raise NotGenuineError(f"{name} is more than {TOLERANCE_SECS} s off")
    return text


def _require(call: Call, header: str, expected: str, given: list[str]) -> None:
    """Raise NotGenuineError if none of the given signatures is the expected one."""
    if not call.header(header):
        raise NotGenuineError(f"{header.lower()} is missing")
    if not any(hmac.compare_digest(expected.encode(), each.encode(errors="replace")) for each in given):
        raise NotGenuineError(f"{header.lower()} does not fit the body and the secret")
