"""Routes of inbound events: make a secret, and take a signed call."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from functions.checks.keys import runs_pk
from functions.checks.runs.model import RunKind, new_run
from functions.checks.settings.event_data import checked_text
from functions.checks.settings.requests import object_of
from functions.checks.views import run_body
from functions.errors import NotFoundError
from functions.http import parameters
from functions.http.answers import answer
from functions.http.http_event import json_body
from functions.ids import new_id

if TYPE_CHECKING:
    from aws_lambda_powertools import Logger
    from aws_lambda_powertools.event_handler import Response

    from functions.checks.events.event_store import EventStore
    from functions.checks.events.inbound import Inbound
    from functions.checks.events.request_limit import RequestLimit
    from functions.checks.routes import CheckRoutes
    from functions.checks.runs.hints import CheckHints
    from functions.checks.runs.store import RunStore
    from functions.checks.settings.store import CheckStore
    from functions.clock import Clock
    from functions.http.resolver import Resolver


@dataclass(frozen=True, slots=True)
class InboundRoutes:
    """Handlers of inbound events. All of them raise ServiceError."""

    checks: CheckRoutes
    store: CheckStore
    runs: RunStore
    hints: CheckHints
    events: EventStore
    inbound: Inbound
    limit: RequestLimit
    clock: Clock
    log: Logger

    def new_secret(self, app: Resolver, id_text: str) -> Response[str]:
        """Replace the inbound secret of a check. Only this answer shows it."""
        check = self.checks.own(app, id_text)
        secret = self.inbound.new_secret(check)
        self.log.info("Inbound secret of a check replaced", **check.log_ids, request_id=app.request_id)
        return answer({"secret": secret, "url": f"/api/checks/{check.check_id}/events"})

    def receive(self, app: Resolver, id_text: str) -> Response[str]:
        """Run a check with the event of a signed call. A repeat with the same webhook-id answers with the first run."""
        check_id = parameters.uuid(id_text)
        raw = json_body(app.current_event)
        project_id, webhook_id = self.inbound.verify(check_id, app.current_event.headers, raw)
        event = object_of(raw)
        check = self.store.get(project_id, check_id)
        if check is None:
            raise NotFoundError("There is no such check.")
        now = self.clock()
        text = checked_text(event, check.settings.event_as, "body")
        earlier = self.events.first_run(check_id, webhook_id)
        if earlier is None:
            self.limit.count(check)
        run = replace(new_run(check, RunKind.EVENT, now, now, new_id()), event=text)
        earlier = earlier or self.events.add_run(run, webhook_id)
        if earlier is not None:
            kept = self.runs.get_run(runs_pk(project_id, check_id), earlier) or run
        else:
            kept = run
            self.hints.try_send(run, self.log)
            self.log.info("Check run requested by an event", **run.log_ids, request_id=app.request_id)
        return answer(run_body(kept), 202)
