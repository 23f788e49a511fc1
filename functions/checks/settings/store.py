"""A check: its settings, its state and its next time; and its rows, with outages and quiet times of tags.

Every change is one conditional write or one transaction. A check has two rows: settings, state and next time in one,
the program in another.
"""

import json
import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Annotated, Any, Self

from functions.aws.dynamodb.conditional import ABSENT, ConditionalUpdate, delete, put
from functions.aws.dynamodb.items import Value, from_item, to_item
from functions.aws.dynamodb.row_codec import IN_KEY, JSON, OMIT_DEFAULT, read, to_json, write
from functions.aws.dynamodb.table import Table, due_shard, tries
from functions.aws.dynamodb.transaction import RowsContendedError, transact_or_raise
from functions.checks import keys
from functions.checks.schedule import MINUTE_MS, Schedule, in_zone, parse_schedule, spread_ms
from functions.checks.settings.check_settings import CheckKind, CheckSettings, TagQuietTimes, without_program
from functions.checks.settings.trigger_rows import trigger_action
from functions.checks.state import UNKNOWN, Outage, Rules, Standing, State, ended_outage
from functions.clock import MS_PER_SEC, from_rfc3339, to_rfc3339
from functions.ids import new_id

_BADGE_TOKEN_BYTES = 24
_DAY_MS = 86_400_000
MAX_CHECKS = 1_000
"""Checks of a project. One query of two or three pages reads them all."""
HISTORY_DAYS = 90
MOST_OUTAGES = 100
"""Outages that one answer has, without the one that lasts."""
MOST_IN_A_MINUTE = 10
"""Pings of a heartbeat that count. Each is one transaction and one row of the history."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pings:
    """The pings of a heartbeat that counted. `number`: of the latest. `in_minute`: how many came in `minute`.

    `ended_ms`: the latest end of the job; 0 before the first. `started_ms`: its start, while it is going on.
    """

    number: int = 0
    minute: int = 0
    in_minute: int = 0
    ended_ms: int = 0
    started_ms: int | None = None

    def counted(self, now_ms: int) -> "Pings | None":
        """Return them with one more; None if as many as may count have come in this minute."""
        minute = now_ms // MINUTE_MS
        in_minute = self.in_minute + 1 if minute == self.minute else 1
        if in_minute > MOST_IN_A_MINUTE:
            return None
        return replace(self, number=self.number + 1, minute=minute, in_minute=in_minute)


def whole_minute(ms: int) -> int:
    """Return the start of a minute: what a new schedule counts from."""
    return ms // MINUTE_MS * MINUTE_MS


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One check, without its program. Times ending in `_at` are RFC 3339 texts.

    `next_slot_ms`: its next scheduled time, without the spread; None while paused or without a schedule.
    `anchor_ms`: where a rate counts from. `open_run_id`: the latest run that may still be going on.
    `ping_hash`: that of the token of its pings.
    In the row of its source: `env_boxes`, the sealed values of its variables, and `report_box`, the sealed token of its
    report.
    `version` changes with the settings, `standing_version` with the state.
    """

    check_id: str
    project_id: str
    settings: Annotated[CheckSettings, IN_KEY]
    created_at: str
    updated_at: str
    anchor_ms: int
    badge_token: str
    version: int = 0
    standing: Annotated[Standing, JSON] = field(default_factory=Standing)
    standing_version: int = 0
    next_slot_ms: int | None = None
    open_run_id: str | None = None
    last_run: Annotated[Mapping[str, Any] | None, JSON] = None
    ping_hash: str | None = None
    pings: Annotated[Pings, JSON, OMIT_DEFAULT] = field(default_factory=Pings)
    env_boxes: Annotated[Mapping[str, bytes], IN_KEY] = field(default_factory=dict, repr=False)
    report_box: Annotated[bytes, IN_KEY] = field(default=b"", repr=False)

    @classmethod
    def new(cls, project_id: str, settings: CheckSettings, now_ms: int) -> Self:
        """Return a check without its next time, and without a past."""
        return cls(
            check_id=new_id(),
            project_id=project_id,
            settings=settings,
            created_at=to_rfc3339(now_ms),
            updated_at=to_rfc3339(now_ms),
            anchor_ms=whole_minute(now_ms),
            badge_token=secrets.token_urlsafe(_BADGE_TOKEN_BYTES),
        )

    @property
    def is_paused(self) -> bool:
        return self.standing.state is State.PAUSED

    @property
    def spread_ms(self) -> int:
        """How much later than its scheduled times it runs."""
        return spread_ms(self.check_id, self.settings.spread_minutes or 0)

    @property
    def delay_ms(self) -> int:
        """How much later than its scheduled times it is due: the spread of a program, the grace of a heartbeat."""
        return self.settings.grace_minutes * MINUTE_MS if self.settings.is_heartbeat else self.spread_ms

    @property
    def due_at_ms(self) -> int | None:
        """When its next run is due, or a ping is late."""
        return None if self.next_slot_ms is None else self.next_slot_ms + self.delay_ms

    def complete_since_ms(self, outages: Sequence[Outage], now_ms: int) -> int:
        """Return the time since when no outage is missing in those that `OutageStore.of` returned."""
        since_ms = max(from_rfc3339(self.created_at), now_ms - HISTORY_DAYS * _DAY_MS)
        return max(since_ms, outages[-1].since_ms) if len(outages) >= MOST_OUTAGES else since_ms

    def observed(self, outages: Sequence[Outage], now_ms: int) -> tuple[tuple[int, int], ...]:
        """Return the stretches of time with data in which these outages are complete, oldest first: start and end."""
        complete_ms, stretches = self.complete_since_ms(outages, now_ms), self.standing.observed
        if not stretches and self.standing.state not in UNKNOWN:  # a row of a version without the field
            stretches = ((0, 0),)
        ended = ((since_ms, until_ms or now_ms) for since_ms, until_ms in stretches)
        return tuple((max(since_ms, complete_ms), until_ms) for since_ms, until_ms in ended if until_ms > complete_ms)

    def times_after(self, ms: int) -> Iterator[int]:
        """Yield the times of its schedule; while it is failing also those of `faster_while_failing`."""
        settings = self.settings
        if settings.schedule is None:
            return
        schedules = [parse_schedule(settings.schedule, settings.timezone)]
        if settings.faster_while_failing is not None and self.standing.state is State.FAILING:
            schedules.append(parse_schedule(settings.faster_while_failing, settings.timezone))
        while (time := _first(schedules, ms, self.anchor_ms)) is not None:
            yield time
            ms = time

    def next_time_after(self, ms: int) -> int | None:
        """Return its first scheduled time after a moment; None without one."""
        return next(self.times_after(ms), None)

    def in_zone(self, ms: int) -> str:
        return in_zone(ms, self.settings.timezone)

    @property
    def log_ids(self) -> dict[str, Any]:
        return {"check_id": self.check_id, "project_id": self.project_id}


