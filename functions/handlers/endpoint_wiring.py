"""Wire the parts of endpoints and deliveries that clients call."""

import functools
from collections.abc import Sequence
from typing import NamedTuple

from functions.aws.clients import Clients
from functions.clock import now_ms
from functions.event_log.writer import LogWriter
from functions.handlers.chat_cards import CARDS
from functions.projects.store import ProjectStore
from functions.settings import EndpointsSettings, load
from functions.telemetry import logger
from functions.webhooks.deliveries.deletions import Deletions
from functions.webhooks.deliveries.hints import DeliveryHints
from functions.webhooks.deliveries.latencies import Latencies
from functions.webhooks.deliveries.list_store import DeliveryList
from functions.webhooks.deliveries.recover import Recovery
from functions.webhooks.deliveries.replay import ReplayStore
from functions.webhooks.deliveries.store import DeliveryStore
from functions.webhooks.endpoints.changes import EndpointChanges
from functions.webhooks.endpoints.store import EndpointStore
from functions.webhooks.routes.action_routes import EndpointActionRoutes
from functions.webhooks.routes.delivery_routes import DeliveryRoutes
from functions.webhooks.routes.endpoint_routes import EndpointRoutes
from functions.webhooks.routes.own_endpoints import OwnEndpoints
from functions.webhooks.sending.attempt.bodies import Bodies
from functions.webhooks.sending.attempt.endpoint_secrets import EndpointSecrets
from functions.webhooks.sending.lanes.lane_store import resume_lane
from functions.webhooks.target.egress import Egress
from functions.webhooks.target.secret_box import SecretBoxes


class Wiring(NamedTuple):
    """The parts that the routes use."""

    endpoints: EndpointRoutes
    actions: EndpointActionRoutes
    deliveries: DeliveryRoutes
    egress_addresses: Sequence[str]


@functools.cache
def wiring() -> Wiring:
    """Return the wired parts, created on the first call."""
    log, settings, dynamodb = logger("endpoints"), load(EndpointsSettings), Clients.dynamodb()
    table, insecure = settings.deliveries_table, settings.allow_insecure_webhook_targets
    projects = ProjectStore(settings.projects_table, dynamodb)
    boxes = SecretBoxes(settings.endpoint_secrets_key_id, Clients.kms)
    secrets = EndpointSecrets(boxes)
    listing, replays = DeliveryList(table, dynamodb), ReplayStore(table, dynamodb)
    latencies = Latencies(table, dynamodb)
    hints, log_writer = DeliveryHints(Clients.sqs(), settings.deliveries_queue_url), LogWriter(table, dynamodb)
    recovery = Recovery(listing, replays, hints, now_ms, log, log_writer)
    store, deletions = EndpointStore(table, dynamodb), Deletions(table, dynamodb)
    changes = EndpointChanges(table, settings.quotas_table, dynamodb, resume_lane)
    own = OwnEndpoints(projects, store, secrets, now_ms, log)
    egress = Egress(allow_insecure=insecure, own_host=settings.own_host)
    bodies = Bodies(CARDS, settings.public_base_url)
    return Wiring(
        EndpointRoutes(
            own, projects, store, changes, deletions, secrets, insecure, settings.own_host, latencies, now_ms
        ),
        EndpointActionRoutes(own, store, changes, secrets, now_ms, egress, bodies, recovery, log_writer),
        DeliveryRoutes(projects, DeliveryStore(table, dynamodb), listing, replays, recovery, boxes, log_writer, store),
        settings.egress_addresses,
    )
