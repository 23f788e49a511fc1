"""Runs in the checks table: due times get runs, and their end moves the check. Each step is one transaction at most."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from functions.aws.dynamodb.conditional import ConditionalUpdate, delete, put
from functions.aws.dynamodb.due_index import DUE_SHARDS, due_shard
from functions.aws.dynamodb.items import Value, from_item, key, to_item
from functions.aws.dynamodb.row_codec import read, write
from functions.aws.dynamodb.table import Page, Table, query_page
from functions.aws.dynamodb.transaction import transact_or_raise
from functions.checks import keys
from functions.checks.runs.model import Run
from functions.checks.settings.store import check_row, next_time_is_same, next_time_values, outage_actions
from functions.clock import MS_PER_SEC, to_rfc3339

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef

    from functions.aws.dynamodb.items import Key
    from functions.checks.settings.model import Check


_MS = 1000
_DUE_PER_SHARD = 5_000
"""So many that the rows of other projects are read behind a large backlog of one."""

_MOST_DELETED = 100
"""Actions of one transaction."""


def run_item(run: Run) -> dict[str, AttributeValueTypeDef]:
    """Return the item of a run."""
    return to_item(
        {
            **write(run),
            "pk": keys.runs_pk(run.project_id, run.check_id),
            "sk": run.position,
            "wall_time_ms": None if run.wall_time_secs is None else round(run.wall_time_secs * _MS),
            "due_shard": None if run.due_at_ms is None else due_shard(run.run_id),
        }
    )


def to_run(row: Mapping[str, Any]) -> Run:
    """Return the run of a row."""
    wall_time_ms = row.get("wall_time_ms")
    return read(Run, {**row, "wall_time_secs": None if wall_time_ms is None else wall_time_ms / _MS})


class Due(NamedTuple):
    """A row that is due: its key and due time in the index. Rows of checks begin with CHECK_PREFIX."""

    pk: str
    sk: str
    due_at_ms: int

    @property
    def is_check(self) -> bool:
        """Whether it is a check; else a run."""
        return self.sk.startswith(keys.CHECK_PREFIX)

    @property
    def project_id(self) -> str:
        """Its project, which is the second part of both kinds of partition keys."""
        return self.pk.split("#")[1]


class RunStore(Table):
    """Rows of runs, and the due index."""

    table_setting = "checks_table"

    def add_scheduled(self, before: Check, after: Check, runs: Iterable[Run]) -> bool:
        """Write the runs of due times, and move the check to its next time, in one transaction. At most 90 runs.

        False if another process did it, or the check has changed.
        """
        due_at_ms = after.due_at_ms
        sets: dict[str, Value] = {} if after.open_run_id is None else {"open_run_id": after.open_run_id}
        if after.anchor_ms != before.anchor_ms:
            sets["anchor_ms"] = after.anchor_ms
        removes: tuple[str, ...] = ()
        if after.next_slot_ms is None or due_at_ms is None:
            removes = ("next_slot_ms", "due_at_ms", "due_shard")
        else:
            sets |= {"next_slot_ms": after.next_slot_ms, "due_at_ms": due_at_ms}
        condition = "#version = :version AND " + next_time_is_same(before)
        update = ConditionalUpdate(sets, condition, {"version": before.version, **next_time_values(before)}, removes)
        move = update.action(self.table_name, keys.check_key(before.project_id, before.check_id))
        actions = {"check": move, "runs": [put(self.table_name, run_item(run)) for run in runs]}
        return transact_or_raise(self._client, actions) is None

    def add_run(self, run: Run) -> None:
        """Write a run that was asked for."""
        self._client.put_item(TableName=self.table_name, Item=run_item(run))

    def get_run(self, pk: str, sk: str) -> Run | None:
        """Return a run by its key."""
        row = self._get(key(pk, sk))
        return to_run(row) if row is not None else None

    def lease(self, run: Run, until_ms: int) -> Run | None:
        """Lease a run by moving its due time: until then no other process does its step. None if another was first."""
        row = self._take(_run_key(run), run.due_at_ms or 0, until_ms)
        return to_run(row) if row is not None else None

    def put_leased(self, run: Run, leased: Run) -> bool:
        """Replace the row of a leased run. False if its lease was lost."""
        return transact_or_raise(self._client, {"run": self._replace_run(run, leased)}) is None

    def settle(self, leased: Run, run: Run, before: Check, after: Check, good_output: bytes | None) -> bool:
        """Write the end of a run and the check's new standing, in one transaction. False if one of them has changed."""
        moved = after.next_slot_ms != before.next_slot_ms
        row = check_row(after)
        names = ("standing", "last_run", *(("next_slot_ms", "due_at_ms", "due_shard") if moved else ()))
        sets = {name: value for name in names if (value := row.get(name)) is not None}
        condition = "#standing_version = :standing_before"
        values: dict[str, Value] = {"standing_before": before.standing_version}
        if moved:
            condition += " AND " + next_time_is_same(before)
            values |= next_time_values(before)
        update = ConditionalUpdate(
            {**sets, "standing_version": before.standing_version + 1},
            condition,
            values,
            ("open_run_id",) if before.open_run_id == run.run_id else (),
        )
        actions = {
            "check": update.action(self.table_name, keys.check_key(before.project_id, before.check_id)),
            "run": self._replace_run(run, leased),
            "outage": outage_actions(self.table_name, before, after),
        }
        if good_output is not None:
            item = {**keys.good_key(before.project_id, before.check_id), **to_item({"output": good_output})}
            actions["last good output"] = put(self.table_name, item)
        return transact_or_raise(self._client, actions) is None

    def last_good(self, check: Check) -> bytes | None:
        """Return the output of the last run that passed; None before the first."""
        row = self._get(keys.good_key(check.project_id, check.check_id))
        return None if row is None else bytes(row["output"])

    def finish_events(self, run: Run) -> None:
        """Note that the events of a final run are published."""
        removes = ("due_at_ms", "due_shard", "events")
        self._update_unread(ConditionalUpdate({}, "attribute_exists(#pk)", {}, removes), _run_key(run))

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
        return query_page(self._client, request, limit, to_run, lambda run: run.position, "sk")

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
        return [to_run(from_item(item)) for page in pages for item in page["Items"]]

    def delete_some(self, project_id: str, check_id: str) -> int:
        """Delete some runs of a check, then the bodies of its pings, then its outages.

        Return how many rows, 0 if none is left. Raises RowsContendedError.
        """
        items: Sequence[Any] = ()
        for partition in (keys.runs_pk, keys.ping_bodies_pk, keys.outages_pk):
            items = (
                items
                or self._client.query(
                    TableName=self.table_name,
                    KeyConditionExpression="pk = :pk",
                    ExpressionAttributeValues=to_item({":pk": partition(project_id, check_id)}),
                    ConsistentRead=True,
                    Limit=_MOST_DELETED,
                )["Items"]
            )
        if items:
            deletions = [delete(self.table_name, {"pk": run["pk"], "sk": run["sk"]}) for run in items]
            transact_or_raise(self._client, {"runs": deletions})
        return len(items)

    def due(self, now_ms: int) -> Iterator[Due]:
        """Yield rows that are due, of each shard the oldest first."""
        for shard in DUE_SHARDS:
            for row in self._due(shard, now_ms, _DUE_PER_SHARD):
                yield Due(row["pk"], row["sk"], row["due_at_ms"])

    def _replace_run(self, run: Run, leased: Run) -> Any:
        values: dict[str, Value] = {"leased_until": leased.due_at_ms or 0}
        return put(self.table_name, run_item(run), "due_at_ms = :leased_until", values)


def _run_key(run: Run) -> Key:
    return keys.run_key(run.project_id, run.check_id, run.position)
