"""Groups: calls of a check with one key are one run after silence, or run in order, at most n unfinished at a time.

    call ──▶ waiting ──silence or most_secs, and fewer than at_most unfinished──▶ unfinished ──end──▶ gone
                └──a later call, with debounce_secs──▶ superseded

A group is one row with the positions of its runs. Every step is a transaction of this row, if it is as it was read, and
of the rows of the runs that the step moves. While runs wait, the row is due: a delayed message wakes it, and the
minute schedule finds it if the message is lost (ADR 42).
"""

import hashlib
import itertools
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple, Self

from functions.aws.dynamodb.conditional import ABSENT, EXISTS, ConditionalUpdate, delete, put
from functions.aws.dynamodb.items import Key, Value, key, to_item
from functions.aws.dynamodb.row_codec import IN_KEY, read, write
from functions.aws.dynamodb.table import Page, Table, due_shard, query_page, query_pages, read_rows, tries
from functions.aws.dynamodb.transaction import RowsContendedError, transact_or_raise
from functions.checks import keys
from functions.checks.assertions import MISSING, parse_path, value_at
from functions.checks.runs.hints import CheckHints
from functions.checks.runs.run import Run, RunGroup, RunStatus
from functions.checks.settings.check_settings import Grouping
from functions.checks.settings.store import Check, CheckStore
from functions.clock import Clock, now_ms
from functions.errors import RateLimitedError
from functions.failpoint import reach
from functions.ttl_cache import TtlCache

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

    from functions.env import Env

MOST_WAITING = 100
"""Calls of a key that wait for their turn."""
MOST_KEYS = 1_000
"""Keys of a check with calls that wait or run. About: the count of a process is up to COUNTED_MS old."""
COUNTED_MS = 2_000
TRIES = 16
"""Of a step, while other calls of the same key change the row."""
BLOCKED_MS = 120_000
"""A group whose runs are all unfinished is looked at after this time: a version without groups may have ended one."""
_EARLY_MS = 2_000
"""A message this much before its time came from a process with another clock."""
_STEP = 40
"""Runs that one transaction starts: it may have 100 actions, and others beside these."""
_SUPERSEDED = 90
_KEY_CHARS = 200
_RETRY_SECS = 30
_MOST_CHECKS = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """The unfinished calls of a key.

    `unfinished`: positions of the runs that have left it; `waiting`: in their order.
    `first_ms`, `last_ms`: the times of the first and the last call that waits. `version` counts writes; 0: not stored.
    """

    pk: Annotated[str, IN_KEY]
    name: Annotated[str, IN_KEY]
    key: str
    version: int = 0
    unfinished: tuple[str, ...] = ()
    waiting: tuple[str, ...] = ()
    first_ms: int = 0
    last_ms: int = 0
    due_at_ms: int | None = None

    @property
    def owner(self) -> tuple[str, str]:
        """Its project and check."""
        _, project_id, check_id = self.pk.split("#")
        return project_id, check_id

    def with_call(self, grouping: Grouping, position: str, now: int) -> tuple[Self, tuple[str, ...]]:
        """Return the group with one more call, and the calls that it supersedes. Raises RateLimitedError."""
        superseded: tuple[str, ...] = ()
        if grouping.debounce_secs is not None:
            superseded = self.waiting[-_SUPERSEDED:]  # several, if calls ran in order before a change of the check
        elif len(self.waiting) >= MOST_WAITING:
            raise RateLimitedError(
                f"{MOST_WAITING} calls with the key {self.key!r} wait already. Raise group.at_most "
                f"({grouping.at_most}), set group.debounce_secs so that a call replaces earlier ones, or call later.",
                _RETRY_SECS,
            )
        waiting = (*self.waiting[: len(self.waiting) - len(superseded)], position)
        first_ms = self.first_ms if self.waiting else now
        return replace(self, waiting=waiting, first_ms=first_ms, last_ms=now), superseded

    def advanced(self, grouping: Grouping | None, now: int) -> tuple[Self, tuple[str, ...]]:
        """Return the group without the calls whose time has come, and these calls. None: nothing holds calls back."""
        first_ms, last_ms = min(self.first_ms, now), min(self.last_ms, now)  # the clock may have run ahead
        ends_ms = now if grouping is None else grouping.wait_ends_ms(first_ms, last_ms)
        free = len(self.waiting) if grouping is None else max(0, grouping.at_most - len(self.unfinished))
        started = self.waiting[: min(free, _STEP)] if now >= ends_ms else ()
        waiting = self.waiting[len(started) :]
        if not waiting:
            due_at_ms = None
        elif now < ends_ms:
            due_at_ms = ends_ms
        else:
            due_at_ms = now if free > len(started) else now + BLOCKED_MS
        unfinished = self.unfinished if grouping is None else (*self.unfinished, *started)
        after = replace(self, unfinished=unfinished, waiting=waiting, due_at_ms=due_at_ms)
        return replace(after, first_ms=first_ms, last_ms=last_ms), started

    def without(self, ended: Sequence[str]) -> Self:
        """Return the group without runs that have ended."""
        return replace(self, unfinished=tuple(each for each in self.unfinished if each not in ended))


