"""Claim a delivery, send it, record the attempt, and hint the next attempt."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from random import SystemRandom

from functions.claiming import Claiming, Hint
from functions.core.clock import MS_PER_SEC, Clock, now_ms
from functions.core.delivery import (
    BAD_SIGNING_KEY,
    MAX_HINT_DELAY_MS,
    RUN_ENDPOINT_ID,
    Delivery,
    Transition,
    after_reply,
)
from functions.core.failpoint import reach
from functions.core.outgoing import webhook_headers
from functions.core.reply import Reply
from functions.core.schedule import Schedule
from functions.core.signature import SecretInvalid, SigningKey, parse_secret, signatures
from functions.egress import TOTAL_SECS, Egress
from functions.endpoint_secrets import EndpointSecrets
from functions.ids import new_id
from functions.notices import Notices
from functions.secret_box import BoxInvalid, SecretBoxes
from functions.store.attempts import Attempts
from functions.store.leases import Held


@dataclass(frozen=True, slots=True)
class Attempted:
    """One attempt. `recorded` is False when another worker took the lease over, and then its record counts."""

    delivery: Delivery
    reply: Reply
    transition: Transition
    recorded: bool


@dataclass(frozen=True, slots=True)
class _Target:
    """Where an attempt goes, and how it is signed: one key, two while a rotation overlap lasts."""

    url: str = field(repr=False)
    keys: tuple[SigningKey, ...]
    headers: Mapping[str, str] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Deliverer:
    """Parts that a delivery needs. `random` gives the jitter, in [0, 1)."""

    claiming: Claiming
    attempts: Attempts
    boxes: SecretBoxes
    notices: Notices
    egress: Egress
    schedule: Schedule
    clock: Clock = now_ms
    random: Callable[[], float] = SystemRandom().random

    def deliver(self, hint: Hint) -> Attempted | None:
        """Try a delivery once if it is due and free; None when there was nothing to do."""
        held = self.claiming.claim(hint, owner=new_id())
        if held is None:
            return None
        reach("webhook.after_claim")
        delivery = held.delivery
        event = self.claiming.deliveries.get_event(delivery.event_id)
        if event is None:  # the submission was deleted
            self.claiming.leases.drop(held)
            return None
        target = self._target(held)
        if self.clock() + TOTAL_SECS * MS_PER_SEC > (delivery.lease_until_ms or 0):
            return None  # stalled since the claim: sending now could overlap with the next owner's
        reply = Reply(0, error_code=BAD_SIGNING_KEY) if target is None else self._send(delivery, target, event.body)
        reach("webhook.after_send")
        planned = after_reply(delivery, reply, self.schedule, self.clock(), self.random())
        recorded = self.attempts.record(held, reply, planned)
        reach("webhook.after_record")
        if recorded is None:
            return Attempted(delivery, reply, planned, recorded=False)
        self._hint(delivery, recorded.transition)
        if recorded.disabled is not None:
            self.notices.tell(recorded.disabled)
        return Attempted(delivery, reply, recorded.transition, recorded=True)

    def _target(self, held: Held) -> _Target | None:
        """None if there is no key to sign with: refused when it was set, so only older rules could have let it in."""
        delivery, endpoint = held.delivery, held.endpoint
        try:
            if endpoint is None:
                secret = delivery.secret
                if delivery.secret_box:
                    secret = self.boxes.open(delivery.secret_box, delivery.project_id, RUN_ENDPOINT_ID)
                return _Target(delivery.url, (parse_secret(secret),), {})
            secrets = EndpointSecrets(self.boxes)
            return _Target(endpoint.url, secrets.keys(endpoint, self.clock()), secrets.headers(endpoint))
        except (SecretInvalid, BoxInvalid):
            return None

    def _send(self, delivery: Delivery, target: _Target, body: bytes) -> Reply:
        timestamp_secs = self.clock() // MS_PER_SEC
        signature = signatures(target.keys, delivery.webhook_id, timestamp_secs, body)
        headers = webhook_headers(delivery.webhook_id, timestamp_secs, signature, target.headers)
        return self.egress.post(target.url, headers, body)

    def _hint(self, delivery: Delivery, transition: Transition) -> None:
        if transition.next_at_ms is None:
            return
        delay_ms = max(0, transition.next_at_ms - self.clock())
        if delay_ms <= MAX_HINT_DELAY_MS:
            claiming = self.claiming
            claiming.queues.send_delivery_hint(claiming.deliveries_queue_url, delivery, delay_ms=delay_ms)
