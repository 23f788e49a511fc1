"""The routes of /api/admin. They need the administrator's key."""

from dataclasses import dataclass
from functools import partial
from typing import Annotated, Literal, TypedDict

from aws_lambda_powertools.event_handler import Response
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from events.vocabulary import Language
from functions.clock import to_rfc3339
from functions.env import Env
from functions.errors import BadRequestError, ConflictError, NotFoundError
from functions.feed.api import ORDER, SINCE, EventPage, event_body
from functions.feed.listing import LIST_KEY, admin_page, event_filters
from functions.http.answers import answer, page_answer
from functions.http.http_event import json_body
from functions.http.openapi.bodies import Error, GatewayError, InvalidError, Time
from functions.http.openapi.operation import BAD, ID, KEYED, NO_ADMIN_KEY, NOT_JSON, PAGE, PROJECT_ID, Answer, path
from functions.http.parameters import page_limit, start_after, uuid
from functions.http.resolver import Resolver, Route
from functions.http.validation import parse_body
from functions.operations.purge import QUEUE_NAMES, Purge, PurgedBody, Redrive, RedrivenBody
from functions.operations.trace import Trace, TraceBody, trace_body
from functions.projects.api import NO_SUCH_PROJECT
from functions.projects.authentication import require_admin
from functions.projects.bodies import project_id
from functions.projects.changes import ADMIN_LOG, Change, record, record_beginning
from functions.projects.store import ProjectStore
from functions.submissions.results.results import NO_SUCH_RESULT
from functions.submissions.runners.store import (
    MAX_TOKENS,
    RunnerStore,
    RunnerToken,
    RunnerTokenStore,
    SeenRunner,
)
from functions.submissions.store import SubmissionStore
from functions.webhooks.deliveries.replay import DeliveryList
from functions.webhooks.deliveries.store import DeliveryStore

# What an administrator sees of runners and their tokens. Each `TypedDict` is a schema of the OpenAPI document.

type RunnerState = Literal["live", "draining", "unable", "silent"]


class RunnerBody(TypedDict):
    """One runner, as its last report describes it."""

    node_id: Annotated[str, Field(description="Its name; of a runner that joined with a token, that of the token.")]
    state: Annotated[
        RunnerState,
        Field(
            description="`live`: it reported within a minute. `draining`: it takes no more work. "
            "`unable`: it said why it cannot work, or its server lost it. `silent`: its last report is older."
        ),
    ]
    version: str
    slots: int
    slots_busy: int
    languages: list[Language]
    network_support: bool
    reported_at: Time
    problem: str | None


class RunnerList(TypedDict):
    """The runners of the last 24 h, by name."""

    items: list[RunnerBody]


class RunnerTokenBody(TypedDict):
    """The properties of a token."""

    name: str
    created_at: Time
    revoked_at: Time | None
    runner: Annotated[RunnerBody | None, Field(description="The runner of this name; null without a report in 24 h.")]


class CreatedRunnerTokenBody(RunnerTokenBody):
    """A new token."""

    token: Annotated[str, Field(description="The token itself. It is shown here and never again.")]
    listener: Annotated[str, Field(description="Address and port at which this machine takes runners.")]
    fingerprint: Annotated[
        str | None,
        Field(description="Of the machine's certificate, if it made that itself. The runner's host pins it."),
    ]


class RunnerTokenList(TypedDict):
    """All tokens, by name. A revoked one stays for 90 days."""

    items: list[RunnerTokenBody]


def runner_body(seen: SeenRunner, now_ms: int) -> RunnerBody:
    one = seen.heartbeat
    return {
        "node_id": one.node_id,
        "state": _state(seen),
        "version": one.runner_version,
        "slots": one.slots,
        "slots_busy": one.slots_busy,
        "languages": [Language(name) for name in one.languages],
        "network_support": bool(one.network_support),
        "reported_at": to_rfc3339(now_ms - seen.age_ms),
        "problem": one.problem,
    }


def runner_token_body(token: RunnerToken, seen: SeenRunner | None, now_ms: int) -> RunnerTokenBody:
    """Return the body of a token. `seen`: the runner of its name."""
    return {
        "name": token.name,
        "created_at": token.created_at,
        "revoked_at": token.revoked_at,
        "runner": None if seen is None else runner_body(seen, now_ms),
    }


def created_token_body(record: RunnerToken, token: str, listener: str, fingerprint: str) -> CreatedRunnerTokenBody:
    return {
        **runner_token_body(record, None, 0),
        "token": token,
        "listener": listener,
        "fingerprint": fingerprint or None,
    }


def _state(seen: SeenRunner) -> RunnerState:
    if seen.is_live:
        return "live"
    if seen.is_unable:
        return "unable"
    return "draining" if seen.is_recent else "silent"


# What an administrator sends to /api/admin.

LOCAL_RUNNER = "local"
"""The name of the runner that the local stack starts."""
NAME_PATTERN = "^[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?$"


def _refuse_taken(name: str) -> str:
    if name == LOCAL_RUNNER:
        raise ValueError("local is the name of this machine's own runner")
    return name


