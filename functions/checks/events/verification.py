"""What a client sends to verify the calls of a check: the scheme, and the secret if it brings one."""

import re
import secrets
from collections.abc import Iterator
from typing import Annotated, Final, NamedTuple

from pydantic import BaseModel, ConfigDict, Field

from functions.checks.events.signatures import Encoding, Scheme, Verification
from functions.errors import FieldProblem
from functions.http.problems import Problems
from functions.http.validation import Text, parse_body
from functions.webhooks.target.signature import InvalidSecretError, new_secret, parse_secret

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


class InboundVerification(BaseModel):
    """Body of POST /api/checks/{id}/secret; optional. `header` and the fields behind it are those of `hmac`."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid", hide_input_in_errors=True)

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
        """The scheme with its options."""
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
        """Return the secret of the sender, or a new one."""
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
