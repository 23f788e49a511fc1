"""Filters of the list of endpoints."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from functions.clock import from_rfc3339
from functions.errors import BadRequestError
from functions.http.parameters import Parameters, since_ms
from functions.webhooks.endpoints.model import Health

if TYPE_CHECKING:
    from functions.webhooks.endpoints.model import Endpoint


@dataclass(frozen=True, slots=True)
class EndpointFilters:
    """Filters of the list; None matches everything. `state`: a health. `since_ms`: created since then."""

    state: str | None = None
    since_ms: int | None = None

    def accept(self, endpoint: Endpoint, now_ms: int) -> bool:
        """Whether the list has this endpoint."""
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
