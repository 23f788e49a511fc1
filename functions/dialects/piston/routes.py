"""The routes of Piston."""

from __future__ import annotations

from typing import TYPE_CHECKING

from events.vocabulary import Verdict
from functions.dialects.piston.requests import chosen_runtime, translated
from functions.dialects.piston.runtimes import runtimes
from functions.dialects.piston.views import executed
from functions.dialects.routes import DialectRoutes, json_answer
from functions.errors import UnavailableError
from functions.http.parameters import SUBMIT_MAX_SECS

if TYPE_CHECKING:
    from aws_lambda_powertools.event_handler import Response


class PistonRoutes(DialectRoutes):
    """The routes. All raise ServiceError."""

    def runtimes(self) -> Response[str]:
        """Answer with the languages and their versions."""
        known = runtimes(self.deployment.fleet)
        return json_answer([{"language": one.name, "version": one.version, "aliases": one.aliases} for one in known])

    def packages(self) -> Response[str]:
        """Answer with the same: every language is installed."""
        known = runtimes(self.deployment.fleet)
        return json_answer(
            [{"language": one.name, "language_version": one.version, "installed": True} for one in known]
        )

    def execute(self) -> Response[str]:
        """Run a program, and answer with its output."""
        body = self.body
        runtime = chosen_runtime(body, self.deployment.fleet)
        run = self.checked(translated(body, runtime, self.profile, self.deployment.raised_ceilings))
        row = self.run(run, SUBMIT_MAX_SECS)
        if not row.is_final:
            raise UnavailableError(f"The run is not finished in time and continues as {row.submission_id}.")
        if row.verdict == Verdict.IE:
            raise UnavailableError(f"The run failed on our side: {row.result.get('error_message')}.")
        return json_answer(executed(row, runtime, *self.outputs(row)))
