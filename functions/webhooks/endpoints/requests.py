"""What a project asks of its endpoints, checked.

Wrong shape is `InvalidFieldsError` (422, with fields); unknown fields are ignored.
"""

import re
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from functions.clock import MS_PER_SEC, from_rfc3339
from functions.errors import FieldProblem, InvalidFieldsError
from functions.http.validation import Text, parse_body
from functions.webhooks.endpoints.model import DEFAULT_CONCURRENCY, MAX_CONCURRENCY, MAX_PER_SECOND
from functions.webhooks.event_types import FILTERABLE_EVENTS
from functions.webhooks.sending.signature import (
    MAX_KEY_BYTES,
    MIN_KEY_BYTES,
    PREFIX_SYMMETRIC,
    InvalidSecretError,
    parse_secret,
)

DESCRIPTION_MAX_CHARS = 500
OVERLAP_DEFAULT_SECS = 86_400
OVERLAP_MAX_SECS = 7 * 86_400
REPLAY_WINDOW_SECS = 14 * 86_400
"""How long after its event a delivery can be replayed."""

_TIME = re.compile(r"\d{4}-\d{2}-\d{2}[Tt]\d{2}:\d{2}:\d{2}(\.\d{1,9})?([Zz]|[+-]\d{2}:\d{2})", re.ASCII)
_STRICT = ConfigDict(strict=True, frozen=True, extra="ignore", hide_input_in_errors=True)


def _on_one_line(text: str) -> str:
    """Refuse control characters and marks that turn text around: a description is shown on terminals."""
    if not text.isprintable():
        raise ValueError("the text must be printable and on one line")
    return text


def _is_moment(text: str) -> str:
    try:
        ms = from_rfc3339(text.upper()) if _TIME.fullmatch(text) else None
    except (ValueError, OverflowError):
        ms = None
    if ms is None:
        raise ValueError("the text must be a time of RFC 3339 with its offset, such as 2027-01-31T12:00:00Z")
    return text


Url = Annotated[Text, Field(description="Where events are sent: https, port 443 or 8443, a public host name.")]
Events = Annotated[
    list[Text],
    Field(max_length=20, description="Event names that it wants. Empty: all.", examples=[list(FILTERABLE_EVENTS)]),
]
Description = Annotated[
    Text, Field(max_length=DESCRIPTION_MAX_CHARS, description="For people."), AfterValidator(_on_one_line)
]
Headers = Annotated[
    dict[Text, Text],
    Field(description="Sent with each request. At most 16; names and values in bounds. Values are never shown again."),
]
MaxConcurrency = Annotated[
    int, Field(ge=1, le=MAX_CONCURRENCY, description=f"Requests at the same time. Default: {DEFAULT_CONCURRENCY}.")
]
MaxPerSecond = Annotated[
    int, Field(ge=0, le=MAX_PER_SECOND, description="Requests that begin in one second. Default: 0, no limit.")
]
Secret = Annotated[
    Text,
    Field(
        description=f"Your own signing secret: whsec_ and {MIN_KEY_BYTES} to {MAX_KEY_BYTES} bytes in base64. "
        "Left out: one is made."
    ),
]


class CreateEndpointRequest(BaseModel):
    """Body of POST /api/webhooks."""

    model_config = _STRICT

    url: Url = Field(repr=False)
    events: Events | None = None
    description: Description | None = None
    enabled: bool | None = None
    headers: Headers | None = Field(default=None, repr=False)
    max_concurrency: MaxConcurrency | None = None
    max_per_second: MaxPerSecond | None = None
    secret: Secret | None = Field(default=None, repr=False)


class ChangeEndpointRequest(BaseModel):
    """Body of PATCH /api/webhooks/{id}. What is left out or null stays as it is."""

    model_config = _STRICT

    url: Url | None = Field(default=None, repr=False)
    events: Events | None = None
    description: Description | None = None
    enabled: bool | None = Field(
        default=None, description="true: a disabled one forgets its failures. false: deliveries pause."
    )
    headers: Headers | None = Field(default=None, repr=False, description="In place of all that are set now.")
    max_concurrency: MaxConcurrency | None = None
    max_per_second: MaxPerSecond | None = None
    secret: None = Field(default=None, description="Cannot be changed here: POST /api/webhooks/{id}/rotate.")


class RotateRequest(BaseModel):
    """Body of POST /api/webhooks/{id}/rotate; it may be left out."""

    model_config = _STRICT

    overlap_secs: int | None = Field(
        default=None, ge=0, le=OVERLAP_MAX_SECS, description="The old secret signs too for so long. Default: 24 h."
    )
    secret: Secret | None = Field(default=None, repr=False)


class RecoverRequest(BaseModel):
    """Body of POST /api/webhooks/{id}/recover."""

    model_config = _STRICT

    since: Annotated[Text, AfterValidator(_is_moment)] = Field(
        description="Deliveries created from then on; at most 14 days ago.", json_schema_extra={"format": "date-time"}
    )


class ReplayRequest(BaseModel):
    """Body of POST /api/deliveries/{id}/replay; it may be left out."""

    model_config = _STRICT

    webhook_secret: Text | None = Field(
        default=None,
        repr=False,
        description="Of a run's own webhook: its secret, which is dropped when the delivery is final.",
    )


def parse_replay(raw: bytes) -> ReplayRequest:
    """Check the body of a replay; it may be empty. Raises BadRequestError, InvalidFieldsError."""
    request = parse_body(ReplayRequest, raw or b"{}")
    if request.webhook_secret is not None:
        try:
            parse_secret(request.webhook_secret)
        except InvalidSecretError as invalid:
            raise InvalidFieldsError((FieldProblem("webhook_secret", str(invalid)),)) from None
    return request


def parse_rotation(raw: bytes) -> RotateRequest:
    """Check the body of a rotation; it may be empty. Raises BadRequestError, InvalidFieldsError."""
    request = parse_body(RotateRequest, raw or b"{}")
    refuse([secret_problem(request.secret)])
    return request


def parse_since(raw: bytes, now_ms: int) -> int:
    """Epoch ms of the body of a recovery. Raises BadRequestError, InvalidFieldsError."""
    since_ms = from_rfc3339(parse_body(RecoverRequest, raw).since.upper())
    if not now_ms - REPLAY_WINDOW_SECS * MS_PER_SEC <= since_ms <= now_ms:
        raise InvalidFieldsError(
            (FieldProblem("since", "The time must be in the last 14 days: older events are not kept."),)
        )
    return since_ms


def refuse(found: list[FieldProblem | None]) -> None:
    """Raise InvalidFieldsError if there is any problem."""
    problems = tuple(problem for problem in found if problem is not None)
    if problems:
        raise InvalidFieldsError(problems)


def secret_problem(secret: str | None) -> FieldProblem | None:
    """Why this cannot be an endpoint's secret; None if it can, or is left out."""
    if secret is None:
        return None
    try:
        if secret.startswith(PREFIX_SYMMETRIC):
            parse_secret(secret)
            return None
    except InvalidSecretError:
        pass
    return FieldProblem(
        "secret", f"The secret must be whsec_ followed by {MIN_KEY_BYTES} to {MAX_KEY_BYTES} bytes in base64."
    )
