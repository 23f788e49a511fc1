"""The subscribers of a project: its endpoints, and the event log while a consumer polls it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from functions.webhooks.endpoints.filters import RunFacts
    from functions.webhooks.endpoints.model import Endpoint


@dataclass(frozen=True, slots=True)
class Subscribers:
    """All endpoints of a project, oldest first. Events are logged until `log_until_ms`."""

    endpoints: tuple[Endpoint, ...] = ()
    log_until_ms: int = 0

    def is_logged(self, now_ms: int) -> bool:
        """Whether an event of now goes to the log."""
        return now_ms < self.log_until_ms

    def want(self, event_type: str, now_ms: int) -> bool:
        """Whether anybody gets an event of this type now."""
        return self.is_logged(now_ms) or any(endpoint.wants(event_type) for endpoint in self.endpoints)

    def of_run(self, run: RunFacts) -> Subscribers:
        """Keep the endpoints that want this run."""
        return replace(self, endpoints=tuple(endpoint for endpoint in self.endpoints if endpoint.wants_run(run)))

    def among(self, endpoint_ids: frozenset[str]) -> Subscribers:
        """Keep the endpoints with these ids; all if none of them is there."""
        kept = tuple(endpoint for endpoint in self.endpoints if endpoint.endpoint_id in endpoint_ids)
        return replace(self, endpoints=kept) if kept else self

    def without(self, endpoint_id: str | None) -> Subscribers:
        """Leave out an endpoint."""
        return replace(self, endpoints=tuple(each for each in self.endpoints if each.endpoint_id != endpoint_id))
