"""A delivery (one webhook owed to one endpoint), its states, and what an answer does to it.

    pending ──claim──▶ sending ──▶ delivered | blocked | exhausted
                        ▲   └────▶ retrying ──claim (when due)──┐
                        └────────────────────────────────────────┘
Also paused (endpoint disabled) and cancelled (submission or endpoint deleted, paused ones included). A lease that
expires without a recorded attempt lets the next claim in and does not count against the schedule. A delivery that finds
no free slot is parked: it keeps its state, has no hint, and waits in its lane (`lane`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from http import HTTPStatus
from typing import TYPE_CHECKING

from functions.webhooks.event_types import EVENT_COMPLETED
from functions.webhooks.sending.schedule import Schedule, parse_retry_after

if TYPE_CHECKING:
    from functions.webhooks.endpoints.model import Endpoint
    from functions.webhooks.sending.reply import Reply

LEASE_MS = 60_000
MAX_HINT_DELAY_MS = 900_000  # SQS DelaySeconds ends here; what is due later is the sweeper's
HINTED_MS = 180_000
"""A hint that was not taken for so long is lost: the sweeper sends another. A delivery has one live hint."""
PARKED_MS = 3_600_000
"""After so long the sweeper looks at a parked delivery. Behind an open circuit breaker that counts as an attempt."""
SKEW_MS = 1_000
"""Clocks of two processes differ by less: the first attempt may be that much too early."""
RUN_ENDPOINT_ID = "run"  # the endpoint of a run's own webhook_url

BAD_SIGNING_KEY = "bad_signing_key"
NOT_SENT = "circuit_open"
"""The circuit breaker was open for PARKED_MS: a failed attempt, without a send."""

# Codes that mean nothing was sent, and nothing would be the next time: mostly where it would have gone.
UNSENDABLE_CODES = frozenset(
    {
        BAD_SIGNING_KEY,
        "bad_syntax",
        "bad_scheme",
        "bad_port",
        "userinfo",
        "fragment",
        "ip_literal",
        "reserved_name",
        "blocked_address",
    }
)
_RETRY_AFTER_STATUSES = frozenset(
    {HTTPStatus.REQUEST_TIMEOUT.value, HTTPStatus.TOO_EARLY.value, HTTPStatus.TOO_MANY_REQUESTS.value}
)


class DeliveryState(StrEnum):
    """Every state of a delivery row."""

    PENDING = "pending"
    SENDING = "sending"
    RETRYING = "retrying"
    DELIVERED = "delivered"
    EXHAUSTED = "exhausted"
    PAUSED = "paused"
    BLOCKED = "blocked"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class Event:
    """What happened, as the immutable bytes that every attempt signs and sends. `submission_id` "": no run's event."""

    event_id: str
    type: str
    schema: str
    project_id: str
    submission_id: str
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Delivery:
    """One delivery row. `attempt` counts recorded attempts; `lease_owner` is set while sending.

    `url` and `secret_box` are those of a run's own target; a project's endpoint keeps its own, so that a change counts
    at the next attempt. A final state drops the secret. A replay or a recovery begins the schedule anew and leaves the
    numbers of attempts as they are: `attempts_before` of them were made before it. `lane_at_ms`: its time in the order
    of its lane if it was parked.
    """

    event_id: str
    endpoint_id: str
    webhook_id: str
    project_id: str
    submission_id: str
    state: DeliveryState
    attempt: int
    next_at_ms: int
    created_at: str
    url: str = field(default="", repr=False)  # its query may hold a credential
    secret_box: bytes = field(default=b"", repr=False)
    secret: str = field(default="", repr=False)  # of a row of an older revision, which did not seal it
    lease_until_ms: int | None = None
    lease_owner: str | None = None
    attempts_before: int = 0
    event_type: str = EVENT_COMPLETED
    lane_at_ms: int | None = None

    @property
    def scheduled_attempts(self) -> int:
        """Attempts that the present run of the schedule has used."""
        return self.attempt - self.attempts_before

    @property
    def due_since_ms(self) -> int:
        """When somebody should have acted on this row, before any sweep pushed its due key back."""
        if self.state is DeliveryState.SENDING and self.lease_until_ms is not None:
            return self.lease_until_ms
        return self.next_at_ms

    def is_claimable(self, now_ms: int) -> bool:
        """Whether a claim could succeed now; the condition of the claim itself says the same."""
        if self.state is DeliveryState.SENDING:
            return (self.lease_until_ms or 0) <= now_ms
        if self.state is DeliveryState.PENDING:
            return self.next_at_ms <= now_ms + SKEW_MS
        return self.state is DeliveryState.RETRYING and self.next_at_ms <= now_ms


@dataclass(frozen=True, slots=True)
class Transition:
    """State after an attempt; `next_at_ms` is set exactly when it will be tried again."""

    state: DeliveryState
    next_at_ms: int | None = None


def after_reply(delivery: Delivery, reply: Reply, schedule: Schedule, now_ms: int, random: float) -> Transition:
    """Decide by the answer, see docs/webhooks.md (Retries); `random` in [0, 1) is the jitter.

    Of a project's endpoint this is half of it: what becomes of the endpoint may stop the retries.
    """
    if reply.error_code in UNSENDABLE_CODES:
        return Transition(DeliveryState.BLOCKED)
    if reply.is_success:
        return Transition(DeliveryState.DELIVERED)
    if reply.is_gone and delivery.endpoint_id == RUN_ENDPOINT_ID:  # an endpoint is disabled, and may be enabled again
        return Transition(DeliveryState.EXHAUSTED)
    status = reply.status_code
    asked_secs = parse_retry_after(reply.retry_after, now_ms) if _honours_retry_after(status) else None
    delay_ms = schedule.delay_ms(delivery.scheduled_attempts + 1, asked_secs, random)
    if delay_ms is None:
        return Transition(DeliveryState.EXHAUSTED)
    return Transition(DeliveryState.RETRYING, now_ms + delay_ms)


def adjust_for_endpoint(planned: Transition, endpoint: Endpoint | None) -> Transition:
    """What becomes of it at a project's endpoint as that is after the attempt; None: it is gone."""
    if planned.state is not DeliveryState.RETRYING or (endpoint is not None and endpoint.enabled):
        return planned
    return Transition(DeliveryState.CANCELLED if endpoint is None else DeliveryState.PAUSED)


def due_at(next_at_ms: int, now_ms: int) -> int:
    """When the sweeper should look at a delivery that is to be sent at `next_at_ms`, after its hint if it gets one."""
    return next_at_ms + HINTED_MS if next_at_ms - now_ms <= MAX_HINT_DELAY_MS else next_at_ms


def _honours_retry_after(status: int | None) -> bool:
    return status is not None and (status in _RETRY_AFTER_STATUSES or status >= HTTPStatus.INTERNAL_SERVER_ERROR)
