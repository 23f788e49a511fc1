"""The routes of Piston."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from functions.dialects.dialect import Dialect
from functions.dialects.piston.runtimes import runtimes
from functions.dialects.project_key import project_of
from functions.http.answers import answer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aws_lambda_powertools.event_handler import Response

    from functions.http.resolver import Resolver
    from functions.judging.deployment import JudgeDeployment
    from functions.projects.model import Project


def _error(status: int, said: Mapping[str, Any]) -> tuple[int, dict[str, str]]:
    return status, {"message": said["message"]}


PISTON = Dialect("piston", "authorization", _error)


@dataclass(frozen=True, slots=True)
class PistonRoutes:
    """The routes. All raise ServiceError."""

    deployment: JudgeDeployment

    def runtimes(self, app: Resolver) -> Response[str]:
        """Answer with the languages and their versions."""
        self._project(app)
        return answer(runtimes(self.deployment.fleet.toolchains(self.deployment.raised_ceilings)))

    def _project(self, app: Resolver) -> Project:
        return project_of(app.current_event, self.deployment.projects, PISTON.key_header)
