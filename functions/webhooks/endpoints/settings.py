"""Settings of an endpoint, for a new endpoint and after a change."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from functions.errors import FieldProblem
from functions.messages.languages import Language, canonical
from functions.webhooks.endpoints.custom_headers import HIDDEN, normalise_headers
from functions.webhooks.endpoints.filters import ALL_RUNS, RunFilters
from functions.webhooks.endpoints.model import DEFAULT_CONCURRENCY, BodyFormat, Endpoint, Payload
from functions.webhooks.endpoints.requests import (
    ChangeEndpointRequest,
    CreateEndpointRequest,
    FiltersRequest,
    refuse,
    secret_problem,
)
from functions.webhooks.event_types import API_VERSIONS, CURRENT_VERSION, EVENT_TEST, FILTERABLE_EVENTS
from functions.webhooks.sending.address import AddressRefusedError, check_url

METADATA_MAX_KEYS = 16
METADATA_MAX_BYTES = 2_048
_KEPT = "Set at creation, and never changed. Create another endpoint."
_THIN_CARD = "A message for people has no thin form. Choose payload full, or format event."


@dataclass(frozen=True, slots=True)
class AddressRules:
    """Rules of the URL check (stage 1). `own_hosts`: host names of our own API."""

    allow_insecure: bool
    own_hosts: tuple[str, ...]

    def problem(self, url: str) -> FieldProblem | None:
        """Return the problem with a URL; None if it is allowed."""
        try:
            for own_host in self.own_hosts or ("",):
                check_url(url, allow_insecure=self.allow_insecure, own_host=own_host)
        except AddressRefusedError as refused:
            return FieldProblem("url", f"{refused.code}: {refused.message}")
        return None


@dataclass(frozen=True, slots=True)
class EndpointSettings:
    """Validated settings of an endpoint."""

    url: str = field(repr=False)
    events: tuple[str, ...]
    description: str
    enabled: bool
    headers: Mapping[str, str] = field(repr=False)
    max_concurrency: int = DEFAULT_CONCURRENCY
    max_per_second: int = 0
    format: BodyFormat = BodyFormat.EVENT
    filters: RunFilters = ALL_RUNS
    payload: Payload = Payload.FULL
    api_version: str = CURRENT_VERSION
    ordered: bool = False
    asymmetric: bool = False


def new_settings(request: CreateEndpointRequest, rules: AddressRules) -> EndpointSettings:
    """Return the settings of a new endpoint. Raises InvalidFieldsError."""
    headers, problems = normalise_headers(request.headers or {}, scheme=_scheme(request.url))
    body_format, payload = request.format or BodyFormat.EVENT, request.payload or Payload.FULL
    api_version = request.api_version or CURRENT_VERSION
    refuse(
        [
            *(rules.problem(request.url), secret_problem(request.secret)),
            *(_version_problem(api_version), _body_problem(body_format, payload)),
            *(*_event_problems(request.events), *_filter_problems(request.filters), *problems),
        ]
    )
    return EndpointSettings(
        request.url,
        tuple(dict.fromkeys(request.events or ())),
        request.description or "",
        request.enabled is not False,
        headers,
        request.max_concurrency or DEFAULT_CONCURRENCY,
        request.max_per_second or 0,
        body_format,
        ALL_RUNS if request.filters is None else _filters(request.filters),
        payload,
        api_version,
        request.ordered or False,
        request.asymmetric or False,
    )


def changed_settings(
    endpoint: Endpoint, headers: Mapping[str, str], change: ChangeEndpointRequest, rules: AddressRules
) -> EndpointSettings:
    """Return the settings after a change. `headers`: the endpoint's present ones. Raises InvalidFieldsError.

    An unchanged URL is not checked again.
    """
    url = endpoint.url if change.url is None else change.url
    given = headers if change.headers is None else _with_hidden(change.headers, headers)
    wanted, problems = normalise_headers(given, scheme=_scheme(url))
    body_format = endpoint.format if change.format is None else change.format
    kept = ("payload", "api_version", "ordered")
    refuse(
        [
            None if change.url is None else rules.problem(url),
            *(FieldProblem(name, _KEPT) for name in kept if _differs(getattr(change, name), getattr(endpoint, name))),
            _body_problem(body_format, endpoint.payload),
            *(*_event_problems(change.events), *_filter_problems(change.filters), *problems),
        ]
    )
    return EndpointSettings(
        url,
        endpoint.events if change.events is None else tuple(dict.fromkeys(change.events)),
        endpoint.description if change.description is None else change.description,
        endpoint.enabled if change.enabled is None else change.enabled,
        wanted,
        endpoint.max_concurrency if change.max_concurrency is None else change.max_concurrency,
        endpoint.max_per_second if change.max_per_second is None else change.max_per_second,
        body_format,
        endpoint.filters if change.filters is None else _filters(change.filters),
        endpoint.payload,
        endpoint.api_version,
        endpoint.ordered,
        endpoint.public_key is not None if change.asymmetric is None else change.asymmetric,
    )


def _scheme(url: str) -> str:
    return url.partition(":")[0].lower()


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
    if len(given.metadata) > METADATA_MAX_KEYS:
        problems.append(FieldProblem("filters.metadata", f"At most {METADATA_MAX_KEYS} keys."))
    if sum(len(name.encode()) + len(text.encode()) for name, text in given.metadata.items()) > METADATA_MAX_BYTES:
        problems.append(FieldProblem("filters.metadata", f"At most {METADATA_MAX_BYTES:,} bytes of names and values."))
    return problems


def _version_problem(version: str) -> FieldProblem | None:
    if version in API_VERSIONS:
        return None
    return FieldProblem("api_version", f"Unknown version. Known: {', '.join(API_VERSIONS)}.")


def _body_problem(body_format: BodyFormat, payload: Payload) -> FieldProblem | None:
    is_thin_card = payload is Payload.THIN and body_format is not BodyFormat.EVENT
    return FieldProblem("payload", _THIN_CARD) if is_thin_card else None


def _differs(given: object, kept: object) -> bool:
    return given is not None and given != kept
