"""Runs in the checks table: due times get runs, and their end moves the check. Each step is one transaction at most."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from functions.aws.dynamodb.conditional import ConditionalUpdate, delete, put
from functions.aws.dynamodb.items import Key, Value, key, to_item
from functions.aws.dynamodb.row_codec import read, write
from functions.aws.dynamodb.table import DUE_SHARDS, Page, Table, due_shard, query_page
from functions.aws.dynamodb.transaction import transact_or_raise
from functions.checks import keys
from functions.checks.runs.run import Run, RunStatus
from functions.checks.settings.store import NEXT_TIME, Check, check_action, outage_actions
from functions.clock import MS_PER_SEC, to_rfc3339

_MS = 1000
_DUE_PER_SHARD = 5_000
"""So many that the rows of other projects are read behind a large backlog of one."""

_MOST_DELETED = 100
"""Actions of one transaction."""


def run_item(run: Run) -> dict[str, Any]:
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
    others: dict[str, Any] = {"wall_time_secs": None if wall_time_ms is None else wall_time_ms / _MS}
    if "superseded_by" in row:  # stored as skipped, which the minor version before knows
        others["status"] = RunStatus.SUPERSEDED.value
    return read(Run, {**row, **others})


class Due(NamedTuple):
    """A row that is due, of a check, a group or a run: its key and due time in the index."""

    pk: str
    sk: str
    due_at_ms: int

    @property
    def is_check(self) -> bool:
        return self.sk.startswith(keys.CHECK_PREFIX)

    @property
    def is_group(self) -> bool:
        return self.pk.startswith(keys.GROUPS)

    @property
    def project_id(self) -> str:
        """Its project, which is the second part of all kinds of partition keys."""
        return self.pk.split("#")[1]


class RunStore(Table):
    """Rows of runs, and the due index."""

    table_setting = "checks_table"

    def add_scheduled(self, before: Check, after: Check, runs: Iterable[Run]) -> bool:
        """Write the runs of due times, and move the check to its next time, in one transaction. At most 90 runs.

        False if another process did it, or the check has changed.
        """
        names = (*NEXT_TIME, "open_run_id", *(("anchor_ms",) if after.anchor_ms != before.anchor_ms else ()))
        move = check_action(self.table_name, before, after, names, ("version",))
        actions = {"check": move, "runs": [put(self.table_name, run_item(run)) for run in runs]}
        return transact_or_raise(self._client, actions) is None

    def add_run(self, run: Run) -> None:
        self._client.put_item(TableName=self.table_name, Item=run_item(run))

    def get_run(self, pk: str, sk: str) -> Run | None:
        row = self._get(key(pk, sk))
        return to_run(row) if row is not None else None

    def lease(self, run: Run, until_ms: int) -> Run | None:
        """Lease a run by moving its due time: until then no other process does its step. None if another was first."""
        row = self._take(_run_key(run), run.due_at_ms or 0, until_ms)
        return to_run(row) if row is not None else None

    def put_leased(self, run: Run, leased: Run, also: Sequence[Any] = ()) -> bool:
        """Replace the row of a leased run. False if its lease was lost. `also`: actions of the same transaction."""
        return transact_or_raise(self._client, {"run": self._replace_run(run, leased), "also": also}) is None

    def settle(
        self,
        leased: Run,
        run: Run,
        before: Check,
        after: Check,
        good_output: bytes | None,
        also: Sequence[Any] = (),
    ) -> bool:
        """Write the end of a run and the check's new standing, in one transaction. False if one of them has changed.

        `also`: actions of the same transaction.
        """
        after = replace(after, standing_version=before.standing_version + 1)
        moved = NEXT_TIME if after.next_slot_ms != before.next_slot_ms else ()
        names = ("standing", "last_run", "standing_version", *moved)
        removes = ("open_run_id",) if before.open_run_id == run.run_id else ()
        actions = {
            "check": check_action(self.table_name, before, after, names, ("standing_version",), removes),
            "run": self._replace_run(run, leased),
            "outage": outage_actions(self.table_name, before, after),
            "also": also,
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
        rows = self._query(
            most,
            KeyConditionExpression="pk = :pk AND sk >= :since",
            ExpressionAttributeValues=to_item(
                {":pk": keys.runs_pk(project_id, check_id), ":since": to_rfc3339(since_ms)}
            ),
            ScanIndexForward=False,
        )
        return [to_run(row) for row in rows]

    def delete_some(self, project_id: str, check_id: str) -> int:
        """Delete some runs of a check, then the bodies of its pings, its outages, its groups, and the log of its calls.

        Return how many rows, 0 if none is left. Raises RowsContendedError.
        """
        items: Sequence[Any] = ()
        of_check = [
            of(project_id, check_id) for of in (keys.runs_pk, keys.ping_bodies_pk, keys.outages_pk, keys.groups_pk)
        ]
        for pk in (*of_check, keys.calls_pk(check_id)):
            items = (
                items
                or self._client.query(
                    TableName=self.table_name,
                    KeyConditionExpression="pk = :pk",
                    ExpressionAttributeValues=to_item({":pk": pk}),
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
