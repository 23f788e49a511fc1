"""Requests for endpoints and deliveries: shapes and validation.

Wrong shape is `InvalidFieldsError` (422, with fields); unknown fields are ignored.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from enum import StrEnum
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, create_model

from events.vocabulary import Language, Verdict, canonical
from functions.clock import MS_PER_SEC, from_rfc3339
from functions.errors import FieldProblem, InvalidFieldsError
from functions.http.validation import Problems, Text, checked_moment, metadata_problems, parse_body
from functions.webhooks.endpoints.model import (
    CLIENT_KINDS,
    HIDDEN,
    MAX_TRANSFORM_BYTES,
    BodyFormat,
    Endpoint,
    EndpointSettings,
    Payload,
    RunFilters,
    Transform,
)
from functions.webhooks.signature import (
    MAX_KEY_BYTES,
    MIN_KEY_BYTES,
    PREFIX_SYMMETRIC,
    InvalidSecretError,
    parse_secret,
)
from functions.webhooks.vocabulary import API_VERSIONS, EVENT_TEST, FILTERABLE_EVENTS, INCIDENT_EVENTS
from functions.webhooks.webhook_url import AddressRules

# Custom headers of an endpoint: allowed names and values.
#
# We refuse headers that frame the message, are hop-by-hop (RFC 9110, section 7.6.1), are set by us, carry cookies,
# state the origin of a request, or give access to a cloud's metadata service. `authorization` is allowed over https
# only: it is the receiver's own credential. Error messages name headers and never quote a value.

MAX_HEADERS = 16
MAX_NAME_CHARS = 64
MAX_VALUE_CHARS = 1_024
MAX_TOTAL_CHARS = 4_096

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9a-z-]+")  # RFC 9110, section 5.6.2, in lower case
_VALUE = re.compile(r"[!-~]([ !-~]*[!-~])?")
_REFUSED = frozenset(
    {
        *("connection", "keep-alive", "te", "trailer", "trailers", "transfer-encoding", "upgrade", "http2-settings"),
        *("host", "expect", "accept-encoding", "user-agent", "date"),
        *("cookie", "cookie2", "set-cookie", "set-cookie2"),
        *("forwarded", "via", "x-real-ip"),
        *("metadata", "metadata-flavor", "x-google-metadata-request"),
    }
)
_REFUSED_PREFIXES = ("proxy-", "content-", "webhook-", "x-forwarded-", "x-aws-ec2-metadata-")


def normalise_headers(given: Mapping[str, str], *, scheme: str) -> tuple[dict[str, str], list[FieldProblem]]:
    """Return the headers with lower-case names, and their problems. `scheme`: of the endpoint's URL."""
    # The lower case of some non-ASCII letters is ASCII: U+212A becomes k.
    headers = {name.lower() if name.isascii() else name: value for name, value in given.items()}
    problems = []
    if len(given) > MAX_HEADERS:
        problems.append(FieldProblem("headers", f"At most {MAX_HEADERS} headers."))
    if len(headers) != len(given):
        problems.append(FieldProblem("headers", "A name appears twice, in different cases."))
    if sum(len(name) + len(value) for name, value in headers.items()) > MAX_TOTAL_CHARS:
        problems.append(FieldProblem("headers", f"At most {MAX_TOTAL_CHARS:,} characters of names and values."))
    for name, value in list(headers.items())[:MAX_HEADERS]:
        wrong = _wrong_name(name, scheme) or _wrong_value(value)
        if wrong is not None:
            problems.append(FieldProblem(f"headers.{_shown(name)}", wrong))
    return headers, problems


def _wrong_name(name: str, scheme: str) -> str | None:
    if not _TOKEN.fullmatch(name) or len(name) > MAX_NAME_CHARS:
        return f"The name must be an HTTP token of 1 to {MAX_NAME_CHARS} characters."
    if name in _REFUSED or name.startswith(_REFUSED_PREFIXES):
        return "This header cannot be customised."
    if name == "authorization" and scheme != "https":
        return "This header is sent over https only."
    return None


def _wrong_value(value: str) -> str | None:
    if value == HIDDEN:
        return f"{HIDDEN} keeps a stored value, and this header has none. Send the value."
    if not _VALUE.fullmatch(value) or len(value) > MAX_VALUE_CHARS:
        return f"The value must be 1 to {MAX_VALUE_CHARS:,} visible ASCII characters, with spaces only between them."
    return None


def _shown(name: str) -> str:
    """Shorten a name for an error message. It comes from the client: it may be long or hold a lone surrogate."""
    return name.encode(errors="replace").decode()[:MAX_NAME_CHARS]


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


class TransformRequest(BaseModel):
    """A program that writes the bodies of deliveries. Without both fields: none."""

    model_config = _STRICT | ConfigDict(extra="forbid")

    language: Text = Field(default="", description="One of GET /api/languages.", examples=["python"])
    code: Text = Field(
        default="",
        repr=False,
        description=f"At most {MAX_TRANSFORM_BYTES:,} bytes.",
        json_schema_extra={"maxLength": MAX_TRANSFORM_BYTES},
    )


