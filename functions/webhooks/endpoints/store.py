"""Endpoint rows of the deliveries table: how they lie there, consistent reads, and the subscribers of a project.

They are in this table because a claim checks delivery and endpoint in one transaction.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, Literal

from functions.aws.dynamodb.conditional import ABSENT, EXISTS, ConditionalUpdate, delete, put
from functions.aws.dynamodb.items import Value, key, to_item
from functions.aws.dynamodb.row_codec import changes, read, write
from functions.aws.dynamodb.table import Table, due_shard
from functions.aws.dynamodb.transaction import Refusal, transact_or_raise
from functions.clock import MS_PER_SEC, Clock, from_rfc3339, now_ms, to_rfc3339
from functions.event_log.rows import count_key
from functions.projects.quota_store import renew_endpoints_version
from functions.ttl_cache import TtlCache
from functions.webhooks.endpoints.model import HIDDEN, MAX_ENDPOINTS, MAX_ORDERED, Endpoint, Transform
from functions.webhooks.vocabulary import NEVER, Counter, Traffic

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mypy_boto3_dynamodb import DynamoDBClient

    from functions.env import Env
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
    """Build the row of a deletion, due now: `DeliveryStore` cancels the open deliveries of the endpoint."""
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


CHECK_AFTER_MS = 60_000
"""The health is checked so long after a failure, with all failures of that time."""


def due_for_health(update: ConditionalUpdate, endpoint_id: str, now_ms: int) -> ConditionalUpdate:
    """Make the row due for a check, unless it is due already."""
    return replace(
        update,
        sets={**update.sets, "due_shard": due_shard(endpoint_id)},
        condition_values={**update.condition_values, "check_at": now_ms + CHECK_AFTER_MS},
        computed=(*update.computed, "#due_at_ms = if_not_exists(#due_at_ms, :check_at)"),
    )


@dataclass(frozen=True, slots=True)
class Subscribers:
    """All endpoints of a project, oldest first. Its events are logged until `log_until_ms`, while a consumer polls."""

    endpoints: tuple[Endpoint, ...] = ()
    log_until_ms: int = 0

    def is_logged(self, now_ms: int) -> bool:
        return now_ms < self.log_until_ms

    def want(self, event_type: str, now_ms: int) -> bool:
        """Whether anybody gets an event of this type now."""
        return self.is_logged(now_ms) or any(endpoint.wants(event_type) for endpoint in self.endpoints)

    def of_run(self, run: RunFacts) -> Subscribers:
        return replace(self, endpoints=tuple(endpoint for endpoint in self.endpoints if endpoint.wants_run(run)))

    def among(self, endpoint_ids: frozenset[str]) -> Subscribers:
        """Keep the endpoints with these ids; all if none of them is there."""
        kept = tuple(endpoint for endpoint in self.endpoints if endpoint.endpoint_id in endpoint_ids)
        return replace(self, endpoints=kept) if kept else self

    def without(self, endpoint_id: str | None) -> Subscribers:
        return replace(self, endpoints=tuple(each for each in self.endpoints if each.endpoint_id != endpoint_id))


_CLAIM_SECS = 86_400


@dataclass(frozen=True, slots=True)
class CreationClaim:
    """A claimed Idempotency-Key, written with its endpoint: the id of that, and the hash of the request."""

    key_sha256: str
    body_sha256: str
    endpoint_id: str

    @classmethod
    def of(cls, idempotency_key: str, body: str, endpoint_id: str) -> CreationClaim:
        return cls(_sha256(idempotency_key), _sha256(body), endpoint_id)

    def key(self, project_id: str) -> dict[str, Any]:
        return key(endpoint_pk(project_id), f"CREATED#{self.key_sha256}")

    def action(self, table_name: str, project_id: str, now_ms: int) -> Any:
        """Return the Put of the claim, on condition that nobody holds its key."""
        now = now_ms // MS_PER_SEC
        values = to_item({"endpoint_id": self.endpoint_id, "body_sha256": self.body_sha256, "ttl": now + _CLAIM_SECS})
        return put(table_name, {**self.key(project_id), **values}, f"{ABSENT} OR #ttl <= :now", {"now": now})


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()


class EndpointLimitError(Exception):
    """The project already has MAX_ENDPOINTS endpoints."""


class CreationClaimTakenError(Exception):
    """The Idempotency-Key has already created an endpoint."""


class EndpointStore(Table):
    """Endpoint rows of the deliveries table. Writes of settings raise RowsContendedError.

    Each creation, change and deletion is one transaction that also renews the version of the project's endpoints.
    Senders change the health of the same rows (`sending.attempts`). That needs no new version: before each send the
    claim checks that the endpoint is enabled. A counter row changes with each creation and deletion, so that
    concurrent requests cannot exceed MAX_ENDPOINTS.

    `quotas_table`: of the versions; only an entry point that changes endpoints has it.
    """

    def __init__(self, table_name: str, client: DynamoDBClient, clock: Clock = now_ms, quotas_table: str = "") -> None:
        super().__init__(table_name, client, clock)
        self._quotas_table = quotas_table

    @classmethod
    def from_env(cls, env: Env) -> EndpointStore:
        settings = env.settings
        return cls(settings.deliveries_table, env.dynamodb, env.clock, getattr(settings, "quotas_table", ""))

    def get(self, project_id: str, endpoint_id: str) -> Endpoint | None:
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

    def create(self, endpoint: Endpoint, claim: CreationClaim | None = None, also: Sequence[Any] = ()) -> bool:
        """Write a new endpoint; False if its id exists: our own earlier write, whose response was lost.

        `also`: actions of the same transaction, here and below.

        Raises EndpointLimitError, CreationClaimTakenError.
        """
        new = put(self.table_name, to_item(endpoint_row(endpoint)), ABSENT)
        counters = {"count": MAX_ENDPOINTS} | ({"ordered": MAX_ORDERED} if endpoint.ordered else {})
        count = ConditionalUpdate(
            {},
            " AND ".join(f"(attribute_not_exists(#{name}) OR #{name} < :most_{name})" for name in counters),
            {"zero": 0, "one": 1} | {f"most_{name}": most for name, most in counters.items()},
            computed=tuple(f"#{name} = if_not_exists(#{name}, :zero) + :one" for name in counters),
        )
        refusal = self._write(
            endpoint.project_id,
            {
                "endpoint": new,
                "count": self._count(endpoint.project_id, count),
                "also": also,
                "claim": [] if claim is None else claim.action(self.table_name, endpoint.project_id, self._clock()),
            },
        )
        if refusal is None:
            return True
        if "endpoint" in refusal.failed:
            return False
        raise CreationClaimTakenError if "claim" in refusal.failed else EndpointLimitError

    def change(
        self,
        before: Endpoint,
        now_ms: int,
        sets: Mapping[str, Value],
        removes: tuple[str, ...] = (),
        also: Sequence[Any] = (),
    ) -> bool:
        """Set and remove attributes of `endpoint_row`; False if the settings have changed since `before` was read.

        Sets `updated_at` to a new value each time, because it serves as the version of the settings. `also`: actions
        of the same transaction. Who removes the failures gives `resume_lane`: an endpoint without failures has a lane
        without failures (`sending.attempts`).
        """
        updated_at = to_rfc3339(max(now_ms, from_rfc3339(before.updated_at) + 1))
        update = ConditionalUpdate(
            {**sets, "updated_at": updated_at},
            "attribute_exists(#pk) AND #updated_at = :seen_at AND #enabled = :seen_enabled",
            {"seen_at": before.updated_at, "seen_enabled": before.enabled},
            removes,
        )
        actions = {"endpoint": update.action(self.table_name, _key(before)), "also": also}
        return self._write(before.project_id, actions) is None

    def find_claim(self, claim: CreationClaim, project_id: str) -> CreationClaim | None:
        """Return the claim that holds the same Idempotency-Key; None without one, or if it has expired."""
        row = self._get(claim.key(project_id))
        if row is None or row["ttl"] <= self._clock() // MS_PER_SEC:
            return None
        return replace(claim, body_sha256=row["body_sha256"], endpoint_id=row["endpoint_id"])

    def delete(
        self, project_id: str, endpoint_id: str, also: Sequence[Any] = (), *, ordered: bool = False
    ) -> int | None:
        """Delete an endpoint; None if there is no such endpoint. `ordered`: that of the endpoint.

        Returns the due time of its deletion row, for `DeliveryStore.cancel_open`.
        """
        now = self._clock()
        gone = delete(self.table_name, endpoint_key(project_id, endpoint_id), EXISTS)
        counters = ("count", "ordered") if ordered else ("count",)
        computed = tuple(f"#{name} = if_not_exists(#{name}, :one) - :one" for name in counters)
        count = ConditionalUpdate({}, "", {"one": 1}, computed=computed)
        deletion = put(self.table_name, to_item(deletion_row(project_id, endpoint_id, now)))
        actions = {"endpoint": gone, "count": self._count(project_id, count), "deletion": deletion, "also": also}
        return now if self._write(project_id, actions) is None else None

    def _count(self, project_id: str, change: ConditionalUpdate) -> Any:
        return change.action(self.table_name, count_key(project_id))

    def _write(self, project_id: str, actions: Mapping[str, Any]) -> Refusal | None:
        """Write all rows and the new version, or return what refused them."""
        renew = renew_endpoints_version(self._quotas_table, project_id, self._clock())
        return transact_or_raise(self._client, {**actions, "version": renew})


def _key(endpoint: Endpoint) -> dict[str, Any]:
    return endpoint_key(endpoint.project_id, endpoint.endpoint_id)


FRESH_MS = 60_000
"""How old a list may be.

