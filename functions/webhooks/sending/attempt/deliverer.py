"""Claim a delivery, send it, record the attempt, and hint the next attempt."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from random import SystemRandom

from functions import durability
from functions.clock import MS_PER_SEC, Clock, now_ms
from functions.failpoint import reach
from functions.ids import new_id
from functions.webhooks.deliveries.hints import DeliveryHints, Hint
from functions.webhooks.deliveries.model import (
    BAD_SIGNING_KEY,
    MAX_HINT_DELAY_MS,
    NOT_SENT,
    Delivery,
    Transition,
    after_reply,
)
from functions.webhooks.deliveries.store import DeliveryStore
from functions.webhooks.endpoints.model import Endpoint
from functions.webhooks.sending.attempt.attempt_store import Attempts
from functions.webhooks.sending.attempt.signed_request import RequestSigner
from functions.webhooks.sending.claim.claimer import Claimer
from functions.webhooks.sending.claim.leases import ClaimedDelivery
from functions.webhooks.sending.lanes.lane import is_unanswered
from functions.webhooks.sending.limits.slots import spacing_ms
from functions.webhooks.target.egress import TOTAL_SECS, Egress
from functions.webhooks.vocabulary.reply import Reply
from functions.webhooks.vocabulary.retry_schedule import Schedule

SESSION_MS = 10_000
"""A sender keeps its slot for this long while deliveries wait, then passes it on."""
SHORT_REST_MS = 20
"""A sender waits for a rest of its slot that is not longer, and then frees the slot."""


@dataclass(frozen=True, slots=True)
class Attempted:
    """One attempt. `recorded` is False if another sender took over the lease; its record counts then."""

    delivery: Delivery
    reply: Reply
    transition: Transition
    recorded: bool


@dataclass(frozen=True, slots=True)
class _AttemptResult:
    """Result for one claimed delivery. The slot may send again at `rest_until_ms`."""

    attempted: Attempted | None = None
    rest_until_ms: int = 0
    is_slot_free: bool = False


@dataclass(frozen=True, slots=True)
class Deliverer:
    """Sends deliveries. `announce_disabled`: of an endpoint that an attempt disabled. `random` in [0, 1): jitter."""

    claimer: Claimer
    deliveries: DeliveryStore
    attempts: Attempts
    hints: DeliveryHints
    signer: RequestSigner
    announce_disabled: Callable[[Endpoint], None]
    egress: Egress
    schedule: Schedule
    clock: Clock = now_ms
    sleep: Callable[[float], None] = time.sleep
    random: Callable[[], float] = SystemRandom().random

    def deliver(self, hint: Hint, until_ms: int | None = None) -> Iterator[Attempted]:
        """Attempt a delivery if it can be claimed, then parked deliveries of its lane, oldest first.

        No send starts after `until_ms`, or later than SESSION_MS from now.
        """
        end_ms = self.clock() + SESSION_MS
        end_ms = end_ms if until_ms is None else min(end_ms, until_ms)
        held = self.claimer.claim(hint, owner=new_id())
        while held is not None:
            reach("webhook.after_claim")
            if (held.delivery.event_id, held.delivery.endpoint_id) != (hint.event_id, hint.endpoint_id):
                durability.wait()  # the table named it, no message
            done = self._attempt(held)
            if done.attempted is not None:
                yield done.attempted
            held = None if done.is_slot_free else self._claim_following(held, done, end_ms)

    def _attempt(self, held: ClaimedDelivery) -> "_AttemptResult":
        delivery = held.delivery
        body = held.body or self._read_body(delivery)
        if not body:  # the submission was deleted
            self.claimer.cancel(held)
            return _AttemptResult()
        rest_until_ms = held.began_ms + spacing_ms(held.endpoint, len(body))
        if held.slot is None:
            reply = Reply(0, error_code=NOT_SENT)
        else:
            request = self.signer.sign(delivery, held.endpoint, body, self.clock())
            if self.clock() + TOTAL_SECS * MS_PER_SEC > (delivery.lease_until_ms or 0):
                # Stalled since the claim: the send could overlap with that of the next lease owner.
                return _AttemptResult()
            if request is None:
                reply = Reply(0, error_code=BAD_SIGNING_KEY)
            else:
                reply = self.egress.post(request.url, request.headers, request.body)
            reach("webhook.after_send")
        short_rest_ms = rest_until_ms - self.clock()
        if 0 < short_rest_ms <= SHORT_REST_MS:
            # A resting slot would count until a sender that finds no free slot removes it.
            self.sleep(short_rest_ms / MS_PER_SEC)
        planned = after_reply(delivery, reply, self.schedule, self.clock(), self.random())
        recorded = self.attempts.record(held, reply, planned, rest_until_ms)
        reach("webhook.after_record")
        if recorded is None:
            return _AttemptResult(Attempted(delivery, reply, planned, recorded=False), rest_until_ms)
        self._hint(delivery, reply, recorded.transition, body)
        if recorded.endpoint is not None:
            self.claimer.keep(recorded.endpoint)
            if recorded.is_newly_disabled:
                self.announce_disabled(recorded.endpoint)
        attempted = Attempted(delivery, reply, recorded.transition, recorded=True)
        return _AttemptResult(attempted, rest_until_ms, recorded.is_slot_free)

    def _claim_following(self, held: ClaimedDelivery, done: "_AttemptResult", end_ms: int) -> ClaimedDelivery | None:
        """Claim the next delivery of the lane for our slot, or free the slot."""
        if held.slot is None:
            return None
        if done.attempted is not None and not done.attempted.recorded:
            # Either the record failed, or its response was lost and the slot is no longer ours.
            self.claimer.release(held.slot)
            return None
        if held.lane.is_open and done.attempted is not None and done.attempted.reply.status_code is not None:
            # The probe got a response, so the lane may use all its slots again.
            self.claimer.wake(replace(held.lane, failures=0))
        rest_ms = done.rest_until_ms - self.clock()
        if rest_ms > 0:
            self.sleep(rest_ms / MS_PER_SEC)
        following = self.claimer.claim_next(held, new_id(), end_ms)
        if following is None:
            self.claimer.release(held.slot)
        return following

    def _read_body(self, delivery: Delivery) -> bytes:
        event = self.deliveries.get_event(delivery.event_id)
        return b"" if event is None else event.body

    def _hint(self, delivery: Delivery, reply: Reply, transition: Transition, body: bytes) -> None:
        if transition.next_at_ms is None:
            return
        delay_ms = max(0, transition.next_at_ms - self.clock())
        if delay_ms <= MAX_HINT_DELAY_MS:
            recorded = delivery.after_attempt(transition)
            # Without a response, the circuit breaker has counted: the next claim must read the lane.
            hint = Hint.without_copy(recorded, body) if is_unanswered(reply) else Hint.with_copy(recorded, body)
            self.hints.send(hint, delay_ms=delay_ms)
