"""Events of checks: their bodies, and what the end of a run leaves to publish. Each `TypedDict` is a schema."""

from dataclasses import replace
from typing import Annotated, Literal, TypedDict

from pydantic import Field

from functions.checks.evaluation import AssertionResult
from functions.checks.runs.run import Run, RunKind, RunStatus, event_id_of
from functions.checks.schedule import MS_PER_SEC
from functions.checks.settings.store import Check
from functions.checks.state import Announcement, Rules, State, Step
from functions.clock import to_rfc3339
from functions.event_log.model import Event, event_bytes
from functions.http.openapi.bodies import Time, Uuid
from functions.http.parameters import result_path
from functions.webhooks.vocabulary import EVENT_CHECK_CHANGED, EVENT_CHECK_MISSED, EVENT_CHECK_RUN

_NEXT = {
    State.UP: "Nothing: the check passes again.",
    State.FAILING: "Compare the failed assertions and the difference with the last good output, then open the run.",
    State.FLAKY: "A repeat passed. Look for a cause that comes and goes: time limits, order, other services.",
    State.LATE: "The schedule was not served in time. See the alarms of the deployment, and GET /api/health.",
    State.ERROR: "The platform could not run the check: it says nothing about your program. See the reason.",
    State.PAUSED: "POST /api/checks/{id}/resume starts it again.",
    State.NEW: "Nothing.",
}


_NEXT_OF_HEARTBEAT = {
    **_NEXT,
    State.UP: "Nothing: the job reports again.",
    State.FAILING: "The job reported a failure. Look at the reason, and at the body of its ping in the history.",
    State.FLAKY: "The job has failed, but not often enough for failing.",
    State.LATE: "No ping came in time. Look whether the job ran, and whether its machine reaches this service.",
}


class CheckEvent(TypedDict):
    """The fields of every event of a check."""

    timestamp: Time
    check_id: Uuid
    check_slug: str
    check_name: str
    tags: list[str]
    run_id: Uuid
    kind: RunKind
    status: RunStatus
    scheduled_at: Time
    reason: str
    verdict: str | None
    wall_time_secs: float | None
    submission_id: Uuid | None
    result_url: Annotated[str | None, Field(description="The run with its output and evidence.")]


class CheckRunCompletedEvent(CheckEvent):
    """A run of a check has ended."""

    type: Literal["check.run.completed"]


class CheckRunMissedEvent(CheckEvent):
    """A run of a check did not start."""

    type: Literal["check.run.missed"]


class Runbook(TypedDict, total=False):
    """The runbook of a check that has one."""

    runbook_url: Annotated[str, Field(description="Only of a check that has one.")]


class CheckStateChangedEvent(CheckEvent, Runbook):
    """The state of a check has changed, or lasts for another `remind_hours`."""

    type: Literal["check.state.changed"]
    state: State
    previous_state: State
    is_reminder: bool
    since: Annotated[Time | None, Field(description="When the state began; of an outage its first failure.")]
    outage_secs: Annotated[int | None, Field(description="Only after a recovery.")]
    failed: list[AssertionResult]
    difference: Annotated[str, Field(description="From the last good output; at most 60 lines. Empty: none.")]
    next: Annotated[str, Field(description="What to do.")]


def run_event(check: Check, run: Run, at_ms: int, public_base_url: str) -> tuple[str, bytes]:
    """Return the event of a run that has ended or was missed."""
    shared = _check_event(check, run, at_ms, public_base_url)
    if run.status is RunStatus.MISSED:
        missed: CheckRunMissedEvent = {"type": "check.run.missed", **shared}
        return EVENT_CHECK_MISSED, event_bytes(missed)
    completed: CheckRunCompletedEvent = {"type": "check.run.completed", **shared}
    return EVENT_CHECK_RUN, event_bytes(completed)


def state_event(
    check: Check, run: Run, announced: Announcement, difference: str, at_ms: int, public_base_url: str
) -> tuple[str, bytes]:
    """Return the event of a new state, or the reminder of one."""
    has_failed = run.status is RunStatus.FAILED  # a check that should fail passes without its assertions
    since_ms, outage_ms = announced.since_ms, announced.outage_ms
    runbook_url = check.settings.runbook_url
    runbook: Runbook = {} if runbook_url is None else {"runbook_url": runbook_url}
    changed: CheckStateChangedEvent = {
        "type": "check.state.changed",
        **_check_event(check, run, at_ms, public_base_url),
        "state": announced.state,
        "previous_state": announced.was,
        "is_reminder": announced.is_reminder,
        "since": None if since_ms is None else to_rfc3339(since_ms),
        "outage_secs": None if outage_ms is None else outage_ms // MS_PER_SEC,
        "failed": [result for result in run.results if not result["passed"]] if has_failed else [],
        "difference": difference,
        "next": (_NEXT_OF_HEARTBEAT if check.settings.is_heartbeat else _NEXT)[announced.state],
        **runbook,
    }
    return EVENT_CHECK_CHANGED, event_bytes(changed)


def events_of(run: Run) -> list[Event]:
    """Return the stored events of a run, each with its constant id."""
    return [
        Event(event_id_of(run.run_id, event_type), event_type, run.project_id, body) for event_type, body in run.events
    ]


def is_told_state(run: Run) -> bool:
    """Whether only the state is left to publish, which a quiet time withheld: the run itself was published before."""
    return [event_type for event_type, _ in run.events] == [EVENT_CHECK_CHANGED]


def _check_event(check: Check, run: Run, at_ms: int, public_base_url: str) -> CheckEvent:
    submission_id = run.submission_id
    return {
        "timestamp": to_rfc3339(at_ms),
        "check_id": check.check_id,
        "check_slug": check.settings.slug or "",
        "check_name": check.settings.name,
        "tags": list(check.settings.tags),
        "run_id": run.run_id,
        "kind": run.kind,
        "status": run.status,
        "scheduled_at": to_rfc3339(run.scheduled_ms),
        "reason": run.reason,
        "verdict": run.verdict,
        "wall_time_secs": run.wall_time_secs,
        "submission_id": submission_id,
        "result_url": None if submission_id is None else public_base_url + result_path(submission_id),
    }


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
