"""The routes of languages and health."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from functions.http.answers import answer
from functions.http.openapi.bodies import Error, GatewayError
from functions.http.openapi.operation import BAD, FAILED, OPEN, THROTTLED, query
from functions.http.parameters import detail_flag
from functions.http.resolver import Route
from functions.submissions.runners.fleet import (
    HealthReport,
    LanguageDetails,
    Languages,
    NotReady,
    Ready,
    health_figures,
)

if TYPE_CHECKING:
    from aws_lambda_powertools.event_handler import Response

    from functions.http.resolver import Resolver
    from functions.submissions.deployment import SubmissionDeployment
    from functions.submissions.runners.fleet import Figures, RunnerProblem


_NO_RUNNER = "No runner is live: none has reported in the last 60 seconds, or the last report said that it is stopping."


@dataclass(frozen=True, slots=True)
class HealthRoutes:
    """Handlers of health and languages. They read the runners' heartbeats and the depths of the queues."""

    deployment: SubmissionDeployment

    def languages(self, app: Resolver) -> Response[str]:
        """Answer with an array of names; with `detail=true`, of objects."""
        fleet, has_detail = self.deployment.fleet, detail_flag(app.current_event.query_string_parameters)
        return answer(fleet.toolchains(self.deployment.raised_ceilings) if has_detail else list(fleet.languages()))

    def health(self, _app: Resolver) -> Response[str]:
        """Answer with 200 in any case; `degraded` without a live runner, or if the figures cannot be read."""
        report: HealthReport
        try:
            figures = self._figures()
            if figures["node_id"]:
                report = {**figures, "status": "ok"}
            else:
                problems: list[RunnerProblem] = [{"node_id": "", "problem": _NO_RUNNER}, *figures["problems"]]
                report = {**figures, "status": "degraded", "problems": problems}
        except (ClientError, BotoCoreError) as error:
            self.deployment.log.warning("Health figures are not available", error_type=type(error).__name__)
            report = {**health_figures([], 0), "status": "degraded"}
        return answer(report)

    def ready(self, _app: Resolver) -> Response[str]:
        """Answer with 503 while no runner is live."""
        figures = self._figures()
        if not figures["node_id"]:
            reasons = [f" Runner {one['node_id']}: {one['problem']}" for one in figures["problems"]]
            refusal: NotReady = {"status": "not_ready", "error": _NO_RUNNER + "".join(reasons)}
            return answer(refusal, 503)
        report: Ready = {**figures, "status": "ready"}
        return answer(report)

    def _figures(self) -> Figures:
        return self.deployment.fleet.figures(self.deployment.queues.recent_depths())


HEALTH_ROUTES: tuple[Route[HealthRoutes], ...] = (
    Route(
        "GET",
        "/api/languages",
        HealthRoutes.languages,
        "getLanguages",
        "Languages that this deployment offers",
        {
            200: ("Canonical names; with `detail=true` toolchains and ceilings too.", (Languages, LanguageDetails)),
            400: BAD,
            **OPEN,
        },
        parameters=(
            query(
                "detail",
                {"type": "boolean", "default": False},
                "Include toolchain versions and the ceilings of limits.",
            ),
        ),
        security=None,
    ),
    Route(
        "GET",
        "/api/health",
        HealthRoutes.health,
        "getHealth",
        "Health of the service",
        {
            200: ("Always.", (HealthReport,)),
            429: THROTTLED,
            500: FAILED,
            503: ("The gateway.", (GatewayError,)),
        },
        security=None,
        read_max_bytes=0,
        is_health=True,
    ),
    Route(
        "GET",
        "/api/health/ready",
        HealthRoutes.ready,
        "getReady",
        "Whether a runner is live",
        {
            200: ("Yes.", (Ready,)),
            429: THROTTLED,
            500: FAILED,
            503: ("No; or a part of the service is busy.", (NotReady, Error)),
        },
        security=None,
        read_max_bytes=0,
        is_health=True,
    ),
)
