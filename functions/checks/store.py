"""Checks and runs in their table. Every state change is one conditional write or one transaction."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from functions.aws.dynamodb.conditional import ConditionalUpdate
from functions.aws.dynamodb.due_index import DUE_SHARDS
from functions.aws.dynamodb.items import Value, from_item, key, to_item
from functions.aws.dynamodb.page import Page, query_page
from functions.aws.dynamodb.table import Table
from functions.aws.dynamodb.transaction import CONDITION_FAILED, transact_or_raise
from functions.checks import keys, rows
from functions.checks.model import MAX_CHECKS, Check, Run
from functions.clock import MS_PER_SEC, to_rfc3339

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

_DUE_PER_QUERY = 500
INBOUND_SECS = 86_400
"""How long the id of an inbound event is known."""
_ABSENT = "attribute_not_exists(pk)"


class SlugTakenError(Exception):
    """Another check of the project has this slug."""


class CheckLimitError(Exception):
    """The project has MAX_CHECKS checks."""


class Due(NamedTuple):
    """A row that is due: its key and due time in the index. Rows of checks begin with CHECK_PREFIX."""

    pk: str
    sk: str
    due_at_ms: int

    @property
    def is_check(self) -> bool:
        """Whether it is a check; else a run."""
        return self.sk.startswith(keys.CHECK_PREFIX)


class CheckStore(Table):
    """The checks table. Reads of single rows are consistent."""

    def create(self, check: Check) -> None:
        """Write a new check with its program, slug and badge. Raises SlugTakenError, CheckLimitError."""
        project_id, check_id = check.project_id, check.check_id
        count = ConditionalUpdate(
            {},
            "attribute_not_exists(#count) OR #count < :most",
            {"zero": 0, "one": 1, "most": MAX_CHECKS},
            computed=("#count = if_not_exists(#count, :zero) + :one",),
        )
        codes = transact_or_raise(
            self._client,
            [
                self._put(to_item(rows.check_row(check)), _ABSENT),
                self._put_slug(check),
                count.action(self.table_name, keys.count_key(project_id)),
                self._put(to_item(rows.source_row(check))),
                self._put({**keys.badge_key(check.badge_token), **to_item({"owner": [project_id, check_id]})}),
            ],
        )
        if codes[:1] == (CONDITION_FAILED,):
            return  # our own row: boto3 repeated the write after a lost answer
        if CONDITION_FAILED in codes[:2]:
            raise SlugTakenError
        if codes:
            raise CheckLimitError

    def get(self, project_id: str, check_id: str, *, with_source: bool = False) -> Check | None:
        """Return a check, with its program if that is asked for."""
        row = self._get(keys.check_key(project_id, check_id))
        if row is None:
            return None
        source = self._get(keys.source_key(project_id, check_id)) if with_source else None
        return None if with_source and source is None else rows.to_check(row, source)

    def list_all(self, project_id: str) -> list[Check]:
        """Return all checks of a project without their programs, newest first."""
        pages = self._client.get_paginator("query").paginate(
            TableName=self.table_name,
            KeyConditionExpression="pk = :pk AND begins_with(sk, :prefix)",
            ExpressionAttributeValues=to_item({":pk": keys.checks_pk(project_id), ":prefix": keys.CHECK_PREFIX}),
            ConsistentRead=True,
        )
        found = [rows.to_check(from_item(item)) for page in pages for item in page["Items"]]
        return sorted(found, key=lambda check: (check.created_at, check.check_id), reverse=True)

    def change(self, seen: Check, after: Check) -> bool:
        """Write new settings, schedule and standing. False if the check has changed since `seen` was read.

        Both with their programs. Raises SlugTakenError.
        """
        row = rows.check_row(replace(after, version=seen.version + 1, standing_version=seen.standing_version + 1))
        names = ("settings", "standing", "updated_at", "anchor_ms", "version", "standing_version")
        moving = ("next_slot_ms", "due_at_ms", "due_shard")
        sets = {name: value for name in (*names, *moving) if (value := row[name]) is not None}
        update = ConditionalUpdate(
            sets,
            "#version = :seen_version AND #standing_version = :seen_standing AND " + _slot_is_seen(seen),
            {"seen_version": seen.version, "seen_standing": seen.standing_version, **_seen_slot(seen)},
            tuple(name for name in moving if row[name] is None),
        )
        actions = [
            update.action(self.table_name, keys.check_key(seen.project_id, seen.check_id)),
            self._put(to_item(rows.source_row(after))),
        ]
        if after.settings.slug != seen.settings.slug:
            actions += [self._put_slug(after), self._delete(keys.slug_key(seen.project_id, seen.settings.slug or ""))]
        codes = transact_or_raise(self._client, actions)
        if codes[:1] == (CONDITION_FAILED,):
            return False
        if codes:
            raise SlugTakenError
        return True

    def delete(self, check: Check) -> bool:
        """Delete a check. False if it is gone. Its history expires."""
        project_id, check_id = check.project_id, check.check_id
        count = ConditionalUpdate({}, "", {"one": 1}, computed=("#count = #count - :one",))
        others = (
            keys.source_key(project_id, check_id),
            keys.good_key(project_id, check_id),
            keys.slug_key(project_id, check.settings.slug or ""),
            keys.badge_key(check.badge_token),
            keys.hook_key(check_id),
        )
        codes = transact_or_raise(
            self._client,
            [
                self._delete(keys.check_key(project_id, check_id), "attribute_exists(pk)"),
                count.action(self.table_name, keys.count_key(project_id)),
                *(self._delete(other) for other in others),
            ],
        )
        return not codes

    def take_slots(self, seen: Check, after: Check, runs: Iterable[Run]) -> bool:
        """Write the runs of slots, and move the check to its next slot, in one transaction. At most 90 runs.

        False if another process did it, or the check has changed.
        """
        due_at_ms = after.due_at_ms
        sets: dict[str, Value] = {} if after.open_run_id is None else {"open_run_id": after.open_run_id}
        removes: tuple[str, ...] = ()
        if after.next_slot_ms is None or due_at_ms is None:
            removes = ("next_slot_ms", "due_at_ms", "due_shard")
        else:
            sets |= {"next_slot_ms": after.next_slot_ms, "due_at_ms": due_at_ms}
        condition = "#version = :version AND " + _slot_is_seen(seen)
        update = ConditionalUpdate(sets, condition, {"version": seen.version, **_seen_slot(seen)}, removes)
        actions = [update.action(self.table_name, keys.check_key(seen.project_id, seen.check_id))]
        return not transact_or_raise(self._client, [*actions, *(self._put(rows.run_item(run)) for run in runs)])

    def add_run(self, run: Run) -> None:
        """Write a run that was asked for."""
        self._client.put_item(TableName=self.table_name, Item=rows.run_item(run))

    def add_inbound_run(self, run: Run, webhook_id: str) -> Run | None:
        """Write the run of an inbound event. A repeat of the event returns its first run; None if that is gone."""
        row_key = keys.inbound_key(run.check_id, webhook_id)
        seen = to_item({"position": run.position, "ttl": self._clock() // MS_PER_SEC + INBOUND_SECS})
        codes = transact_or_raise(
            self._client, [self._put({**row_key, **seen}, _ABSENT), self._put(rows.run_item(run))]
        )
        if not codes:
            return run
        earlier = self._get(row_key)
        return (
            None if earlier is None else self.get_run(keys.runs_pk(run.project_id, run.check_id), earlier["position"])
        )

    def put_hook(self, check: Check, box: bytes) -> None:
        """Write the sealed inbound secret of a check, in place of the one before."""
        item = to_item({"owner": [check.project_id, check.check_id], "box": box})
        self._client.put_item(TableName=self.table_name, Item={**keys.hook_key(check.check_id), **item})

    def hook(self, check_id: str) -> tuple[str, bytes] | None:
        """Return project id and sealed inbound secret of a check."""
        row = self._get(keys.hook_key(check_id))
        return None if row is None else (row["owner"][0], row["box"])

    def get_run(self, pk: str, sk: str) -> Run | None:
        """Return a run by its key."""
        answer = self._client.get_item(TableName=self.table_name, Key=key(pk, sk), ConsistentRead=True)
        return rows.to_run(answer["Item"]) if "Item" in answer else None

    def claim(self, run: Run, until_ms: int) -> Run | None:
        """Move the due time of a run. None if another process moved it first."""
        update = ConditionalUpdate({"due_at_ms": until_ms}, "#due_at_ms = :seen", {"seen": run.due_at_ms or 0})
        item = update.apply(self._client, self.table_name, _run_key(run))
        return rows.to_run(item) if item is not None else None

    def put_claimed(self, run: Run, claimed: Run) -> bool:
        """Replace the row of a claimed run. False if its claim was lost."""
        return not transact_or_raise(self._client, [self._replace_run(run, claimed)])

    def settle(self, claimed: Run, run: Run, seen: Check, after: Check, good_output: bytes | None) -> bool:
        """Write the end of a run and the check's new standing, in one transaction. False if one of them has changed."""
        moved = after.next_slot_ms != seen.next_slot_ms
        row = rows.check_row(after)
        names = ("standing", "last_run", *(("next_slot_ms", "due_at_ms", "due_shard") if moved else ()))
        sets = {name: value for name in names if (value := row[name]) is not None}
        condition = "#standing_version = :seen_standing"
        values: dict[str, Value] = {"seen_standing": seen.standing_version}
        if moved:
            condition += " AND " + _slot_is_seen(seen)
            values |= _seen_slot(seen)
        update = ConditionalUpdate(
            {**sets, "standing_version": seen.standing_version + 1},
            condition,
            values,
            ("open_run_id",) if seen.open_run_id == run.run_id else (),
        )
        actions = [
            update.action(self.table_name, keys.check_key(seen.project_id, seen.check_id)),
            self._replace_run(run, claimed),
        ]
        if good_output is not None:
            item = {**keys.good_key(seen.project_id, seen.check_id), **to_item({"output": good_output})}
            actions.append(self._put(item))
        return not transact_or_raise(self._client, actions)

    def last_good(self, check: Check) -> bytes | None:
        """Return the output of the last run that passed; None before the first."""
        row = self._get(keys.good_key(check.project_id, check.check_id))
        return None if row is None else bytes(row["output"])

    def finish_events(self, run: Run) -> None:
        """Note that the events of a final run are published."""
        removes = ("due_at_ms", "due_shard", "events")
        ConditionalUpdate({}, "attribute_exists(#pk)", {}, removes).is_applied(
            self._client, self.table_name, _run_key(run)
        )

    def history(self, project_id: str, check_id: str, limit: int, after: str | None = None) -> Page[Run]:
        """Return a page of the runs of a check, newest first."""
        values: dict[str, Value | None] = {":pk": keys.runs_pk(project_id, check_id)}
        condition = "pk = :pk"
        if after is not None:
            condition, values[":after"] = "pk = :pk AND sk < :after", after
        request: dict[str, Any] = {
            "TableName": self.table_name,
            "KeyConditionExpression": condition,
            "FilterExpression": "#ttl > :now",
            "ExpressionAttributeNames": {"#ttl": "ttl"},
            "ExpressionAttributeValues": to_item({**values, ":now": self._clock() // MS_PER_SEC}),
            "ScanIndexForward": False,
            "Limit": limit + 1,
        }
        return query_page(self._client, request, limit, rows.to_run, lambda run: run.position, "sk")

    def since(self, project_id: str, check_id: str, since_ms: int, most: int) -> list[Run]:
        """Return the newest runs of a check since a time, at most `most`."""
        pages = self._client.get_paginator("query").paginate(
            TableName=self.table_name,
            KeyConditionExpression="pk = :pk AND sk >= :since",
            ExpressionAttributeValues=to_item(
                {":pk": keys.runs_pk(project_id, check_id), ":since": to_rfc3339(since_ms)}
            ),
            ScanIndexForward=False,
            PaginationConfig={"MaxItems": most},
        )
        return [rows.to_run(item) for page in pages for item in page["Items"]]

    def badge(self, token: str) -> tuple[str, str] | None:
        """Return project id and check id of a badge."""
        row = self._get(keys.badge_key(token))
        return None if row is None else (row["owner"][0], row["owner"][1])

    def due(self, now_ms: int) -> Iterator[Due]:
        """Yield rows that are due, of each shard the oldest first."""
        for shard in DUE_SHARDS:
            answer = self._client.query(
                TableName=self.table_name,
                IndexName="due",
                KeyConditionExpression="due_shard = :shard AND due_at_ms <= :now",
                ExpressionAttributeValues=to_item({":shard": shard, ":now": now_ms}),
                Limit=_DUE_PER_QUERY,
            )
            for row in map(from_item, answer["Items"]):
                yield Due(row["pk"], row["sk"], row["due_at_ms"])

    def _replace_run(self, run: Run, claimed: Run) -> Any:
        return self._put(rows.run_item(run), "due_at_ms = :claimed_until", {":claimed_until": claimed.due_at_ms or 0})

    def _put_slug(self, check: Check) -> Any:
        slug = keys.slug_key(check.project_id, check.settings.slug or "")
        return self._put({**slug, **to_item({"check_id": check.check_id})}, _ABSENT)

    def _put(self, item: Any, condition: str = "", values: Mapping[str, Value] | None = None) -> Any:
        put: dict[str, Any] = {"TableName": self.table_name, "Item": item}
        if condition:
            put["ConditionExpression"] = condition
        if values:
            put["ExpressionAttributeValues"] = to_item(values)
        return {"Put": put}

    def _delete(self, row_key: keys.Key, condition: str = "") -> Any:
        delete: dict[str, Any] = {"TableName": self.table_name, "Key": row_key}
        if condition:
            delete["ConditionExpression"] = condition
        return {"Delete": delete}

    def _get(self, row_key: keys.Key) -> dict[str, Any] | None:
        answer = self._client.get_item(TableName=self.table_name, Key=row_key, ConsistentRead=True)
        return from_item(answer["Item"]) if "Item" in answer else None


def _slot_is_seen(seen: Check) -> str:
    return "attribute_not_exists(#next_slot_ms)" if seen.next_slot_ms is None else "#next_slot_ms = :seen_slot"


def _seen_slot(seen: Check) -> dict[str, Value]:
    return {} if seen.next_slot_ms is None else {"seen_slot": seen.next_slot_ms}


def _run_key(run: Run) -> keys.Key:
    return keys.run_key(run.project_id, run.check_id, run.position)
