"""Settings of an endpoint, for a new endpoint and after a change."""

import re
from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any

from events.vocabulary import Language, canonical
from functions.errors import FieldProblem
from functions.http.fields import metadata_problems
from functions.http.problems import Problems
from functions.http.validation import parse_body
from functions.webhooks.endpoints.custom_headers import normalise_headers
from functions.webhooks.endpoints.filters import CLIENT_KINDS, RunFilters
from functions.webhooks.endpoints.model import HIDDEN, BodyFormat, Endpoint, EndpointSettings, Payload
from functions.webhooks.endpoints.requests import (
    ChangeEndpointRequest,
    CreateEndpointRequest,
    FiltersRequest,
    secret_problem,
)
from functions.webhooks.target.address_rules import AddressRules
from functions.webhooks.vocabulary.event_types import API_VERSIONS, EVENT_TEST, FILTERABLE_EVENTS, INCIDENT_EVENTS

_KEPT = "Set at creation, and never changed. Create another endpoint."
_THIN_CARD = "A message for people has no thin form. Choose payload full, or format event or cloudevents."
_ROUTING_KEY = re.compile(r"[A-Za-z0-9]{32}")
_NEEDS_KEY = "Format pagerduty needs the integration key of an Events API v2 integration: 32 letters and digits."
_NO_KEY = f"{HIDDEN} keeps the stored key, and there is none. {_NEEDS_KEY}"
_OTHER_FORMAT = "Only format pagerduty has a routing key. Leave it out, or choose that format."
_ONLY_INCIDENTS = f"Format pagerduty opens and resolves incidents. It gets only {', '.join(sorted(INCIDENT_EVENTS))}."


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
    settings = EndpointSettings(**{"kinds": CLIENT_KINDS} | _given(asked) | {"headers": headers})
    problems.add([rules.problem(request.url), secret_problem(request.secret)])
    problems.add([_version_problem(settings.api_version), _body_problem(settings)])
    problems.add(_pagerduty_problems(settings, had_key=False))
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
    settings = EndpointSettings(**endpoint.hidden | _given(asked) | {"headers": wanted})
    if asked["routing_key"] is None and settings.format is not BodyFormat.PAGERDUTY:
        settings = replace(settings, routing_key="")
    kept = ("payload", "api_version", "ordered")
    problems.add([None if asked["url"] is None else rules.problem(url)])
    problems.add(FieldProblem(name, _KEPT) for name in kept if getattr(settings, name) != getattr(endpoint, name))
    problems.add([_body_problem(replace(settings, payload=endpoint.payload))])
    problems.add(_pagerduty_problems(settings, had_key=bool(endpoint.routing_key)))
    problems.add((*_event_problems(asked["events"]), *_filter_problems(asked["filters"]), *wrong))
    problems.refuse()
    return settings


def _asked(request: CreateEndpointRequest | ChangeEndpointRequest) -> dict[str, Any]:
    """Return the settings of a body; None for those that it does not give."""
    return {each.name: getattr(request, each.name) for each in fields(EndpointSettings)}


def _given(asked: Mapping[str, Any]) -> dict[str, Any]:
    """Return the given settings, as they are stored."""
    given = {name: value for name, value in asked.items() if value is not None}
    for name, value in given.items():
        if isinstance(value, list):
            given[name] = tuple(dict.fromkeys(value))
        elif isinstance(value, FiltersRequest):
            given[name] = _filters(value)
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


def _body_problem(settings: EndpointSettings) -> FieldProblem | None:
    is_thin_card = settings.payload is Payload.THIN and not settings.format.has_event
    return FieldProblem("payload", _THIN_CARD, of=("format",)) if is_thin_card else None


def _pagerduty_problems(settings: EndpointSettings, *, had_key: bool) -> list[FieldProblem]:
    """Return the problems with routing key and events. No message quotes the key."""
    key = settings.routing_key
    if settings.format is not BodyFormat.PAGERDUTY:
        return [FieldProblem("routing_key", _OTHER_FORMAT, of=("format",))] if key else []
    problems = [
        FieldProblem(f"events.{index}", _ONLY_INCIDENTS)
        for index, name in enumerate(settings.events)
        if name in FILTERABLE_EVENTS and name not in INCIDENT_EVENTS
    ]
    if key == HIDDEN:
        return problems if had_key else [*problems, FieldProblem("routing_key", _NO_KEY)]
    return problems if _ROUTING_KEY.fullmatch(key) else [*problems, FieldProblem("routing_key", _NEEDS_KEY)]
