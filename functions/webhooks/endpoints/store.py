"""Endpoint rows of the deliveries table: how they lie there, consistent reads, and the subscribers of a project.

They are in this table because a claim checks delivery and endpoint in one transaction.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, Literal

from functions.aws.dynamodb.conditional import ConditionalUpdate
from functions.aws.dynamodb.due_index import due_shard
from functions.aws.dynamodb.items import Value, key
from functions.aws.dynamodb.row_codec import changes, read, write
from functions.aws.dynamodb.table import Table
from functions.clock import MS_PER_SEC, Clock, now_ms
from functions.ttl_cache import TtlCache
from functions.webhooks.endpoints.model import HIDDEN, Endpoint
from functions.webhooks.endpoints.traffic import NEVER, Counter, Traffic

if TYPE_CHECKING:
    from collections.abc import Mapping

    from functions.webhooks.endpoints.model import RunFacts


# Counters of an endpoint in its row, and the update that counts.
#
# A count needs no read: it relies on the periods that the process read last, and fails if another process has begun a
# new one since. The first count of a period moves the numbers of the one before.

_PERIODS: Final = ("hour", "day")
_NUMBERS: Final = ("attempts", "failures", "attempts_before", "failures_before")
type Number = Literal["attempts", "failures"]
TRAFFIC: Final = (*_PERIODS, *(f"{period}_{number}" for period in _PERIODS for number in _NUMBERS))
"""All attributes of the counters."""


def traffic_values(traffic: Traffic) -> dict[str, Value]:
    """Build the attributes; none for a counter that has not begun."""
    values: dict[str, Value] = {}
    for name in _PERIODS:
        counter: Counter = getattr(traffic, name)
        if counter.period != NEVER:
            values[name] = counter.period
            values |= {f"{name}_{number}": getattr(counter, number) for number in _NUMBERS}
    return values


def to_traffic(row: Mapping[str, Any]) -> Traffic:
    """Read the counters of a row."""
    counters = (
        Counter(row[name], *(row[f"{name}_{number}"] for number in _NUMBERS)) if name in row else Counter()
        for name in _PERIODS
    )
    return Traffic(*counters)


def count(update: ConditionalUpdate, before: Traffic, now_ms: int, numbers: Mapping[Number, int]) -> ConditionalUpdate:
    """Add to numbers of this hour and of this day. Fails unless the row has the periods of `before`."""
    after = before.at(now_ms)
    for name in _PERIODS:
        update = _count_in(update, name, getattr(before, name), getattr(after, name), numbers)
    return update


def _count_in(
    update: ConditionalUpdate, name: str, before: Counter, after: Counter, numbers: Mapping[Number, int]
) -> ConditionalUpdate:
    sets, computed = dict(update.sets), list(update.computed)
    values: dict[str, Value] = {}
    condition = f"attribute_not_exists(#{name})"
    if before.period != NEVER:
        condition = f"#{name} = :read_{name}"
        values[f"read_{name}"] = before.period
    if after.period == before.period:
        values |= {f"more_{number}": more for number, more in numbers.items()}
        computed += [f"#{name}_{number} = #{name}_{number} + :more_{number}" for number in numbers]
    else:
        sets |= {name: after.period, f"{name}_attempts": 0, f"{name}_failures": 0}
        sets |= {f"{name}_{number}": more for number, more in numbers.items()}
        if after.period == before.period + 1 and before.period != NEVER:
            computed += [f"#{name}_{counted}_before = #{name}_{counted}" for counted in ("attempts", "failures")]
        else:
            sets |= {f"{name}_attempts_before": 0, f"{name}_failures_before": 0}
    return replace(update.only_if(condition, values), sets=sets, computed=tuple(computed))


HEALTH_CHANGE: Final = ("untold_type", "untold_at", "untold_degraded_at")
"""The attributes of `Endpoint.unpublished_change`."""
HEALTH: Final = (
    *("disabled_reason", "disabled_at", "failing_since_ms", "failing_counted_ms", "failing_spread"),
    *("degraded_at", *HEALTH_CHANGE, *TRAFFIC),
)
"""Attributes that an endpoint loses when its project enables it."""
ENDPOINT_PREFIX = "ENDPOINT#"
SUBSCRIBERS_PREFIX = "ENDPOINT"
"""Of the endpoints, and of the row with their number, which also says how long the project keeps an event log."""
DELETION_PREFIX = "DELETED#"
_DELETION_KEPT_MS = 24 * 86_400_000


def endpoint_pk(project_id: str) -> str:
    """Return the partition key of all endpoints of a project."""
    return f"PROJECT#{project_id}"


def endpoint_key(project_id: str, endpoint_id: str) -> dict[str, Any]:
    """Return the key of an endpoint row."""
    return key(endpoint_pk(project_id), ENDPOINT_PREFIX + endpoint_id)


def deletion_key(project_id: str, endpoint_id: str) -> dict[str, Any]:
    """Return the key of the deletion row of an endpoint."""
    return key(endpoint_pk(project_id), DELETION_PREFIX + endpoint_id)


def deletion_row(project_id: str, endpoint_id: str, now_ms: int) -> dict[str, Value | None]:
    """Build the row of a deletion, due now: `Deletions` cancels the open deliveries of the endpoint."""
    return {
        "pk": endpoint_pk(project_id),
        "sk": DELETION_PREFIX + endpoint_id,
        "deleted_at_ms": now_ms,
        "read_to": "",
        "due_shard": due_shard(endpoint_id),
        "due_at_ms": now_ms,
        "ttl": (now_ms + _DELETION_KEPT_MS) // MS_PER_SEC,
    }


def ids_of_endpoint(row: Mapping[str, Any]) -> tuple[str, str]:
    """Return project id and endpoint id from the key of an endpoint's row, whatever its prefix."""
    return str(row["pk"]).removeprefix("PROJECT#"), str(row["sk"]).partition("#")[2]