def key_of(grouping: Grouping, document: Any) -> tuple[str, str]:
    """Return the name of a call's group, and its key for people. `document`: the event, MISSING for one without JSON.

    The name is a hash: senders choose the key, of any length and any characters. Only texts, numbers and booleans are
    keys; a call without one belongs to the group of all such calls.
    """
    value = MISSING if grouping.key is None else value_at(document, parse_path(grouping.key))
    if not isinstance(value, str | int | float):
        value, shown = None, ""
    else:
        value = int(value) if isinstance(value, float) and value.is_integer() else value  # 1 equals 1.0
        shown = value if isinstance(value, str) else json.dumps(value)
    shown = shown if len(shown) <= _KEY_CHARS else f"{shown[: _KEY_CHARS - 1]}…"
    name = hashlib.sha256(json.dumps(value).encode()).hexdigest()
    return name, shown.encode(errors="replace").decode()  # half characters have no UTF-8 form


class Step(NamedTuple):
    """Actions of a transaction, and what may go on after it: keys of runs, or of the group."""

    actions: Sequence[Any] = ()
    next: Sequence[tuple[str, str]] = ()
    due_at_ms: int | None = None


class GroupStore(Table):
    """Groups in the checks table, by check and name."""

    table_setting = "checks_table"

    def __init__(self, table_name: str, client: "DynamoDBClient", clock: Clock = now_ms) -> None:
        super().__init__(table_name, client, clock)
        self._counts: TtlCache[str, Iterator[int]] = TtlCache(COUNTED_MS, _MOST_CHECKS, clock)

    def get(self, pk: str, name: str) -> Group | None:
        row = self._get(key(pk, name))
        return None if row is None else _group(row)

    def page(self, check: Check, limit: int, after: str | None) -> Page[Group]:
        """Return a page of the groups of a check, by their names."""
        values = {":pk": keys.groups_pk(check.project_id, check.check_id), ":after": after or "0"}
        request: dict[str, Any] = {
            "TableName": self.table_name,
            "KeyConditionExpression": "pk = :pk AND sk > :after",
            "ExpressionAttributeValues": to_item(values),
            "ConsistentRead": True,
            "Limit": limit + 1,
        }
        return query_page(self._client, request, limit, _group, lambda group: group.name, "sk")

    def call(self, check: Check, grouping: Grouping, run: Run, document: Any) -> tuple[Run, Sequence[Any]]:
        """Return the run of a call with its place in its group, and the actions of the group for its transaction.

        Raises RateLimitedError.
        """
        pk, now = keys.groups_pk(check.project_id, check.check_id), self._clock()
        name, shown = key_of(grouping, document)
        before = self.get(pk, name)
        if before is None:
            self._refuse_many_keys(pk)
            before = Group(pk=pk, name=name, key=shown)
        called, superseded = before.with_call(grouping, run.position, now)
        after, started = called.advanced(grouping, now)
        if started == (run.position,):
            run = replace(run, group=RunGroup(name, shown, now))
        else:  # calls before it go first, woken by the message of this one
            after = replace(called, due_at_ms=now if started else after.due_at_ms)
            ends_ms = grouping.wait_ends_ms(called.first_ms, called.last_ms)
            is_blocked = ends_ms <= now and not started
            run = replace(run, group=RunGroup(name, shown, 0 if is_blocked else max(now, ends_ms)), due_at_ms=None)
        texts = {"status": RunStatus.SKIPPED.value, "superseded_by": run.run_id}
        texts["reason"] = f"superseded by the run {run.run_id}, of a later call with the same key"
        update = ConditionalUpdate(texts, EXISTS, {}, ("event", "call"))
        actions = [update.action(self.table_name, self._run_key(after, each)) for each in superseded]
        return run, [self._write(before, after), *actions]

    def release(self, check: Check | None, run: Run) -> Step:
        """Return the step of a run's group that its end is. `check`: None if it was deleted."""
        before = None if run.group is None else self.get(keys.groups_pk(run.project_id, run.check_id), run.group.name)
        if before is None or run.position not in before.unfinished:
            return Step()
        return self._step(before, before.without([run.position]), check)

    def wake(self, before: Group, check: Check | None) -> Step:
        """Return the step of a group whose time may have come; no actions if it has not."""
        if before.due_at_ms is None:
            return Step()
        step = self._step(before, before, check)
        if step.next or (step.due_at_ms or 0) < before.due_at_ms:  # the check was changed, or a clock ran ahead
            return step
        if before.due_at_ms > self._clock():
            return Step()
        return self._step(before, before.without(self._ended(before)), check)

    def write(self, step: Step) -> bool:
        """Write a step. False if another process changed the group."""
        return transact_or_raise(self._client, {"group": step.actions}) is None

    def _step(self, before: Group, changed: Group, check: Check | None) -> Step:
        now = self._clock()
        after, started = changed.advanced(None if check is None else check.settings.group, now)
        actions, following = [self._write(before, after)], list[tuple[str, str]]()
        values: dict[str, Value] = {"due_at_ms": now, "group": write(RunGroup(after.name, after.key, now))}
        for position in started:
            start = ConditionalUpdate({**values, "due_shard": due_shard(position)}, EXISTS, {})
            actions.append(start.action(self.table_name, self._run_key(after, position)))
            following.append((keys.runs_pk(*after.owner), position))
        if after.due_at_ms is not None and after.due_at_ms <= now:
            following.append((after.pk, after.name))
        return Step(actions, following, after.due_at_ms)

    def _write(self, before: Group, after: Group) -> Any:
        """Return the action that writes a group, if it is as it was read; without runs it goes."""
        condition, values = (
            (ABSENT, None) if not before.version else ("#version = :version", {"version": before.version})
        )
        row_key = key(after.pk, after.name)
        if not after.unfinished and not after.waiting:
            return delete(self.table_name, row_key, condition, values)
        due = {} if after.due_at_ms is None else {"due_shard": due_shard(after.name)}
        row = to_item({**write(replace(after, version=before.version + 1)), **due})
        return put(self.table_name, {**row_key, **row}, condition, values)

    def _run_key(self, group: Group, position: str) -> Key:
        return keys.run_key(*group.owner, position)

    def _ended(self, group: Group) -> list[str]:
        """Return the runs of a group that have ended, or are gone, which it does not know."""
        wanted = [self._run_key(group, position) for position in group.unfinished]
        rows = read_rows(self._client, self.table_name, wanted, ("sk", "due_at_ms"))
        going_on = {row["sk"] for row in rows if "due_at_ms" in row}
        return [position for position in group.unfinished if position not in going_on]

    def _refuse_many_keys(self, pk: str) -> None:
        """Raise RateLimitedError for one more key than a check may have."""
        if next(self._counts.get_or_load(pk, lambda: itertools.count(self._count(pk)))) >= MOST_KEYS:
            raise RateLimitedError(
                f"{MOST_KEYS:,} keys of this check have calls that wait or run. Call later, or choose a "
                "group.key with fewer values.",
                _RETRY_SECS,
            )

    def _count(self, pk: str) -> int:
        """Return the number of a check's groups, or MOST_KEYS."""
        pages = query_pages(
            self._client,
            TableName=self.table_name,
            KeyConditionExpression="pk = :pk",
            ExpressionAttributeValues=to_item({":pk": pk}),
            Select="COUNT",
            Limit=MOST_KEYS,
        )
        total = 0
        for page in pages:
            total += page["Count"]
            if total >= MOST_KEYS:
                break
        return total


def _group(row: Any) -> Group:
    return read(Group, {**row, "name": row["sk"]})


def wake(env: "Env", pk: str, name: str, due_at_ms: int = 0) -> list[tuple[str, str]]:
    """Start the runs of a group whose time has come; return their keys. Repeating the call is safe.

    `due_at_ms`: the time for which its message was sent. Raises RowsContendedError, and the errors of table and queue.
    """
    groups, started = env[GroupStore], list[tuple[str, str]]()
    for _ in tries(TRIES):
        before = groups.get(pk, name)
        if before is None:
            return started
        step = groups.wake(before, env[CheckStore].get(*before.owner))
        if not step.actions:
            # Only the message of the newest call is sent again: those of earlier calls find that it will come.
            if before.due_at_ms == due_at_ms and 0 < due_at_ms - env.clock() <= _EARLY_MS:
                env[CheckHints].send_group(before.owner[0], pk, name, due_at_ms)
            return started
        reach("check.before_wake")
        if groups.write(step):
            reach("check.after_wake")
            started += [each for each in step.next if each != (pk, name)]
            if (pk, name) not in step.next:
                return started
    if started:
        return started  # the row of the group is due: the minute goes on with it
    raise RowsContendedError
