"""Start runs on events: each event runs a check once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from functions.checks.runs.model import Run, RunKind, RunStatus, new_run
from functions.checks.settings.triggers import MAX_CHAIN, event_text, size_problem
from functions.clock import Clock, now_ms
from functions.errors import RateLimitedError
from functions.ids import new_id

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from aws_lambda_powertools import Logger
    from pydantic import JsonValue

    from functions.checks.events.event_store import EventStore
    from functions.checks.events.request_limit import RequestLimit
    from functions.checks.runs.hints import CheckHints
    from functions.checks.settings.model import Check

_THREADS = 8
_HOUR_MS = 3_600_000
_BEYOND_LIMIT = (
    "the project has requested as many runs of checks as it may request in an hour. "
    "Further events of this hour leave no run."
)


@dataclass(frozen=True, slots=True)
class Cause:
    """The cause of a run. `event_id` names the event among those of the check; `data` is for the program.

    `chain`: how many runs of other checks led to it.
    """

    event_id: str
    reason: str
    data: Mapping[str, JsonValue] | None = field(repr=False)
    chain: int = 0


@dataclass(frozen=True, slots=True)
class Starter:
    """Starts runs. The sender gets no answer. So a run that cannot start becomes a skipped row with its reason."""

    events: EventStore
    hints: CheckHints
    limit: RequestLimit
    log: Logger
    clock: Clock = now_ms

    def start_all(self, checks: Iterable[Check], cause: Cause) -> None:
        """Start a run of each check, as `start` does: of 1,000 checks within one invocation."""
        with ThreadPoolExecutor(_THREADS) as pool:
            list(pool.map(lambda check: self.start(check, cause), checks))

    def start(self, check: Check, cause: Cause) -> None:
        """Start a run, except of a heartbeat, of a paused check, or for a repeated event. Raises the table's errors.

        Beyond the limit of requests, write one skipped run of the check in an hour.
        """
        event_id = cause.event_id
        if (
            check.is_paused
            or check.settings.is_heartbeat
            or self.events.first_run(check.check_id, event_id) is not None
        ):
            return
        now = self.clock()
        text = None if cause.data is None else event_text(cause.data)
        run = new_run(check, RunKind.EVENT, now, now, new_id())
        run = replace(run, event=text, reason=cause.reason, chain=cause.chain)
        problem = None if text is None else size_problem(text, check.settings.event_as)
        if cause.chain >= MAX_CHAIN:
            problem = f"more than {MAX_CHAIN} checks follow one another: look for a loop of their triggers"
        try:
            self.limit.count(check)
        except RateLimitedError:
            problem, event_id = _BEYOND_LIMIT, f"limit:{now // _HOUR_MS}"
        if problem is not None:
            run = _skipped(run, problem)
        if self.events.add_run(run, event_id) is None and run.status is RunStatus.QUEUED:
            self.hints.try_send(run, self.log)


def _skipped(run: Run, problem: str) -> Run:
    return replace(run, status=RunStatus.SKIPPED, reason=f"{run.reason}: {problem}", event=None, due_at_ms=None)