class CreateRunnerTokenRequest(BaseModel):
    """Body of POST /api/admin/runner-tokens."""

    model_config = ConfigDict(strict=True, frozen=True, extra="ignore", hide_input_in_errors=True)

    name: Annotated[
        str,
        Field(
            pattern=NAME_PATTERN,
            description="Name of the runner in lists, such as that of its host: small letters, digits, dots, hyphens.",
        ),
        AfterValidator(_refuse_taken),
    ]


# Routes of /api/admin. Every action is logged with its ids. Changes are events too: see `changes`.


@dataclass(frozen=True, slots=True)
class OperationRoutes:
    """Handlers. All of them raise ServiceError."""

    env: Env

    def trace(self, app: Resolver, id_text: str) -> Response[str]:
        require_admin(app, self.env)
        submission_id, env = uuid(id_text), self.env
        row = env[SubmissionStore].get(submission_id)
        if row is None:
            raise NotFoundError(NO_SUCH_RESULT)
        deliveries = env[DeliveryStore].deliveries_of(submission_id)
        attempts = {each.endpoint_id: env[DeliveryList].last_attempts(each) for each in deliveries}
        has_event = env[DeliveryStore].get_event(submission_id) is not None
        env.log.info("Submission traced", **row.log_ids, project_id=row.project_id, request_id=app.request_id)
        trace = Trace(row, deliveries, attempts, has_event)
        return answer(trace_body(trace, env.settings.log_group_prefix, env.clock()))

    def redrive(self, app: Resolver, queue: str) -> Response[str]:
        require_admin(app, self.env)
        if queue not in QUEUE_NAMES:
            raise BadRequestError(f"The queue must be one of {', '.join(QUEUE_NAMES)}.")
        redriven = self.env[Redrive].move(queue)
        self.env.log.warning("Dead letters redriven", queue=queue, count=redriven["moved"], request_id=app.request_id)
        return answer(redriven)

    def changes(self, app: Resolver) -> Response[str]:
        require_admin(app, self.env)
        query = app.current_event.query_string_parameters
        limit, filters, after = page_limit(query), event_filters(query), start_after(query, ADMIN_LOG, LIST_KEY)
        page = admin_page(self.env, filters, limit, after)
        return page_answer(ADMIN_LOG, page, lambda each: event_body(each.event), lambda each: each.key)

    def purge(self, app: Resolver, id_text: str) -> Response[str]:
        """Delete submissions, endpoints, checks, their history and events of a disabled project.

        Raises ConflictError while it is enabled.
        """
        require_admin(app, self.env)
        known = project_id(id_text)
        found = self.env[ProjectStore].get(known)
        if found is None:
            raise NotFoundError(NO_SUCH_PROJECT)
        if found.disabled_at is None:
            raise ConflictError("The project is enabled. Disable it first, so that nothing new is written meanwhile.")
        record_beginning(self.env, app.current_event, Change(ADMIN_LOG, "project.purged", known))
        purged = Purge(self.env, known).run()
        self.env.log.warning(
            "Project purged",
            project_id=known,
            submissions=purged["submissions_deleted"],
            endpoints=purged["endpoints_deleted"],
            checks=purged["checks_deleted"],
            check_runs=purged["check_runs_deleted"],
            events=purged["events_deleted"],
            complete=purged["complete"],
            request_id=app.request_id,
        )
        return answer(purged)


# Routes of /api/admin/runners and /api/admin/runner-tokens. Every change is logged, never with a token.

_NO_LISTENER = (
    "This deployment takes no runners by token. One machine does with RUSTBOX_RUNNER_LISTEN set; "
    "on AWS a runner has a role with RunnerPolicy."
)
_NO_SUCH_TOKEN = "There is no token of this name."  # noqa: S105 - a sentence


@dataclass(frozen=True, slots=True)
class RunnerRoutes:
    """Handlers. All of them raise ServiceError."""

    env: Env

    def runners(self, app: Resolver) -> Response[str]:
        require_admin(app, self.env)
        return answer({"items": [runner_body(seen, self.env.clock()) for seen in self._seen()]})

    def create_token(self, app: Resolver) -> Response[str]:
        require_admin(app, self.env)
        name = parse_body(CreateRunnerTokenRequest, json_body(app.current_event)).name
        settings = self.env.settings
        if not settings.runner_listener:
            raise ConflictError(_NO_LISTENER)
        if len([each for each in self._tokens.list_all() if each.revoked_at is None]) >= MAX_TOKENS:
            raise ConflictError(f"There are {MAX_TOKENS} tokens. Revoke one first.")
        change = Change(ADMIN_LOG, "runner_token.created", name)
        created = record(self.env, app.current_event, change, partial(self._tokens.create, name))
        if created is None:
            raise ConflictError("There is a token of this name. Choose another name, or revoke that one first.")
        made, token = created
        self.env.log.info("Runner token created", runner=name, request_id=app.request_id)
        return answer(created_token_body(made, token, settings.runner_listener, settings.runner_fingerprint))

    def tokens(self, app: Resolver) -> Response[str]:
        require_admin(app, self.env)
        now, seen = self.env.clock(), {each.heartbeat.node_id: each for each in self._seen()}
        return answer(
            {"items": [runner_token_body(each, seen.get(each.name), now) for each in self._tokens.list_all()]}
        )

    def revoke_token(self, app: Resolver, name: str) -> Response[str]:
        require_admin(app, self.env)
        known = {each.name: each for each in self._tokens.list_all()}.get(name)
        if known is not None and known.revoked_at is not None:
            return answer(runner_token_body(known, None, self.env.clock()))
        change = Change(ADMIN_LOG, "runner_token.revoked", name)
        write = partial(self._tokens.revoke, name)
        revoked = record(self.env, app.current_event, change, write) if known is not None else None
        if revoked is None:
            raise NotFoundError(_NO_SUCH_TOKEN)
        self.env.log.info("Runner token revoked", runner=name, request_id=app.request_id)
        return answer(runner_token_body(revoked, None, self.env.clock()))

    @property
    def _tokens(self) -> RunnerTokenStore:
        return self.env[RunnerTokenStore]

    def _seen(self) -> list[SeenRunner]:
        return sorted(self.env[RunnerStore].list_recent(), key=lambda each: each.heartbeat.node_id)


