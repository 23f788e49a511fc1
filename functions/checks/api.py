"""The API of checks and of the quiet times of tags: routes and their answers."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, cast

from aws_lambda_powertools.event_handler import Response

from functions.aws.dynamodb.table import cut, tries
from functions.checks.runs.store import RunStore
from functions.checks.settings.changes import (
    hold_files,
    project_problems,
    refuse_if_followed,
    require_trigger,
    sealed,
)
from functions.checks.settings.check_settings import CheckSettings, TagQuietTimes, quiet_problems
from functions.checks.settings.requests import (
    ChangedSettings,
    JsonSchema,
    changed_settings,
    new_settings,
    next_times,
    schema_text,
)
from functions.checks.settings.store import (
    MAX_CHECKS,
    Check,
    CheckLimitError,
    CheckStore,
    QuietStore,
    SlugTakenError,
    whole_minute,
)
from functions.checks.state import State, pause, resume
from functions.checks.views import (
    SHOWN_TIMES,
    CheckDeleted,
    CheckDetail,
    CheckPage,
    CheckValid,
    CheckView,
    ScheduleTimes,
    TagQuietTimesView,
    check_detail,
    check_view,
    listed_check,
)
from functions.clock import to_rfc3339
from functions.env import Env
from functions.errors import BadRequestError, ConflictError, FieldProblem, NotFoundError
from functions.http.answers import JSON_TYPE, answer, page_answer
from functions.http.http_event import json_body
from functions.http.openapi.bodies import Error, InvalidError, RefusedError
from functions.http.openapi.operation import BAD, ID, KEYED, NO_RESPONSE, OPEN, PAGE, TAKES_BODY, Answer, query
from functions.http.parameters import Parameters, page_limit, start_after, uuid
from functions.http.resolver import Resolver, Route
from functions.http.validation import Problems, parse_body
from functions.projects.authentication import authenticate
from functions.projects.changes import Change, record
from functions.webhooks.webhook_url import AddressRules


def list_filters(parameters: Parameters) -> Callable[[Check], bool]:
    """Read `tag`, `state` and `slug`; return whether a check has all of them. Raises BadRequestError."""
    tag, state, slug = parameters.get("tag"), parameters.get("state"), parameters.get("slug")
    if state is not None and state not in list(State):
        raise BadRequestError(f"state must be one of {', '.join(State)}.")

    def is_listed(check: Check) -> bool:
        settings = check.settings
        return (
            (tag is None or tag in settings.tags)
            and (state is None or check.standing.state == state)
            and (slug is None or settings.slug == slug)
        )

    return is_listed


NO_PROGRAM = "A heartbeat has no program to run. Its job elsewhere reports with pings."
NO_SUCH_CHECK = "There is no such check."
_CHANGED_MEANWHILE = "Other requests keep changing the check. Look at it, then repeat the request."
_EXPRESSION_CHARS = 200
STATISTICS_MS = 30 * 86_400_000
STATISTICS_RUNS = 1_000
"""Figures are those of the latest runs: a check that runs every minute has 43,200 in 30 days."""


def _may_use_secrets(app: Resolver) -> bool:
    """Whether the key of this request may let a program use the project's secrets."""
    return "secrets" in app.current_event.granted


