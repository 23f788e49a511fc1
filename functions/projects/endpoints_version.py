"""The version of a project's webhook endpoints, in the attribute `endpoints_version` of its quota items.

A change of an endpoint writes a new version in the same transaction. `QuotaStore.charge` returns the version, so a
process knows without a read whether its copy of the list is current. Only a quota with several shards needs a read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from events.vocabulary import Profile
from functions.aws.dynamodb.conditional import ConditionalUpdate
from functions.clock import MS_PER_SEC
from functions.ids import new_id
from functions.projects.quota_rows import KEPT_SECS, quota_key

if TYPE_CHECKING:
    from functions.aws.dynamodb.items import Value


def renew_endpoints_version(quotas_table: str, project_id: str, now_ms: int) -> list[Any]:
    """Return the actions that write a new version, for a transaction that changes an endpoint of the project.

    They create a quota item that does not exist yet. The item then has no counts, and expires as after a charge.
    """
    sets: dict[str, Value] = {"endpoints_version": new_id(), "ttl": now_ms // MS_PER_SEC + KEPT_SECS}
    update = ConditionalUpdate(sets, "", {})
    return [update.action(quotas_table, quota_key(project_id, profile.value)) for profile in Profile]
