"""Lambda entry point of events: their list, their types, and the log that consumers poll."""

import functools

from functions.aws.clients import Clients
from functions.clock import now_ms
from functions.events.bodies import EventBodies
from functions.events.consumer_store import ConsumerStore
from functions.events.listing import EventListing, OtherEvents
from functions.events.log import EventLog
from functions.events.poll import Poll
from functions.events.routes import EventRoutes
from functions.handlers.wiring import judged_runs
from functions.http.resolver import PerThread, Resolver
from functions.projects.store import ProjectStore
from functions.settings import EventsSettings, load
from functions.submissions.completed_event import event_of
from functions.submissions.list_store import SubmissionList
from functions.submissions.store import SubmissionStore
from functions.telemetry import logger
from functions.webhooks.deliveries.list_store import DeliveryList
from functions.webhooks.deliveries.store import DeliveryStore
from functions.webhooks.log_writer import LogWriter


@functools.cache
def wiring() -> EventRoutes:
    """Return the wired parts, created on the first call."""
    settings, dynamodb = load(EventsSettings), Clients.dynamodb()
    table, judged = settings.deliveries_table, judged_runs(settings)
    bodies = EventBodies(
        DeliveryStore(table, dynamodb),
        SubmissionStore(settings.submissions_table, dynamodb),
        functools.partial(event_of, judged, judged.payloads, settings.public_base_url),
    )
    submissions = SubmissionList(settings.submissions_table, dynamodb)
    listing = EventListing(submissions, OtherEvents(table, dynamodb), DeliveryList(table, dynamodb), bodies)
    consumers = ConsumerStore(table, settings.quotas_table, dynamodb, now_ms)
    log = EventLog(table, dynamodb)
    polls = Poll(log, consumers, bodies, settings.longest_wait_secs)
    projects = ProjectStore(settings.projects_table, dynamodb)
    return EventRoutes(projects, listing, polls, log, consumers, LogWriter(table, dynamodb), now_ms)


def build_resolver() -> Resolver:
    """Return a resolver with the routes."""
    app = Resolver(logger("events"))
    app.get("/api/events")(lambda: wiring().page(app))
    app.get("/api/events/poll")(lambda: wiring().poll(app))
    app.get("/api/events/<id_text>")(lambda id_text: wiring().one(app, id_text))
    app.get("/api/event-types")(lambda: wiring().types(app))
    app.get("/api/event-consumers")(lambda: wiring().consumers(app))
    app.delete("/api/event-consumers/<name>")(lambda name: wiring().delete_consumer(app, name))
    app.post("/api/event-samples")(lambda: wiring().sample(app))
    return app


handler = PerThread(build_resolver).resolve
"""Lambda entry point, for events of an HTTP API."""
