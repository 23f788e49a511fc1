"""The API of a check's runs and outages: what clients see of them, routes and their answers."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated, TypedDict

from aws_lambda_powertools.event_handler import Response
from pydantic import Field

from events.vocabulary import Verdict
from functions.checks.api import BODY_ANSWERS, IS_HEARTBEAT, NO_CHECK, NO_PROGRAM, ONE_ANSWERS, own_check
from functions.checks.assertions import MISSING, Assertions
from functions.checks.evaluation import AssertionResult, Outcome, evaluate
from functions.checks.runs.groups import Group, GroupStore
from functions.checks.runs.hints import CheckHints
from functions.checks.runs.run import Run, RunKind, RunStatus, new_run
from functions.checks.runs.start import add_run, count_request
from functions.checks.runs.store import RunStore
from functions.checks.settings.requests import RunNowRequest
from functions.checks.settings.store import Check, OutageStore
from functions.checks.settings.triggers import event_text, field_problem
from functions.checks.state import UNKNOWN, Outage, State
from functions.clock import to_rfc3339
from functions.env import Env
from functions.errors import ConflictError
from functions.http.answers import answer, page_answer
from functions.http.http_event import json_body
from functions.http.openapi.bodies import Time, Uuid
from functions.http.openapi.operation import ID, LIMITED, PAGE
from functions.http.parameters import page_limit, start_after
from functions.http.resolver import Resolver, Route
from functions.http.validation import Problems, StrictModel, Text, parse_body
from functions.ids import new_id
from functions.projects.authentication import authenticate

_GROUP_NAME = re.compile(r"[0-9a-f]{64}")


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
    group_key: Annotated[
        str | None, Field(description="The key of its group, cut to 200 characters; empty without a value.")
    ]
    body_url: Annotated[str | None, Field(description="The body of its ping, while it is among the latest 100.")]


class CheckRunPage(TypedDict):
    """One page, newest first."""

    items: list[CheckRunView]
    next_cursor: str | None


class CheckGroup(TypedDict):
    """Unfinished calls with one key. All lists have ids of runs, the oldest first."""

    key: Annotated[str, Field(description="Cut to 200 characters; empty for the group of calls without a value.")]
    unfinished: Annotated[list[Uuid], Field(description="Runs that have left the group, and have not ended.")]
    waiting: list[Uuid]
    waiting_since: Annotated[Time | None, Field(description="The first call since the last one that left.")]
    leaves_at: Annotated[
        Time | None, Field(description="If no call follows. null: nothing waits, or for the end of a run.")
    ]


class CheckGroupPage(TypedDict):
    """One page, in no order that means anything."""

    items: list[CheckGroup]
    next_cursor: str | None


def group_view(group: Group, check: Check) -> CheckGroup:
    """Return the body of a group."""
    rules = check.settings.group
    ids = [[position.partition("#")[2] for position in runs] for runs in (group.unfinished, group.waiting)]
    since = to_rfc3339(group.first_ms) if group.waiting else None
    if since and (rules is None or rules.debounce_secs is None):  # some of those that came first have left
        since = group.waiting[0].partition("#")[0]
    is_blocked = rules is not None and len(group.unfinished) >= rules.at_most
    return {
        "key": group.key,
        "unfinished": ids[0],
        "waiting": ids[1],
        "waiting_since": since,
        "leaves_at": None if group.due_at_ms is None or is_blocked else to_rfc3339(group.due_at_ms),
    }


MAX_TRIED_CHARS = 256 * 1024


class TriedOutcome(StrictModel):
    """The end of a run, as its result has it."""

    verdict: Verdict = Field(default=Verdict.AC, strict=False)
    exit_code: int | None = Field(default=0, ge=0, le=255)
    stdout: Text = Field(default="", max_length=MAX_TRIED_CHARS, examples=["42\n"])
    stderr: Text = Field(default="", max_length=MAX_TRIED_CHARS)
    wall_time_secs: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    memory_peak_bytes: int | None = Field(default=None, ge=0)


class TryRequest(StrictModel):
    """Body of POST /api/checks/assertions/try."""

    assertions: Assertions
    outcome: TriedOutcome = Field(description="Connections are not part of it: an assertion about network holds.")
    last_good: Text | None = Field(
        default=None, max_length=MAX_TRIED_CHARS, description="Standard output of the last run that passed."
    )


class TriedAssertions(TypedDict):
    """What a run with this outcome would say."""

    passed: bool
    assertions: list[AssertionResult]


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
        "group_key": None if run.group is None else run.group.key,
        "body_url": None if run.ping is None else f"/api/checks/{run.check_id}/pings/{run.ping}",
    }


@dataclass(frozen=True, slots=True)
class CheckRunRoutes:
    """Handlers of /api/checks/{id}/run, /runs, /groups and /outages. All of them raise ServiceError."""

    env: Env

    def run(self, app: Resolver, id_text: str) -> Response[str]:
        check = own_check(self.env, app, id_text)
        if check.settings.is_heartbeat:
            raise ConflictError(NO_PROGRAM)
        raw, problems = json_body(app.current_event) if app.current_event.body else b"{}", Problems()
        request = parse_body(RunNowRequest, raw, problems)
        event, now = None if request.event is None else event_text(request.event), self.env.clock()
        problems.add([field_problem(event or "", check.settings.event_as, "event")])
        problems.refuse()
        count_request(self.env, check)
        run = new_run(check, RunKind.MANUAL, now, now, new_id())
        run = replace(run, affects_state=request.affects_state, event=event)
        run, _ = add_run(self.env, check, run, MISSING if request.event is None else request.event)
        self.env[CheckHints].try_send(run)
        self.env.log.info("Check run requested", **run.log_ids, request_id=app.request_id)
        return answer(run_view(run), 202)

    def try_assertions(self, app: Resolver) -> Response[str]:
        """Compare an outcome that the client has with assertions. It reads and writes nothing."""
        authenticate(app.current_event, self.env)
        problems = Problems()
        request = parse_body(TryRequest, json_body(app.current_event), problems)
        problems.refuse()
        given = request.outcome
        outcome = Outcome(
            verdict=given.verdict.value,
            exit_code=given.exit_code,
            stdout=given.stdout.encode(),
            stderr=given.stderr.encode(),
            wall_time_secs=given.wall_time_secs,
            memory_peak_bytes=given.memory_peak_bytes,
        )
        last_good = None if request.last_good is None else request.last_good.encode()
        tried = evaluate(request.assertions, outcome, last_good)
        return answer({"passed": tried.passed, "assertions": list(tried.results)})

    def outages(self, app: Resolver, id_text: str) -> Response[str]:
        check, now = own_check(self.env, app, id_text), self.env.clock()
        return answer(outages_view(check, self.env[OutageStore].of(check, now), now))

    def groups(self, app: Resolver, id_text: str) -> Response[str]:
        query, check = app.current_event.query_string_parameters, own_check(self.env, app, id_text)
        after = start_after(query, check.check_id, _GROUP_NAME)
        page = self.env[GroupStore].page(check, page_limit(query), after)
        return page_answer(check.check_id, page, lambda group: group_view(group, check), lambda group: group.name)

    def history(self, app: Resolver, id_text: str) -> Response[str]:
        query = app.current_event.query_string_parameters
        check = own_check(self.env, app, id_text)
        after = start_after(query, check.check_id)
        page = self.env[RunStore].history(check.project_id, check.check_id, page_limit(query), after)
        return page_answer(check.check_id, page, run_view, lambda run: run.position)


RUN_ROUTES: tuple[Route[CheckRunRoutes], ...] = (
    Route(
        "POST /api/checks/{id}/run",
        CheckRunRoutes.run,
        "runCheck",
        "Run a check now",
        {
            202: ("Queued.", (CheckRunView,)),
            **BODY_ANSWERS,
            404: NO_CHECK,
            409: IS_HEARTBEAT,
            429: LIMITED,
        },
        (ID,),
        RunNowRequest,
        {"run": {"value": {}}, "test": {"value": {"affects_state": False}}},
        body_required=False,
        rights=("checks",),
    ),
    Route(
        "POST /api/checks/assertions/try",
        CheckRunRoutes.try_assertions,
        "tryAssertions",
        "Compare the outcome of a run with assertions",
        {200: ("The assertions, and whether a check with them would pass.", (TriedAssertions,)), **BODY_ANSWERS},
        (),
        TryRequest,
        {"number": {"value": {"assertions": [{"type": "stdout", "contains": "4"}], "outcome": {"stdout": "42\n"}}}},
        rights=("read", "checks"),
    ),
    Route(
        "GET /api/checks/{id}/runs",
        CheckRunRoutes.history,
        "listCheckRuns",
        "List the runs of a check of the last 90 days, newest first",
        {200: ("One page.", (CheckRunPage,)), **ONE_ANSWERS},
        (ID, *PAGE),
        rights=("read", "checks"),
    ),
    Route(
        "GET /api/checks/{id}/groups",
        CheckRunRoutes.groups,
        "listCheckGroups",
        "List the keys of a check whose calls wait or run",
        {200: ("One page.", (CheckGroupPage,)), **ONE_ANSWERS},
        (ID, *PAGE),
        rights=("read", "checks"),
    ),
    Route(
        "GET /api/checks/{id}/outages",
        CheckRunRoutes.outages,
        "listCheckOutages",
        "List the outages of a check of the last 90 days, newest first",
        {200: ("The latest 100, and the one that lasts.", (CheckOutages,)), **ONE_ANSWERS},
        (ID,),
        rights=("read", "checks"),
    ),
)
