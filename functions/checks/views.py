"""What a client sees of checks. Each `TypedDict` is a schema of the OpenAPI document."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Annotated, Any, Literal, NotRequired, TypedDict, Union, cast, get_args, get_origin

from pydantic import Field
from pydantic.fields import FieldInfo

from functions.checks.runs.run import FINAL_STATUSES, Run, RunStatus
from functions.checks.runs.statistics import HistoryPoint, Statistics, summarise
from functions.checks.settings.check_settings import (
    SOURCE_FIELDS,
    CheckSettings,
    QuietTimes,
    without_program,
)
from functions.checks.settings.store import Check
from functions.checks.state import State
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


class CheckValid(TypedDict):
    """The settings are valid here and now."""

    valid: Literal[True]


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


def _history_points(check: Check, runs: Iterable[Run]) -> Iterator[HistoryPoint]:
    """Return what statistics need of runs that have ended. A missed ping is a failure: nobody knows of its job."""
    for run in runs:
        if check.settings.is_heartbeat and run.status is RunStatus.MISSED:
            yield HistoryPoint(run.scheduled_ms, "failed")
        elif run.affects_state and run.status in FINAL_STATUSES:
            yield HistoryPoint(run.scheduled_ms, run.status.value, run.wall_time_secs)  # type: ignore[arg-type]  # the final statuses are its kinds