def _first(schedules: list[Schedule], ms: int, anchor_ms: int) -> int | None:
    times = (schedule.next_time(ms, anchor_ms) for schedule in schedules)
    return min((time for time in times if time is not None), default=None)


def check_row(check: Check) -> dict[str, Value | None]:
    """Return the row of a check, without its program."""
    due_at_ms, settings = check.due_at_ms, without_program(check.settings.stored())
    settings.setdefault("language", "")  # of a heartbeat: the version before reads no check without a language and code
    return {
        **write(check),
        "pk": keys.checks_pk(check.project_id),
        "sk": keys.CHECK_PREFIX + check.check_id,
        "settings": to_json(settings),
        "due_at_ms": due_at_ms,
        "due_shard": None if due_at_ms is None else due_shard(check.check_id),
    }


def source_row(check: Check) -> dict[str, Value | None]:
    """Return the row with the program of a check, and the version of the settings that it belongs to."""
    files = [file.model_dump(mode="json", exclude_defaults=True) for file in check.settings.files]
    return {
        "pk": keys.checks_pk(check.project_id),
        "sk": f"SOURCE#{check.check_id}",
        "code": (check.settings.code or "-").encode(),
        "stdin": check.settings.stdin.encode(),
        "files": to_json(files).encode() if files else None,
        "env_boxes": dict(check.env_boxes),
        "report_box": check.report_box or None,
        "version": check.version,
    }


