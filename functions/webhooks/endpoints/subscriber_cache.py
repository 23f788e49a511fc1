"""A cache of the subscribers of projects, for the events of finished runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from functions.clock import Clock, now_ms
from functions.ttl_cache import TtlCache

if TYPE_CHECKING:
    from functions.webhooks.endpoints.store import EndpointStore
    from functions.webhooks.endpoints.subscribers import Subscribers

FRESH_MS = 60_000
"""How old a list may be.

This matters without a version, and for `log_until_ms`, whose changes do not change the version.
"""
_MOST_PROJECTS = 200


class SubscriberCache:
    """Subscribers by project and version. URLs and sealed secrets stay in memory for FRESH_MS."""

    def __init__(self, store: EndpointStore, clock: Clock = now_ms) -> None:
        self._store = store
        self._lists = TtlCache[tuple[str, str], "Subscribers"](FRESH_MS, _MOST_PROJECTS, clock)

    def get(self, project_id: str, version: str | None) -> Subscribers:
        """Return a project's subscribers, at least as new as `version`, which `QuotaStore.charge` returned.

        So the list has every endpoint that existed when the run was charged. It may have disabled or deleted endpoints;
        the claim of each delivery finds them. A new version costs one consistent Query.
        """
        return self._lists.get_or_load((project_id, version or ""), lambda: self._store.subscribers(project_id))
