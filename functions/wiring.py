"""Wires the parts behind the queues, which several entry points share, from their settings."""

from functions.bus import Bus
from functions.claiming import Claiming
from functions.clients import Clients
from functions.completions import Completions
from functions.core.schedule import Schedule
from functions.core.slots import project_slots
from functions.deliver import Deliverer
from functions.egress import Egress
from functions.fanout import FanOut
from functions.gathering import Gathering
from functions.hints import DeliveryHints
from functions.notices import Notices
from functions.outbox import Outbox
from functions.payloads import Payloads
from functions.secret_box import SecretBoxes
from functions.settings import RecordSettings, SweepSettings, WebhookSettings
from functions.store.attempts import Attempts
from functions.store.deliveries import DeliveryStore
from functions.store.endpoints import EndpointStore
from functions.store.gathered import GatheredStore
from functions.store.gathering_lease import GatheringLease
from functions.store.lanes import LaneStore
from functions.store.leases import Leases
from functions.store.quotas import QuotaStore
from functions.store.runners import RunnerStore
from functions.store.submissions import SubmissionStore
from functions.telemetry import metrics
from functions.waking import Waking


def outbox(settings: RecordSettings | SweepSettings | WebhookSettings) -> Outbox:
    """What every event goes through."""
    dynamodb = Clients.dynamodb()
    return Outbox(
        deliveries=DeliveryStore(settings.deliveries_table, dynamodb),
        endpoints=EndpointStore(settings.deliveries_table, dynamodb),
        hints=DeliveryHints(Clients.sqs(), settings.deliveries_queue_url),
        bus=Bus(settings.event_bus_name, Clients.events(), settings.public_base_url),
    )


def completions(settings: RecordSettings | SweepSettings, service: str) -> Completions:
    """What ends submissions."""
    dynamodb = Clients.dynamodb()
    submissions = SubmissionStore(settings.submissions_table, dynamodb)
    payloads = Payloads(settings.payloads_bucket, Clients.s3)
    quotas = QuotaStore(settings.quotas_table, dynamodb)
    fanout = FanOut(outbox(settings), submissions, payloads, settings.public_base_url, quotas)
    table = settings.submissions_table
    gathering = Gathering(GatheringLease(table, dynamodb), GatheredStore(table, dynamodb), fanout)
    runners = RunnerStore(settings.runners_table, dynamodb)
    return Completions(submissions, runners, payloads, fanout, gathering, metrics(service))


def deliverer(settings: WebhookSettings) -> Deliverer:
    """What sends webhooks."""
    box = outbox(settings)
    table, dynamodb = settings.deliveries_table, Clients.dynamodb()
    waking = Waking(LaneStore(table, dynamodb), box.hints, project_slots(settings.webhook_senders))
    return Deliverer(
        claiming=Claiming(box.deliveries, Leases(table, dynamodb), box.hints, waking),
        attempts=Attempts(table, dynamodb),
        boxes=SecretBoxes(settings.endpoint_secrets_key_id, Clients.kms),
        notices=Notices(box.endpoints, box),
        egress=Egress(allow_insecure=settings.allow_insecure_webhook_targets, own_host=settings.own_host),
        schedule=Schedule(settings.webhook_retry_secs),
    )