def to_check(row: Mapping[str, Any], source: Mapping[str, Any] | None = None) -> Check:
    """Return the check of a row. Without its source, its code is "-", its stdin empty, and it has no files."""
    settings = json.loads(row["settings"])
    if settings.get("kind") == CheckKind.HEARTBEAT:
        del settings["language"]
    else:
        settings["code"] = "-" if source is None else source["code"].decode()
    settings["stdin"] = "" if source is None else source["stdin"].decode()
    settings["files"] = [] if source is None or "files" not in source else json.loads(source["files"])
    others = {
        "settings": CheckSettings.model_validate(settings, extra="ignore"),  # the next minor version may know more
        "env_boxes": {} if source is None else source["env_boxes"],
        "report_box": b"" if source is None else source.get("report_box", b""),
    }
    return read(Check, {**row, **others})


NEXT_TIME = ("next_slot_ms", "due_at_ms", "due_shard")
"""The attributes of its next scheduled time: all of them, or none."""


def check_action(
    table_name: str,
    before: Check,
    after: Check,
    names: Iterable[str],
    unchanged: Iterable[str],
    removes: tuple[str, ...] = (),
    also: tuple[str, dict[str, Value]] = ("", {}),
) -> Any:
    """Return the action that writes these attributes of a changed check, if it is still as it was read.

    `unchanged`: attributes that are compared; the next time is too, if it is written. `also`: one more condition.
    """
    row, names = check_row(after), tuple(names)
    conditions = [f"#{name} = :{name}_before" for name in unchanged]
    values: dict[str, Value] = {f"{name}_before": getattr(before, name) for name in unchanged}
    if "next_slot_ms" in names and before.next_slot_ms is not None:
        conditions.append("#next_slot_ms = :next_slot_ms_before")
        values["next_slot_ms_before"] = before.next_slot_ms
    elif "next_slot_ms" in names:
        conditions.append("attribute_not_exists(#next_slot_ms)")
    update = ConditionalUpdate(
        {name: value for name in names if (value := row.get(name)) is not None},
        " AND ".join(filter(None, (*conditions, also[0]))),
        values | also[1],
        (*removes, *(name for name in NEXT_TIME if name in names and row.get(name) is None)),
    )
    return update.action(table_name, keys.check_key(before.project_id, before.check_id))


_TTL_SECS = HISTORY_DAYS * 86_400


def outage_actions(table_name: str, before: Check, after: Check) -> list[Any]:
    """Return the action that writes an outage which this change of a check ends; none if it ends none."""
    outage = ended_outage(before.standing, after.standing)
    if outage is None:
        return []
    values = {
        "until_ms": outage.until_ms,
        "since_ms": outage.since_ms,
        "state": outage.state.value,
        "ttl": outage.until_ms // MS_PER_SEC + _TTL_SECS,
    }
    row_key = keys.outage_key(before.project_id, before.check_id, to_rfc3339(outage.since_ms))
    return [put(table_name, {**row_key, **to_item(values)})]


