"""Targets, and whether sends to them need a lease and a slot."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from functions.webhooks.deliveries.model import RUN_ENDPOINT_ID
from functions.webhooks.endpoints.model import DEFAULT_CONCURRENCY

if TYPE_CHECKING:
    from functions.webhooks.endpoints.model import Endpoint
    from functions.webhooks.sending.lanes.lane import Lane


@dataclass(frozen=True, slots=True)
class Target:
    """An endpoint with its lane, or the lane of runs that send to one host. `endpoint` is None there, or if deleted."""

    endpoint: Endpoint | None
    lane: Lane

    def is_guarded(self, now_ms: int) -> bool:
        """Whether a send needs a lease and a slot: its target fails, was slow, has limits, or may not be sent to."""
        endpoint, lane = self.endpoint, self.lane
        if lane.failures or lane.waiting_ms is not None or now_ms < lane.guarded_until_ms:
            return True
        if endpoint is None:
            return not lane.name.startswith(f"{RUN_ENDPOINT_ID}#")
        has_limit = endpoint.ordered or endpoint.max_per_second or endpoint.max_concurrency != DEFAULT_CONCURRENCY
        return bool(not endpoint.enabled or endpoint.failing is not None or has_limit)