@dataclass(frozen=True, slots=True)
class CheckRoutes:
    """Handlers of /api/checks. All of them raise ServiceError. Logs hold no program."""

    env: Env

    def create(self, app: Resolver) -> Response[str]:
        project = authenticate(app.current_event, self.env)
        project_id, now = project.project_id, self.env.clock()
        addresses = AddressRules.of(self.env.settings, app.current_event.request_context.domain_name)
        settings = new_settings(
            json_body(app.current_event),
            now,
            lambda new: project_problems(new, project, addresses, may_use_secrets=_may_use_secrets(app)),
        )
        check = Check.new(project_id, settings, now)
        require_trigger(self.env, project_id, check.check_id, settings)
        check = sealed(self.env, replace(check, next_slot_ms=check.next_time_after(now)))
        hold_files(self.env, check, project)
        try:
            change = Change(project_id, "check.created", check.check_id, None, change_view(check))
            record(self.env, app.current_event, change, partial(self.env[CheckStore].create, check))
        except SlugTakenError:
            raise _slug_taken(settings.slug) from None
        except CheckLimitError:
            raise ConflictError(f"A project has at most {MAX_CHECKS} checks. Delete one first.") from None
        self.env.log.info("Check created", **check.log_ids, request_id=app.request_id)
        return answer(check_view(check, now))

    def validate(self, app: Resolver) -> Response[str]:
        """Refuse what `create`, or with `id` `change`, would refuse of the settings and of the project's rules."""
        project, now = authenticate(app.current_event, self.env), self.env.clock()
        addresses = AddressRules.of(self.env.settings, app.current_event.request_context.domain_name)
        id_text, raw = app.current_event.query_string_parameters.get("id"), json_body(app.current_event)
        before = None if id_text is None else own_check(self.env, app, id_text, with_source=True)

        # A key that only reads asks for the key of a later `apply`.
        may_use_secrets = _may_use_secrets(app) or "checks" not in app.current_event.granted

        def rules(new: CheckSettings) -> Iterator[FieldProblem]:
            return project_problems(new, project, addresses, before, may_use_secrets=may_use_secrets)

        if before is None:
            new_settings(raw, now, rules)
        else:
            changed_settings(before.settings, raw, now, rules)
        body: CheckValid = {"valid": True}
        return answer(body)

    def page(self, app: Resolver) -> Response[str]:
        query = app.current_event.query_string_parameters
        project_id = authenticate(app.current_event, self.env).project_id
        limit, is_listed, now = page_limit(query), list_filters(query), self.env.clock()
        after = start_after(query, project_id)
        page = cut(list(filter(is_listed, self.env[CheckStore].list_all(project_id))), limit, _created_key, after)
        return page_answer(project_id, page, lambda check: listed_check(check, now), _created_key)

    def one(self, app: Resolver, id_text: str) -> Response[str]:
        check, now = own_check(self.env, app, id_text, with_source=True), self.env.clock()
        runs = self.env[RunStore].since(check.project_id, check.check_id, now - STATISTICS_MS, STATISTICS_RUNS)
        return answer(check_detail(check, runs, now))

    def change(self, app: Resolver, id_text: str) -> Response[str]:

        def changed(before: Check) -> Check:
            now = self.env.clock()
            settings = changed_settings(
                before.settings,
                raw,
                now,
                lambda new: project_problems(new, project, addresses, before, may_use_secrets=_may_use_secrets(app)),
            )
            if settings.slug != before.settings.slug:
                refuse_if_followed(self.env, before)
            if (settings.slug, settings.trigger) != (before.settings.slug, before.settings.trigger):
                require_trigger(self.env, before.project_id, before.check_id, settings)
            after = sealed(self.env, replace(before, settings=settings, updated_at=to_rfc3339(now)))
            hold_files(self.env, after, project)
            timing = ("schedule", "timezone", "spread_minutes")
            if all(getattr(settings, name) == getattr(before.settings, name) for name in timing):
                return after
            after = replace(after, anchor_ms=whole_minute(now))
            # A time whose old spread is over has its run already.
            return after if after.is_paused else _scheduled(after, now, min(before.spread_ms, after.spread_ms))

        project = authenticate(app.current_event, self.env)
        own_check(self.env, app, id_text)
        addresses = AddressRules.of(self.env.settings, app.current_event.request_context.domain_name)
        raw = json_body(app.current_event)
        return self._changed(app, id_text, "Check changed", changed)

    def pause(self, app: Resolver, id_text: str) -> Response[str]:
        """Rest the schedule. A run that goes on ends."""

        def paused(before: Check) -> Check:
            now = self.env.clock()
            return replace(
                before, standing=pause(before.standing, before.settings.rules, now).standing, next_slot_ms=None
            )

        return self._changed(app, id_text, "Check paused", paused)

    def resume(self, app: Resolver, id_text: str) -> Response[str]:
        """Start the schedule again, with its next time: the times meanwhile are not missed."""

        def resumed(before: Check) -> Check:
            now = self.env.clock()
            if before.standing.state is not State.PAUSED:
                return before
            after = replace(before, standing=resume(before.standing, now).standing)
            if before.settings.is_heartbeat:  # its next ping has a whole period
                after = replace(after, anchor_ms=now)
            return _scheduled(after, now, before.spread_ms)

        return self._changed(app, id_text, "Check resumed", resumed)

    def delete(self, app: Resolver, id_text: str) -> Response[str]:
        for _ in tries():
            check = own_check(self.env, app, id_text, with_source=True)
            refuse_if_followed(self.env, check)
            change = Change(check.project_id, "check.deleted", check.check_id, change_view(check))
            if record(self.env, app.current_event, change, partial(self.env[CheckStore].delete, check)):
                self.env.log.info("Check deleted", **check.log_ids, request_id=app.request_id)
                deleted: CheckDeleted = {"id": check.check_id, "deleted": True}
                return answer(deleted)
        raise ConflictError(_CHANGED_MEANWHILE)

    def schedule_times(self, app: Resolver) -> Response[str]:
        query, now = app.current_event.query_string_parameters, self.env.clock()
        authenticate(app.current_event, self.env)
        schedule, timezone = query.get("schedule") or "", query.get("timezone") or "UTC"
        body: ScheduleTimes = {"times": next_times(schedule[:_EXPRESSION_CHARS], timezone, now, SHOWN_TIMES)}
        return answer(body)

    def schema(self, _app: Resolver) -> Response[str]:
        headers = {"cache-control": "public, max-age=3600", "x-content-type-options": "nosniff"}
        return Response(status_code=200, content_type=JSON_TYPE, headers=headers, body=schema_text())

    def _changed(self, app: Resolver, id_text: str, phrase: str, change: Callable[[Check], Check]) -> Response[str]:
        for _ in tries():
            before = own_check(self.env, app, id_text, with_source=True)
            after = change(before)
            views, hidden = (change_view(before), change_view(after)), secret_changes(before, after)
            made = Change(before.project_id, "check.changed", before.check_id, *views, hidden)
            write = partial(self.env[CheckStore].change, before, after)
            try:
                is_changed = after == before or record(self.env, app.current_event, made, write)
            except SlugTakenError:
                raise _slug_taken(after.settings.slug) from None
            if is_changed:
                self.env.log.info(phrase, **after.log_ids, request_id=app.request_id)
                return answer(check_view(after, self.env.clock()))
        raise ConflictError(_CHANGED_MEANWHILE)