class OutageStore(Table):
    """Reads outages that are over: for the status page and the history of a check."""

    table_setting = "checks_table"

    def of(self, check: Check, now_ms: int) -> list[Outage]:
        """Return the outage that lasts, with `now_ms` as its end, and before it the latest ones that are over."""
        latest, standing = self.latest(check), check.standing
        if standing.bad_since_ms is None:
            return latest
        return [Outage(since_ms=standing.bad_since_ms, until_ms=now_ms, state=standing.state), *latest]

    def latest(self, check: Check) -> list[Outage]:
        """Return the latest outages of a check that are over, newest first, at most 100."""
        items = self._client.query(
            TableName=self.table_name,
            KeyConditionExpression="pk = :pk",
            ExpressionAttributeValues=to_item({":pk": keys.outages_pk(check.project_id, check.check_id)}),
            ScanIndexForward=False,
            Limit=MOST_OUTAGES,
        )["Items"]
        rows = [from_item(item) for item in items]
        return [
            Outage(since_ms=row["since_ms"], until_ms=row["until_ms"], state=State(row["state"]))
            for row in rows
            if row["ttl"] > self._clock() // MS_PER_SEC
        ]


class QuietStore(Table):
    """Reads and writes the quiet times of tags: one row of a project."""

    table_setting = "checks_table"

    def get(self, project_id: str) -> TagQuietTimes:
        row = self._get(keys.quiet_key(project_id))
        return TagQuietTimes.model_validate({"tags": {} if row is None else json.loads(row["tags"])}, extra="ignore")

    def put(self, project_id: str, times: TagQuietTimes, also: Sequence[Any] = ()) -> bool:
        item = to_item({"tags": to_json(times.model_dump(mode="json")["tags"])})
        actions = {"times": put(self.table_name, {**keys.quiet_key(project_id), **item}), "also": also}
        return transact_or_raise(self._client, actions) is None

    def delete(self, project_id: str) -> None:
        self._client.delete_item(TableName=self.table_name, Key=keys.quiet_key(project_id))

    def rules(self, check: Check) -> Rules:
        """Return the rules of a check, with the quiet times of its tags."""
        rules, tags = check.settings.rules, check.settings.tags
        if not tags:
            return rules
        by_tag = self.get(check.project_id).tags
        of_tags = tuple(quiet.time for tag in tags for quiet in by_tag.get(tag, ()))
        return replace(rules, quiet=(*rules.quiet, *of_tags))


class SlugTakenError(Exception):
    """Another check of the project has this slug."""


class CheckLimitError(Exception):
    """The project has MAX_CHECKS checks."""


