"""Deliveries: one event for one endpoint, their states, and the state after each response.

    transforming ──▶ pending ──claim──▶ sending ──▶ delivered | blocked | exhausted
         └──▶ skipped | blocked          ▲   └────▶ retrying ──claim (when due)──┐
                                         └────────────────────────────────────────┘
A delivery is transforming until the program of its endpoint has written its body (sending/transforms).
A delivery is paused while its endpoint is disabled. It is cancelled when its submission or endpoint is deleted. If a
lease expires without a recorded attempt, another sender may claim the delivery; the schedule does not count that send.
A delivery without a free send slot is parked: it keeps its state, has no hint, and waits in its lane (sending/lanes).
"""

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import StrEnum
from http import HTTPStatus
from typing import Annotated, Any, Self

from functions.aws.dynamodb.row_codec import IN_KEY, OMIT_DEFAULT
from functions.event_log.model import event_bytes
from functions.webhooks.endpoints.model import Endpoint
from functions.webhooks.vocabulary import EVENT_COMPLETED, Reply

LEASE_MS = 60_000
MAX_HINT_DELAY_MS = 900_000  # the maximum of SQS DelaySeconds; the sweeper handles later due times
HINTED_MS = 180_000
"""The sweeper sends a new hint when a hint has not been received for this long. A delivery has one live hint."""
FIRST_HINTED_MS = LEASE_MS
"""The same for the first hint of a new delivery."""
PARKED_MS = 3_600_000
"""The sweeper checks a delivery parked for this long. If the circuit breaker is open, that counts as an attempt."""
SKEW_MS = 1_000
"""Clocks of two processes differ by less. The first attempt may start this much too early."""
RUN_ENDPOINT_ID = "run"  # the endpoint of a run's own webhook_url

BAD_SIGNING_KEY = "bad_signing_key"
EMAIL_REFUSED = "email_refused"
"""The mail server refused sender, recipient or mail for good (5xx)."""
EMAIL_UNCONFIRMED = "email_unconfirmed"
"""The recipient has not agreed to mails, or does not want them any more."""
NOT_SENT = "circuit_open"
"""A failed attempt without a send: the circuit breaker was open for PARKED_MS."""