def change_view(check: Check) -> dict[str, Any]:
    """Return the settings of a check for the log of changes, with *** in place of secret values."""
    return {**check.settings.hidden.stored(), "paused": check.is_paused}


def secret_changes(before: Check, after: Check) -> list[str]:
    """Return the settings whose sealed values differ."""
    boxes = {"env": "env_boxes", "report": "report_box"}
    return [name for name, box in boxes.items() if getattr(before, box) != getattr(after, box)]


def own_check(env: Env, app: Resolver, id_text: str, *, with_source: bool = False) -> Check:
    """Return the caller's check. Raises UnauthorizedError, BadRequestError, NotFoundError."""
    project_id = authenticate(app.current_event, env).project_id
    check = env[CheckStore].get(project_id, uuid(id_text), with_source=with_source)
    if check is None:
        raise NotFoundError(NO_SUCH_CHECK)
    return check


def _scheduled(check: Check, now: int, spread_ms: int) -> Check:
    """Return the check at its next time. A time whose spread is not over yet still gets its run."""
    return replace(check, next_slot_ms=check.next_time_after(now - spread_ms))


def _slug_taken(slug: str | None) -> ConflictError:
    return ConflictError(f"Another check of the project has the slug {slug}. Change that one, or send another slug.")


def _created_key(check: Check) -> str:
    return f"{check.created_at}#{check.check_id}"


