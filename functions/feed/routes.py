"""Routes of /api/events, /api/event-types, /api/event-consumers and /api/event-samples."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from functions.aws.dynamodb.transaction import RowsContendedError
from functions.errors import ConflictError, NotFoundError, UnavailableError
from functions.feed.parameters import LIST_KEY, consumer_name, event_filters, poll_request
from functions.feed.requests import SampleRequest
from functions.feed.views import consumer_body, event_body, polled_body
from functions.http.answers import answer, page_answer
from functions.http.cursor import start_after
from functions.http.http_event import json_body
from functions.http.parameters import page_limit, uuid
from functions.http.validation import parse_body
from functions.projects.authentication import authenticate

if TYPE_CHECKING:
    from aws_lambda_powertools.event_handler import Response

    from functions.feed.deployment import EventDeployment
    from functions.http.resolver import Resolver

NO_SUCH_EVENT = "There is no such event."
_NO_SUCH_CONSUMER = "There is no such consumer."
_BUSY = "Other requests keep changing this project's event log. Repeat the request."
_NO_CONSUMER = "A sample goes to consumers, and this project has none. Start `rustbox listen`, or poll, then repeat."


@dataclass(frozen=True, slots=True)
class EventRoutes:
    """Handlers. All of them raise ServiceError."""

    deployment: EventDeployment

    def page(self, app: Resolver) -> Response[str]:
        """List the project's events with their bodies."""
        query = app.current_event.query_string_parameters
        project_id = self._project(app)
        limit, filters = page_limit(query), event_filters(query)
        after = start_after(query, project_id, LIST_KEY)
        page = self.deployment.event_listing.page(project_id, filters, limit, after)
        return page_answer(project_id, page, lambda listed: event_body(listed.event), lambda listed: listed.key)

    def one(self, app: Resolver, id_text: str) -> Response[str]:
        """Show one event."""
        event = self.deployment.event_listing.one(self._project(app), uuid(id_text))
        if event is None:
            raise NotFoundError(NO_SUCH_EVENT)
        return answer(event_body(event))

    def poll(self, app: Resolver) -> Response[str]:
        """Commit a cursor, and return the events that follow it."""
        project_id = self._project(app)
        request = poll_request(app.current_event.query_string_parameters, project_id)
        try:
            polls = replace(self.deployment.polls, secs_left=app.secs_left)
            polled = polls.poll(project_id, request)
        except RowsContendedError:
            raise UnavailableError(_BUSY, 1) from None
        return answer(polled_body(project_id, polled))

    def consumers(self, app: Resolver) -> Response[str]:
        """List the project's consumers."""
        project_id = self._project(app)
        last = self.deployment.event_log.head(project_id).last
        found = self.deployment.consumers.list_all(project_id)
        return answer({"items": [consumer_body(project_id, one, last) for one in found], "next_cursor": None})

    def delete_consumer(self, app: Resolver, name: str) -> Response[str]:
        """Delete a consumer."""
        project_id = self._project(app)
        try:
            is_deleted = self.deployment.consumers.delete(project_id, consumer_name(name))
        except RowsContendedError:
            raise UnavailableError(_BUSY, 1) from None
        if not is_deleted:
            raise NotFoundError(_NO_SUCH_CONSUMER)
        return answer({"name": name, "deleted": True})

    def types(self, app: Resolver) -> Response[str]:
        """List the types of events."""
        from functions.feed.catalogue import catalogue  # noqa: PLC0415 - imports every model; few requests need it

        self._project(app)
        return answer({"items": list(catalogue()), "next_cursor": None})

    def sample(self, app: Resolver) -> Response[str]:
        """Add a sample event to the log."""
        from functions.feed.sample import sample_event  # noqa: PLC0415 - same

        project_id = self._project(app)
        request = parse_body(SampleRequest, json_body(app.current_event))
        event = sample_event(project_id, request, self.deployment.clock())
        if not self.deployment.log_writer.add_test(event):
            raise ConflictError(_NO_CONSUMER)
        return answer(event_body(event))

    def _project(self, app: Resolver) -> str:
        return authenticate(app.current_event, self.deployment.projects).project_id
