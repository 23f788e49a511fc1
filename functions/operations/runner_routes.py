"""Routes of /api/admin/runners and /api/admin/runner-tokens. Every change is logged, never with a token."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from functions.errors import ConflictError, NotFoundError
from functions.http.answers import answer
from functions.http.http_event import json_body
from functions.http.validation import parse_body
from functions.operations.requests import NAME_PATTERN, CreateRunnerTokenRequest
from functions.operations.runner_views import created_token_body, runner_body, runner_token_body
from functions.submissions.runners.runner_store import MAX_TOKENS, RunnerTokenStore

if TYPE_CHECKING:
    from aws_lambda_powertools.event_handler import Response

    from functions.http.resolver import Resolver
    from functions.submissions.deployment import SubmissionDeployment
    from functions.submissions.runners.runner_store import SeenRunner

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
        self.deployment.admin_gate.require(app)
        return answer({"items": [runner_body(seen, self.deployment.clock()) for seen in self._seen()]})

    def create_token(self, app: Resolver) -> Response[str]:
        """Create a token. Only this answer contains it."""
        self.deployment.admin_gate.require(app)
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
        self.deployment.admin_gate.require(app)
        now, seen = self.deployment.clock(), {each.heartbeat.node_id: each for each in self._seen()}
        return answer(
            {"items": [runner_token_body(each, seen.get(each.name), now) for each in self._tokens.list_all()]}
        )

    def revoke_token(self, app: Resolver, name: str) -> Response[str]:
        """Revoke a token. This cannot be undone."""
        self.deployment.admin_gate.require(app)
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
