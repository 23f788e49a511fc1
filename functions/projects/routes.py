"""Routes of /api/projects. Every change is logged with its ids: these lines are the audit log."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from functions.aws.dynamodb.retries import tries
from functions.aws.dynamodb.row_codec import changes
from functions.errors import ConflictError, NotFoundError
from functions.http import parameters
from functions.http.answers import answer, page_answer
from functions.http.cursor import NAMED_KEY, start_after
from functions.http.http_event import json_body
from functions.http.problems import Problems
from functions.http.validation import parse_body
from functions.ids import new_id
from functions.projects.model import Project, ProjectRecord
from functions.projects.registry import list_position
from functions.projects.requests import ChangeProjectRequest, CreateProjectRequest, changed, project_id
from functions.projects.views import project_body

if TYPE_CHECKING:
    from aws_lambda_powertools.event_handler import Response

    from functions.http.resolver import Resolver
    from functions.projects.deployment import ProjectDeployment

NO_SUCH_PROJECT = "There is no such project."
_LIST = "/projects"  # owner of the cursors of the project list; not a project id
_TRIES = 5


@dataclass(frozen=True, slots=True)
class ProjectRoutes:
    """Handlers. All of them raise ServiceError."""

    deployment: ProjectDeployment

    def create(self, app: Resolver) -> Response[str]:
        """Create a project, without keys."""
        self.deployment.admin_gate.require(app)
        problems = Problems()
        request = parse_body(CreateProjectRequest, json_body(app.current_event), problems)
        project = changed(Project(new_id(), request.name), request, problems)
        created_at = self.deployment.projects.create_project(project)
        self.deployment.log.info("Project created", project_id=project.project_id, request_id=app.request_id)
        return answer(project_body(ProjectRecord(project, created_at)))

    def page(self, app: Resolver) -> Response[str]:
        """List projects, newest first."""
        self.deployment.admin_gate.require(app)
        query = app.current_event.query_string_parameters
        after = start_after(query, _LIST, NAMED_KEY)
        page = self.deployment.registry.page(parameters.page_limit(query), after)
        return page_answer(_LIST, page, project_body, list_position)

    def one(self, app: Resolver, id_text: str) -> Response[str]:
        """Show a project."""
        self.deployment.admin_gate.require(app)
        return answer(project_body(find_project(self.deployment, id_text)))

    def change(self, app: Resolver, id_text: str) -> Response[str]:
        """Rename, disable or enable a project, change its profiles and quotas."""
        self.deployment.admin_gate.require(app)
        known, problems = project_id(id_text), Problems()
        request = parse_body(ChangeProjectRequest, json_body(app.current_event), problems)
        for _ in tries(_TRIES):
            before = find_project(self.deployment, known)
            wanted = changed(before.project, request, problems)
            after = self.deployment.registry.change(before, wanted, enabled=request.enabled)
            if after is not None:
                self._log_change(app, before, after)
                return answer(project_body(after))
        raise ConflictError("Other requests keep changing this project. Repeat the request.")

    def _log_change(self, app: Resolver, before: ProjectRecord, after: ProjectRecord) -> None:
        fields = [*changes(before.project, after.project)[0]]
        known = after.project.project_id
        if fields:
            self.deployment.log.info("Project changed", project_id=known, fields=fields, request_id=app.request_id)
        if (before.disabled_at is None) != (after.disabled_at is None):
            phrase = "Project disabled" if after.disabled_at else "Project enabled"
            self.deployment.log.info(phrase, project_id=known, request_id=app.request_id)


def find_project(deployment: ProjectDeployment, id_text: str) -> ProjectRecord:
    """Return a project. Raises BadRequestError, NotFoundError."""
    record = deployment.registry.get(project_id(id_text))
    if record is None:
        raise NotFoundError(NO_SUCH_PROJECT)
    return record