This matters without a version, and for `log_until_ms`, whose changes do not change the version.
"""
_MOST_PROJECTS = 200


class SubscriberCache:
    """Subscribers by project and version, for the events of runs. URLs and sealed secrets stay for FRESH_MS."""

    @classmethod
    def from_env(cls, env: Env) -> SubscriberCache:
        return cls(env[EndpointStore], env.clock)

    def __init__(self, store: EndpointStore, clock: Clock = now_ms) -> None:
        self._store = store
        self._lists = TtlCache[tuple[str, str], "Subscribers"](FRESH_MS, _MOST_PROJECTS, clock)

    def get(self, project_id: str, version: str | None) -> Subscribers:
        """Return a project's subscribers, at least as new as `version`, which `QuotaStore.charge` returned.

        So the list has every endpoint that existed when the run was charged. It may have disabled or deleted endpoints;
        the claim of each delivery finds them. A new version costs one consistent Query.
        """
        return self._lists.get_or_load((project_id, version or ""), lambda: self._read(project_id))

    def _read(self, project_id: str) -> Subscribers:
        """Read a list without the code of transforms, which could fill the memory: their senders read it."""
        found = self._store.subscribers(project_id)
        endpoints = (
            each if each.transform is None else replace(each, transform=Transform(each.transform.language))
            for each in found.endpoints
        )
        return replace(found, endpoints=tuple(endpoints))
