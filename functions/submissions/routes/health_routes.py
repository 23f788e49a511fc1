"""Routes of health and languages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from functions.http.answers import answer
from functions.http.parameters import detail_flag
from functions.submissions.runners.fleet import health_figures

if TYPE_CHECKING:
    from aws_lambda_powertools import Logger
    from aws_lambda_powertools.event_handler import Response

    from functions.http.json_body import Body
    from functions.http.parameters import Parameters
    from functions.submissions.run.queues import Queues
    from functions.submissions.runners.fleet import Fleet

_NOT_READY = "No runner is live: none has reported in the last 60 seconds, or the last report said that it is stopping."


@dataclass(frozen=True, slots=True)
class HealthRoutes:
    """Handlers of health and languages. They read the runners' heartbeats and the depths of the queues."""

    fleet: Fleet
    queues: Queues
    log: Logger

    def languages_answer(self, parameters: Parameters) -> Response[str]:
        """Answer with an array of names; with `detail=true`, of objects."""
        return answer(self.fleet.toolchains() if detail_flag(parameters) else list(self.fleet.languages()))

    def health(self) -> Response[str]:
        """Answer with 200 in any case; `degraded` if the figures cannot be read."""
        try:
            return answer({"status": "ok", **self._figures()})
        except (ClientError, BotoCoreError) as error:
            self.log.warning("Health figures are not available", error_type=type(error).__name__)
            return answer({"status": "degraded", **health_figures([], 0)})

    def ready(self) -> Response[str]:
        """Answer with 503 while no runner is live."""
        figures = self._figures()
        if not figures["node_id"]:
            reasons = [f" Runner {one['node_id']}: {one['problem']}" for one in figures["problems"]]
            return answer({"status": "not_ready", "error": _NOT_READY + "".join(reasons)}, 503)
        return answer({"status": "ready", **figures})

    def _figures(self) -> Body:
        return self.fleet.figures(self.queues.recent_depths())
