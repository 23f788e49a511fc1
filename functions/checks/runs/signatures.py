"""Signatures of calls that start runs: one function for each scheme. Pure.

Each compares the bytes as they came, in constant time, before anything of the body is parsed.
Sources: the pages of the vendors in docs/checks.md; their published vectors in tests/unit/test_inbound_signatures.py.
"""

import base64
import hashlib
import hmac
import json
import re
import secrets
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Annotated, Any, Final, NamedTuple, NotRequired, TypedDict, cast
from urllib.parse import parse_qsl

from pydantic import Field

from functions.errors import FieldProblem
from functions.http.validation import Problems, StrictModel, Text, parse_body
from functions.webhooks.signature import InvalidSecretError, new_secret, parse_secret
from functions.webhooks.signature import sign as sign_standard

TOLERANCE_SECS = 300
ID_MAX_CHARS = 256
_MAX_PARTS = 16
"""Of a header with several signatures."""
_MAX_FIELDS = 100
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


# The id and the type of a genuine call, where its sender puts them. Pure.

_TYPE_MAX_CHARS = 128
_ID = re.compile(rf"[!-+\--~]{{1,{ID_MAX_CHARS}}}", re.ASCII)
"""Without spaces and commas: a header that came twice has both values in one, with a comma."""
_TYPE_PART = re.compile(r"[!-+\--~]([ -+\--~]*[!-+\--~])?", re.ASCII)


class CallName(NamedTuple):
    """`event_id`: the same in each repeat of the call. `event_type`: such as `push`; empty if there is none."""

    event_id: str
    event_type: str


def name_of(call: Call, verification: Verification, document: Any) -> CallName:
    """Return id and type of a call. `document`: its body if that is JSON. Raises NotGenuineError.

    Without an id of the sender's, the digest of the body is the id.
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


# What a client sends to verify the calls of a check: the scheme, and the secret if it brings one.

_NEW_BYTES = 32
_HEADER = r"^[A-Za-z][A-Za-z0-9-]{0,63}$"
_PREFIX = r"^[ -~]{0,32}$"

Header = Annotated[str, Field(pattern=_HEADER)]


class _Form(NamedTuple):
    """The form of a secret. `is_made`: we can make one, and the client gives it to the sender."""

    pattern: str
    text: str
    is_made: bool


_SHARED: Final = _Form(r"[ -~]{16,256}", "16 to 256 printable ASCII characters", is_made=True)
_FORMS: Final = {
    Scheme.STANDARD: _Form("whsec_.*", "whsec_ and 24 to 64 bytes in base64", is_made=True),
    Scheme.GITHUB: _SHARED,
    Scheme.GITLAB: _Form(r"[!-+\--~]{16,255}", "16 to 255 ASCII characters without spaces and commas", is_made=True),
    Scheme.STRIPE: _Form(
        r"whsec_[A-Za-z0-9]{16,128}",
        "whsec_ with letters and digits: the signing secret of the endpoint",
        is_made=False,
    ),
    Scheme.SLACK: _Form(
        r"[0-9a-z]{32}", "32 lower-case letters and digits: the Signing Secret of the app", is_made=False
    ),
    Scheme.HMAC: _SHARED,
}


class InboundVerification(StrictModel):
    """Body of POST /api/checks/{id}/secret; optional. `header` and the fields behind it are those of `hmac`."""

    verify: Scheme = Field(default=Scheme.STANDARD, strict=False, description="How the sender signs its calls.")
    secret: Text | None = Field(
        default=None,
        repr=False,
        description="The secret that the sender shows: required with stripe and slack. Default: a new one.",
    )
    header: Header | None = Field(
        default=None, description="Required with hmac: the header with the signature.", examples=["X-Signature"]
    )
    prefix: Annotated[str, Field(pattern=_PREFIX)] = Field(
        default="", description="Text before the signature.", examples=["sha256="]
    )
    encoding: Encoding = Field(default=Encoding.HEX, strict=False, description="How the signature is written.")
    timestamp_header: Header | None = Field(
        default=None, description="A header with seconds since the epoch. Then <timestamp>.<body> is signed."
    )
    id_header: Header | None = Field(
        default=None, description="A header that names the call, the same in each repeat. Default: the body's digest."
    )
    event_header: Header | None = Field(
        default=None, description="A header with the type of the event. Default: the field type of the body."
    )

    @property
    def verification(self) -> Verification:
        return Verification(
            self.verify,
            (self.header or "").lower(),
            self.prefix,
            self.encoding,
            self.timestamp_header,
            self.id_header,
            self.event_header,
        )

    def sender_secret(self) -> str:
        if self.secret is not None:
            return self.secret
        return new_secret() if self.verify is Scheme.STANDARD else secrets.token_hex(_NEW_BYTES)

    def problems(self) -> Iterator[FieldProblem]:
        """Yield what does not fit the scheme. No message quotes the secret."""
        form, is_hmac = _FORMS[self.verify], self.verify is Scheme.HMAC
        for name in () if is_hmac else sorted(self.model_fields_set - {"verify", "secret"}):
            yield FieldProblem(name, "Only with hmac.", of=("verify",))
        if is_hmac and self.header is None:
            yield FieldProblem("header", "Required with hmac: the header with the signature.")
        if self.secret is None and not form.is_made:
            yield FieldProblem("secret", f"Required with {self.verify.value}: {form.text}.")
        if self.secret is not None and not _has_form(self.verify, self.secret):
            yield FieldProblem("secret", f"A secret of {self.verify.value} is {form.text}.", of=("verify",))


class VerificationView(TypedDict):
    """How the calls of a check are signed. The fields behind `verify` are those of `hmac`."""

    verify: Scheme
    header: NotRequired[str]
    prefix: NotRequired[str]
    encoding: NotRequired[Encoding]
    timestamp_header: NotRequired[str | None]
    id_header: NotRequired[str | None]
    event_header: NotRequired[str | None]


def verification_view(verification: Verification) -> VerificationView:
    """Return the body of a scheme."""
    options = asdict(verification)
    scheme = options.pop("scheme")
    return cast("VerificationView", {"verify": scheme, **(options if scheme is Scheme.HMAC else {})})


def parse_verification(raw: bytes) -> InboundVerification:
    """Check a body; none is that of `standard`. Raises BadRequestError, InvalidFieldsError."""
    problems = Problems()
    request = parse_body(InboundVerification, raw or b"{}", problems)
    problems.add(request.problems())
    problems.refuse()
    return request


def _has_form(scheme: Scheme, secret: str) -> bool:
    if not re.fullmatch(_FORMS[scheme].pattern, secret, re.ASCII):
        return False
    try:
        return scheme is not Scheme.STANDARD or bool(parse_secret(secret))
    except InvalidSecretError:
        return False