_ADMIN: dict[int, Answer] = {400: BAD, **KEYED, 401: NO_ADMIN_KEY}
_QUEUE = path("queue", {"type": "string", "enum": list(QUEUE_NAMES)}, "The queue that the dead letters came from.")

_TOKEN_NAME = path("name", {"type": "string", "maxLength": 63}, "The token's name.")

OPERATION_ROUTES: tuple[Route[OperationRoutes], ...] = (
    Route(
        "GET /api/admin/changes",
        OperationRoutes.changes,
        "listAdminChanges",
        "What the administrator has changed in any project: events project.changed, newest first",
        {200: ("One page.", (EventPage,)), **_ADMIN},
        (SINCE, ORDER, *PAGE),
        security="AdminKey",
    ),
    Route(
        "GET /api/admin/submissions/{id}",
        OperationRoutes.trace,
        "traceSubmission",
        "The life of a submission: row, deliveries, attempts, and where its log lines are",
        {
            200: ("The submission's rows, history and log query.", (TraceBody,)),
            404: ("`not_found`: no such submission.", (Error,)),
            **_ADMIN,
        },
        (ID,),
        security="AdminKey",
    ),
    Route(
        "POST /api/admin/dead-letters/{queue}/redrive",
        OperationRoutes.redrive,
        "redriveDeadLetters",
        "Move dead letters back to their queue, for up to ten seconds",
        {
            200: ("The number of moved letters.", (RedrivenBody,)),
            404: ("`not_found`: characters that no name of a queue has.", (Error,)),
            **_ADMIN,
        },
        (_QUEUE,),
        security="AdminKey",
    ),
    Route(
        "POST /api/admin/projects/{id}/purge",
        OperationRoutes.purge,
        "purgeProject",
        "Delete submissions, endpoints, checks, their history and events of a disabled project, for up to ten seconds",
        {
            200: ("The numbers of deleted items; repeat until `complete`.", (PurgedBody,)),
            404: ("`not_found`: no such project.", (Error,)),
            409: ("`conflict`: the project is enabled.", (Error,)),
            **_ADMIN,
        },
        (PROJECT_ID,),
        security="AdminKey",
    ),
)
RUNNER_ROUTES: tuple[Route[RunnerRoutes], ...] = (
    Route(
        "GET /api/admin/runners",
        RunnerRoutes.runners,
        "listRunners",
        "The runners of the last 24 h, by name",
        {200: ("All runners.", (RunnerList,)), **_ADMIN},
        security="AdminKey",
    ),
    Route(
        "POST /api/admin/runner-tokens",
        RunnerRoutes.create_token,
        "createRunnerToken",
        "Create a token with which a runner of another host joins this machine",
        {
            200: ("The token. It is shown only here.", (CreatedRunnerTokenBody,)),
            409: ("`conflict`: this deployment takes no runners by token, or there is one of this name.", (Error,)),
            413: ("`too_large`: the body is over 1 MiB.", (Error, GatewayError)),
            415: NOT_JSON,
            422: ("`invalid`: the name is missing or not allowed.", (InvalidError,)),
            **_ADMIN,
        },
        (),
        CreateRunnerTokenRequest,
        examples={"typical": {"value": {"name": "host-b"}}},
        security="AdminKey",
    ),
    Route(
        "GET /api/admin/runner-tokens",
        RunnerRoutes.tokens,
        "listRunnerTokens",
        "All tokens of runners, with the runner that uses each",
        {200: ("All tokens.", (RunnerTokenList,)), **_ADMIN},
        security="AdminKey",
    ),
    Route(
        "DELETE /api/admin/runner-tokens/{name}",
        RunnerRoutes.revoke_token,
        "revokeRunnerToken",
        "Revoke a token for good: its runner is disconnected within seconds; repeating the call is safe",
        {
            200: ("The token as it is now.", (RunnerTokenBody,)),
            404: ("`not_found`: no token of this name.", (Error,)),
            **_ADMIN,
        },
        (_TOKEN_NAME,),
        security="AdminKey",
    ),
)
