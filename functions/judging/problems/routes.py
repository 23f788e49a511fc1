"""The routes of /api/problems."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from functions.errors import NotFoundError
from functions.http.answers import answer
from functions.http.cursor import start_after, write_cursor
from functions.http.http_event import json_body
from functions.http.parameters import page_limit
from functions.judging.problems.lookup import UNKNOWN
from functions.judging.problems.model import read_reference
from functions.judging.problems.requests import parse_problem
from functions.judging.problems.views import details_body, pushed_body, summary_body
from functions.judging.routes import BODY_MAX_BYTES
from functions.projects.authentication import authenticate

if TYPE_CHECKING:
    from aws_lambda_powertools.event_handler import Response

    from functions.http.resolver import Resolver
    from functions.judging.deployment import JudgeDeployment

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)


@dataclass(frozen=True, slots=True)
class ProblemRoutes:
    """The routes. All raise ServiceError."""

    deployment: JudgeDeployment

    def push(self, app: Resolver) -> Response[str]:
        """Store a version of a problem."""
        deployment = self.deployment
        project = authenticate(app.current_event, deployment.projects)
        request = parse_problem(
            json_body(app.current_event, BODY_MAX_BYTES),
            offered=deployment.fleet.languages(),
            raised=deployment.raised_ceilings,
        )
        return answer(pushed_body(deployment.problem_push.push(project, request), request.warnings))

    def page(self, app: Resolver) -> Response[str]:
        """List the problems of the project."""
        event = app.current_event
        project_id = authenticate(event, self.deployment.projects).project_id
        query, owner = event.query_string_parameters, f"{project_id} problems"
        page = self.deployment.problems.page(project_id, page_limit(query), start_after(query, owner, _ID))
        after = page.next_created_key
        return answer(
            {
                "items": [summary_body(problem) for problem in page.rows],
                "next_cursor": write_cursor(owner, after) if after else None,
            }
        )

    def one(self, app: Resolver, name: str) -> Response[str]:
        """Describe a version of a problem."""
        project_id = authenticate(app.current_event, self.deployment.projects).project_id
        return answer(details_body(*self.deployment.problem_lookup.find(project_id, name)))

    def delete(self, app: Resolver, name: str) -> Response[str]:
        """Delete a problem, or one of its versions. Judge runs that began keep their cases."""
        deployment = self.deployment
        project_id = authenticate(app.current_event, deployment.projects).project_id
        reference = read_reference(name)
        problem = None if reference is None else deployment.problems.get(project_id, reference.problem_id)
        if reference is None or problem is None or reference.version not in {None, *problem.versions}:
            raise NotFoundError(UNKNOWN)
        if reference.version is None:
            deployment.problem_removal.delete(problem)
            return answer({"id": problem.problem_id, "deleted": True})
        deployment.problem_removal.delete_version(problem, reference.version)
        return answer({"id": problem.problem_id, "version": reference.version, "deleted": True})
