"""Send a hinted delivery, record the attempt, and hint the next attempt."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from random import SystemRandom

from botocore.exceptions import BotoCoreError, ClientError

from functions import durability
from functions.clock import MS_PER_SEC
from functions.env import Env
from functions.failpoint import reach
from functions.ids import new_id
from functions.ttl_cache import TtlCache
from functions.webhooks.alerts import Alerts
from functions.webhooks.deliveries.model import (
    BAD_SIGNING_KEY,
    MAX_HINT_DELAY_MS,
    NOT_SENT,
    RUN_ENDPOINT_ID,
    Delivery,
    DeliveryState,
    Schedule,
    Transition,
    after_reply,
    first_state,
)
from functions.webhooks.deliveries.publication import DeliveryHints, Hint
from functions.webhooks.deliveries.store import DeliveryStore
from functions.webhooks.deliveries.written_body import BodyStore
from functions.webhooks.egress import TOTAL_SECS, Egress, Wait
from functions.webhooks.endpoints.model import DEFAULT_CONCURRENCY, BodyFormat, Endpoint
from functions.webhooks.sending.attempts import Attempts, ClaimedDelivery, SuccessCounts
from functions.webhooks.sending.claim import Claimer, Leases
from functions.webhooks.sending.lanes import Lane, LaneStore, lane_name
from functions.webhooks.sending.requests import sign
from functions.webhooks.sending.slots import PROJECT_SHARE, LaneWaker, spacing_ms
from functions.webhooks.sending.transforms import Transforms
from functions.webhooks.vocabulary import ALERT_EVENTS, Reply
from functions.webhooks.webhook_url import host_of


@dataclass(frozen=True, slots=True)
class Target:
    """An endpoint with its lane, or the lane of runs that send to one host. `endpoint` is None there, or if deleted."""

    endpoint: Endpoint | None
    lane: Lane

    def is_guarded(self, now_ms: int) -> bool:
        """Whether a send needs a lease and a slot: its target fails, was slow, has limits, or may not be sent to."""
        endpoint, lane = self.endpoint, self.lane
        if lane.failures or now_ms < lane.guarded_until_ms:
            return True
        if endpoint is None:
            return not lane.name.startswith(f"{RUN_ENDPOINT_ID}#")
        if endpoint.format is BodyFormat.EMAIL:  # an answer after more than three seconds would be a second mail
            return True
        has_limit = endpoint.ordered or endpoint.max_per_second or endpoint.max_concurrency != DEFAULT_CONCURRENCY
        return bool(not endpoint.enabled or endpoint.failing is not None or has_limit)


# Send the delivery of a fresh hint to a healthy target: no delivery is read, and nothing is written before the send.
#
# The row stays pending meanwhile. If the sender dies, the hint comes again, or the row becomes due. Such a send waits
# three seconds for its answer, not fifteen, because no slot limits how many senders it takes from other projects.

FRESH_HINT_MS = 2_000
"""The delivery of an older hint is read: its run may be deleted, or another sender may have it."""
FRESH_TARGET_MS = 2_000
"""A change of an endpoint applies to unguarded sends after this time."""
_MOST_TARGETS = 1_000
WAIT_SECS = 3.0
SLOW_SECS = 1.0
"""A send without an answer for this long guards its lane, while it goes on."""
MAX_BODY_BYTES = 8 * 1024
"""A larger body needs a slot, which limits the bytes per second to a host."""
TURN_SECS = 0.1
"""A send waits for this long until another one of its project ends, and then needs a lease and a slot."""


class UnguardedSends:
    """Sends new deliveries without a lease and a slot. `senders`: those of this process; one on Lambda.

    A project makes 1/PROJECT_SHARE of them at once, so that with its slots it takes half of all senders at most.
    """

    def __init__(self, env: Env) -> None:
        self._env, self._leases, self._lanes, self._clock = env, env[Leases], env[LaneStore], env.clock
        self._lane_waker = env[LaneWaker]
        self._most = max(1, env.settings.webhook_senders_of_process // PROJECT_SHARE)
        self._targets = TtlCache[str, Target](FRESH_TARGET_MS, _MOST_TARGETS, env.clock)
        self._sends: Counter[str] = Counter()
        self._changed = threading.Condition()

    def send(self, hint: Hint, egress: Egress) -> tuple[ClaimedDelivery, Reply] | None:
        """Send the new delivery of a hint; None if it needs a lease and a slot. Raises ClientError."""
        delivery, now = hint.new, self._clock()
        if delivery is None or not 0 < len(hint.body) <= MAX_BODY_BYTES:
            return None
        if abs(now - delivery.next_at_ms) > FRESH_HINT_MS or (target := self._target(delivery)).is_guarded(now):
            return None
        if first_state(delivery, target.endpoint) is not DeliveryState.PENDING:
            return None
        with self._turn(delivery.project_id) as may_send:
            request = sign(self._env, delivery, target.endpoint, hint.body, self._clock()) if may_send else None
            if request is None:
                return None
            wait = Wait(WAIT_SECS, SLOW_SECS, lambda: self._guard(target), delivery.project_id)
            reply = request.send(egress, wait)
        return ClaimedDelivery(delivery, target.endpoint, target.lane, now), reply

    def note(self, sent: ClaimedDelivery, reply: Reply, endpoint: Endpoint | None) -> None:
        """Note the health of a target after an attempt."""
        if endpoint is not None and endpoint != sent.endpoint:
            self._targets.keep(sent.lane.ref, Target(endpoint, sent.lane), sent.began_ms)
        elif not reply.is_success:
            self._targets.drop(sent.lane.ref)

    def _target(self, delivery: Delivery) -> Target:
        project_id, host = delivery.project_id, host_of(delivery.url)
        ref = f"{project_id}#{lane_name(delivery, host)}"
        return self._targets.get_or_load(ref, lambda: self._read_target(project_id, delivery.endpoint_id, host))

    def _read_target(self, project_id: str, endpoint_id: str, host: str) -> Target:
        """Read a target. If deliveries wait in its lane, wake them: unguarded sends free no slot and so wake none."""
        target = Target(*self._leases.read_target(project_id, endpoint_id, host))
        if target.lane.waiting_ms is not None and not target.is_guarded(self._clock()):
            with suppress(ClientError, BotoCoreError):  # the next read, or the sweeper, tries again
                self._lane_waker.wake_with_slots(target.lane)
        return target

    def _guard(self, target: Target) -> None:
        with suppress(ClientError, BotoCoreError):  # the next slow send tries again
            self._lanes.guard(target.lane)
        self._targets.drop(target.lane.ref)

    @contextmanager
    def _turn(self, project_id: str) -> Iterator[bool]:
        """Yield whether the project may send now, within its share of this process."""
        with self._changed:
            may_send = self._changed.wait_for(lambda: self._sends[project_id] < self._most, TURN_SECS)
            self._sends[project_id] += may_send
        try:
            yield may_send
        finally:
            with self._changed:
                self._sends[project_id] -= may_send
                self._sends += Counter()  # keeps positive counts only
                self._changed.notify_all()


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
    is_slot_free: bool = False


class Deliverer:
    """Sends deliveries. `unguarded` None: each send needs a lease and a slot. `random` in [0, 1): jitter."""

    def __init__(self, env: Env) -> None:
        self.env, self.clock = env, env.clock
        self.claimer, self.deliveries, self.hints = env[Claimer], env[DeliveryStore], env[DeliveryHints]
        self.unguarded: UnguardedSends | None = env[UnguardedSends]
        self.transforms, self.bodies = env[Transforms], env[BodyStore]
        self.attempts, self.success_counts = env[Attempts], env[SuccessCounts]
        self.egress, self.schedule, self.alerts = env[Egress], Schedule(env.settings.webhook_retry_secs), env[Alerts]
        self.sleep: Callable[[float], None] = time.sleep
        self.random: Callable[[], float] = SystemRandom().random

    def deliver(self, hint: Hint, until_ms: int | None = None) -> Iterator[Attempted]:
        """Attempt a delivery, unguarded or if it can be claimed; then parked deliveries of its lane, oldest first.

        No send of a claimed one starts after `until_ms`, or later than SESSION_MS from now.
        """
        if hint.transforms:
            following = self.transforms.begin(hint)
            if following is None:
                return
            durability.wait()  # its body came with no message
            hint = following
        end_ms = self.clock() + SESSION_MS
        end_ms = end_ms if until_ms is None else min(end_ms, until_ms)
        sent = None if self.unguarded is None else self.unguarded.send(hint, self.egress)
        if sent is not None:
            yield self._record(*sent, hint.body)
            return
        claimed = self.claimer.claim(hint, owner=new_id())
        while claimed is not None:
            reach("webhook.after_claim")
            if (claimed.delivery.event_id, claimed.delivery.endpoint_id) != (hint.event_id, hint.endpoint_id):
                durability.wait()  # the table named it, no message
            body = claimed.body or self._read_body(claimed.delivery)
            rest_until_ms = claimed.began_ms + spacing_ms(claimed.endpoint, len(body))
            attempted = self._attempt(claimed, body, rest_until_ms)
            if attempted is not None:
                yield attempted
            claimed = self._claim_following(claimed, attempted, rest_until_ms, end_ms)

    def _attempt(self, claimed: ClaimedDelivery, body: bytes, rest_until_ms: int) -> Attempted | None:
        if not body:  # the submission was deleted
            self.claimer.leases.cancel_claimed(claimed)
            return None
        if claimed.slot is None:
            return self._record(claimed, Reply(0, error_code=NOT_SENT), body)
        request = sign(self.env, claimed.delivery, claimed.endpoint, body, self.clock())
        if self.clock() + TOTAL_SECS * MS_PER_SEC > (claimed.delivery.lease_until_ms or 0):
            # Stalled since the claim: the send could overlap with that of the next lease owner.
            return None
        reply = Reply(0, error_code=BAD_SIGNING_KEY) if request is None else request.send(self.egress)
        short_rest_ms = rest_until_ms - self.clock()
        if 0 < short_rest_ms <= SHORT_REST_MS:
            # A resting slot would count until a sender that finds no free slot removes it.
            self.sleep(short_rest_ms / MS_PER_SEC)
        return self._record(claimed, reply, body, rest_until_ms)

    def _record(self, sent: ClaimedDelivery, reply: Reply, body: bytes, rest_until_ms: int = 0) -> Attempted:
        """Record a send, hint the next attempt, and announce an endpoint that it disabled."""
        reach("webhook.after_send")
        delivery = sent.delivery
        planned = after_reply(delivery, reply, self.schedule, self.clock(), self.random())
        recorded = self.attempts.record(sent, reply, planned, rest_until_ms)
        reach("webhook.after_record")
        if recorded is None:
            return Attempted(delivery, reply, planned, recorded=False)
        self._hint(delivery, recorded.transition, body)
        if self.unguarded is not None:
            self.unguarded.note(sent, reply, recorded.endpoint)
        before, after = sent.endpoint, recorded.endpoint
        if before is not None and before.enabled and after is not None and not after.enabled:
            self.alerts.publish_disabled(after)
        if before is not None and reply.is_success and delivery.event_type not in ALERT_EVENTS:
            self.success_counts.add(before)
        return Attempted(delivery, reply, recorded.transition, recorded=True, is_slot_free=recorded.is_slot_free)

    def _claim_following(
        self, claimed: ClaimedDelivery, attempted: Attempted | None, rest_until_ms: int, end_ms: int
    ) -> ClaimedDelivery | None:
        """Claim the next delivery of the lane for the slot, or free the slot, if the record has not freed it."""
        if claimed.slot is None or (attempted is not None and attempted.is_slot_free):
            return None
        if attempted is not None and not attempted.recorded:
            # Either the record failed, or its response was lost and another sender may have the slot.
            self.claimer.release(claimed.slot)
            return None
        if claimed.lane.is_open and attempted is not None and attempted.reply.status_code is not None:
            # The probe got a response, so the lane may use all its slots again.
            self.claimer.lane_waker.wake_with_slots(replace(claimed.lane, failures=0))
        rest_ms = 0 if attempted is None else rest_until_ms - self.clock()
        if rest_ms > 0:
            self.sleep(rest_ms / MS_PER_SEC)
        following = self.claimer.claim_next(claimed, new_id(), end_ms)
        if following is None:
            self.claimer.release(claimed.slot)
        return following

    def _read_body(self, delivery: Delivery) -> bytes:
        if delivery.is_transformed:
            return self.bodies.get(delivery)
        event = self.deliveries.get_event(delivery.event_id)
        return b"" if event is None else event.body

    def _hint(self, delivery: Delivery, transition: Transition, body: bytes) -> None:
        if transition.next_at_ms is None:
            return
        delay_ms = max(0, transition.next_at_ms - self.clock())
        if delay_ms <= MAX_HINT_DELAY_MS:
            self.hints.send(Hint.of(delivery, body), delay_ms=delay_ms)
