"""Notices that the clock ran ahead and is right again, and brings checks and runs back from a time that is far away."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from functions.aws.dynamodb.items import to_item
from functions.aws.dynamodb.table import Table
from functions.checks import keys
from functions.checks.schedule import MINUTE_MS
from functions.clock import Clock, now_ms

if TYPE_CHECKING:
    from functions.checks.runs.fire import Firing
    from functions.checks.runs.store import RunStore

_AHEAD_MS = MINUTE_MS // 2
_SOON_MS = 10 * MINUTE_MS
"""A run that is due later was leased, or put off, by the clock that ran ahead."""
_EVER_MS = 2**53


class ClockMark(Table):
    """The latest time at which the schedule has fired."""

    def read(self) -> int:
        """Return it; 0 before the first firing."""
        row = self._get(keys.clock_key())
        return 0 if row is None else int(row["latest_ms"])

    def write(self, latest_ms: int) -> None:
        """Set it."""
        self._client.put_item(TableName=self.table_name, Item={**keys.clock_key(), **to_item({"latest_ms": latest_ms})})


@dataclass(frozen=True, slots=True)
class ClockRepair:
    """Call it before each firing. Repeating it is safe, and it is repeated until it was whole."""

    mark: ClockMark
    runs: RunStore
    firing: Firing
    clock: Clock = now_ms

    def __call__(self) -> int:
        """Return how many checks and runs were moved to an earlier time."""
        now, moved = self.clock(), 0
        if self.mark.read() > now + _AHEAD_MS:
            for row in self.runs.due(_EVER_MS):
                if row.is_check and row.due_at_ms > now:
                    moved += self.firing.plan_again(*keys.ids_of_check(row.pk, row.sk))
                elif row.due_at_ms > now + _SOON_MS and (run := self.runs.get_run(row.pk, row.sk)) is not None:
                    moved += self.runs.lease(run, now) is not None
        self.mark.write(now)
        return moved
