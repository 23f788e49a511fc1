"""Requests for endpoints and deliveries: shapes and validation.

Wrong shape is `InvalidFieldsError` (422, with fields); unknown fields are ignored.
"""

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from events.vocabulary import Verdict
from functions.clock import MS_PER_SEC, from_rfc3339
from functions.errors import FieldProblem, InvalidFieldsError
from functions.http.fields import checked_moment
from functions.http.problems import Problems
from functions.http.validation import Text, parse_body
from functions.webhooks.endpoints.filters import SubmissionKind
from functions.webhooks.endpoints.model import (
    DEFAULT_CONCURRENCY,
    MAX_CONCURRENCY,
    MAX_OUTPUT_BYTES,
    MAX_PER_SECOND,
    BodyFormat,
    Payload,
)
from functions.webhooks.target.signature import (
    MAX_KEY_BYTES,
    MIN_KEY_BYTES,
    PREFIX_SYMMETRIC,
    InvalidSecretError,
    parse_secret,
)
from functions.webhooks.vocabulary.event_types import API_VERSIONS, CURRENT_VERSION, FILTERABLE_EVENTS

DESCRIPTION_MAX_CHARS = 500
OVERLAP_DEFAULT_SECS = 86_400
OVERLAP_MAX_SECS = 7 * 86_400
REPLAY_WINDOW_SECS = 14 * 86_400
"""A delivery can be replayed for this long after its event."""

_STRICT = ConfigDict(strict=True, frozen=True, extra="ignore", hide_input_in_errors=True)


def _on_one_line(text: str) -> str:
    """Refuse control and bidirectional characters, because terminals show descriptions."""
    if not text.isprintable():
        raise ValueError("the text must be printable and on one line")
    return text


Url = Annotated[Text, Field(description="Where events are sent: https, port 443 or 8443, a public host name.")]
Events = Annotated[
    list[Text],
    Field(
        max_length=20,
        description="Subscribed event names. Empty: all but those of each check run.",
        examples=[list(FILTERABLE_EVENTS)],
    ),
]
Description = Annotated[
    Text,
    Field(max_length=DESCRIPTION_MAX_CHARS, description="Free text for your own use."),
    AfterValidator(_on_one_line),
]
Headers = Annotated[
    dict[Text, Text],
    Field(description="Custom headers of each request, at most 16. Responses never show the values."),
]
MaxConcurrency = Annotated[
    int, Field(ge=1, le=MAX_CONCURRENCY, description=f"Concurrent requests. Default: {DEFAULT_CONCURRENCY}.")
]
MaxPerSecond = Annotated[int, Field(ge=0, le=MAX_PER_SECOND, description="Requests per second. Default: 0, no limit.")]
MaxOutputBytes = Annotated[
    int,
    Field(
        ge=0,
        le=MAX_OUTPUT_BYTES,
        description="Bytes of each output stream in an event; 0: none. `result_url` leads to the whole output. "
        f"Default: {MAX_OUTPUT_BYTES}, as much as events have.",
    ),
]
Format = Annotated[
    BodyFormat,
    Field(
        strict=False,
        description="event: the event itself. cloudevents: the same with the attributes of CloudEvents 1.0 in headers; "
        "cloudevents_structured: inside a CloudEvent. slack, discord, teams: a message for people. "
        "pagerduty: incidents. Default: event.",
    ),
]
RoutingKey = Annotated[
    Text,
    Field(
        description="Only for format pagerduty: the integration key of an Events API v2 integration, 32 letters and "
        "digits. Responses show ***; send *** to keep it."
    ),
]
ApiVersion = Annotated[
    Text,
    Field(
        description=f"Version of the shape of events, set at creation: {', '.join(API_VERSIONS)}. "
        f"Default: {CURRENT_VERSION}."
    ),
]
BodyPayload = Annotated[
    Payload,
    Field(
        strict=False,
        description="Set at creation. full: the event. thin: its ids, and where to fetch it. Default: full.",
    ),
]
Secret = Annotated[
    Text,
    Field(
        description=f"Your own signing secret: whsec_ and {MIN_KEY_BYTES} to {MAX_KEY_BYTES} bytes in base64. "
        "Default: generated."
    ),
]


Ordered = Annotated[
    bool,
    Field(description="Set at creation. true: one delivery at a time; the next waits until the first is final."),
]


Asymmetric = Annotated[
    bool,
    Field(description="true: also sign with a new ed25519 key pair (v1a). Responses show its `public_key`."),
]


Kinds = Annotated[
    list[Annotated[SubmissionKind, Field(strict=False)]],
    Field(
        min_length=1,
        max_length=len(SubmissionKind),
        description="The submissions whose ends it gets: run and judge, those of clients; check, runs of checks. "
        "Default of a new endpoint: run and judge.",
        examples=[["run", "judge", "check"]],
    ),
]


