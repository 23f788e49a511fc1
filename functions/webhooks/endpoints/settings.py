"""Settings of an endpoint, for a new endpoint and after a change."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from functions.errors import FieldProblem
from functions.webhooks.endpoints.custom_headers import HIDDEN, normalise_headers
from functions.webhooks.endpoints.model import DEFAULT_CONCURRENCY, BodyFormat, Endpoint
from functions.webhooks.endpoints.requests import ChangeEndpointRequest, CreateEndpointRequest, refuse, secret_problem
from functions.webhooks.event_types import EVENT_TEST, FILTERABLE_EVENTS
from functions.webhooks.sending.address import AddressRefusedError, check_url


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


def new_settings(request: CreateEndpointRequest, rules: AddressRules) -> EndpointSettings:
    """Return the settings of a new endpoint. Raises InvalidFieldsError."""
    headers, problems = normalise_headers(request.headers or {}, scheme=_scheme(request.url))
    refuse([rules.problem(request.url), *_event_problems(request.events), *problems, secret_problem(request.secret)])
    return EndpointSettings(
        request.url,
        tuple(dict.fromkeys(request.events or ())),
        request.description or "",
        request.enabled is not False,
        headers,
        request.max_concurrency or DEFAULT_CONCURRENCY,
        request.max_per_second or 0,
        request.format or BodyFormat.EVENT,
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
    refuse([None if change.url is None else rules.problem(url), *_event_problems(change.events), *problems])
    return EndpointSettings(
        url,
        endpoint.events if change.events is None else tuple(dict.fromkeys(change.events)),
        endpoint.description if change.description is None else change.description,
        endpoint.enabled if change.enabled is None else change.enabled,
        wanted,
        endpoint.max_concurrency if change.max_concurrency is None else change.max_concurrency,
        endpoint.max_per_second if change.max_per_second is None else change.max_per_second,
        endpoint.format if change.format is None else change.format,
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
