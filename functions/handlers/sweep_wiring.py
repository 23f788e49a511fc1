"""Wire the parts of one sweep."""

from functions.aws.clients import Clients
from functions.clock import MS_PER_SEC
from functions.handlers.webhook_wiring import outbox
from functions.settings import SweepSettings
from functions.submissions.complete.record import Recorder
from functions.submissions.run.queues import Queues
from functions.submissions.sweep.begun_runs import BegunRuns
from functions.submissions.sweep.sweeper import Sweep
from functions.webhooks.alerts.alerts import Alerts
from functions.webhooks.alerts.disabled_events import DisabledEvents
from functions.webhooks.deliveries.deletions import Deletions
from functions.webhooks.deliveries.exhausted_store import ExhaustedStore
from functions.webhooks.endpoints.health_store import HealthStore
from functions.webhooks.sending.lanes.lane_store import LaneStore
from functions.webhooks.sending.lanes.ordered_queue import OrderedQueue
from functions.webhooks.sending.limits.lane_waker import LaneWaker
from functions.webhooks.sending.limits.slot_store import SlotStore
from functions.webhooks.sending.limits.slots import project_slots
from functions.webhooks.target.secret_box import SecretBoxes


def sweep_over(recorder: Recorder, settings: SweepSettings) -> Sweep:
    """Return a sweep over the parts that outlive it."""
    completer, table = recorder.completer, settings.deliveries_table
    box, clock = outbox(settings), completer.clock
    deletions = Deletions(table, Clients.dynamodb(), clock)
    health = HealthStore(table, Clients.dynamodb(), clock)
    exhausted = ExhaustedStore(table, Clients.dynamodb(), clock)
    lanes = LaneStore(table, Clients.dynamodb(), clock)
    queue = OrderedQueue(table, Clients.dynamodb(), clock)
    lane_waker = LaneWaker(
        lanes,
        SlotStore(table, Clients.dynamodb(), clock),
        queue,
        box.hints,
        project_slots(settings.webhook_senders),
        clock,
    )
    return Sweep(
        completer=completer,
        judge_runs=completer.judge_runs,
        submissions=completer.submissions,
        payloads=completer.payloads,
        deliveries=box.deliveries,
        hints=box.hints,
        alerts=Alerts(health, exhausted, DisabledEvents(health, box), box, clock),
        deletions=deletions,
        lane_waker=lane_waker,
        boxes=SecretBoxes(settings.endpoint_secrets_key_id, Clients.kms),
        queues=Queues(Clients.sqs(), settings.interactive_queue_url, settings.batch_queue_url),
        begun=BegunRuns(settings.submissions_table, Clients.dynamodb()),
        pending_redrive_ms=settings.pending_redrive_secs * MS_PER_SEC,
        clock=clock,
    )
