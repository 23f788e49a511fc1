"""The routes of Piston."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from functions.dialects.dialect import Dialect
from functions.dialects.piston.requests import chosen_runtime, translated
from functions.dialects.piston.runtimes import runtimes
from functions.dialects.piston.views import executed
from functions.dialects.project_key import project_of
from functions.dialects.run import checked_run, json_answer, outputs, run_program
from functions.errors import ForbiddenError, UnavailableError
from functions.http.http_event import json_body
from functions.http.parameters import SUBMIT_MAX_SECS
from functions.http.strict_json import read_json
from functions.messages.languages import Profile
from functions.messages.verdict import Verdict

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aws_lambda_powertools.event_handler import Response

    from functions.http.resolver import Resolver
    from functions.judging.deployment import JudgeDeployment
    from functions.projects.model import Project

_WRONG_TYPE, _INVALID = 415, 422
_NO_PACKAGES = "The languages of this service are part of its runners: no request installs or removes one."


def _error(status: int, said: Mapping[str, Any]) -> tuple[int, dict[str, str]]:
    if status == _WRONG_TYPE:
        return status, {"message": "requests must be of type application/json"}
    if status != _INVALID:
        return status, {"message": said["message"]}
    problems = (f"{problem['field']}: {problem['message']}" for problem in said["fields"])
    return 400, {"message": " ".join(problems)}


PISTON = Dialect("piston", "authorization", _error)


@dataclass(frozen=True, slots=True)
class PistonRoutes:
    """The routes. All raise ServiceError."""

    deployment: JudgeDeployment

    def about(self, app: Resolver) -> Response[str]:
        """Answer with the version whose API this is."""
        self._project(app)
        return json_answer({"message": "Piston v3.1.1"})

    def runtimes(self, app: Resolver) -> Response[str]:
        """Answer with the languages and their versions."""
        self._project(app)
        known = runtimes(self.deployment.fleet)
        return json_answer([{"language": one.name, "version": one.version, "aliases": one.aliases} for one in known])

    def packages(self, app: Resolver) -> Response[str]:
        """Answer with the same: every language is installed."""
        self._project(app)
        known = runtimes(self.deployment.fleet)
        return json_answer(
            [{"language": one.name, "language_version": one.version, "installed": True} for one in known]
        )

    def change_packages(self, app: Resolver) -> Response[str]:
        """Refuse to install or remove a package. Raises ForbiddenError."""
        self._project(app)
        raise ForbiddenError(_NO_PACKAGES)

    def execute(self, app: Resolver) -> Response[str]:
        """Run a program, and answer with its output."""
        project = self._project(app)
        body, _ = read_json(json_body(app.current_event))
        sent = body if isinstance(body, dict) else {}
        runtime = chosen_runtime(sent, self.deployment.fleet)
        profile = Profile.JUDGE if Profile.JUDGE in project.profiles else Profile.AGENT
        run = checked_run(
            self.deployment, app, project, translated(sent, runtime, profile, self.deployment.raised_ceilings)
        )
        row = run_program(self.deployment, app, project, run, SUBMIT_MAX_SECS)
        if not row.is_final:
            raise UnavailableError(f"The run is not finished in time and continues as {row.submission_id}.")
        if row.verdict == Verdict.IE:
            raise UnavailableError(f"The run failed on our side: {row.result.get('error_message')}.")
        return json_answer(executed(row, runtime, *outputs(self.deployment, row)))

    def _project(self, app: Resolver) -> Project:
        return project_of(app.current_event, self.deployment.projects, PISTON.key_header)
