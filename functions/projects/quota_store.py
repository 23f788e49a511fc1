"""The quotas table: charge, refund and release runs.

One conditional update charges a submission. A refused update returns the current item; from it we start a new window
or refuse the submission. A shard that refuses is followed by the next candidate.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from random import SystemRandom
from typing import TYPE_CHECKING, Any

from functions.aws.dynamodb.items import to_item
from functions.aws.dynamodb.table import Table
from functions.clock import MS_PER_SEC, Clock, now_ms
from functions.errors import UnavailableError
from functions.projects.in_flight import candidate_shards, shard_name
from functions.projects.network.byte_quota import NetworkQuota
from functions.projects.quota import Quota, Refusal, Usage, find_refusal
from functions.projects.quota_rows import (
    COUNTS,
    KEPT_SECS,
    NUMBERS,
    counts_of,
    endpoints_version_of,
    has_counts,
    numbers_of,
    quota_key,
    to_entries,
    to_usage,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mypy_boto3_dynamodb import DynamoDBClient

    from functions.aws.dynamodb.items import Item
    from functions.projects.in_flight import InFlight, QuotaClaim

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

    def release(self, claim: QuotaClaim) -> None:
        """Stop counting a run that is final or gone as in flight. Repeating the call is safe."""
        self._remove(claim, (), None)

    def release_action(self, claim: QuotaClaim) -> Any:
        """Return the release as an action of a transaction. It has no condition, so it never cancels one."""
        expression, values = _deletion(claim.entry)
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

    def _remove(self, claim: QuotaClaim, windows: tuple[str, ...], taken: Usage | None) -> bool:
        """Remove an entry, and subtract one from each of the windows. False if it is gone or a window has ended."""
        expression, values = _deletion(claim.entry)
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


def _deletion(entry: InFlight) -> tuple[str, dict[str, Any]]:
    """Return the update expression that removes an entry, and its values."""
    expression, values = "DELETE in_flight :entry", {":entry": {"SS": [entry.text]}}
    if entry.key:
        expression += ", in_flight_keys :keys"
        values[":keys"] = {"SS": [entry.key]}
    return expression, values


def _equal(names: tuple[str, ...], prefix: str = ":") -> str:
    return " AND ".join(f"{name} = {prefix}{name}" for name in names)
