"""Signatures of calls that start runs: one function for each scheme; and the id and type of a genuine call. Pure.

Each compares the bytes as they came, in constant time, before anything of the body is parsed.
Sources: the pages of the vendors in docs/checks.md; their published vectors in tests/unit/test_inbound_signatures.py.
"""

import base64
import hashlib
import hmac
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final, NamedTuple
from urllib.parse import parse_qsl

from functions.webhooks.signature import parse_secret
from functions.webhooks.signature import sign as sign_standard

TOLERANCE_SECS = 300
ID_MAX_CHARS = 256
_MAX_PARTS = 16
"""Of a header with several signatures."""
_MAX_FIELDS = 100
_SECS = re.compile(r"[0-9]{1,12}", re.ASCII)
_TYPE_MAX_CHARS = 128
_ID = re.compile(rf"[!-+\--~]{{1,{ID_MAX_CHARS}}}", re.ASCII)
"""Without spaces and commas: a header that came twice has both values in one, with a comma."""
_TYPE_PART = re.compile(r"[!-+\--~]([ -+\--~]*[!-+\--~])?", re.ASCII)


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
        return self.headers.get(name.lower()) or ""


class NotGenuineError(Exception):
    """The call is not signed as its check requires. The text says why, and quotes nothing of the call."""


def verify(call: Call, verification: Verification, secret: str) -> None:
    """Check the signature of a call. Raises NotGenuineError."""
    _VERIFY[verification.scheme](call, verification, secret)


def _standard(call: Call, _: Verification, secret: str) -> None:
    """Standard Webhooks. The id is signed too."""
    names = _standard_names(call)
    webhook_id = call.header(f"{names}-id")
    if not 0 < len(webhook_id) <= ID_MAX_CHARS:
        raise NotGenuineError(f"{names}-id is missing, or has more than {ID_MAX_CHARS} characters")
    secs = _signed_secs(call, call.header(f"{names}-timestamp"), f"{names}-timestamp")
    expected = sign_standard(parse_secret(secret), webhook_id, int(secs), call.body)
    _require(call, f"{names}-signature", expected, call.header(f"{names}-signature").split(" "))


def _standard_names(call: Call) -> str:
    """Return how the names of the headers begin: those of Svix's customers begin so, with the same content."""
    return "svix" if call.header("svix-id") else "webhook"


def _github(call: Call, _: Verification, secret: str) -> None:
    """GitHub: HMAC-SHA256 of the body. Neither id nor type is signed."""
    expected = "sha256=" + _digest(secret, call.body).hex()
    _require(call, "x-hub-signature-256", expected, [call.header("x-hub-signature-256")])


def _gitlab(call: Call, _: Verification, secret: str) -> None:
    """GitLab: the secret itself is in a header, and nothing is signed."""
    _require(call, "x-gitlab-token", secret, [call.header("x-gitlab-token")])


def _stripe(call: Call, _: Verification, secret: str) -> None:
    """Stripe: `t=<secs>,v1=<hex>`, of `<secs>.<body>`; one v1 for each secret while the secret is rolled."""
    parts = [part.partition("=") for part in call.header("stripe-signature").split(",", _MAX_PARTS)]
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
    """HMAC-SHA256 in a header of the sender's choice: one, or several with commas, as PagerDuty sends them."""
    content, time_header = call.body, verification.timestamp_header
    if time_header is not None:
        content = _signed_secs(call, call.header(time_header), time_header).encode() + b"." + content
    digest = _digest(secret, content)
    text = digest.hex() if verification.encoding is Encoding.HEX else base64.b64encode(digest).decode()
    given = call.header(verification.header)
    each = map(str.strip, given.split(",", _MAX_PARTS))  # and the whole, since a prefix may have a comma
    _require(call, verification.header, verification.prefix + text, [given, *each])


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


def slack_fields(call: Call, verification: Verification) -> bytes | None:
    """Return the fields of a form that Slack posts, in JSON; None for every other call.

    Slash commands are forms; so are interactions, whose only field `payload` is JSON: then that.
    """
    is_form = call.header("content-type").lower().startswith("application/x-www-form-urlencoded")
    if verification.scheme is not Scheme.SLACK or not is_form:
        return None
    try:
        fields = dict(parse_qsl(call.body.decode(), keep_blank_values=True, max_num_fields=_MAX_FIELDS))
    except ValueError:
        return None
    return fields["payload"].encode() if "payload" in fields else json.dumps(fields, ensure_ascii=False).encode()


class CallName(NamedTuple):
    """`event_id`: the same in each repeat of the call. `event_type`: such as `push`; empty if there is none."""

    event_id: str
    event_type: str


def name_of(call: Call, verification: Verification, document: Any) -> CallName:
    """Return id and type of a genuine call, from where its sender puts them. Raises NotGenuineError.

    `document`: its body if that is JSON. Without an id of the sender's, the digest of the body is the id.
    """
    body = document if isinstance(document, dict) else {}
    digest = hashlib.sha256(call.body).hexdigest()
    match verification.scheme:
        case Scheme.STANDARD:  # its id was checked with the signature
            return CallName(call.header(f"{_standard_names(call)}-id"), _type(body.get("type")))
        case Scheme.GITHUB:
            event_id = _required_id(call, "x-github-delivery")
            return CallName(event_id, _type(call.header("x-github-event"), body.get("action")))
        case Scheme.GITLAB:
            event_id = _id(call.header("idempotency-key"), call.header("x-gitlab-event-uuid"), digest)
            attributes = _object(body.get("object_attributes"))
            kind = body.get("object_kind") or body.get("event_name")
            return CallName(event_id, _type(kind, attributes.get("action")))
        case Scheme.STRIPE:
            return CallName(_id(body.get("id"), digest), _type(body.get("type")))
        case Scheme.SLACK:
            event = _object(body.get("event"))
            kind = event.get("type") or body.get("type") or body.get("command")
            return CallName(_id(body.get("event_id"), digest), _type(kind))
        case Scheme.HMAC:
            header, kind = verification.id_header, verification.event_header
            event_id = digest if header is None else _required_id(call, header)
            return CallName(event_id, _type(body.get("type") if kind is None else call.header(kind)))


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _id(*candidates: Any) -> str:
    return next(each for each in candidates if isinstance(each, str) and _ID.fullmatch(each))


def _required_id(call: Call, header: str) -> str:
    """Return an id that is not signed. A call whose id is missing could be repeated without end."""
    if not _ID.fullmatch(text := call.header(header)):
        raise NotGenuineError(f"{header.lower()} is missing, came twice, or is no id")
    return text


def _type(*parts: Any) -> str:
    """Join the parts of a type with dots, up to the first that is none."""
    joined: list[str] = []
    for part in parts:
        if not isinstance(part, str) or not _TYPE_PART.fullmatch(part):
            break
        joined.append(part)
    text = ".".join(joined)
    return text if len(text) <= _TYPE_MAX_CHARS else ""