@dataclass(frozen=True, slots=True)
class QuietRoutes:
    """Handlers of /api/quiet-times."""

    env: Env

    def show(self, app: Resolver) -> Response[str]:
        project_id = authenticate(app.current_event, self.env).project_id
        return answer(_view(self.env[QuietStore].get(project_id)))

    def put(self, app: Resolver) -> Response[str]:
        project_id = authenticate(app.current_event, self.env).project_id
        problems = Problems()
        times = parse_body(TagQuietTimes, json_body(app.current_event), problems)
        for tag, quiet in times.tags.items():
            problems.add(quiet_problems(f"tags.{tag}", quiet))
        problems.refuse()
        views = (
            {"tags": each.model_dump(mode="json")["tags"]} for each in (self.env[QuietStore].get(project_id), times)
        )
        change = Change(project_id, "quiet_times.changed", "", *views)
        record(self.env, app.current_event, change, partial(self.env[QuietStore].put, project_id, times))
        self.env.log.info("Quiet times of tags replaced", project_id=project_id, request_id=app.request_id)
        return answer(_view(times))


def _view(times: TagQuietTimes) -> TagQuietTimesView:
    return cast("TagQuietTimesView", times.model_dump(mode="json"))


IS_HEARTBEAT: Answer = ("`conflict`: a heartbeat has no program.", (Error,))
NO_CHECK: Answer = ("`not_found`: the project has no such check.", (Error,))
BODY_ANSWERS: dict[int, Answer] = {
    **TAKES_BODY,
    403: ("`forbidden`: the project may not reach a host that `network` names.", (RefusedError,)),
    400: (
        "`bad_request`: broken JSON, an unsupported language, code or stdin too large, or the id is no UUID.",
        (RefusedError,),
    ),
    422: (
        "`invalid`: fields are missing, unknown or have invalid values; a schedule with a correct example.",
        (InvalidError,),
    ),
    504: NO_RESPONSE,
}
ONE_ANSWERS: dict[int, Answer] = {400: BAD, 404: NO_CHECK, **KEYED}
_CHANGED: Answer = ("`conflict`: the slug is taken, or other requests keep changing the check.", (Error,))
_NIGHTLY: dict[str, Any] = {
    "name": "Nightly totals",
    "language": "python",
    "code": "print(sum(range(10)))",
    "schedule": "cron(30 2 * * ? *)",
    "timezone": "Europe/Berlin",
    "assertions": [{"type": "stdout", "equals": "45"}],
}


