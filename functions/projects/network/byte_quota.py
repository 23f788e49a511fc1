"""The bytes that a project's runs with network send and receive in a day (UTC): one item of the quotas table a day.

The runner counts the bytes of a run, so they are known at its end: the runs in flight may exceed the quota, each by the
limit of a run at most.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from functions.aws.dynamodb.conditional import ConditionalUpdate
from functions.aws.dynamodb.table import Table
from functions.clock import MS_PER_SEC
from functions.errors import RateLimitedError
from functions.projects.quota import DAY_MS, Rate, Window
from functions.projects.quota_rows import KEPT_SECS, quota_key

if TYPE_CHECKING:
    from functions.projects.model import Project

MIB = 1_048_576


class NetworkQuota(Table):
    """The daily items of the quotas table."""

    def check(self, project: Project) -> None:
        """Refuse a run if the project's bytes of the day are used up. Raises RateLimitedError."""
        limit, now = project.network.mb_per_day * MIB, self._clock()
        used = (self._get(self._key(project.project_id, now)) or {}).get("bytes", 0)
        if used < limit:
            return
        rate = Rate(limit, 0, Window(DAY_MS, now // DAY_MS, used).reset_secs(now))
        message = f"The network quota of this project is {project.network.mb_per_day:,} MiB per day, and it is used up."
        again = f"Repeat the request in {rate.reset_secs} seconds, or ask the administrator for a larger one."
        raise RateLimitedError(f"{message} {again}", rate.reset_secs, rate.headers)

    def count(self, project_id: str, used_bytes: int) -> None:
        """Add the bytes of a run."""
        self._update_unread(*self._addition(project_id, used_bytes))

    def count_action(self, project_id: str, used_bytes: int) -> Any:
        """Return the addition as an action of a transaction. It has no condition, so it never cancels one."""
        update, key = self._addition(project_id, used_bytes)
        return update.action(self.table_name, key)

    def _addition(self, project_id: str, used_bytes: int) -> tuple[ConditionalUpdate, dict[str, Any]]:
        now = self._clock()
        update = ConditionalUpdate(
            sets={"ttl": now // MS_PER_SEC + KEPT_SECS},
            condition="",
            condition_values={"zero": 0, "more": used_bytes},
            computed=("#bytes = if_not_exists(#bytes, :zero) + :more",),
        )
        return update, self._key(project_id, now)

    def _key(self, project_id: str, now_ms: int) -> dict[str, Any]:
        return quota_key(project_id, f"network#{now_ms // DAY_MS}")


def network_bytes(evidence: Any) -> int:
    """Return the bytes of a run in both directions, from its evidence."""
    return int((evidence or {}).get("network_bytes") or 0)
