"""Routes of the runs of a check: run it now, its history and its outages."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from functions.checks.routes import NO_PROGRAM, own_check
from functions.checks.runs.model import RunKind, new_run
from functions.checks.settings.requests import RunNowRequest
from functions.checks.settings.triggers import event_text, field_problem
from functions.checks.views import outages_view, run_view
from functions.errors import ConflictError
from functions.http.answers import answer, page_answer
from functions.http.cursor import start_after
from functions.http.http_event import json_body
from functions.http.parameters import page_limit
from functions.http.problems import Problems
from functions.http.validation import parse_body
from functions.ids import new_id

if TYPE_CHECKING:
    from aws_lambda_powertools.event_handler import Response

    from functions.checks.deployment import CheckDeployment
    from functions.http.resolver import Resolver


@dataclass(frozen=True, slots=True)
class CheckRunRoutes:
    """Handlers of /api/checks/{id}/run, /runs and /outages. All of them raise ServiceError."""

    deployment: CheckDeployment

    def run(self, app: Resolver, id_text: str) -> Response[str]:
        """Run a check now."""
        check = own_check(self.deployment, app, id_text)
        if check.settings.is_heartbeat:
            raise ConflictError(NO_PROGRAM)
        raw, problems = json_body(app.current_event) if app.current_event.body else b"{}", Problems()
        request = parse_body(RunNowRequest, raw, problems)
        event, now = None if request.event is None else event_text(request.event), self.deployment.clock()
        problems.add([field_problem(event or "", check.settings.event_as, "event")])
        problems.refuse()
        self.deployment.check_request_limit.count(check)
        run = new_run(check, RunKind.MANUAL, now, now, new_id())
        run = replace(run, affects_state=request.affects_state, event=event)
        self.deployment.check_runs.add_run(run)
        self.deployment.check_hints.try_send(run, self.deployment.log)
        self.deployment.log.info("Check run requested", **run.log_ids, request_id=app.request_id)
        return answer(run_view(run), 202)

    def outages(self, app: Resolver, id_text: str) -> Response[str]:
        """List the outages of a check, newest first."""
        check, now = own_check(self.deployment, app, id_text), self.deployment.clock()
        return answer(outages_view(check, self.deployment.outages.of(check, now), now))

    def history(self, app: Resolver, id_text: str) -> Response[str]:
        """List the runs of a check, newest first."""
        query = app.current_event.query_string_parameters
        check = own_check(self.deployment, app, id_text)
        after = start_after(query, check.check_id)
        page = self.deployment.check_runs.history(check.project_id, check.check_id, page_limit(query), after)
        return page_answer(check.check_id, page, run_view, lambda run: run.position)
