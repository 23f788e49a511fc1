"""The routes of /api/admin. They need the administrator's key."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from functions.errors import BadRequestError, ConflictError, NotFoundError
from functions.http.answers import answer
from functions.http.http_event import json_body
from functions.http.openapi.bodies import Error, GatewayError, InvalidError
from functions.http.openapi.operation import BAD, ID, KEYED, NO_ADMIN_KEY, NOT_JSON, PROJECT_ID, Answer, path
from functions.http.parameters import uuid
from functions.http.resolver import Route
from functions.http.validation import parse_body
from functions.operations.purge import QUEUE_NAMES, Purge, Redrive, dead_letters
from functions.operations.runner_views import (
    CreatedRunnerTokenBody,
    RunnerList,
    RunnerTokenBody,
    RunnerTokenList,
    created_token_body,
    runner_body,
    runner_token_body,
)
from functions.operations.trace import Trace, trace_body
from functions.operations.views import PurgedBody, RedrivenBody, TraceBody, purged_body, redriven_body
from functions.projects.api import NO_SUCH_PROJECT
from functions.projects.authentication import require_admin
from functions.projects.requests import project_id
from functions.submissions.results.results import NO_SUCH_RESULT
from functions.submissions.runners.runner_store import MAX_TOKENS, RunnerTokenStore

if TYPE_CHECKING:
    from aws_lambda_powertools.event_handler import Response

    from functions.http.resolver import Resolver
    from functions.operations.deployment import OperationDeployment
    from functions.submissions.deployment import SubmissionDeployment
    from functions.submissions.runners.runner_store import SeenRunner


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


# Routes of /api/admin. Every action is logged with its ids: these lines are the audit log.


@dataclass(frozen=True, slots=True)
class OperationRoutes:
    """Handlers. All of them raise ServiceError."""

    deployment: OperationDeployment

    def trace(self, app: Resolver, id_text: str) -> Response[str]:
        """Show the life of one submission of any project."""
        require_admin(app, self.deployment)
        submission_id, deployment = uuid(id_text), self.deployment
        row = deployment.submissions.get(submission_id)
        if row is None:
            raise NotFoundError(NO_SUCH_RESULT)
        deliveries = deployment.deliveries.deliveries_of(submission_id)
        attempts = {each.endpoint_id: deployment.delivery_list.last_attempts(each) for each in deliveries}
        has_event = deployment.deliveries.get_event(submission_id) is not None
        deployment.log.info("Submission traced", **row.log_ids, project_id=row.project_id, request_id=app.request_id)
        trace = Trace(row, deliveries, attempts, has_event)
        return answer(trace_body(trace, deployment.settings.log_group_prefix, deployment.clock()))

    def redrive(self, app: Resolver, queue: str) -> Response[str]:
        """Move dead letters back to their queue."""
        require_admin(app, self.deployment)
        if queue not in QUEUE_NAMES:
            raise BadRequestError(f"The queue must be one of {', '.join(QUEUE_NAMES)}.")
        redriven = Redrive(self.deployment.sqs).move(dead_letters(self.deployment.settings, queue))
        self.deployment.log.warning(
            "Dead letters redriven", queue=queue, count=redriven.moved, request_id=app.request_id
        )
        return answer(redriven_body(queue, redriven))

    def purge(self, app: Resolver, id_text: str) -> Response[str]:
        """Delete submissions, endpoints, checks, their history and events of a disabled project.

        Raises ConflictError while it is enabled.
        """
        require_admin(app, self.deployment)
        known = project_id(id_text)
        record = self.deployment.projects.get(known)
        if record is None:
            raise NotFoundError(NO_SUCH_PROJECT)
        if record.disabled_at is None:
            raise ConflictError("The project is enabled. Disable it first, so that nothing new is written meanwhile.")
        purged = Purge(self.deployment).purge(known)
        self.deployment.log.warning(
            "Project purged",
            project_id=known,
            submissions=purged.submissions,
            endpoints=purged.endpoints,
            checks=purged.checks,
            check_runs=purged.check_runs,
            events=purged.events,
            complete=purged.complete,
            request_id=app.request_id,
        )
        return answer(purged_body(known, purged))


# Routes of /api/admin/runners and /api/admin/runner-tokens. Every change is logged, never with a token.

_NO_LISTENER = (
    "This deployment takes no runners by token. One machine does with RUSTBOX_RUNNER_LISTEN set; "
    "on AWS a runner has a role with RunnerPolicy."
)
_NO_SUCH_TOKEN = "There is no token of this name."  # noqa: S105 - a sentence


@dataclass(frozen=True, slots=True)
class RunnerRoutes:
    """Handlers. All of them raise ServiceError."""

    deployment: SubmissionDeployment

    def runners(self, app: Resolver) -> Response[str]:
        """List the runners of the last 24 h."""
        require_admin(app, self.deployment)
        return answer({"items": [runner_body(seen, self.deployment.clock()) for seen in self._seen()]})

    def create_token(self, app: Resolver) -> Response[str]:
        """Create a token. Only this answer contains it."""
        require_admin(app, self.deployment)
        name = parse_body(CreateRunnerTokenRequest, json_body(app.current_event)).name
        settings = self.deployment.settings
        if not settings.runner_listener:
            raise ConflictError(_NO_LISTENER)
        if len([each for each in self._tokens.list_all() if each.revoked_at is None]) >= MAX_TOKENS:
            raise ConflictError(f"There are {MAX_TOKENS} tokens. Revoke one first.")
        created = self._tokens.create(name)
        if created is None:
            raise ConflictError("There is a token of this name. Choose another name, or revoke that one first.")
        record, token = created
        self.deployment.log.info("Runner token created", runner=name, request_id=app.request_id)
        return answer(created_token_body(record, token, settings.runner_listener, settings.runner_fingerprint))

    def tokens(self, app: Resolver) -> Response[str]:
        """List the tokens, with the last report of the runner that uses each."""
        require_admin(app, self.deployment)
        now, seen = self.deployment.clock(), {each.heartbeat.node_id: each for each in self._seen()}
        return answer(
            {"items": [runner_token_body(each, seen.get(each.name), now) for each in self._tokens.list_all()]}
        )

    def revoke_token(self, app: Resolver, name: str) -> Response[str]:
        """Revoke a token. This cannot be undone."""
        require_admin(app, self.deployment)
        revoked = self._tokens.revoke(name) if re.fullmatch(NAME_PATTERN, name) else None
        if revoked is None:
            raise NotFoundError(_NO_SUCH_TOKEN)
        self.deployment.log.info("Runner token revoked", runner=name, request_id=app.request_id)
        return answer(runner_token_body(revoked, None, self.deployment.clock()))

    @property
    def _tokens(self) -> RunnerTokenStore:
        deployment = self.deployment
        return RunnerTokenStore(deployment.settings.runners_table, deployment.dynamodb, deployment.clock)

    def _seen(self) -> list[SeenRunner]:
        return sorted(self.deployment.runners.list_recent(), key=lambda each: each.heartbeat.node_id)


_ADMIN: dict[int, Answer] = {400: BAD, **KEYED, 401: NO_ADMIN_KEY}
_QUEUE = path("queue", {"type": "string", "enum": list(QUEUE_NAMES)}, "The queue that the dead letters came from.")

_TOKEN_NAME = path("name", {"type": "string", "maxLength": 63}, "The token's name.")

OPERATION_ROUTES: tuple[Route[OperationRoutes], ...] = (
    Route(
        "GET",
        "/api/admin/submissions/{id}",
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
        "POST",
        "/api/admin/dead-letters/{queue}/redrive",
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
        "POST",
        "/api/admin/projects/{id}/purge",
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
        "GET",
        "/api/admin/runners",
        RunnerRoutes.runners,
        "listRunners",
        "The runners of the last 24 h, by name",
        {200: ("All runners.", (RunnerList,)), **_ADMIN},
        security="AdminKey",
    ),
    Route(
        "POST",
        "/api/admin/runner-tokens",
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
        "GET",
        "/api/admin/runner-tokens",
        RunnerRoutes.tokens,
        "listRunnerTokens",
        "All tokens of runners, with the runner that uses each",
        {200: ("All tokens.", (RunnerTokenList,)), **_ADMIN},
        security="AdminKey",
    ),
    Route(
        "DELETE",
        "/api/admin/runner-tokens/{name}",
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
