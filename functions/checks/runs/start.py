"""Start runs on events: each event runs a check once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field, JsonValue, ValidationError

from events import MessageInvalidError
from events.variables import EVENT_ID_VARIABLE, EVENT_TYPE_VARIABLE, EVENT_VARIABLE
from functions.aws.dynamodb.conditional import ABSENT, ConditionalUpdate, put
from functions.aws.dynamodb.items import to_item
from functions.aws.dynamodb.table import Table, tries
from functions.aws.dynamodb.transaction import RowsContendedError, transact_or_raise
from functions.checks import keys
from functions.checks.assertions import MISSING
from functions.checks.runs.groups import TRIES, GroupStore
from functions.checks.runs.hints import CheckHints
from functions.checks.runs.run import Run, RunKind, RunStatus, new_run
from functions.checks.runs.store import RunStore, run_item
from functions.checks.settings.store import MAX_CHECKS, Check, CheckStore
from functions.checks.settings.trigger_rows import SubmissionEnded, TriggerStore
from functions.checks.settings.triggers import (
    MAX_CHAIN,
    CheckTrigger,
    EventAs,
    SubmissionTrigger,
    event_text,
    size_problem,
)
from functions.clock import MS_PER_SEC
from functions.errors import RateLimitedError, UnavailableError
from functions.failpoint import reach
from functions.http.validation import StrictModel
from functions.ids import new_id
from functions.projects.model import Rate
from functions.projects.store import ProjectStore

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from functions.checks.settings.check_settings import CheckSettings
    from functions.env import Env


KNOWN_SECS = 86_400
"""How long the id of an event is known."""


class EventStore(Table):
    """Rows of events that started runs, by check and id."""

    table_setting = "checks_table"

    def first_run(self, check_id: str, event_id: str) -> str | None:
        """Return the position of the run that an event started; None for an event that is not known."""
        row = self._get(keys.event_key(check_id, event_id))
        # DynamoDB deletes expired items late; we treat them as deleted.
        return None if row is None or row["ttl"] <= self._clock() // MS_PER_SEC else str(row["position"])

    def add_run(
        self, run: Run, event_id: str | None, also: Sequence[Any] = (), group: Sequence[Any] = ()
    ) -> str | None:
        """Write a run. A repeat of its event writes nothing: it returns the position of its first run.

        `event_id`: None for a run that no event starts. `also`, `group`: actions of the same transaction. Raises
        RowsContendedError if that of `group` are refused.
        """
        event: Any = ()
        if event_id is not None:
            row_key, now = keys.event_key(run.check_id, event_id), self._clock() // MS_PER_SEC
            row = {**row_key, **to_item({"position": run.position, "ttl": now + KNOWN_SECS})}
            event = put(self.table_name, row, f"{ABSENT} OR #ttl <= :now", {"now": now})
        actions = {"event": event, "run": put(self.table_name, run_item(run)), "also": also, "group": group}
        refusal = transact_or_raise(self._client, actions)
        if refusal is None:
            return None
        if event_id is None or "event" not in refusal.failed:
            raise RowsContendedError
        # The id may have expired since.
        return self.first_run(run.check_id, event_id) or self.add_run(run, event_id, also, group)


def event_variables(settings: CheckSettings, run: Run) -> dict[str, str]:
    """Return the variables that tell a program about its event."""
    variables: dict[str, str] = {}
    if run.event is not None and settings.event_as is EventAs.VARIABLE:
        variables[EVENT_VARIABLE] = run.event
    if run.call is not None:
        variables |= {EVENT_ID_VARIABLE: run.call.event_id, EVENT_TYPE_VARIABLE: run.call.event_type}
    return variables


def add_run(
    env: Env, check: Check, run: Run, document: Any, event_id: str | None = None, also: Sequence[Any] = ()
) -> tuple[Run, str | None]:
    """Write a run, in its group if its check has groups. Return it, and the position of the first run of a repeat.

    `document`: the event, MISSING for one without JSON. The others are those of `EventStore.add_run`.
    Raises RateLimitedError, and UnavailableError while too many calls of one key come at once.
    """
    grouping, events = check.settings.group, env[EventStore]
    if grouping is None and event_id is None:
        env[RunStore].add_run(run)
        return run, None
    if grouping is None:
        return run, events.add_run(run, event_id, also)
    for _ in tries(TRIES):
        placed, actions = env[GroupStore].call(check, grouping, run, document)
        reach("check.before_call")
        try:
            return placed, events.add_run(placed, event_id, also, actions)
        except RowsContendedError:
            continue
    raise UnavailableError("Too many calls with this key come at once. Repeat the call.", 1)


_HOUR_SECS = 3_600


class RequestCounts(Table):
    """Counts the requested runs of each project, profile and hour.

    Rows of runs live for 90 days, and a quota counts only runs that start.
    """

    table_setting = "checks_table"

    def add(self, project_id: str, profile: str, hour: int, most: int) -> bool:
        """Count one request. False if `most` have come in this hour."""
        update = ConditionalUpdate(
            {"ttl": (hour + 2) * _HOUR_SECS},
            "attribute_not_exists(#count) OR #count < :most",
            {"zero": 0, "one": 1, "most": most},
            computed=("#count = if_not_exists(#count, :zero) + :one",),
        )
        return self._update_unread(update, keys.requests_key(project_id, profile, hour))


def count_request(env: Env, check: Check) -> None:
    """Count one request. Raises RateLimitedError.

    The limit is the number of runs that the quota allows in an hour, but at least one for each check.
    """
    record, profile = env[ProjectStore].get(check.project_id), check.settings.profile.value
    most = max(MAX_CHECKS, 0 if record is None else 60 * record.project.quota(profile).per_minute)
    now_secs = env.clock() // MS_PER_SEC
    hour = now_secs // _HOUR_SECS
    if not env[RequestCounts].add(check.project_id, profile, hour, most):
        secs = (hour + 1) * _HOUR_SECS - now_secs
        text = f"The project may request {most:,} runs of checks in an hour. Repeat the request in {secs} seconds."
        raise RateLimitedError(text, secs, Rate(most, 0, secs).headers)


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


def start_all(env: Env, checks: Iterable[Check], cause: Cause) -> None:
    """Start a run of each check, as `start` does: of 1,000 checks within one invocation."""
    with ThreadPoolExecutor(_THREADS) as pool:
        list(pool.map(lambda check: start(env, check, cause), checks))


def start(env: Env, check: Check, cause: Cause) -> None:
    """Start a run, except of a heartbeat, of a paused check, or for a repeated event. Raises the table's errors.

    The sender gets no answer. So a run that cannot start becomes a skipped row with its reason; beyond the limit of
    requests, one such row of the check in an hour.
    """
    event_id, events = cause.event_id, env[EventStore]
    if check.is_paused or check.settings.is_heartbeat or events.first_run(check.check_id, event_id) is not None:
        return
    now = env.clock()
    text = None if cause.data is None else event_text(cause.data)
    run = new_run(check, RunKind.EVENT, now, now, new_id())
    run = replace(run, event=text, reason=cause.reason, chain=cause.chain)
    problem = None if text is None else size_problem(text, check.settings.event_as)
    if cause.chain >= MAX_CHAIN:
        problem = f"more than {MAX_CHAIN} checks follow one another: look for a loop of their triggers"
    try:
        count_request(env, check)
    except RateLimitedError:
        problem, event_id = _BEYOND_LIMIT, f"limit:{now // _HOUR_MS}"
    if problem is not None:
        run = _skipped(run, problem)
    earlier = None
    if problem is None:
        try:
            run, earlier = add_run(env, check, run, MISSING if cause.data is None else cause.data, event_id)
        except RateLimitedError as full:
            problem = full.message
    if problem is not None:
        run = _skipped(run, problem)
        events.add_run(run, event_id)
    if earlier is None and run.status is RunStatus.QUEUED:
        env[CheckHints].try_send(run)


def _skipped(run: Run, problem: str) -> Run:
    return replace(run, status=RunStatus.SKIPPED, reason=f"{run.reason}: {problem}", event=None, due_at_ms=None)


def start_followers(env: Env, check: Check, run: Run) -> None:
    """Start the checks that follow a run which has ended. Repeating the call is safe."""
    slug = check.settings.slug
    data = {
        "type": "check.run.completed",
        "check_id": check.check_id,
        "check_slug": slug,
        "run_id": run.run_id,
        "status": run.status.value,
        "verdict": run.verdict,
        "submission_id": run.submission_id,
    }
    cause = Cause(f"run:{run.run_id}", f"after the run {run.run_id} of {slug}", data, run.chain + 1)
    checks = [
        env[CheckStore].get(run.project_id, follower.check_id)
        for follower in env[TriggerStore].followers(run.project_id)
        if isinstance(trigger := follower.trigger, CheckTrigger)
        and trigger.slug == slug
        and run.status.value in list(trigger.statuses)
    ]
    start_all(env, filter(None, checks), cause)


def start_after_submission(env: Env, ended: SubmissionEnded) -> None:
    """Start the checks that a submission triggers. Its metadata is left out where it is too large.

    Repeating the call is safe.
    """
    for check_id in ended.check_ids:
        check = env[CheckStore].get(ended.project_id, check_id)
        trigger = None if check is None else check.settings.trigger
        if check is None or not isinstance(trigger, SubmissionTrigger):
            continue  # it was changed since
        data: Mapping[str, Any] = ended.data
        if size_problem(event_text(data), check.settings.event_as) is not None:
            data = {name: value for name, value in data.items() if name != "metadata"}
        reason = f"after the submission {ended.submission_id}"
        start(env, check, Cause(f"submission:{ended.submission_id}", reason, data))


EVENT_REQUESTED = "check.requested"
"""An event of the project's bus: others start checks by id, slug or tag."""
_Name = Annotated[str, Field(min_length=1, max_length=256)]


