"""Wire the parts that several entry points share from their settings."""

from functions.aws.clients import Clients
from functions.aws.payloads import Payloads
from functions.projects.quota_store import QuotaStore
from functions.settings import RecordSettings, SweepSettings, WebhookSettings
from functions.submissions.batch_lease import BatchLease
from functions.submissions.batch_store import BatchStore
from functions.submissions.batched_fan_out import BatchedFanOut
from functions.submissions.complete import Completions
from functions.submissions.fan_out import FanOut
from functions.submissions.runner_store import RunnerStore
from functions.submissions.store import SubmissionStore
from functions.telemetry import metrics
from functions.webhooks.deliveries.hints import DeliveryHints
from functions.webhooks.deliveries.store import DeliveryStore
from functions.webhooks.endpoints.disabled_event import DisabledEvents
from functions.webhooks.endpoints.store import EndpointStore
from functions.webhooks.event_bus import Bus
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


def outbox(settings: RecordSettings | SweepSettings | WebhookSettings) -> Outbox:
    """Return the outbox, which publishes every event."""
    dynamodb = Clients.dynamodb()
    return Outbox(
        deliveries=DeliveryStore(settings.deliveries_table, dynamodb),
        endpoints=EndpointStore(settings.deliveries_table, dynamodb),
        hints=DeliveryHints(Clients.sqs(), settings.deliveries_queue_url),
        bus=Bus(settings.event_bus_name, Clients.events(), settings.public_base_url),
    )


def completions(settings: RecordSettings | SweepSettings, service: str) -> Completions:
    """Return the part that records starts and results."""
    dynamodb = Clients.dynamodb()
    submissions = SubmissionStore(settings.submissions_table, dynamodb)
    payloads = Payloads(settings.payloads_bucket, Clients.s3)
    quotas = QuotaStore(settings.quotas_table, dynamodb)
    fanout = FanOut(outbox(settings), submissions, payloads, settings.public_base_url, quotas)
    table = settings.submissions_table
    batched = BatchedFanOut(BatchLease(table, dynamodb), BatchStore(table, dynamodb), fanout)
    runners = RunnerStore(settings.runners_table, dynamodb)
    return Completions(submissions, runners, payloads, fanout, batched, metrics(service))


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
