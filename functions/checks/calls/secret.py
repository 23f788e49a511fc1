"""The secret of a check's calls: the scheme that a client sets, and the secret in its row, sealed for the check."""

import re
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Annotated, Any, Final, NamedTuple, NotRequired, TypedDict, cast

from pydantic import Field

from functions.aws.dynamodb.conditional import put
from functions.aws.dynamodb.items import to_item
from functions.aws.dynamodb.row_codec import read, write
from functions.aws.dynamodb.table import Table
from functions.aws.dynamodb.transaction import transact_or_raise
from functions.checks import keys
from functions.checks.calls.signatures import Encoding, NotGenuineError, Scheme, Verification
from functions.checks.settings.store import Check
from functions.env import Env
from functions.errors import FieldProblem
from functions.http.validation import Problems, StrictModel, Text, parse_body
from functions.webhooks.deliveries.model import owner_of
from functions.webhooks.sealed_secrets import SecretBoxes, UnsealError
from functions.webhooks.signature import InvalidSecretError, new_secret, parse_secret

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


class Hook(NamedTuple):
    """The project of a check, its sealed inbound secret and its scheme."""

    project_id: str
    box: bytes
    verification: Verification


class HookStore(Table):
    """Rows of inbound secrets, by check."""

    table_setting = "checks_table"

    def put(self, check: Check, box: bytes, verification: Verification, also: Sequence[Any] = ()) -> None:
        """Write the sealed inbound secret of a check, with more actions of the same transaction."""
        item = to_item({"owner": [check.project_id, check.check_id], "box": box, "verification": write(verification)})
        hook = put(self.table_name, {**keys.hook_key(check.check_id), **item})
        transact_or_raise(self._client, {"hook": hook, "also": also})

    def get(self, check_id: str) -> Hook | None:
        """Return the sealed inbound secret of a check and its scheme. A row of an older version is of `standard`."""
        row = self._get(keys.hook_key(check_id))
        if row is None:
            return None
        return Hook(row["owner"][0], row["box"], read(Verification, row.get("verification", {})))


def replace_secret(env: Env, check: Check, request: InboundVerification, also: Sequence[Any] = ()) -> str:
    """Give a check a new scheme and secret, and return the secret; the one before ends at once. `also`: as above."""
    secret = request.sender_secret()
    box = env[SecretBoxes].seal(secret, check.project_id, owner_of(check.check_id), "inbound")
    env[HookStore].put(check, box, request.verification, also)
    return secret


def open_secret(env: Env, check_id: str, hook: Hook) -> str:
    """Return the secret of a check. Raises NotGenuineError: without it, no call is genuine."""
    try:
        return env[SecretBoxes].open(hook.box, hook.project_id, owner_of(check_id), "inbound")
    except UnsealError:
        raise NotGenuineError("the secret of the check cannot be opened: make a new one") from None
