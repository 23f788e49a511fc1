"""Requests for endpoints and deliveries: shapes and validation.

Wrong shape is `InvalidFieldsError` (422, with fields); unknown fields are ignored.
"""

from collections.abc import Callable
from dataclasses import fields
from enum import StrEnum
from typing import Annotated, Any, get_args, get_origin, get_type_hints

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, create_model

from events.vocabulary import Verdict
from functions.clock import MS_PER_SEC, from_rfc3339
from functions.errors import FieldProblem, InvalidFieldsError
from functions.http.fields import checked_moment
from functions.http.problems import Problems
from functions.http.validation import Text, parse_body
from functions.webhooks.endpoints.filters import RunFilters
from functions.webhooks.endpoints.model import EndpointSettings
from functions.webhooks.target.signature import (
    MAX_KEY_BYTES,
    MIN_KEY_BYTES,
    PREFIX_SYMMETRIC,
    InvalidSecretError,
    parse_secret,
)

OVERLAP_DEFAULT_SECS = 86_400
OVERLAP_MAX_SECS = 7 * 86_400
REPLAY_WINDOW_SECS = 14 * 86_400
"""A delivery can be replayed for this long after its event."""

_STRICT = ConfigDict(strict=True, frozen=True, extra="ignore", hide_input_in_errors=True)


Secret = Annotated[
    Text,
    Field(
        description=f"Your own signing secret: whsec_ and {MIN_KEY_BYTES} to {MAX_KEY_BYTES} bytes in base64. "
        "Default: generated."
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


def _given(kind: Any) -> Any:
    """Return the type of a JSON value for one of `EndpointSettings`."""
    if kind is str:
        return Text
    if kind is RunFilters:
        return FiltersRequest
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        return Annotated[kind, Field(strict=False)]
    if get_origin(kind) is tuple:
        return list[_given(get_args(kind)[0])]  # type: ignore[misc]  # a type of run time
    return dict[Text, Text] if get_origin(kind) is dict else kind


def _described(kind: Any, *, check: Callable[[str], str] | None = None, **arguments: Any) -> Any:
    """Return the type with the metadata of its setting."""
    kind = Annotated[_given(kind), Field(**arguments)] if arguments else _given(kind)
    return kind if check is None else Annotated[kind, AfterValidator(check)]


_KINDS = get_type_hints(EndpointSettings)
_SETTINGS = {
    each.name: (_described(_KINDS[each.name], **each.metadata), each.repr) for each in fields(EndpointSettings)
}
_Settings = create_model(
    "_Settings",
    __config__=_STRICT,
    **{  # type: ignore[call-overload]  # the names are those of the fields
        name: (kind | None, Field(default=None, repr=is_shown)) for name, (kind, is_shown) in _SETTINGS.items()
    },
)
"""The settings that a request may give. Missing and null ones: the default, or the value so far."""


class CreateEndpointRequest(_Settings):
    """Body of POST /api/webhooks."""

    url: _SETTINGS["url"][0] = Field(repr=False)  # type: ignore[valid-type]  # a type of run time
    secret: Secret | None = Field(default=None, repr=False)


class ChangeEndpointRequest(_Settings):
    """Body of PATCH /api/webhooks/{id}. Missing and null fields keep their values."""

    enabled: bool | None = Field(
        default=None, description="true: enable and reset the failures. false: disable; deliveries pause."
    )
    headers: dict[Text, Text] | None = Field(default=None, repr=False, description="Replaces all custom headers.")
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
