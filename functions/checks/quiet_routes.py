"""Routes of the quiet times of tags."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from functions.checks.settings.check_settings import TagQuietTimes, quiet_problems
from functions.http.answers import answer
from functions.http.http_event import json_body
from functions.http.problems import Problems
from functions.http.validation import parse_body
from functions.projects.authentication import authenticate

if TYPE_CHECKING:
    from aws_lambda_powertools.event_handler import Response

    from functions.checks.deployment import CheckDeployment
    from functions.checks.views import TagQuietTimesView
    from functions.http.resolver import Resolver


@dataclass(frozen=True, slots=True)
class QuietRoutes:
    """Handlers of /api/quiet-times."""

    deployment: CheckDeployment

    def show(self, app: Resolver) -> Response[str]:
        """Show the quiet times of the project's tags."""
        project_id = authenticate(app.current_event, self.deployment.projects).project_id
        return answer(_view(self.deployment.quiet_times.get(project_id)))

    def put(self, app: Resolver) -> Response[str]:
        """Replace them."""
        project_id = authenticate(app.current_event, self.deployment.projects).project_id
        problems = Problems()
        times = parse_body(TagQuietTimes, json_body(app.current_event), problems)
        for tag, quiet in times.tags.items():
            problems.add(quiet_problems(f"tags.{tag}", quiet))
        problems.refuse()
        self.deployment.quiet_times.put(project_id, times)
        self.deployment.log.info("Quiet times of tags replaced", project_id=project_id, request_id=app.request_id)
        return answer(_view(times))


def _view(times: TagQuietTimes) -> TagQuietTimesView:
    return cast("TagQuietTimesView", times.model_dump(mode="json"))
