"""Routes of /api/projects/{id}/keys. Every change is logged with ids, never with a key."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from functions.aws.dynamodb.page import cut
from functions.errors import ConflictError, NotFoundError
from functions.http import parameters
from functions.http.answers import answer, page_answer
from functions.http.cursor import start_after
from functions.http.http_event import json_body
from functions.http.validation import parse_body
from functions.projects.requests import ChangeKeyRequest, parse_issue
from functions.projects.routes import NO_SUCH_PROJECT, find_project
from functions.projects.views import issued_key_body, key_body

if TYPE_CHECKING:
    from aws_lambda_powertools.event_handler import Response

    from functions.http.resolver import Resolver
    from functions.projects.deployment import ProjectDeployment
    from functions.projects.model import KeyRecord

MAX_KEYS = 200
"""The most keys of a project: `list_all` reads them in one go."""
_NO_SUCH_KEY = "There is no such key in this project."


@dataclass(frozen=True, slots=True)
class KeyRoutes:
    """Handlers. All of them raise ServiceError."""

    deployment: ProjectDeployment

    def issue(self, app: Resolver, id_text: str) -> Response[str]:
        """Create a key. Only this answer contains the whole key."""
        self.deployment.admin_gate.require(app)
        project_id = find_project(self.deployment, id_text).project.project_id
        request = parse_issue(json_body(app.current_event) if app.current_event.body else b"", self.deployment.clock)
        if len(self.deployment.keys.list_all(project_id)) >= MAX_KEYS:
            raise ConflictError(f"The project has {MAX_KEYS} keys. Revoked ones leave the list after 90 days.")
        issued = self.deployment.keys.issue(project_id, expires_at=request.expires_at)
        if issued is None:
            raise NotFoundError(NO_SUCH_PROJECT)
        record, api_key = issued
        self._log_change(app, "Key issued", record)
        return answer(issued_key_body(record, api_key))

    def page(self, app: Resolver, id_text: str) -> Response[str]:
        """List a project's keys, newest first."""
        self.deployment.admin_gate.require(app)
        query = app.current_event.query_string_parameters
        limit = parameters.page_limit(query)
        project_id = find_project(self.deployment, id_text).project.project_id
        owner = f"{project_id}/keys"  # not a project id, so a cursor of another list is refused
        after = start_after(query, owner)
        page = cut(self.deployment.keys.list_all(project_id), limit, _position, after)
        return page_answer(owner, page, key_body, _position)

    def change(self, app: Resolver, id_text: str, key_id_text: str) -> Response[str]:
        """Set or remove the expiry of a key. Raises ConflictError for a revoked key."""
        self.deployment.admin_gate.require(app)
        project_id = find_project(self.deployment, id_text).project.project_id
        key_id = parameters.uuid(key_id_text)
        request = parse_body(ChangeKeyRequest, json_body(app.current_event))
        changed = self.deployment.keys.set_expiry(project_id, key_id, request.expires_at)
        if changed is None:
            if self.deployment.keys.get(project_id, key_id) is None:
                raise NotFoundError(_NO_SUCH_KEY)
            raise ConflictError("The key is revoked, for good. Issue a new one.")
        self._log_change(app, "Key expiry changed", changed)
        return answer(key_body(changed))

    def revoke(self, app: Resolver, id_text: str, key_id_text: str) -> Response[str]:
        """Revoke a key. This cannot be undone."""
        self.deployment.admin_gate.require(app)
        project_id = find_project(self.deployment, id_text).project.project_id
        key_id = parameters.uuid(key_id_text)
        before, revoked = self.deployment.keys.get(project_id, key_id), self.deployment.keys.revoke(project_id, key_id)
        if before is None or revoked is None:
            raise NotFoundError(_NO_SUCH_KEY)
        if before.revoked_at is None:
            self._log_change(app, "Key revoked", revoked)
        return answer(key_body(revoked))

    def _log_change(self, app: Resolver, phrase: str, record: KeyRecord) -> None:
        self.deployment.log.info(phrase, project_id=record.project_id, key_id=record.key_id, request_id=app.request_id)


def _position(record: KeyRecord) -> str:
    return f"{record.created_at}#{record.key_id}"
