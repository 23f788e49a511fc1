"""The quotas table: charge, refund and release runs.

One conditional update charges a submission. A refused update returns the current item; from it we start a new window
or refuse the submission. A shard that refuses is followed by the next candidate.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from random import SystemRandom
from typing import TYPE_CHECKING, Any

from events.vocabulary import Profile
from functions.aws.dynamodb.conditional import ConditionalUpdate
from functions.aws.dynamodb.items import Item, Value, from_item, key, to_item
from functions.aws.dynamodb.table import Table
from functions.clock import MS_PER_SEC, Clock, now_ms
from functions.errors import RateLimitedError, UnavailableError
from functions.ids import new_id
from functions.projects.model import (
    DAY_MS,
    MINUTE_MS,
    InFlight,
    Quota,
    QuotaClaim,
    Rate,
    Refusal,
    Usage,
    Window,
    candidate_shards,
    find_refusal,
    read_entry,
    shard_name,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mypy_boto3_dynamodb import DynamoDBClient

    from functions.projects.model import Project


# Items of the quotas table, one for each project and profile, or one for each shard of a large quota.
#
# minute_number, minute_count     the latest counted minute and its submissions
# day_number, day_count           the latest counted day and its submissions
# in_flight                       set of `InFlight.text`; absent when empty, as DynamoDB has no empty set
# in_flight_keys                  set of their keys: an Idempotency-Key is charged once at a time
# endpoints_version               see endpoints_version.py; never in a shard; an item may have nothing else

NUMBERS = ("minute_number", "day_number")
COUNTS = ("minute_count", "day_count")
KEPT_SECS = 3 * 86_400
"""An item expires this long after its last charge."""


def quota_key(project_id: str, profile: str, shard: str | None = None) -> dict[str, Any]:
    """Return the primary key of a project's quota item, or of a shard of it, in a partition of its own."""
    return key(f"PROJECT#{project_id}" + (f"#{shard}" if shard else ""), f"QUOTA#{profile}")


def numbers_of(usage: Usage) -> dict[str, int]:
    return {"minute_number": usage.minute.number, "day_number": usage.day.number}


def counts_of(usage: Usage) -> dict[str, int]:
    return {"minute_count": usage.minute.count, "day_count": usage.day.count}


def to_usage(item: Item) -> Usage:
    """Decode an item; an item without counts means no usage."""
    if not has_counts(item):
        return Usage()
    values = from_item(item)
    return Usage(
        Window(MINUTE_MS, values["minute_number"], values["minute_count"]),
        Window(DAY_MS, values["day_number"], values["day_count"]),
        len(values.get("in_flight", ())),
    )


def has_counts(item: Item) -> bool:
    """Whether a run was ever charged to this item."""
    return "minute_number" in item


def endpoints_version_of(item: Item) -> str | None:
    """Return the version of the project's endpoints; None if it was never written."""
    version: str | None = item.get("endpoints_version", {}).get("S")
    return version


def to_entries(item: Item) -> tuple[InFlight, ...]:
    """Return the runs in flight, oldest first."""
    texts = item.get("in_flight", {}).get("SS", ())
    return tuple(sorted((read_entry(text) for text in texts), key=lambda entry: entry.since_ms))


# The version of a project's webhook endpoints, in the attribute `endpoints_version` of its quota items.
#
# A change of an endpoint writes a new version in the same transaction. `QuotaStore.charge` returns the version, so a
# process knows without a read whether its copy of the list is current. Only a quota with several shards needs a read.