def transform_problems(asked: TransformRequest | None) -> list[FieldProblem]:
    """Return what is wrong with a program. None, or one without both fields, is right."""
    if asked is None or not (asked.language or asked.code):
        return []
    problems = []
    if canonical(asked.language) is None:
        problems.append(FieldProblem("transform.language", f"Unknown language. Known: {', '.join(Language)}."))
    size = len(asked.code.encode())
    if not 0 < size <= MAX_TRANSFORM_BYTES:
        text = f"The program must have 1 to {MAX_TRANSFORM_BYTES:,} bytes; got {size:,}."
        problems.append(FieldProblem("transform.code", text))
    return problems


def stored_transform(asked: TransformRequest) -> Transform | None:
    """Return a checked program as it is stored."""
    language = canonical(asked.language)
    return None if language is None else Transform(language.value, asked.code)


def _given(kind: Any) -> Any:
    """Return the type of a JSON value for one of `EndpointSettings`."""
    if kind is str:
        return Text
    if kind == Transform | None:
        return TransformRequest
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
_HASHED = tuple(_SETTINGS)[: tuple(_SETTINGS).index("asymmetric") + 1]
"""In the hash of each body. Newer settings only if they are given: a repeat from before them has its recorded hash."""
_Settings = create_model(
    "_Settings",
    __config__=_STRICT,
    **{  # type: ignore[call-overload]  # the names are those of the fields
        name: (
            kind | None,
            Field(default=None, repr=is_shown, exclude_if=None if name in _HASHED else lambda value: value is None),
        )
        for name, (kind, is_shown) in _SETTINGS.items()
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
    transform: Literal["again"] | None = Field(
        default=None,
        description="again: the endpoint's transform, as it is now, writes another body. Default: the body as it was.",
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


_KEPT = "Set at creation, and never changed. Create another endpoint."
_THIN_CARD = "A message for people has no thin form. Choose payload full, or format event or cloudevents."
_TWO_SHAPES = "The transform writes the body, so the format must be event. Leave one of both out."
_ROUTING_KEY = re.compile(r"[A-Za-z0-9]{32}")
_NEEDS_KEY = "Format pagerduty needs the integration key of an Events API v2 integration: 32 letters and digits."
_NO_KEY = f"{HIDDEN} keeps the stored key, and there is none. {_NEEDS_KEY}"
_OTHER_FORMAT = "Only format pagerduty has a routing key. Leave it out, or choose that format."
_ONLY_INCIDENTS = f"This format tells when incidents begin and end. It gets only {', '.join(sorted(INCIDENT_EVENTS))}."


def parse_endpoint(raw: bytes, rules: AddressRules) -> tuple[CreateEndpointRequest, EndpointSettings]:
    """Return the body of a new endpoint, and its settings. Raises BadRequestError, InvalidFieldsError."""
    problems = Problems()
    request = parse_body(CreateEndpointRequest, raw, problems)
    return request, new_settings(request, rules, problems)


def new_settings(
    request: CreateEndpointRequest, rules: AddressRules, problems: Problems | None = None
) -> EndpointSettings:
    """Return the settings of a new endpoint. `problems`: those found before. Raises InvalidFieldsError."""
    problems, asked = Problems() if problems is None else problems, _asked(request)
    headers, wrong = normalise_headers(asked["headers"] or {}, scheme=_scheme(request.url, problems))
    settings = EndpointSettings(**{"kinds": CLIENT_KINDS} | _stored(asked) | {"headers": headers})
    problems.add([_url_problem(settings, rules), secret_problem(request.secret)])
    problems.add([_version_problem(settings.api_version), _body_problem(settings)])
    problems.add((*_incident_problems(settings, had_key=False), *transform_problems(asked["transform"])))
    problems.add((*_event_problems(asked["events"]), *_filter_problems(asked["filters"]), *wrong))
    problems.refuse()
    return settings


def changed_settings(
    endpoint: Endpoint,
    headers: Mapping[str, str],
    change: ChangeEndpointRequest,
    rules: AddressRules,
    problems: Problems | None = None,
) -> EndpointSettings:
    """Return the settings after a change. `headers`: the endpoint's present ones. Raises InvalidFieldsError.

    An unchanged URL is not checked again. `problems`: those found before.
    """
    problems, asked = Problems() if problems is None else problems, _asked(change)
    url = endpoint.url if asked["url"] is None else asked["url"]
    given = headers if asked["headers"] is None else _with_hidden(asked["headers"], headers)
    wanted, wrong = normalise_headers(given, scheme=_scheme(url, problems))
    settings = EndpointSettings(**endpoint.hidden | _stored(asked) | {"headers": wanted})
    if asked["routing_key"] is None and settings.format is not BodyFormat.PAGERDUTY:
        settings = replace(settings, routing_key="")
    kept = ("payload", "api_version", "ordered")
    is_mail_before = endpoint.format is BodyFormat.EMAIL
    is_same = asked["url"] is None and is_mail_before == (settings.format is BodyFormat.EMAIL)
    problems.add([None if is_same else _url_problem(settings, rules)])
    problems.add(FieldProblem(name, _KEPT) for name in kept if getattr(settings, name) != getattr(endpoint, name))
    problems.add([_body_problem(replace(settings, payload=endpoint.payload))])
    problems.add(_incident_problems(settings, had_key=bool(endpoint.routing_key)))
    problems.add(transform_problems(asked["transform"]))
    problems.add((*_event_problems(asked["events"]), *_filter_problems(asked["filters"]), *wrong))
    problems.refuse()
    return settings


def _asked(request: CreateEndpointRequest | ChangeEndpointRequest) -> dict[str, Any]:
    """Return the settings of a body; None for those that it does not give."""
    return {each.name: getattr(request, each.name) for each in fields(EndpointSettings)}


def _stored(asked: Mapping[str, Any]) -> dict[str, Any]:
    """Return the given settings, as they are stored."""
    given = {name: value for name, value in asked.items() if value is not None}
    for name, value in given.items():
        if isinstance(value, list):
            given[name] = tuple(dict.fromkeys(value))
        elif isinstance(value, FiltersRequest):
            given[name] = _filters(value)
        elif isinstance(value, TransformRequest):
            given[name] = stored_transform(value)
    return given


def _scheme(url: str, problems: Problems) -> str:
    return "https" if problems.is_refused("url") else url.partition(":")[0].lower()


def _with_hidden(given: Mapping[str, str], stored: Mapping[str, str]) -> dict[str, str]:
    return {name: stored.get(name.lower(), value) if value == HIDDEN else value for name, value in given.items()}


def _event_problems(events: list[str] | None) -> list[FieldProblem]:
    known = ", ".join(FILTERABLE_EVENTS)
    problems = []
    for index, name in enumerate(events or ()):
        if name == EVENT_TEST:
            problems.append(
                FieldProblem(f"events.{index}", f"{EVENT_TEST} needs no filter: it is sent on request only.")
            )
        elif name not in FILTERABLE_EVENTS:
            problems.append(FieldProblem(f"events.{index}", f"Unknown event. Known: {known}."))
    return problems


def _filters(given: FiltersRequest) -> RunFilters:
    languages = [canonical(name) for name in given.languages]
    return RunFilters(
        tuple(dict.fromkeys(verdict.value for verdict in given.verdicts)),
        tuple(dict.fromkeys(language.value for language in languages if language is not None)),
        dict(given.metadata),
    )


def _filter_problems(given: FiltersRequest | None) -> list[FieldProblem]:
    if given is None:
        return []
    problems = [
        FieldProblem(f"filters.languages.{index}", f"Unknown language. Known: {', '.join(Language)}.")
        for index, name in enumerate(given.languages)
        if canonical(name) is None
    ]
    return problems + metadata_problems("filters.metadata", given.metadata)


def _version_problem(version: str) -> FieldProblem | None:
    if version in API_VERSIONS:
        return None
    return FieldProblem("api_version", f"Unknown version. Known: {', '.join(API_VERSIONS)}.")


def _url_problem(settings: EndpointSettings, rules: AddressRules) -> FieldProblem | None:
    return rules.problem(settings.url, is_mail=settings.format is BodyFormat.EMAIL)


def _body_problem(settings: EndpointSettings) -> FieldProblem | None:
    if settings.transform is not None and settings.format is not BodyFormat.EVENT:
        return FieldProblem("transform", _TWO_SHAPES, of=("format",))
    is_thin_card = settings.payload is Payload.THIN and not settings.format.has_event
    return FieldProblem("payload", _THIN_CARD, of=("format",)) if is_thin_card else None


def _incident_problems(settings: EndpointSettings, *, had_key: bool) -> list[FieldProblem]:
    """Return the problems with events, headers and routing key. No message quotes the key."""
    key = settings.routing_key
    problems = [
        FieldProblem(f"events.{index}", _ONLY_INCIDENTS)
        for index, name in enumerate(settings.events)
        if settings.format.has_incidents_only and name in FILTERABLE_EVENTS and name not in INCIDENT_EVENTS
    ]
    if settings.format is BodyFormat.EMAIL and settings.headers:
        problems.append(FieldProblem("headers", "A mail has no headers of yours. Leave them out.", of=("format",)))
    if settings.format is not BodyFormat.PAGERDUTY:
        return [*problems, FieldProblem("routing_key", _OTHER_FORMAT, of=("format",))] if key else problems
    if key == HIDDEN:
        return problems if had_key else [*problems, FieldProblem("routing_key", _NO_KEY)]
    return problems if _ROUTING_KEY.fullmatch(key) else [*problems, FieldProblem("routing_key", _NEEDS_KEY)]
