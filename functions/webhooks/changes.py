"""Events `project.changed`: planned for the transaction of a change, for the log and the endpoints that name them.

They are not put on the bus: no write of a change can be one with that. A change costs 4 write units more (an event and
its place in the list), 2 with a consumer of the log, 2 to 4 for each such endpoint, and 4 if the administrator did it.
"""

from contextlib import suppress
from dataclasses import replace

from botocore.exceptions import BotoCoreError, ClientError

from functions.env import Env
from functions.event_log.model import Event, event_bytes
from functions.http.http_event import HttpEvent
from functions.ids import new_id
from functions.projects.changes import ADMIN_LOG, Change
from functions.webhooks.deliveries.publication import DeliveryHints, Publication, plan_publication
from functions.webhooks.endpoints.store import EndpointStore, Subscribers
from functions.webhooks.vocabulary import EVENT_CHANGED


class ChangeEvents:
    """The log of changes of an entry point."""

    def __init__(self, env: Env) -> None:
        self._env = env

    def plan(self, event: HttpEvent, change: Change, skip_endpoint_id: str | None = None) -> Publication:
        """Return the event with its deliveries; nothing if nothing changes. The administrator's log gets a copy."""
        if change.is_empty:
            return Publication()
        now, table = self._env.clock(), self._env.settings.deliveries_table
        body = event_bytes(change.body(event, now))
        made = Event(new_id(), EVENT_CHANGED, change.project_id, body, correlation_id=event.correlation_id)
        subscribers = Subscribers()
        if change.project_id != ADMIN_LOG:
            subscribers = self._env[EndpointStore].subscribers(change.project_id).without(skip_endpoint_id)
        planned = plan_publication(table, made, subscribers, None, now)
        if change.project_id == ADMIN_LOG or event.caller.by != "administrator":
            return planned
        # An event of its own, because a purge of the project deletes the other.
        copy = replace(made, event_id=new_id(), project_id=ADMIN_LOG)
        also = plan_publication(table, copy, Subscribers(), None, now)
        return Publication((*planned.actions, *also.actions), planned.hints)

    def send(self, planned: Publication) -> None:
        """Send the hints of the webhooks. The sweeper replaces lost ones."""
        with suppress(ClientError, BotoCoreError):  # a sender reads each row: one that was not written is never sent
            self._env[DeliveryHints].send_all([hint.without_new for hint in planned.hints])
