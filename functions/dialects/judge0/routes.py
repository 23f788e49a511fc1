"""The routes of Judge0."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from functions.dialects.dialect import Dialect
from functions.dialects.project_key import project_of
from functions.http.answers import answer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aws_lambda_powertools.event_handler import Response

    from functions.http.resolver import Resolver
    from functions.judging.deployment import JudgeDeployment
    from functions.projects.model import Project

_ABOUT = {
    "version": "1.13.1",
    "homepage": "https://judge0.com",
    "source_code": "https://github.com/judge0/judge0",
    "maintainer": "Herman Zvonimir Došilović <hermanz.dosilovic@gmail.com>",
}
"""The version whose API this is. Clients show the other fields."""


def _error(status: int, said: Mapping[str, Any]) -> tuple[int, dict[str, str]]:
    return status, {"error": said["message"]}


JUDGE0 = Dialect("judge0", "x-auth-token", _error)


@dataclass(frozen=True, slots=True)
class Judge0Routes:
    """The routes. All raise ServiceError."""

    deployment: JudgeDeployment

    def about(self, app: Resolver) -> Response[str]:
        """Answer with the version of the API."""
        self._project(app)
        return answer(_ABOUT)

    def _project(self, app: Resolver) -> Project:
        return project_of(app.current_event, self.deployment.projects, JUDGE0.key_header)