CHECK_ROUTES: tuple[Route[CheckRoutes], ...] = (
    Route(
        "POST /api/checks",
        CheckRoutes.create,
        "createCheck",
        "Create a check: a program that runs by itself",
        {
            200: ("Created, with its next five runs.", (CheckView,)),
            **BODY_ANSWERS,
            409: (f"`conflict`: the slug is taken, or the project has {MAX_CHECKS} checks.", (Error,)),
        },
        request=CheckSettings,
        examples={
            "nightly": {"value": _NIGHTLY},
            "every five minutes": {
                "value": {"name": "Probe", "language": "python", "code": "print('ok')", "schedule": "rate(5 minutes)"}
            },
        },
        rights=("checks",),
    ),
    Route(
        "POST /api/checks/validate",
        CheckRoutes.validate,
        "validateCheck",
        "Check the settings of a new check, or of a change, without writing them",
        {200: ("A request with this body is not refused for it.", (CheckValid,)), **BODY_ANSWERS, 404: NO_CHECK},
        (query("id", {"type": "string", "format": "uuid"}, "The check that the body changes, as PATCH does."),),
        CheckSettings,
        {"nightly": {"value": _NIGHTLY}},
        rights=("read", "checks"),
    ),
    Route(
        "GET /api/checks",
        CheckRoutes.page,
        "listChecks",
        "List the project's checks, newest first",
        {200: ("One page.", (CheckPage,)), 400: BAD, **KEYED},
        (
            query("tag", {"type": "string"}, "Only checks with this tag."),
            query("state", {"enum": list(State)}, "Only checks in this state."),
            query("slug", {"type": "string"}, "Only the check with this slug."),
            *PAGE,
        ),
        rights=("read", "checks"),
    ),
    Route(
        "GET /api/checks/{id}",
        CheckRoutes.one,
        "getCheck",
        "Show a check",
        {200: ("The check.", (CheckDetail,)), **ONE_ANSWERS},
        (ID,),
        rights=("read", "checks"),
    ),
    Route(
        "PATCH /api/checks/{id}",
        CheckRoutes.change,
        "changeCheck",
        "Change a check",
        {200: ("Changed.", (CheckView,)), **BODY_ANSWERS, 404: NO_CHECK, 409: _CHANGED},
        (ID,),
        ChangedSettings,
        {"schedule": {"value": {"schedule": "rate(1 hour)"}}, "no reminder": {"value": {"remind_hours": None}}},
        rights=("checks",),
    ),
    Route(
        "DELETE /api/checks/{id}",
        CheckRoutes.delete,
        "deleteCheck",
        "Delete a check",
        {200: ("Deleted.", (CheckDeleted,)), **ONE_ANSWERS, 409: ("`conflict`: other checks follow it.", (Error,))},
        (ID,),
        rights=("checks",),
    ),
    Route(
        "POST /api/checks/{id}/pause",
        CheckRoutes.pause,
        "pauseCheck",
        "Rest the schedule of a check",
        {200: ("Paused.", (CheckView,)), **ONE_ANSWERS, 409: _CHANGED},
        (ID,),
        rights=("checks",),
    ),
    Route(
        "POST /api/checks/{id}/resume",
        CheckRoutes.resume,
        "resumeCheck",
        "Start the schedule of a check again",
        {200: ("Resumed. Times of the pause are not missed.", (CheckView,)), **ONE_ANSWERS, 409: _CHANGED},
        (ID,),
        rights=("checks",),
    ),
    Route(
        "GET /api/schedules",
        CheckRoutes.schedule_times,
        "getScheduleTimes",
        "Show the next times of a schedule",
        {
            200: ("The next five.", (ScheduleTimes,)),
            422: ("`invalid`: the schedule or the time zone, with a correct example.", (InvalidError,)),
            **KEYED,
        },
        (
            query("schedule", {"type": "string"}, "As of a check."),
            query("timezone", {"type": "string", "default": "UTC"}, "IANA time zone."),
        ),
        rights=("read", "checks"),
    ),
    Route(
        "GET /api/schemas/checks.json",
        CheckRoutes.schema,
        "getChecksSchema",
        "The JSON Schema of checks.yaml, for editors",
        {200: ("JSON Schema, draft 2020-12; cached for an hour.", (JsonSchema,)), **OPEN},
        security=None,
    ),
)
QUIET_ROUTES: tuple[Route[QuietRoutes], ...] = (
    Route(
        "GET /api/quiet-times",
        QuietRoutes.show,
        "getQuietTimes",
        "Show the quiet times of the project's tags",
        {200: ("By tag.", (TagQuietTimesView,)), **KEYED},
        rights=("read", "checks"),
    ),
    Route(
        "PUT /api/quiet-times",
        QuietRoutes.put,
        "putQuietTimes",
        "Replace the quiet times of the project's tags",
        {200: ("By tag.", (TagQuietTimesView,)), 400: BAD, **TAKES_BODY},
        request=TagQuietTimes,
        examples={
            "maintenance": {"value": {"tags": {"database": [{"schedule": "cron(0 2 ? * SUN *)", "minutes": 120}]}}}
        },
        rights=("checks",),
    ),
)
