"""What projects have used of their quotas: one item for each project and profile.

    minute_number, minute_count     the minute that was counted last, and its submissions
    day_number, day_count           the same of a day
    in_flight                       set of `InFlight.text`; absent when empty, as DynamoDB has no empty set
    in_flight_keys                  the keys of those: one Idempotency-Key takes once, however often it is seen

A submission is counted by one conditional update. Only where that is refused is the item looked at.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from botocore.exceptions import ClientError

from functions.core.clock import MS_PER_SEC, Clock, now_ms
from functions.core.errors import Unavailable
from functions.core.in_flight import InFlight, entry_of, read_entry
from functions.core.quota import DAY_MS, MINUTE_MS, Quota, Refusal, Usage, Window, find_refusal
from functions.store.items import from_item, is_condition_failure, key, to_item

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mypy_boto3_dynamodb import DynamoDBClient

    from functions.core.submission import Submission

type _Item = Mapping[str, Any]

_KEPT_SECS = 3 * 86_400
_ATTEMPTS = 8
_NUMBERS = ("minute_number", "day_number")
_COUNTS = ("minute_count", "day_count")
_PLACE_IS_FREE = "(attribute_not_exists(in_flight) OR size(in_flight) < :in_flight) AND NOT contains(in_flight, :text)"


class QuotaRefused(Exception):  # noqa: N818 - says what happened
    """A limit is reached. `in_flight`: what holds a place, oldest first."""

    def __init__(self, refusal: Refusal, in_flight: tuple[InFlight, ...]) -> None:
        super().__init__("a quota is used up")
        self.refusal = refusal
        self.in_flight = in_flight


class KeyInFlight(Exception):  # noqa: N818 - says what happened
    """A submission with the same Idempotency-Key holds a place: `entry`."""

    def __init__(self, entry: InFlight) -> None:
        super().__init__("the idempotency key is in flight")
        self.entry = entry


class QuotaStore:
    """The quotas table. `clock` gives epoch milliseconds."""

    def __init__(self, table_name: str, client: DynamoDBClient, clock: Clock = now_ms) -> None:
        self._table_name = table_name
        self._client = client
        self._clock = clock

    def take(self, submission: Submission, quota: Quota) -> Usage:
        """Count a submission, and hold a place for it. Raises QuotaRefused, KeyInFlight, Unavailable."""
        entry = entry_of(submission)
        windows = Usage().at(self._clock())
        written, item = self._count(submission, entry, quota, windows)
        for _ in range(_ATTEMPTS):
            if written is not None:
                return written
            known, in_flight = _usage(item), _entries(item)
            if entry in in_flight:
                return known  # our own write, whose answer was lost and which was then repeated
            same_key = [other for other in in_flight if entry.key and other.key == entry.key]
            if same_key:
                raise KeyInFlight(same_key[0])
            now = self._clock()
            refusal = find_refusal(known, quota, now)
            if refusal is not None:
                raise QuotaRefused(refusal, in_flight)
            windows = known.at(now)
            if item and windows == known:
                written, item = self._count(submission, entry, quota, windows)
            else:
                written, item = self._begin(submission, entry, quota, windows, item)
        raise Unavailable("Too many submissions of this project at once. Repeat the request.", 1)

    def give_back(self, submission: Submission, taken: Usage) -> None:
        """Undo `take` for a submission that came to nothing, in those of its windows that last."""
        for windows in (("minute", "day"), ("day",), ()):
            if self._let_go(submission, entry_of(submission), windows, taken):
                return

    def release(self, submission: Submission, entry: InFlight | None = None) -> None:
        """Let go of the place of a submission that is final or gone; repeats change nothing.

        Or of another `entry` of the same project and profile.
        """
        self._let_go(submission, entry or entry_of(submission), (), None)

    def usage(self, project_id: str, profile: str) -> Usage:
        """What was used, as of a moment ago."""
        answer = self._client.get_item(TableName=self._table_name, Key=_key(project_id, profile))
        return _usage(answer.get("Item", {}))

    def _count(
        self, submission: Submission, entry: InFlight, quota: Quota, windows: Usage
    ) -> tuple[Usage | None, _Item]:
        """Add one to these windows, if they are those of the item."""
        sets = "minute_count = minute_count + :one, day_count = day_count + :one"
        condition = f"{_equal(_NUMBERS)} AND minute_count < :per_minute AND day_count < :per_day"
        values = _numbers(windows) | {"one": 1, "per_minute": quota.per_minute, "per_day": quota.per_day}
        written, item = self._hold(submission, entry, quota, sets, condition, values)
        return (_usage({**to_item(_numbers(windows)), **written}) if written is not None else None), item

    def _begin(
        self, submission: Submission, entry: InFlight, quota: Quota, windows: Usage, was: _Item
    ) -> tuple[Usage | None, _Item]:
        """Put these windows with one submission more, if the item is as it `was`."""
        begun = windows.with_one_more()
        values = _numbers(begun) | _counts(begun)
        sets = ", ".join(f"{name} = :{name}" for name in values)
        if not was:
            written, item = self._hold(submission, entry, quota, sets, "attribute_not_exists(pk)", values)
        else:
            before = {f"was_{name}": value for name, value in (_numbers(_usage(was)) | _counts(_usage(was))).items()}
            condition = _equal(_NUMBERS + _COUNTS, ":was_")
            written, item = self._hold(submission, entry, quota, sets, condition, values | before)
        return (begun if written is not None else None), item

    def _hold(
        self,
        submission: Submission,
        entry: InFlight,
        quota: Quota,
        sets: str,
        condition: str,
        numbers: dict[str, int],
    ) -> tuple[_Item | None, _Item]:
        numbers |= {"ttl": self._clock() // MS_PER_SEC + _KEPT_SECS, "in_flight": quota.in_flight}
        values = to_item({f":{name}": number for name, number in numbers.items()})
        values |= {":text": {"S": entry.text}, ":entry": {"SS": [entry.text]}}
        expression, condition = f"SET {sets}, #ttl = :ttl ADD in_flight :entry", f"{condition} AND {_PLACE_IS_FREE}"
        if entry.key:
            expression += ", in_flight_keys :keys"
            condition += " AND NOT contains(in_flight_keys, :key)"
            values |= {":key": {"S": entry.key}, ":keys": {"SS": [entry.key]}}
        return self._update(submission, expression, condition, values, ExpressionAttributeNames={"#ttl": "ttl"})

    def _let_go(self, submission: Submission, entry: InFlight, windows: tuple[str, ...], taken: Usage | None) -> bool:
        """Remove an entry, and one from each of the windows. False if it is gone or a window is over."""
        values: dict[str, Any] = {":text": {"S": entry.text}, ":entry": {"SS": [entry.text]}}
        expression, condition = "DELETE in_flight :entry", "contains(in_flight, :text)"
        if entry.key:
            expression += ", in_flight_keys :keys"
            values[":keys"] = {"SS": [entry.key]}
        if taken is not None and windows:
            sets = ", ".join(f"{name}_count = {name}_count - :one" for name in windows)
            expression = f"SET {sets} {expression}"
            numbers = {f"{name}_number": _numbers(taken)[f"{name}_number"] for name in windows}
            condition += f" AND {_equal(tuple(numbers))}"
            values |= to_item({":one": 1} | {f":{name}": number for name, number in numbers.items()})
        written, _ = self._update(submission, expression, condition, values)
        return written is not None

    def _update(
        self, submission: Submission, expression: str, condition: str, values: Mapping[str, Any], **more: Any
    ) -> tuple[_Item | None, _Item]:
        """Return what was written; or None, and the item that the condition refused."""
        try:
            answer = self._client.update_item(
                TableName=self._table_name,
                Key=_key(submission.project_id, submission.profile),
                UpdateExpression=expression,
                ConditionExpression=condition,
                ExpressionAttributeValues=dict(values),
                ReturnValues="UPDATED_NEW",
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
                **more,
            )
        except ClientError as error:
            if not is_condition_failure(error):
                raise
            return None, cast("_Item", error.response.get("Item", {}))
        return answer.get("Attributes", {}), {}


def _key(project_id: str, profile: str) -> dict[str, Any]:
    return key(f"PROJECT#{project_id}", f"QUOTA#{profile}")


def _equal(names: tuple[str, ...], prefix: str = ":") -> str:
    return " AND ".join(f"{name} = {prefix}{name}" for name in names)


def _numbers(usage: Usage) -> dict[str, int]:
    return {"minute_number": usage.minute.number, "day_number": usage.day.number}


def _counts(usage: Usage) -> dict[str, int]:
    return {"minute_count": usage.minute.count, "day_count": usage.day.count}


def _usage(item: _Item) -> Usage:
    if not item:
        return Usage()
    values = from_item(item)
    return Usage(
        Window(MINUTE_MS, values["minute_number"], values["minute_count"]),
        Window(DAY_MS, values["day_number"], values["day_count"]),
        len(values.get("in_flight", ())),
    )


def _entries(item: _Item) -> tuple[InFlight, ...]:
    texts = item.get("in_flight", {}).get("SS", ())
    return tuple(sorted((read_entry(text) for text in texts), key=lambda entry: entry.since_ms))
