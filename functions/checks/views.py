"""What a client sees of checks and their runs. Each `TypedDict` is a schema of the OpenAPI document."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Annotated, Any, Literal, NotRequired, TypedDict, Union, cast, get_args, get_origin

from pydantic import Field
from pydantic.fields import FieldInfo

from functions.checks.runs.evaluation import AssertionResult
from functions.checks.runs.store import FINAL_STATUSES, HistoryPoint, Run, RunKind, RunStatus, Statistics, summarise
from functions.checks.settings.check_settings import (
    SOURCE_FIELDS,
    CheckSettings,
    QuietTimes,
    without_program,
)
from functions.checks.settings.store import Check
from functions.checks.state import UNKNOWN, Outage, State
from functions.clock import to_rfc3339
from functions.http.openapi.bodies import Time, Uuid
from functions.submissions.accept.program_fields import Files

SHOWN_TIMES = 5


class LastRun(TypedDict):
    """The last run that ended."""

    run_id: Uuid
    status: RunStatus
    scheduled_at: Time
    submission_id: Uuid | None
    verdict: str | None


_SHOWN_KINDS = {
    "slug": str,  # it has one always: the default is made from the name
    "notify": list[Uuid],
    "muted_until": Time | None,
    "quiet": QuietTimes,
}
"""Settings of another type in an answer than in a request."""


def _shown(name: str, field: FieldInfo) -> Any:
    """Return the type of a setting in an answer, with its description."""
    kind = _SHOWN_KINDS.get(name) or _without_bounds(field.annotation)
    kind = kind if field.description is None else Annotated[kind, Field(description=field.description)]
    return NotRequired[kind] if name == "spread_minutes" else kind  # it is missing without a schedule


def _without_bounds(kind: Any) -> Any:
    """Return a type of `CheckSettings` without the bounds that requests have for its texts."""
    origin, parts = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return str if parts[0] is str else kind
    return origin[tuple(map(_without_bounds, parts))] if origin in {list, dict, Union} else kind


_Settings = TypedDict(  # type: ignore[misc]  # its fields are those of CheckSettings
    "_Settings",
    {name: _shown(name, field) for name, field in CheckSettings.model_fields.items() if name not in SOURCE_FIELDS},
)
_UNSET: dict[str, Any] = {**dict.fromkeys(_Settings.__required_keys__), "compile_args": []}
"""The values of settings that are not stored."""


class ListedCheck(_Settings):
    """A check without its program."""

    id: Uuid
    state: State
    state_since: Time | None
    next_runs: Annotated[
        list[Time],
        Field(
            description="The next five, in the check's time zone, with its spread. Of a heartbeat: when its next pings "
            "are late."
        ),
    ]
    last_run: LastRun | None
    badge_url: Annotated[
        str, Field(description="Everybody who knows it may see the state. Also with .json and /shields.")
    ]
    created_at: Time
    updated_at: Time


class CheckView(ListedCheck):
    """A check."""

    code: str
    stdin: str
    files: Files


class CheckDetail(CheckView):
    """A check with figures of its history."""

    statistics: Statistics


class CheckPage(TypedDict):
    """One page, newest first."""

    items: list[ListedCheck]
    next_cursor: str | None


class CheckDeleted(TypedDict):
    """A deleted check."""

    id: Uuid
    deleted: Literal[True]


class CheckRunView(TypedDict):
    """One run of a check. GET /api/result/{submission_id} has its output, for RetentionDays."""

    id: Uuid
    check_id: Uuid
    kind: RunKind
    status: RunStatus
    scheduled_at: Annotated[Time, Field(description="The time of its schedule, without the spread.")]
    affects_state: bool
    attempt: Annotated[int, Field(description="0: the first; retries count up.")]
    reason: Annotated[
        str, Field(description="What started it, or why it was missed, skipped, late, repeated or not run.")
    ]
    submission_id: Uuid | None
    verdict: str | None
    wall_time_secs: float | None
    started_at: Time | None
    completed_at: Time | None
    assertions: list[AssertionResult]
    body_url: Annotated[str | None, Field(description="The body of its ping, while it is among the latest 100.")]


class CheckRunPage(TypedDict):
    """One page, newest first."""

    items: list[CheckRunView]
    next_cursor: str | None


class OutageView(TypedDict):
    """A stretch of time in which a check was down."""

    since: Time
    until: Annotated[Time | None, Field(description="null: it lasts.")]
    state: Annotated[State, Field(description="The last one of it: failing, late or error.")]


class ObservedView(TypedDict):
    """A stretch of time with data: from the first run that counts, until the check is paused."""

    since: Time
    until: Annotated[Time | None, Field(description="null: it lasts.")]


class CheckOutages(TypedDict):
    """The latest outages of a check, newest first."""

    items: list[OutageView]
    complete_since: Annotated[Time, Field(description="Outages that ended before this time are not listed.")]
    observed: Annotated[
        list[ObservedView],
        Field(description="Since `complete_since`, oldest first. At all other times nobody knows the state."),
    ]


class ScheduleTimes(TypedDict):
    """The next times of a schedule."""

    times: Annotated[list[Time], Field(description="The next five, in its time zone, without a spread.")]


class TagQuietTimesView(TypedDict):
    """Quiet times of all checks with a tag."""

    tags: dict[str, QuietTimes]


def listed_check(check: Check, now_ms: int) -> ListedCheck:
    """Return the body of a check in a list."""
    settings = _UNSET | without_program(check.settings.stored())
    standing = check.standing
    return {
        **cast("_Settings", settings),
        "id": check.check_id,
        "state": standing.state,
        "state_since": to_rfc3339(standing.since_ms) if standing.since_ms else None,
        "next_runs": next_runs(check, now_ms),
        "last_run": cast("LastRun | None", check.last_run),
        "badge_url": f"/api/badges/{check.badge_token}.svg",
        "created_at": check.created_at,
        "updated_at": check.updated_at,
    }


def check_view(check: Check, now_ms: int) -> CheckView:
    """Return the body of a check with its program."""
    settings = check.settings
    files = cast("Files", [file.model_dump(mode="json", exclude_defaults=True) for file in settings.files])
    return {**listed_check(check, now_ms), "code": settings.code, "stdin": settings.stdin, "files": files}


def check_detail(check: Check, runs: Iterable[Run], now_ms: int) -> CheckDetail:
    """Return the body of a check with figures of its history. `runs`: the latest ones."""
    return {**check_view(check, now_ms), "statistics": summarise(_history_points(check, runs), now_ms)}


def next_runs(check: Check, now_ms: int) -> list[str]:
    """Return when the next five runs are due, spread or grace included, in the zone of the check."""
    first = check.next_slot_ms
    if first is None:
        return []
    times = [first, *islice(check.times_after(max(first, now_ms - check.delay_ms)), SHOWN_TIMES - 1)]
    return [check.in_zone(time + check.delay_ms) for time in times]


def outages_view(check: Check, outages: Sequence[Outage], now_ms: int) -> CheckOutages:
    """Return the outages of a check. `outages`: newest first, perhaps with the one that lasts."""
    stretches = check.observed(outages, now_ms)
    lasts = check.standing.state not in UNKNOWN
    return {
        "items": [
            {
                "since": to_rfc3339(each.since_ms),
                "until": None if each.since_ms == check.standing.bad_since_ms else to_rfc3339(each.until_ms),
                "state": each.state,
            }
            for each in outages
        ],
        "complete_since": to_rfc3339(check.complete_since_ms(outages, now_ms)),
        "observed": [
            {
                "since": to_rfc3339(since_ms),
                "until": None if lasts and number == len(stretches) else to_rfc3339(until_ms),
            }
            for number, (since_ms, until_ms) in enumerate(stretches, 1)
        ],
    }


def run_view(run: Run) -> CheckRunView:
    """Return the body of one run."""
    return {
        "id": run.run_id,
        "check_id": run.check_id,
        "kind": run.kind,
        "status": run.status,
        "scheduled_at": to_rfc3339(run.scheduled_ms),
        "affects_state": run.affects_state,
        "attempt": run.attempt,
        "reason": run.reason,
        "submission_id": run.submission_id,
        "verdict": run.verdict,
        "wall_time_secs": run.wall_time_secs,
        "started_at": run.started_at,
        "completed_at": run.completed_at,
        "assertions": list(run.results),
        "body_url": None if run.ping is None else f"/api/checks/{run.check_id}/pings/{run.ping}",
    }


def _history_points(check: Check, runs: Iterable[Run]) -> Iterator[HistoryPoint]:
    """Return what statistics need of runs that have ended. A missed ping is a failure: nobody knows of its job."""
    for run in runs:
        if check.settings.is_heartbeat and run.status is RunStatus.MISSED:
            yield HistoryPoint(run.scheduled_ms, "failed")
        elif run.affects_state and run.status in FINAL_STATUSES:
            yield HistoryPoint(run.scheduled_ms, run.status.value, run.wall_time_secs)  # type: ignore[arg-type]  # the final statuses are its kinds
