"""Wire the parts that publish events and send webhooks."""

from functions.aws.clients import Clients
from functions.handlers.chat_cards import CARDS
from functions.handlers.wiring import event_bus
from functions.settings import ScheduleSettings, SweepSettings, WebhookSettings
from functions.webhooks.alerts.disabled_events import DisabledEvents
from functions.webhooks.deliveries.hints import DeliveryHints
from functions.webhooks.deliveries.outbox import Outbox
from functions.webhooks.deliveries.replay import ReplayStore
from functions.webhooks.deliveries.store import DeliveryStore
from functions.webhooks.endpoints.health_store import HealthStore
from functions.webhooks.endpoints.store import EndpointStore
from functions.webhooks.sending.attempt.attempt_store import Attempts
from functions.webhooks.sending.attempt.bodies import Bodies
from functions.webhooks.sending.attempt.deliverer import Deliverer
from functions.webhooks.sending.attempt.signed_request import RequestSigner
from functions.webhooks.sending.claim.candidates import Candidates
from functions.webhooks.sending.claim.claimer import Claimer
from functions.webhooks.sending.claim.leases import Leases
from functions.webhooks.sending.claim.parking import Parking
from functions.webhooks.sending.claim.snapshots import Snapshots
from functions.webhooks.sending.lanes.lane_store import LaneStore
from functions.webhooks.sending.lanes.ordered_queue import OrderedQueue
from functions.webhooks.sending.limits.lane_waker import LaneWaker
from functions.webhooks.sending.limits.slot_store import SlotStore
from functions.webhooks.sending.limits.slots import project_slots
from functions.webhooks.target.egress import Egress
from functions.webhooks.target.secret_box import SecretBoxes
from functions.webhooks.vocabulary.retry_schedule import Schedule


def outbox(settings: SweepSettings | WebhookSettings | ScheduleSettings) -> Outbox:
    """Return the outbox, which publishes events without a submission."""
    dynamodb, table = Clients.dynamodb(), settings.deliveries_table
    return Outbox(
        deliveries=DeliveryStore(table, dynamodb),
        endpoints=EndpointStore(table, dynamodb),
        hints=DeliveryHints(Clients.sqs(), settings.deliveries_queue_url),
        bus=event_bus(settings),
    )


def deliverer(settings: WebhookSettings) -> Deliverer:
    """Return the part that sends webhooks."""
    box = outbox(settings)
    table, dynamodb = settings.deliveries_table, Clients.dynamodb()
    lanes, slots = LaneStore(table, dynamodb), project_slots(settings.webhook_senders)
    queue, snapshots, parking = OrderedQueue(table, dynamodb), Snapshots(table, dynamodb), Parking(table, dynamodb)
    return Deliverer(
        claimer=Claimer(
            snapshots=snapshots,
            candidates=Candidates(snapshots, parking, lanes, queue, ReplayStore(table, dynamodb)),
            leases=Leases(table, dynamodb),
            parking=parking,
            hints=box.hints,
            lane_waker=LaneWaker(lanes, SlotStore(table, dynamodb), queue, box.hints, slots),
        ),
        deliveries=box.deliveries,
        attempts=Attempts(table, dynamodb),
        hints=box.hints,
        signer=RequestSigner(
            SecretBoxes(settings.endpoint_secrets_key_id, Clients.kms), Bodies(CARDS, settings.public_base_url)
        ),
        announce_disabled=DisabledEvents(HealthStore(table, dynamodb), box).publish,
        egress=Egress(allow_insecure=settings.allow_insecure_webhook_targets, own_host=settings.own_host),
        schedule=Schedule(settings.webhook_retry_secs),
    )
