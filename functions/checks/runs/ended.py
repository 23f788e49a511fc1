"""What the end of a run leaves: the events to publish, and the summary in the row of its check."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from functions.checks.runs.event_bodies import run_event, state_event
from functions.checks.runs.model import Run, RunStatus
from functions.checks.state import State
from functions.clock import to_rfc3339

if TYPE_CHECKING:
    from functions.checks.settings.model import Check
    from functions.checks.state import Rules, Step


def with_events(
    check: Check, ended: Run, rules: Rules, step: Step, now_ms: int, public_base_url: str, change: str = ""
) -> Run:
    """Return the final run with the events to publish; due until they are. `change`: from the last good output."""
    if rules.is_muted(now_ms):  # other checks may follow this run all the same, but not a missed one
        return replace(ended, due_at_ms=None) if ended.status is RunStatus.MISSED else ended
    events = [run_event(check, ended, now_ms, public_base_url)]
    if step.announce is not None:
        events.append(state_event(check, ended, step.announce, change, now_ms, public_base_url))
    return replace(ended, events=tuple(events), quiet_until_ms=_quiet_until_ms(rules, step, now_ms))


def with_told_state(check: Check, run: Run, rules: Rules, step: Step, now_ms: int, public_base_url: str) -> Run:
    """Return a run whose quiet time is over, with the event of the state if the last message gave another one."""
    quiet_until_ms = _quiet_until_ms(rules, step, now_ms)
    if step.announce is not None:
        event = state_event(check, run, step.announce, "", now_ms, public_base_url)
        return replace(run, events=(event,), quiet_until_ms=None)
    return replace(run, quiet_until_ms=quiet_until_ms, due_at_ms=quiet_until_ms)


def _quiet_until_ms(rules: Rules, step: Step, now_ms: int) -> int | None:
    """Return when to tell a state that a quiet time withholds; None if none is withheld."""
    is_told = step.standing.told is step.standing.state or step.standing.state is State.PAUSED
    return None if is_told else rules.quiet_until_ms(now_ms)


def summary(run: Run) -> dict[str, object]:
    """Return the `last_run` of its check."""
    return {
        "run_id": run.run_id,
        "status": run.status.value,
        "scheduled_at": to_rfc3339(run.scheduled_ms),
        "submission_id": run.submission_id,
        "verdict": run.verdict,
    }