def renew_endpoints_version(quotas_table: str, project_id: str, now_ms: int) -> list[Any]:
    """Return the actions that write a new version, for a transaction that changes an endpoint of the project.

    They create a quota item that does not exist yet. The item then has no counts, and expires as after a charge.
    """
    sets: dict[str, Value] = {"endpoints_version": new_id(), "ttl": now_ms // MS_PER_SEC + KEPT_SECS}
    update = ConditionalUpdate(sets, "", {})
    return [update.action(quotas_table, quota_key(project_id, profile.value)) for profile in Profile]


# The bytes that a project's runs with network send and receive in a day (UTC): one item of the quotas table a day.
#
# The runner counts the bytes of a run, so they are known at its end: the runs in flight may exceed the quota, each by
# the limit of a run at most.

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


SEARCHES_PER_MINUTE = 60


class SearchQuota(Table):
    """Lists of a project in a minute that read thousands of rows to show a few: they must not slow other projects."""

    table_setting = "quotas_table"

    def check(self, project_id: str) -> None:
        """Refuse a list that may read many rows after too many of them. Raises RateLimitedError."""
        now, most = self._clock(), SEARCHES_PER_MINUTE
        used = (self._get(self._key(project_id)) or {}).get("searches", 0)
        if used >= most:
            secs = Window(MINUTE_MS, now // MINUTE_MS, used).reset_secs(now)
            text = f"A project may search its results {most} times a minute. Repeat the request in {secs} seconds."
            raise RateLimitedError(text, secs, Rate(most, 0, secs).headers)

    def count(self, project_id: str) -> None:
        """Count one of them. Those that run at once may exceed the quota."""
        update = ConditionalUpdate(
            sets={"ttl": self._clock() // MS_PER_SEC + KEPT_SECS},
            condition="",
            condition_values={"zero": 0, "one": 1},
            computed=("#searches = if_not_exists(#searches, :zero) + :one",),
        )
        self._update_unread(update, self._key(project_id))

    def _key(self, project_id: str) -> dict[str, Any]:
        return quota_key(project_id, f"search#{self._clock() // MINUTE_MS}")


def network_bytes(evidence: Any) -> int:
    """Return the bytes of a run in both directions, from its evidence."""
    return int((evidence or {}).get("network_bytes") or 0)


# A run in flight, as the quota item stores it. The entry exists before the submission's row.


_ATTEMPTS = 8
_random = SystemRandom()
_BELOW_IN_FLIGHT = "(attribute_not_exists(in_flight) OR size(in_flight) < :in_flight)"
_IS_NEW = "NOT contains(in_flight, :text)"


class QuotaRefusedError(Exception):
    """A limit is reached. `in_flight`: the runs in flight of the shard that refused, oldest first."""

    def __init__(self, refusal: Refusal, in_flight: tuple[QuotaClaim, ...]) -> None:
        super().__init__("a quota is used up")
        self.refusal = refusal
        self.in_flight = in_flight


class KeyInFlightError(Exception):
    """A submission with the same Idempotency-Key is in flight: `held`."""

    def __init__(self, held: QuotaClaim) -> None:
        super().__init__("the idempotency key is in flight")
        self.held = held


@dataclass(frozen=True, slots=True)
class Charged:
    """A charged run. `usage`: of its shard, with this run.

    `endpoints_version`: of the project's endpoints; None if it was never written, and for a quota with several shards.
    """

    claim: QuotaClaim
    usage: Usage
    endpoints_version: str | None


class QuotaStore(Table):
    """The quotas table. `network`: the bytes of projects in it."""

    table_setting = "quotas_table"

    def __init__(self, table_name: str, client: DynamoDBClient, clock: Clock = now_ms) -> None:
        super().__init__(table_name, client, clock)
        self.network = NetworkQuota(table_name, client, clock)

    def charge(self, claim: QuotaClaim, quota: Quota) -> Charged:
        """Charge a run to one of its candidate shards. It is in flight until it is released.

        Raises QuotaRefusedError, KeyInFlightError, UnavailableError.
        """
        refused: list[QuotaRefusedError] = []
        for number in candidate_shards(claim.entry, quota.shards):
            try:
                return self._charge(replace(claim, shard=shard_name(number, quota.shards)), quota.share(number))
            except QuotaRefusedError as error:
                refused.append(error)
        soonest = min(refused, key=lambda error: error.refusal.rate.reset_secs)
        raise QuotaRefusedError(soonest.refusal.of(quota), soonest.in_flight)

    def _charge(self, claim: QuotaClaim, quota: Quota) -> Charged:
        entry = claim.entry
        windows = Usage().at(self._clock())
        written, item = self._count(claim, quota, windows)
        for _ in range(_ATTEMPTS):
            if written is not None:
                return written
            known, in_flight = to_usage(item), to_entries(item)
            if entry in in_flight:
                return _to_charged(claim, item)  # our own write: botocore retried it after a lost answer
            same_key = [other for other in in_flight if entry.key and other.key == entry.key]
            if same_key:
                raise KeyInFlightError(replace(claim, entry=same_key[0]))
            now = self._clock()
            refusal = find_refusal(known, quota, now, claim.day_units)
            if refusal is not None:
                raise QuotaRefusedError(refusal, tuple(replace(claim, entry=other) for other in in_flight))
            windows = known.at(now)
            if has_counts(item) and windows == known:
                written, item = self._count(claim, quota, windows)
            else:
                written, item = self._open_windows(claim, quota, windows, item)
        raise UnavailableError("Too many submissions of this project at once. Repeat the request.", 1)

    def refund(self, claim: QuotaClaim, taken: Usage) -> None:
        """Undo `charge` for a run that never started, in the windows that have not ended."""
        for windows in (("minute", "day"), ("day",), ()):
            if self._remove(claim, windows, taken):
                return

    def release(self, claim: QuotaClaim, more_units: int = 0) -> None:
        """Stop counting a run that is final or gone as in flight. Repeating the call is safe.

        `more_units`: the run counts as so many more in the limit of a day.
        """
        self._remove(claim, (), None, more_units)

    def release_action(self, claim: QuotaClaim, more_units: int = 0) -> Any:
        """Return the release as an action of a transaction. It has no condition, so it never cancels one."""
        expression, values = _deletion(claim.entry, more_units)
        return {
            "Update": {
                "TableName": self.table_name,
                "Key": quota_key(claim.project_id, claim.profile, claim.shard),
                "UpdateExpression": expression,
                "ExpressionAttributeValues": values,
            }
        }

    def usage(self, project_id: str, profile: str, quota: Quota) -> Usage:
        """Return the usage, estimated from one shard. The read is eventually consistent."""
        shard = shard_name(_random.randrange(quota.shards), quota.shards)
        answer = self._client.get_item(TableName=self.table_name, Key=quota_key(project_id, profile, shard))
        return to_usage(answer.get("Item", {})).times(quota.shards)

    def endpoints_version(self, project_id: str, profile: str) -> str | None:
        """Return the version of a project's endpoints, for a run that was charged to one of several shards."""
        answer = self._client.get_item(
            TableName=self.table_name,
            Key=quota_key(project_id, profile),
            ConsistentRead=True,
            ProjectionExpression="endpoints_version",
        )
        return endpoints_version_of(answer.get("Item", {}))

    def _count(self, claim: QuotaClaim, quota: Quota, windows: Usage) -> tuple[Charged | None, Item]:
        """Add one to both counts if the item has these windows."""
        sets = "minute_count = minute_count + :one, day_count = day_count + :day_units"
        condition = f"{_equal(NUMBERS)} AND minute_count < :per_minute AND day_count <= :below_per_day"
        values = numbers_of(windows) | {
            "one": 1,
            "day_units": claim.day_units,
            "per_minute": quota.per_minute,
            "below_per_day": quota.per_day - claim.day_units,
        }
        return self._write_entry(claim, quota, sets, condition, values)

    def _open_windows(self, claim: QuotaClaim, quota: Quota, windows: Usage, was: Item) -> tuple[Charged | None, Item]:
        """Write these windows with one more submission if the item has not changed since `was`."""
        begun = windows.with_one_more(claim.day_units)
        values = numbers_of(begun) | counts_of(begun)
        sets = ", ".join(f"{name} = :{name}" for name in values)
        if not has_counts(was):
            return self._write_entry(claim, quota, sets, "attribute_not_exists(minute_number)", values)
        known = to_usage(was)
        before = {f"was_{name}": value for name, value in (numbers_of(known) | counts_of(known)).items()}
        return self._write_entry(claim, quota, sets, _equal(NUMBERS + COUNTS, ":was_"), values | before)

    def _write_entry(
        self,
        claim: QuotaClaim,
        quota: Quota,
        sets: str,
        condition: str,
        numbers: dict[str, int],
    ) -> tuple[Charged | None, Item]:
        """Return the charged run, or None and the item that failed the condition."""
        entry = claim.entry
        numbers |= {"ttl": self._clock() // MS_PER_SEC + KEPT_SECS, "in_flight": quota.in_flight}
        values = to_item({f":{name}": number for name, number in numbers.items()})
        values |= {":text": {"S": entry.text}, ":entry": {"SS": [entry.text]}}
        expression, condition = (
            f"SET {sets}, #ttl = :ttl ADD in_flight :entry",
            f"{condition} AND {_BELOW_IN_FLIGHT} AND {_IS_NEW}",
        )
        if entry.key:
            expression += ", in_flight_keys :keys"
            condition += " AND NOT contains(in_flight_keys, :key)"
            values |= {":key": {"S": entry.key}, ":keys": {"SS": [entry.key]}}
        written, item = self._update_quota(
            claim,
            expression,
            condition,
            values,
            ExpressionAttributeNames={"#ttl": "ttl"},
            ReturnValues="ALL_NEW",
            ReturnValuesOnConditionCheckFailure="ALL_OLD",
        )
        return (_to_charged(claim, written) if written is not None else None), item

    def _remove(self, claim: QuotaClaim, windows: tuple[str, ...], taken: Usage | None, more_units: int = 0) -> bool:
        """Remove an entry, and subtract one from each of the windows. False if it is gone or a window has ended."""
        expression, values = _deletion(claim.entry, more_units)
        condition = "contains(in_flight, :text)"
        values[":text"] = {"S": claim.entry.text}
        if taken is not None and windows:
            units = {"minute": 1, "day": claim.day_units}
            sets = ", ".join(f"{name}_count = {name}_count - :{name}_units" for name in windows)
            expression = f"SET {sets} {expression}"
            numbers = {f"{name}_number": numbers_of(taken)[f"{name}_number"] for name in windows}
            condition += f" AND {_equal(tuple(numbers))}"
            values |= to_item({f":{name}_units": units[name] for name in windows})
            values |= to_item({f":{name}": number for name, number in numbers.items()})
        written, _ = self._update_quota(claim, expression, condition, values)
        return written is not None

    def _update_quota(
        self, claim: QuotaClaim, expression: str, condition: str, values: Mapping[str, Any], **more: Any
    ) -> tuple[Item | None, Item]:
        """Return the written attributes, or None and the item that failed the condition; `more` selects both."""
        return self._try_update(
            TableName=self.table_name,
            Key=quota_key(claim.project_id, claim.profile, claim.shard),
            UpdateExpression=expression,
            ConditionExpression=condition,
            ExpressionAttributeValues=dict(values),
            **more,
        )


def _to_charged(claim: QuotaClaim, item: Item) -> Charged:
    return Charged(claim, to_usage(item), endpoints_version_of(item))


def _deletion(entry: InFlight, more_units: int) -> tuple[str, dict[str, Any]]:
    """Return the update expression that removes an entry and adds to the count of the day, and its values."""
    expression = "DELETE in_flight :entry"
    values: dict[str, Any] = {":entry": {"SS": [entry.text]}}
    if entry.key:
        expression += ", in_flight_keys :keys"
        values[":keys"] = {"SS": [entry.key]}
    if more_units:
        expression += " ADD day_count :more_units"
        values[":more_units"] = {"N": str(more_units)}
    return expression, values


def _equal(names: tuple[str, ...], prefix: str = ":") -> str:
    return " AND ".join(f"{name} = {prefix}{name}" for name in names)
