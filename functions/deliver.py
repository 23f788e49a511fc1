"""Steps 3 to 6 of the webhook specification: claim, send, record, hint of the next attempt."""

from collections.abc import Callable
from dataclasses import dataclass
from random import SystemRandom

from functions.core.clock import MS_PER_SEC, Clock, now_ms
from functions.core.delivery import (
    BAD_SIGNING_KEY,
    MAX_HINT_DELAY_MS,
    Delivery,
    DeliveryState,
    Event,
    Reply,
    Transition,
    after_reply,
)
from functions.core.failpoint import reach
from functions.core.outgoing import webhook_headers
from functions.core.schedule import Schedule
from functions.core.signature import SecretInvalid, parse_secret, signatures
from functions.core.submission import new_id
from functions.egress import TOTAL_SECS, Egress
from functions.queues import Queues
from functions.store.deliveries import DeliveryStore


@dataclass(frozen=True, slots=True)
class Attempted:
    """One attempt. `recorded` is False when another worker took the lease over, and then its record counts."""

    delivery: Delivery
    reply: Reply
    transition: Transition
    recorded: bool


@dataclass(frozen=True, slots=True)
class Deliverer:
    """Parts that a delivery needs. `random` gives the jitter, in [0, 1)."""

    deliveries: DeliveryStore
    queues: Queues
    egress: Egress
    schedule: Schedule
    deliveries_queue_url: str
    clock: Clock = now_ms
    random: Callable[[], float] = SystemRandom().random

    def deliver(self, event_id: str, endpoint_id: str) -> Attempted | None:
        """Try a delivery once if it is due and free; None when there was nothing to do."""
        delivery = self.deliveries.claim(event_id, endpoint_id, owner=new_id())
        if delivery is None:
            return None
        reach("webhook.after_claim")
        event = self.deliveries.get_event(event_id)
        if event is None:  # the submission was deleted
            self.deliveries.drop(delivery)
            return None
        if self.clock() + TOTAL_SECS * MS_PER_SEC > (delivery.lease_until_ms or 0):
            return None  # stalled since the claim: sending now could overlap with the next owner's
        reply = self._send(delivery, event)
        reach("webhook.after_send")
        transition = after_reply(delivery, reply, self.schedule, self.clock(), self.random())
        recorded = self.deliveries.record_attempt(delivery, reply, transition)
        reach("webhook.after_record")
        if recorded:
            self._hint(delivery, transition)
        return Attempted(delivery, reply, transition, recorded)

    def _send(self, delivery: Delivery, event: Event) -> Reply:
        timestamp_secs = self.clock() // MS_PER_SEC
        try:
            key = parse_secret(delivery.secret)
        except SecretInvalid:  # refused at submit; only older rules could have let it in
            return Reply(0, error_code=BAD_SIGNING_KEY)
        signature = signatures([key], delivery.webhook_id, timestamp_secs, event.body)
        headers = webhook_headers(delivery.webhook_id, timestamp_secs, signature)
        return self.egress.post(delivery.url, headers, event.body)

    def _hint(self, delivery: Delivery, transition: Transition) -> None:
        if transition.state is not DeliveryState.RETRYING or transition.next_at_ms is None:
            return
        delay_ms = max(0, transition.next_at_ms - self.clock())
        if delay_ms <= MAX_HINT_DELAY_MS:
            delay_secs = -(-delay_ms // MS_PER_SEC)  # rounded up: a hint that comes early is in vain
            self.queues.send_delivery_hint(
                self.deliveries_queue_url,
                delivery.event_id,
                delivery.endpoint_id,
                delivery.project_id,
                delay_secs=delay_secs,
            )