# Nothing was sent, and a retry would fail in the same way. Most of these codes refuse the address.
UNSENDABLE_CODES = frozenset(
    {
        BAD_SIGNING_KEY,
        EMAIL_REFUSED,
        EMAIL_UNCONFIRMED,
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

    TRANSFORMING = "transforming"
    PENDING = "pending"
    SENDING = "sending"
    RETRYING = "retrying"
    DELIVERED = "delivered"
    EXHAUSTED = "exhausted"
    PAUSED = "paused"
    BLOCKED = "blocked"
    SKIPPED = "skipped"
    CANCELLED = "cancelled"


OPEN_STATES = (DeliveryState.TRANSFORMING, DeliveryState.PENDING, DeliveryState.RETRYING, DeliveryState.PAUSED)
"""Not final, and not being sent now."""


@dataclass(frozen=True, slots=True)
class RecordedAttempt:
    """One recorded attempt. `head`: the first bytes of the response body."""

    n: int
    at: str
    latency_ms: int
    status_code: int | None = None
    error_code: str | None = None
    head: bytes = field(default=b"", repr=False)
    address: str | None = None


@dataclass(frozen=True, slots=True)
class TransformFailure:
    """Why a transform wrote no body: its verdict, and what went wrong."""

    verdict: str
    error: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class TransformWait:
    """Since when a transform cannot begin: the project has no quota for it, or the program failed and rests."""

    since_ms: int
    for_quota: bool


@dataclass(frozen=True, slots=True)
class Latency:
    """The first attempt of a delivery, which succeeded."""

    at_ms: int
    latency_ms: int


@dataclass(frozen=True, slots=True)
class Delivery:
    """One delivery row.

    An endpoint's URL and secret stay in its row, so that changes apply to the next attempt. A replay or a recovery
    restarts the schedule and keeps counting attempts.
    """

    event_id: Annotated[str, IN_KEY]
    endpoint_id: Annotated[str, IN_KEY]
    project_id: Annotated[str, IN_KEY]  # see `store.to_delivery`
    submission_id: str
    state: DeliveryState
    attempt: int  # recorded attempts
    next_at_ms: int
    created_at: str
    # Of a run's own `webhook_url` only. The query of a URL may hold a credential. A final state removes the secret:
    url: Annotated[str, OMIT_DEFAULT] = field(default="", repr=False)
    secret_box: Annotated[bytes, OMIT_DEFAULT] = field(default=b"", repr=False)
    lease_until_ms: int | None = None
    lease_owner: str | None = None  # while sending
    attempts_before: Annotated[int, OMIT_DEFAULT] = 0  # before the last replay or recovery
    event_type: str = EVENT_COMPLETED
    lane_at_ms: int | None = None  # orders parked deliveries within their lane
    due_at_ms: int | None = None  # the due key; None if unknown
    body_digest: Annotated[bytes, OMIT_DEFAULT] = field(default=b"", repr=False)  # see `Event.digest`, `WrittenBody`
    is_transformed: Annotated[bool, OMIT_DEFAULT] = False  # a row has the body that it sends
    transforms: Annotated[int, OMIT_DEFAULT] = 0  # how often the transform was begun again
    transform_failure: TransformFailure | None = None
    transform_wait: TransformWait | None = None
    only_attempt: RecordedAttempt | None = field(default=None, repr=False)  # the first one, if it ended the delivery
    correlation_id: Annotated[str, OMIT_DEFAULT] = ""
    traceparent: Annotated[str, OMIT_DEFAULT] = ""

    @property
    def log_ids(self) -> dict[str, Any]:
        """The ids of every log line about this delivery. Without a run, the event's id stands for the request's."""
        run = {"submission_id": self.submission_id} if self.submission_id else {}
        return {"correlation_id": self.correlation_id or self.submission_id or self.event_id, **run}

    @property
    def without_body(self) -> Self:
        """It, for a replay that makes another body. Without its digest, the event is read."""
        return replace(self, is_transformed=False, body_digest=b"")

    @property
    def scheduled_attempts(self) -> int:
        """Attempts since the schedule last started."""
        return self.attempt - self.attempts_before

    @property
    def due_since_ms(self) -> int:
        """Time since which the next step is late. Unlike the due key, a sweep does not move it."""
        if self.state is DeliveryState.SENDING and self.lease_until_ms is not None:
            return self.lease_until_ms
        return self.next_at_ms

    def is_claimable(self, now_ms: int) -> bool:
        """Whether a claim could succeed now. Must match the condition of the claim itself (`sending.claim`)."""
        if self.state is DeliveryState.SENDING:
            return (self.lease_until_ms or 0) <= now_ms
        if self.state is DeliveryState.PENDING:
            return self.next_at_ms <= now_ms + SKEW_MS
        return self.state is DeliveryState.RETRYING and self.next_at_ms <= now_ms


_TRANSFORMS = uuid.UUID("9b0a4c55-6c1f-4a7e-8a51-2d2c77f0b6de")


@dataclass(frozen=True, slots=True)
class TransformedDelivery:
    """The delivery that a run is for, as the row of the run names it. `transforms`: as in the delivery then.

    `program`: its digest. `has_turn`: the run has the turn of its endpoint (`transform_turns`).
    `is_ordered`: others may wait for this delivery.
    """

    event_id: str
    endpoint_id: str
    transforms: int = 0
    program: Annotated[bytes, OMIT_DEFAULT] = b""
    has_turn: Annotated[bool, OMIT_DEFAULT] = False
    is_ordered: Annotated[bool, OMIT_DEFAULT] = False

    @classmethod
    def of(cls, delivery: Delivery) -> "TransformedDelivery":
        return cls(delivery.event_id, delivery.endpoint_id, delivery.transforms)

    @property
    def run_id(self) -> str:
        """The id of the run: the same, however often it is begun."""
        return str(uuid.uuid5(_TRANSFORMS, f"{self.event_id}.{self.endpoint_id}.{self.transforms}"))


@dataclass(frozen=True, slots=True)
class Transition:
    """State after an attempt. `next_at_ms` is set only if a retry follows."""

    state: DeliveryState
    next_at_ms: int | None = None


# When an attempt is repeated.

JITTER = 0.2
MAX_DELAY_SECS = 86_400


@dataclass(frozen=True, slots=True)
class Schedule:
    """Delays in seconds, one entry per attempt. Raises ValueError unless the first entry is 0.

    The first must be 0 because a new delivery is due at once: its writer does not know the schedule.
    """

    delays_secs: tuple[int, ...]

    def __post_init__(self) -> None:
        if self.delays_secs[:1] != (0,) or min(self.delays_secs) < 0:
            raise ValueError("the retry schedule must begin with 0 and hold no negative delay")

    @property
    def max_attempts(self) -> int:
        """Attempts before a delivery is exhausted."""
        return len(self.delays_secs)

    def delay_ms(self, attempts_made: int, retry_after_secs: int | None, random: float) -> int | None:
        """Return the milliseconds until the next attempt; None at the end of the schedule.

        `random` in [0, 1) spreads the delay by ±20 %. Retry-After can only lengthen it, up to 24 h.
        """
        if attempts_made >= self.max_attempts:
            return None
        scheduled_secs = self.delays_secs[attempts_made] * (1 - JITTER + 2 * JITTER * random)
        asked_secs = min(retry_after_secs or 0, MAX_DELAY_SECS)
        return int(max(scheduled_secs, asked_secs) * 1000)


def parse_retry_after(header: str | None, now_ms: int) -> int | None:
    """Parse Retry-After, a number or an HTTP date, into seconds; None if absent, invalid or past."""
    if header is None:
        return None
    text = header.strip()
    if text.isascii() and text.isdecimal():
        return min(int(text[:10]), MAX_DELAY_SECS)
    try:
        at = parsedate_to_datetime(text)
    except (ValueError, TypeError, OverflowError):
        return None
    at = at if at.tzinfo is not None else at.replace(tzinfo=UTC)
    secs = int((at - datetime.fromtimestamp(now_ms / 1000, UTC)).total_seconds())
    return min(secs, MAX_DELAY_SECS) if secs > 0 else None


def after_reply(delivery: Delivery, reply: Reply, schedule: Schedule, now_ms: int, random: float) -> Transition:
    """Return the next state, see docs/webhooks.md (Retries). `random` in [0, 1) is the jitter.

    For a project's endpoint, pass the result to `adjust_for_endpoint`: a disabled endpoint stops the retries.
    """
    if reply.error_code in UNSENDABLE_CODES:
        return Transition(DeliveryState.BLOCKED)
    if reply.is_success:
        return Transition(DeliveryState.DELIVERED)
    # An endpoint is disabled instead, and may be enabled again.
    if reply.is_gone and delivery.endpoint_id == RUN_ENDPOINT_ID:
        return Transition(DeliveryState.EXHAUSTED)
    status = reply.status_code
    asked_secs = parse_retry_after(reply.retry_after, now_ms) if _honours_retry_after(status) else None
    delay_ms = schedule.delay_ms(delivery.scheduled_attempts + 1, asked_secs, random)
    if delay_ms is None:
        return Transition(DeliveryState.EXHAUSTED)
    return Transition(DeliveryState.RETRYING, now_ms + delay_ms)


def adjust_for_endpoint(planned: Transition, endpoint: Endpoint | None) -> Transition:
    """Pause or cancel a planned retry if the endpoint was disabled or deleted (None) by the time of the record."""
    if planned.state is not DeliveryState.RETRYING or (endpoint is not None and endpoint.enabled):
        return planned
    return Transition(DeliveryState.CANCELLED if endpoint is None else DeliveryState.PAUSED)


def first_state(delivery: Delivery, endpoint: Endpoint | None) -> DeliveryState:
    """Return the state of a delivery that is to be sent now. An endpoint with a transform never gets the event itself.

    `endpoint`: its own, enabled; None for a run's own URL.
    """
    has_body = endpoint is None or endpoint.transform is None or delivery.is_transformed
    return DeliveryState.PENDING if has_body else DeliveryState.TRANSFORMING


def due_at(next_at_ms: int, now_ms: int) -> int:
    """Return the due key of a delivery to be sent at `next_at_ms`: later if a hint can do it first."""
    return next_at_ms + HINTED_MS if next_at_ms - now_ms <= MAX_HINT_DELAY_MS else next_at_ms


def _honours_retry_after(status: int | None) -> bool:
    return status is not None and (status in _RETRY_AFTER_STATUSES or status >= HTTPStatus.INTERNAL_SERVER_ERROR)


# Reports: requests that tell another service about a run, with a token in place of a signature. Each is an event.
#
# Only the one delivery of a report has it: neither endpoints, nor the bus, nor the log of events. Lists leave it out;
# its row in them lets a purge find it.

TOKEN = r"^[!-~]{1,255}$"  # noqa: S105 - the form of one
_HEADERS = {"accept": "application/vnd.github+json", "x-github-api-version": "2022-11-28"}


@dataclass(frozen=True, slots=True)
class Report:
    """A request that reports a run. Times are RFC 3339 texts."""

    check_id: str
    run_id: str
    timestamp: str
    request: Mapping[str, Any] = field(repr=False)

    @classmethod
    def of(cls, event: bytes) -> "Report":
        values = json.loads(event)
        return cls(values["check_id"], values["run_id"], values["timestamp"], values["request"])

    def event(self, event_type: str) -> bytes:
        values = {"check_id": self.check_id, "run_id": self.run_id, "request": self.request}
        return event_bytes({"type": event_type, "timestamp": self.timestamp, **values})

    @property
    def owner(self) -> str:
        """The owner of its sealed token in the encryption context."""
        return owner_of(self.check_id)

    @property
    def content(self) -> bytes:
        return event_bytes(self.request)


def owner_of(check_id: str) -> str:
    """Return the owner of the sealed token of a check in the encryption context."""
    return f"check:{check_id}"


def report_headers(token: str, user_agent: str) -> dict[str, str]:
    """Return all headers of a report except those of the connection."""
    return {
        **_HEADERS,
        "authorization": f"Bearer {token}",
        "content-type": "application/json",
        "user-agent": user_agent,
    }
