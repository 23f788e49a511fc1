"""What a client sees of endpoints, without secrets and header values. Each `TypedDict` is a schema of the document."""

from dataclasses import asdict, dataclass, fields
from typing import Annotated, Any, Literal, TypedDict, cast, get_type_hints

from pydantic import Field

from events.vocabulary import Language, Verdict
from functions.clock import from_rfc3339, to_rfc3339
from functions.errors import BadRequestError
from functions.http.openapi.bodies import Count, Time, Uuid
from functions.http.parameters import Parameters, since_ms
from functions.webhooks.endpoints.model import (
    DEGRADED_FROM,
    DISABLE_AFTER_MS,
    RECOVERED_TO,
    DisabledReason,
    Endpoint,
    EndpointSettings,
    Health,
)
from functions.webhooks.vocabulary import Rate


class FiltersView(TypedDict):
    """Filters of runs; empty ones accept every run."""

    verdicts: list[Verdict]
    languages: list[Language]
    metadata: dict[str, str]


class AttemptRate(TypedDict):
    """Attempts in a window that ends now. An estimate: the period before counts in part, as if spread evenly."""

    attempts: Count
    failures: Count
    success_rate: Annotated[float | None, Field(description="From 0 to 1. null: no attempts.")]


class EndpointStats(TypedDict):
    """Attempts at an endpoint, without those of alerts and tests."""

    last_hour: AttemptRate
    last_day: AttemptRate


_SHOWN_KINDS = get_type_hints(EndpointSettings) | {"filters": FiltersView, "routing_key": str | None}


def _shown(name: str, *, description: str | None = None, **_: Any) -> Any:
    """Return the type of a setting in an answer, without the bounds of requests."""
    kind = Count if _SHOWN_KINDS[name] is int else _SHOWN_KINDS[name]
    return kind if description is None else Annotated[kind, Field(description=description)]


class _Named(TypedDict):
    id: Uuid


_Settings = TypedDict("_Settings", {each.name: _shown(each.name, **each.metadata) for each in fields(EndpointSettings)})  # type: ignore[misc]  # its fields are those of EndpointSettings


class EndpointView(_Named, _Settings):
    """A webhook endpoint: its settings, without secret values, and its state.

    Only the responses of creation and rotation show its secret.
    """

    public_key: Annotated[str | None, Field(description="The public key: whpk_<base64>. null: not asymmetric.")]
    health: Annotated[
        Health,
        Field(
            description="degraded: a quarter of the attempts of the last hour failed, or all for two and a half days."
        ),
    ]
    warning: Annotated[str | None, Field(description="Why it is degraded, and when it recovers or will be disabled.")]
    degraded_at: Time | None
    stats: EndpointStats
    failing_since: Annotated[Time | None, Field(description="First failure since the last success.")]
    disabled_reason: Annotated[
        DisabledReason | None,
        Field(description="request: by the project; gone: it responded 410; failing: five days of failures."),
    ]
    disabled_at: Time | None
    previous_secret_until: Annotated[
        Time | None, Field(description="The secret before the last rotation also signs until this time.")
    ]
    created_at: Time
    updated_at: Time


class EndpointWithSecret(EndpointView):
    """An endpoint with its new secret. No other response shows the secret."""

    secret: str


class EndpointPage(TypedDict):
    """One page, newest first."""

    items: list[EndpointView]
    next_cursor: str | None


class EndpointDeleted(TypedDict):
    """A deleted endpoint. It gets no more requests."""

    id: Uuid
    deleted: Literal[True]


def endpoint_body(endpoint: Endpoint, now_ms: int) -> EndpointView:
    """Return the body of one endpoint."""
    failing = endpoint.failing
    overlaps = len(endpoint.signing_boxes(now_ms)) > 1
    return {
        "id": endpoint.endpoint_id,
        **_settings(endpoint),
        "public_key": endpoint.public_key,
        "health": endpoint.health(now_ms),
        "warning": _warning(endpoint, now_ms),
        "degraded_at": endpoint.degraded_at,
        "stats": {
            "last_hour": _rate_body(endpoint.traffic.last_hour(now_ms)),
            "last_day": _rate_body(endpoint.traffic.last_day(now_ms)),
        },
        "failing_since": to_rfc3339(failing.since_ms) if failing else None,
        "disabled_reason": endpoint.disabled_reason,
        "disabled_at": endpoint.disabled_at,
        "previous_secret_until": to_rfc3339(endpoint.previous_until_ms or 0) if overlaps else None,
        "created_at": endpoint.created_at,
        "updated_at": endpoint.updated_at,
    }


def with_secret(body: EndpointView, secret: str) -> EndpointWithSecret:
    """Add the secret, which only the answers of creation and rotation show."""
    return {**body, "secret": secret}


def _settings(endpoint: Endpoint) -> _Settings:
    shown = {"filters": asdict(endpoint.filters), "routing_key": endpoint.routing_key or None}
    return cast("_Settings", endpoint.hidden | shown)


def _rate_body(rate: Rate) -> AttemptRate:
    attempts = round(rate.attempts)
    success_rate = round(1 - rate.failed_share, 4) if attempts else None
    return {"attempts": attempts, "failures": min(round(rate.failures), attempts), "success_rate": success_rate}


def _warning(endpoint: Endpoint, now_ms: int) -> str | None:
    if endpoint.health(now_ms) is not Health.DEGRADED:
        return None
    if endpoint.failing is None or not endpoint.is_failing_long(now_ms):
        return (
            f"Degraded since {endpoint.degraded_at}: at least {DEGRADED_FROM:.0%} of the attempts failed. It has "
            f"recovered when at most {RECOVERED_TO:.0%} fail."
        )
    since_ms = endpoint.failing.since_ms
    return (
        f"Every delivery since {to_rfc3339(since_ms)} has failed. Without a success, the endpoint is disabled "
        f"after {to_rfc3339(since_ms + DISABLE_AFTER_MS)}, and its deliveries pause."
    )


@dataclass(frozen=True, slots=True)
class EndpointFilters:
    """Filters of the list; None matches everything. `state`: a health. `since_ms`: created since then."""

    state: str | None = None
    since_ms: int | None = None

    def accept(self, endpoint: Endpoint, now_ms: int) -> bool:
        is_recent = self.since_ms is None or from_rfc3339(endpoint.created_at) >= self.since_ms
        return is_recent and self.state in {None, endpoint.health(now_ms)}


def endpoint_filters(parameters: Parameters) -> EndpointFilters:
    """Parse the filters of the list. Raises BadRequestError."""
    state = parameters.get("state")
    if state is not None and state not in list(Health):
        raise BadRequestError(f"state must be one of {', '.join(Health)}.")
    return EndpointFilters(state, since_ms(parameters))


def created_key(endpoint: Endpoint) -> str:
    """Return the position of an endpoint in the list."""
    return f"{endpoint.created_at}#{endpoint.endpoint_id}"