class CheckRequested(StrictModel):
    """The `detail` of the event: the project, and one of check id, slug and tag.

    `event_id`: a repeat with the same one runs nothing; without it, the id that EventBridge gave the event.
    """

    project_id: _Name
    check_id: _Name | None = None
    slug: _Name | None = None
    tag: _Name | None = None
    event_id: _Name | None = None
    event: dict[str, JsonValue] | None = Field(default=None, repr=False)

    @classmethod
    def of(cls, envelope: Mapping[str, Any]) -> CheckRequested:
        """Read an event as a rule's target gets it. Raises MessageInvalidError."""
        try:
            request = cls.model_validate(envelope.get("detail"))
        except ValidationError as error:
            places = sorted({".".join(map(str, problem["loc"][:1])) or "detail" for problem in error.errors()})
            raise MessageInvalidError(EVENT_REQUESTED, f"wrong {', '.join(places)}") from None
        if sum(name is not None for name in (request.check_id, request.slug, request.tag)) != 1:
            raise MessageInvalidError(EVENT_REQUESTED, "needs one of check_id, slug and tag")
        return request if request.event_id else request.model_copy(update={"event_id": str(envelope.get("id"))})


def start_requested(env: Env, request: CheckRequested) -> None:
    """Start the checks that an event asks for. Repeating the call is safe.

    Raises MessageInvalidError if there is none, and the errors of the table.
    """
    checks = _requested_checks(env[CheckStore], request)
    if not checks:
        raise MessageInvalidError(EVENT_REQUESTED, "the project has no such check")
    reason = f"requested by the event {request.event_id}"
    start_all(env, checks, Cause(f"bus:{request.event_id}", reason, request.event))


def _requested_checks(store: CheckStore, request: CheckRequested) -> list[Check]:
    if request.tag is not None:
        return [check for check in store.list_all(request.project_id) if request.tag in check.settings.tags]
    check_id = request.check_id or store.id_of_slug(request.project_id, request.slug or "")
    check = None if check_id is None else store.get(request.project_id, check_id)
    return [] if check is None else [check]
