"""Wire the parts that publish events."""

from functions.aws.clients import Clients
from functions.handlers.wiring import event_bus
from functions.settings import SweepSettings
from functions.webhooks.deliveries.hints import DeliveryHints
from functions.webhooks.deliveries.outbox import Outbox
from functions.webhooks.deliveries.store import DeliveryStore
from functions.webhooks.endpoints.store import EndpointStore


def outbox(settings: SweepSettings) -> Outbox:
    """Return the outbox, which publishes events without a submission."""
    dynamodb, table = Clients.dynamodb(), settings.deliveries_table
    return Outbox(
        deliveries=DeliveryStore(table, dynamodb),
        endpoints=EndpointStore(table, dynamodb),
        hints=DeliveryHints(Clients.sqs(), settings.deliveries_queue_url),
        bus=event_bus(settings),
    )
