"""Wire the parts that publish events and send webhooks."""

from functions.aws.clients import Clients
from functions.handlers.wiring import event_bus
from functions.settings import SweepSettings, WebhookSettings
from functions.submissions.complete import Completer
from functions.submissions.fan_out import OlderFanOut
from functions.webhooks.deliveries.hints import DeliveryHints
from functions.webhooks.deliveries.store import DeliveryStore
from functions.webhooks.endpoints.disabled_event import DisabledEvents
from functions.webhooks.endpoints.store import EndpointStore
from functions.webhooks.publish import Outbox
from functions.webhooks.sending.attempt import Deliverer
from functions.webhooks.sending.attempt_store import Attempts
from functions.webhooks.sending.claim import Claimer
from functions.webhooks.sending.egress import Egress
from functions.webhooks.sending.lane_store import LaneStore
from functions.webhooks.sending.lane_waker import LaneWaker
from functions.webhooks.sending.leases import Leases
from functions.webhooks.sending.schedule import Schedule
from functions.webhooks.sending.secret_box import SecretBoxes
from functions.webhooks.sending.slots import project_slots
from functions.webhooks.sending.snapshots import Snapshots


def outbox(settings: SweepSettings | WebhookSettings) -> Outbox:
    """Return the outbox, which publishes events without a submission."""
    dynamodb, table = Clients.dynamodb(), settings.deliveries_table
    return Outbox(
        deliveries=DeliveryStore(table, dynamodb),
        endpoints=EndpointStore(table, dynamodb),
        hints=DeliveryHints(Clients.sqs(), settings.deliveries_queue_url),
        bus=event_bus(settings),
    )


def older_fan_out(parts: Completer, box: Outbox) -> OlderFanOut:
    """Return the part that finishes final rows of an older revision."""
    return OlderFanOut(box, parts.submissions, parts.payloads, parts.public_base_url, parts.quotas)


def deliverer(settings: WebhookSettings) -> Deliverer:
    """Return the part that sends webhooks."""
    box = outbox(settings)
    table, dynamodb = settings.deliveries_table, Clients.dynamodb()
    lane_waker = LaneWaker(LaneStore(table, dynamodb), box.hints, project_slots(settings.webhook_senders))
    return Deliverer(
        claimer=Claimer(box.deliveries, Snapshots(table, dynamodb), Leases(table, dynamodb), box.hints, lane_waker),
        attempts=Attempts(table, dynamodb),
        boxes=SecretBoxes(settings.endpoint_secrets_key_id, Clients.kms),
        disabled_events=DisabledEvents(box.endpoints, box),
        egress=Egress(allow_insecure=settings.allow_insecure_webhook_targets, own_host=settings.own_host),
        schedule=Schedule(settings.webhook_retry_secs),
    )