class CheckStore(Table):
    """Rows of checks: settings, programs, slugs, badges. Reads of single rows are consistent."""

    table_setting = "checks_table"

    def create(self, check: Check, also: Sequence[Any] = ()) -> bool:
        """Write a new check with its program, slug and badge. Raises SlugTakenError, CheckLimitError.

        `also`: actions of the same transaction, here and below. False: our own earlier write had done so.
        """
        project_id, check_id = check.project_id, check.check_id
        count = ConditionalUpdate(
            {},
            "attribute_not_exists(#count) OR #count < :most",
            {"zero": 0, "one": 1, "most": MAX_CHECKS},
            computed=("#count = if_not_exists(#count, :zero) + :one",),
        )
        badge = {**keys.badge_key(check.badge_token), **to_item({"owner": [project_id, check_id]})}
        refusal = transact_or_raise(
            self._client,
            {
                "check": put(self.table_name, to_item(check_row(check)), ABSENT),
                "slug": self._put_slug(check),
                "count": count.action(self.table_name, keys.count_key(project_id)),
                "source": put(self.table_name, to_item(source_row(check))),
                "badge": put(self.table_name, badge),
                "trigger": [] if check.settings.trigger is None else trigger_action(self.table_name, check),
                "also": also,
            },
        )
        # A refusal by the check is our own row: botocore repeated the write after a lost answer.
        if refusal is None or "check" in refusal.failed:
            return refusal is None
        raise SlugTakenError if "slug" in refusal.failed else CheckLimitError

    def get(self, project_id: str, check_id: str, *, with_source: bool = False) -> Check | None:
        """Return a check, with its program if that is asked for. Raises RowsContendedError."""
        for _ in tries(sleep=self._sleep):
            row = self._get(keys.check_key(project_id, check_id))
            if row is None or not with_source:
                return None if row is None else to_check(row)
            source = self._get(keys.source_key(project_id, check_id))
            if source is None:
                return None
            if source.get("version", row["version"]) == row["version"]:  # else it was changed between the two reads
                return to_check(row, source)
        raise RowsContendedError

    def id_of_slug(self, project_id: str, slug: str) -> str | None:
        row = self._get(keys.slug_key(project_id, slug))
        return None if row is None else str(row["check_id"])

    def list_all(self, project_id: str) -> list[Check]:
        """Return all checks of a project without their programs, newest first."""
        checks = map(to_check, self._list(keys.checks_pk(project_id), keys.CHECK_PREFIX))
        return sorted(checks, key=lambda check: (check.created_at, check.check_id), reverse=True)

    def change(self, before: Check, after: Check, also: Sequence[Any] = ()) -> bool:
        """Write new settings, schedule and standing. False if the check has changed since `before` was read.

        Both with their programs. Raises SlugTakenError.
        """
        after = replace(after, version=before.version + 1, standing_version=before.standing_version + 1)
        versions = ("version", "standing_version")
        names = ("settings", "standing", "updated_at", "anchor_ms", *versions, *NEXT_TIME)
        actions = {
            "check": check_action(self.table_name, before, after, names, versions),
            "source": put(self.table_name, to_item(source_row(after))),
            "outage": outage_actions(self.table_name, before, after),
            "also": also,
        }
        if after.settings.slug != before.settings.slug:
            actions["slug"] = self._put_slug(after)
            actions["old slug"] = delete(self.table_name, keys.slug_key(before.project_id, before.settings.slug or ""))
        if (after.settings.slug, after.settings.trigger) != (before.settings.slug, before.settings.trigger):
            actions["trigger"] = trigger_action(self.table_name, after)
        refusal = transact_or_raise(self._client, actions)
        if refusal is None:
            return True
        if "check" in refusal.failed:
            return False
        raise SlugTakenError

    def delete(self, check: Check, also: Sequence[Any] = ()) -> bool:
        """Delete a check. False if its settings have changed since it was read, or it is gone. Its history expires."""
        project_id, check_id = check.project_id, check.check_id
        unchanged = "attribute_exists(#pk) AND #version = :version"
        count = ConditionalUpdate({}, "", {"one": 1}, computed=("#count = #count - :one",))
        others = (
            keys.source_key(project_id, check_id),
            keys.good_key(project_id, check_id),
            keys.slug_key(project_id, check.settings.slug or ""),
            keys.badge_key(check.badge_token),
            keys.hook_key(check_id),
            keys.trigger_key(project_id, check_id),
            *(() if check.ping_hash is None else (keys.ping_key(check.ping_hash),)),
        )
        check_key = keys.check_key(project_id, check_id)
        actions = {
            "check": delete(self.table_name, check_key, unchanged, {"version": check.version}),
            "count": count.action(self.table_name, keys.count_key(project_id)),
            "others": [delete(self.table_name, other) for other in others],
            "also": also,
        }
        return transact_or_raise(self._client, actions) is None

    def names_file(self, project_id: str, sha256: str, holder: str) -> bool:
        """Tell whether the check of a hold still names a file."""
        check = self.get(project_id, holder.removeprefix(keys.HOLDER), with_source=True)
        return check is not None and sha256 in check.settings.stored_files

    def badge(self, token: str) -> tuple[str, str] | None:
        """Return project id and check id of a badge."""
        row = self._get(keys.badge_key(token))
        return None if row is None else (row["owner"][0], row["owner"][1])

    def _put_slug(self, check: Check) -> Any:
        slug = keys.slug_key(check.project_id, check.settings.slug or "")
        return put(self.table_name, {**slug, **to_item({"check_id": check.check_id})}, ABSENT)
