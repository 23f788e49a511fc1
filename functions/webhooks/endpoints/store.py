"""Endpoint rows: consistent reads, and the lock of a long call."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from functions.aws.dynamodb.conditional import ConditionalUpdate
from functions.aws.dynamodb.table import Table
from functions.webhooks.endpoints.rows import (
    ENDPOINT_PREFIX,
    SUBSCRIBERS_PREFIX,
    endpoint_key,
    endpoint_pk,
    to_endpoint,
)
from functions.webhooks.endpoints.subscribers import Subscribers

if TYPE_CHECKING:
    from functions.webhooks.endpoints.model import Endpoint


class EndpointStore(Table):
    """Endpoint rows of the deliveries table. `EndpointChanges` writes their settings."""

    def get(self, project_id: str, endpoint_id: str) -> Endpoint | None:
        """Read one endpoint of the project."""
        row = self._get(endpoint_key(project_id, endpoint_id))
        return to_endpoint(row) if row is not None else None

    def list_all(self, project_id: str) -> list[Endpoint]:
        """Return all endpoints of the project, oldest first."""
        return list(self.subscribers(project_id).endpoints)

    def subscribers(self, project_id: str) -> Subscribers:
        """Return all endpoints of the project, and whether it keeps an event log."""
        rows = self._list(endpoint_pk(project_id), SUBSCRIBERS_PREFIX)
        endpoints = [to_endpoint(row) for row in rows if row["sk"].startswith(ENDPOINT_PREFIX)]
        log_until_ms = max((row["log_until_ms"] for row in rows if "log_until_ms" in row), default=0)
        return Subscribers(
            tuple(sorted(endpoints, key=lambda endpoint: (endpoint.created_at, endpoint.endpoint_id))), log_until_ms
        )

    def begin_work(self, endpoint: Endpoint, now_ms: int, until_ms: int) -> bool:
        """Lock the endpoint for a long call until `until_ms`; False if another call has the lock, or it is gone."""
        update = ConditionalUpdate(
            {"busy_until_ms": until_ms},
            "attribute_exists(#pk) AND (attribute_not_exists(#busy_until_ms) OR #busy_until_ms <= :now)",
            {"now": now_ms},
        )
        return self._update_unread(update, _key(endpoint))

    def end_work(self, endpoint: Endpoint, until_ms: int) -> None:
        """Unlock the endpoint, unless another call has the lock."""
        update = ConditionalUpdate({}, "#busy_until_ms = :ours", {"ours": until_ms}, ("busy_until_ms",))
        self._update_unread(update, _key(endpoint))


def _key(endpoint: Endpoint) -> dict[str, Any]:
    return endpoint_key(endpoint.project_id, endpoint.endpoint_id)
