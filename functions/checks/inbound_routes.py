"""Routes of inbound events: make a secret, and take a signed call."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from functions.checks.keys import runs_pk
from functions.checks.routes import own_check
from functions.checks.runs.model import RunKind, new_run
from functions.checks.settings.event_data import checked_text
from functions.checks.settings.requests import object_of
from functions.checks.views import InboundSecret, run_view
from functions.errors import NotFoundError
from functions.http import parameters
from functions.http.answers import answer
from functions.http.http_event import json_body
from functions.ids import new_id

if TYPE_CHECKING:
    from aws_lambda_powertools.event_handler import Response

    from functions.checks.deployment import CheckDeployment
    from functions.http.resolver import Resolver


@dataclass(frozen=True, slots=True)
class InboundRoutes:
    """Handlers of inbound events. All of them raise ServiceError."""

    deployment: CheckDeployment

    def new_secret(self, app: Resolver, id_text: str) -> Response[str]:
        """Replace the inbound secret of a check. Only this answer shows it."""
        check = own_check(self.deployment, app, id_text)
        secret = self.deployment.inbound_calls.new_secret(check)
        self.deployment.log.info("Inbound secret of a check replaced", **check.log_ids, request_id=app.request_id)
        body: InboundSecret = {"secret": secret, "url": f"/api/checks/{check.check_id}/events"}
        return answer(body)

    def receive(self, app: Resolver, id_text: str) -> Response[str]:
        """Run a check with the event of a signed call. A repeat with the same webhook-id answers with the first run."""
        check_id, events = parameters.uuid(id_text), self.deployment.check_events
        raw = json_body(app.current_event)
        project_id, webhook_id = self.deployment.inbound_calls.verify(check_id, app.current_event.headers, raw)
        event = object_of(raw)
        check = self.deployment.checks.get(project_id, check_id)
        if check is None:
            raise NotFoundError("There is no such check.")
        now = self.deployment.clock()
        text = checked_text(event, check.settings.event_as, "body")
        earlier = events.first_run(check_id, webhook_id)
        if earlier is None:
            self.deployment.check_request_limit.count(check)
        run = replace(new_run(check, RunKind.EVENT, now, now, new_id()), event=text)
        earlier = earlier or events.add_run(run, webhook_id)
        if earlier is not None:
            shown = self.deployment.check_runs.get_run(runs_pk(project_id, check_id), earlier) or run
        else:
            shown = run
            self.deployment.check_hints.try_send(run, self.deployment.log)
            self.deployment.log.info("Check run requested by an event", **run.log_ids, request_id=app.request_id)
        return answer(run_view(shown), 202)