class FiltersRequest(BaseModel):
    """Filters of runs. An unknown name would filter nothing, so it is refused."""

    model_config = _STRICT | ConfigDict(extra="forbid")

    verdicts: list[Annotated[Verdict, Field(strict=False)]] = Field(
        default=[], max_length=len(Verdict), description="Only runs with one of these verdicts. Not for judge runs."
    )
    languages: list[Text] = Field(
        default=[], max_length=20, description="Only runs in one of these languages.", examples=[["python"]]
    )
    metadata: dict[Text, Text] = Field(
        default={}, description="Only runs whose metadata has all of these values. At most 16 keys and 2,048 bytes."
    )


Filters = Annotated[
    FiltersRequest,
    Field(description="Only events of these runs. Other events, such as endpoint.disabled, pass. Empty: all runs."),
]


class _Settings(BaseModel):
    """The settings that a request may give. Missing and null ones: the default, or the value so far."""

    model_config = _STRICT

    url: Url | None = Field(default=None, repr=False)
    events: Events | None = None
    description: Description | None = None
    enabled: bool | None = None
    headers: Headers | None = Field(default=None, repr=False)
    max_concurrency: MaxConcurrency | None = None
    max_per_second: MaxPerSecond | None = None
    max_output_bytes: MaxOutputBytes | None = None
    format: Format | None = None
    routing_key: RoutingKey | None = Field(default=None, repr=False)
    kinds: Kinds | None = None
    filters: Filters | None = None
    payload: BodyPayload | None = None
    api_version: ApiVersion | None = None
    ordered: Ordered | None = None
    asymmetric: Asymmetric | None = None


class CreateEndpointRequest(_Settings):
    """Body of POST /api/webhooks."""

    url: Url = Field(repr=False)
    secret: Secret | None = Field(default=None, repr=False)


class ChangeEndpointRequest(_Settings):
    """Body of PATCH /api/webhooks/{id}. Missing and null fields keep their values."""

    enabled: bool | None = Field(
        default=None, description="true: enable and reset the failures. false: disable; deliveries pause."
    )
    headers: Headers | None = Field(default=None, repr=False, description="Replaces all custom headers.")
    secret: None = Field(default=None, description="Cannot be changed here. Use POST /api/webhooks/{id}/rotate.")


class RotateRequest(BaseModel):
    """Body of POST /api/webhooks/{id}/rotate; optional."""

    model_config = _STRICT

    overlap_secs: int | None = Field(
        default=None, ge=0, le=OVERLAP_MAX_SECS, description="The old secret also signs for this long. Default: 24 h."
    )
    secret: Secret | None = Field(default=None, repr=False)


class RecoverRequest(BaseModel):
    """Body of POST /api/webhooks/{id}/recover."""

    model_config = _STRICT

    since: Annotated[Text, AfterValidator(checked_moment)] = Field(
        description="Recover deliveries created since this time; at most 14 days ago.",
        json_schema_extra={"format": "date-time"},
    )
    retrying: bool = Field(
        default=False,
        description="Also those that wait for a retry. It is made now, and the retry schedule begins again.",
    )


class ReplayRequest(BaseModel):
    """Body of POST /api/deliveries/{id}/replay; optional."""

    model_config = _STRICT

    webhook_secret: Text | None = Field(
        default=None,
        repr=False,
        description="Only for a run's own webhook: its secret, which is removed once the delivery is final.",
    )


def parse_replay(raw: bytes) -> ReplayRequest:
    """Parse the body of a replay; it may be empty. Raises BadRequestError, InvalidFieldsError."""
    request = parse_body(ReplayRequest, raw or b"{}")
    if request.webhook_secret is not None:
        try:
            parse_secret(request.webhook_secret)
        except InvalidSecretError as invalid:
            raise InvalidFieldsError((FieldProblem("webhook_secret", str(invalid)),)) from None
    return request


def parse_rotation(raw: bytes) -> RotateRequest:
    """Check the body of a rotation; it may be empty. Raises BadRequestError, InvalidFieldsError."""
    problems = Problems()
    request = parse_body(RotateRequest, raw or b"{}", problems)
    problems.add([secret_problem(request.secret)])
    problems.refuse()
    return request


def parse_recovery(raw: bytes, now_ms: int) -> tuple[int, bool]:
    """Parse the body of a recovery into `since` in epoch ms, and `retrying`.

    Raises BadRequestError, InvalidFieldsError.
    """
    problems = Problems()
    asked = parse_body(RecoverRequest, raw, problems)
    since_ms = 0 if problems.is_refused("since") else from_rfc3339(asked.since)
    if not now_ms - REPLAY_WINDOW_SECS * MS_PER_SEC <= since_ms <= now_ms:
        text = "The time must be within the last 14 days. Older events are deleted."
        problems.add([FieldProblem("since", text)])
    problems.refuse()
    return since_ms, asked.retrying


def secret_problem(secret: str | None) -> FieldProblem | None:
    """Return the problem with an endpoint's secret; None if it is valid or missing."""
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