def endpoint_row(endpoint: Endpoint) -> dict[str, Value | None]:
    """Build the row of a new endpoint."""
    return {
        **write(endpoint),
        "header_names": tuple(endpoint.headers),
        **traffic_values(endpoint.traffic),
        "pk": endpoint_pk(endpoint.project_id),
        "sk": ENDPOINT_PREFIX + endpoint.endpoint_id,
    }


def changed_attributes(before: Endpoint, after: Endpoint) -> tuple[dict[str, Value], tuple[str, ...]]:
    """Return the attributes to set, and the names of those to remove, for changed settings and secrets."""
    sets, removes = changes(before, after)
    if list(before.headers) != list(after.headers):
        sets["header_names"] = tuple(after.headers)
    return sets, removes


def failing_is(endpoint: Endpoint, values: dict[str, Value]) -> str:
    """Return a condition that the health of the row is as in `endpoint`, and add its values."""
    if endpoint.failing is None:
        return "attribute_not_exists(#failing_since_ms)"
    values |= {"seen_since": endpoint.failing.since_ms, "seen_spread": endpoint.failing.spread}
    return "#failing_since_ms = :seen_since AND #failing_spread = :seen_spread"


def to_endpoint(row: Mapping[str, Any]) -> Endpoint:
    """Convert an endpoint's row."""
    project_id, endpoint_id = ids_of_endpoint(row)
    in_other_attributes = {
        "project_id": project_id,
        "endpoint_id": endpoint_id,
        "headers": dict.fromkeys(row.get("header_names", ()), HIDDEN),
        "routing_key": HIDDEN if "routing_key_box" in row else "",
        "asymmetric": "public_key" in row,
        "traffic": to_traffic(row),
    }
    return read(Endpoint, {**row, **in_other_attributes})


@dataclass(frozen=True, slots=True)
class Subscribers:
    """All endpoints of a project, oldest first. Its events are logged until `log_until_ms`, while a consumer polls."""

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


class EndpointStore(Table):
    """Endpoint rows of the deliveries table. `EndpointChanges` writes their settings."""

    table_setting = "deliveries_table"

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


FRESH_MS = 60_000
"""How old a list may be.

This matters without a version, and for `log_until_ms`, whose changes do not change the version.
"""
_MOST_PROJECTS = 200


class SubscriberCache:
    """Subscribers by project and version, for the events of runs. URLs and sealed secrets stay for FRESH_MS."""

    def __init__(self, store: EndpointStore, clock: Clock = now_ms) -> None:
        self._store = store
        self._lists = TtlCache[tuple[str, str], "Subscribers"](FRESH_MS, _MOST_PROJECTS, clock)

    def get(self, project_id: str, version: str | None) -> Subscribers:
        """Return a project's subscribers, at least as new as `version`, which `QuotaStore.charge` returned.

        So the list has every endpoint that existed when the run was charged. It may have disabled or deleted endpoints;
        the claim of each delivery finds them. A new version costs one consistent Query.
        """
        return self._lists.get_or_load((project_id, version or ""), lambda: self._store.subscribers(project_id))
