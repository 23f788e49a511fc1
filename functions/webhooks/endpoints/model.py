"""Webhook endpoints of a project: settings, event filter and health.

    active ──too many failures──▶ degraded ──only failures for 5 days, or an answer 410──▶ disabled
      ▲◀──────── few failures ───────┘                                                        │
      └─────────────────────────── the project enables it again ──────────────────────────────┘

`is_degraded` says how many failures these are. The sweeper applies it to endpoints with failures.

A disabled endpoint still gets delivery rows, in state `paused`. `deliveries.replay.recover` sends them later.
"""

import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from enum import StrEnum
from typing import Annotated, Any, Literal

from functions.aws.dynamodb.row_codec import IN_KEY, OMIT_DEFAULT, As, Flat
from functions.clock import from_rfc3339, to_rfc3339
from functions.webhooks.vocabulary import (
    API_VERSIONS,
    CURRENT_VERSION,
    FILTERABLE_EVENTS,
    INCIDENT_EVENTS,
    NAMED_ONLY_EVENTS,
    Rate,
    Reply,
    Traffic,
)


class SubmissionKind(StrEnum):
    """What a submission is: a run or a judge run of a client, or a run of a check."""

    RUN = "run"
    JUDGE = "judge"
    CHECK = "check"


ALL_KINDS = tuple(SubmissionKind)
CLIENT_KINDS = (SubmissionKind.RUN, SubmissionKind.JUDGE)
"""Those of a new endpoint: a check that runs each minute would send 1,440 events a day."""


@dataclass(frozen=True, slots=True)
class RunFacts:
    """The values of a run that filters compare. `verdict` None: a judge run, whose cases have verdicts."""

    kind: SubmissionKind
    verdict: str | None
    language: str
    metadata: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class RunFilters:
    """Filters of an endpoint by verdict, language and metadata. Events without a run pass.

    Empty: every run. All filters must accept a run, with one of their values.

    `metadata`: each of these keys must have this value.
    """

    verdicts: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()
    metadata: Mapping[str, str] = field(default_factory=dict, hash=False)

    def accept(self, run: RunFacts) -> bool:
        """Whether the endpoint wants the event of this run. Filters by verdict do not apply to judge runs."""
        if self.verdicts and run.verdict is not None and run.verdict not in self.verdicts:
            return False
        if self.languages and run.language not in self.languages:
            return False
        return all(run.metadata.get(name) == value for name, value in self.metadata.items())


ALL_RUNS = RunFilters()


MAX_TRANSFORM_BYTES = 16_384
"""Of a program. Each change of an endpoint's row writes it, and each guarded send reads it."""


def _compress(code: str) -> bytes:
    return zlib.compress(code.encode())


def _decompress(code_zlib: bytes) -> str:
    return zlib.decompress(code_zlib).decode()


@dataclass(frozen=True, slots=True)
class Transform:
    """The program that writes the bodies of an endpoint's deliveries. A cached list of endpoints has no code."""

    language: str
    code: Annotated[str, As(_compress, _decompress)] = field(default="", repr=False)


MAX_ENDPOINTS = 50
"""Limit of endpoints per project. One query reads them all."""
DEFAULT_CONCURRENCY = 10
MAX_CONCURRENCY = 20
"""Concurrent sends to one endpoint: default and maximum."""
MAX_PER_SECOND = 100
MAX_TIMEOUT_SECS = 15
MAX_OUTPUT_BYTES = 256 * 1024
"""No event has more output."""
MAX_ORDERED = 20
"""Limit of ordered endpoints per project: each adds a row to the transaction that stores an event."""
DISABLE_AFTER_MS = 5 * 86_400_000
"""An endpoint is disabled after failing for this long, and degraded after half of it."""
SPREAD_MS = 12 * 3_600_000
"""Failures closer together than this count as one, so that one bad hour is one failure."""
HIDDEN = "***"
"""Replaces secret values in responses. A client that sends it back keeps the stored value."""


class BodyFormat(StrEnum):
    """The format of bodies: the event itself, or a message for people in the shape of a service.

    Both modes of CloudEvents have the event itself: with its attributes in headers, or around it.
    """

    EVENT = "event"
    CLOUDEVENTS = "cloudevents"
    CLOUDEVENTS_STRUCTURED = "cloudevents_structured"
    SLACK = "slack"
    DISCORD = "discord"
    TEAMS = "teams"
    PAGERDUTY = "pagerduty"
    EMAIL = "email"

    @property
    def has_event(self) -> bool:
        return self in {BodyFormat.EVENT, BodyFormat.CLOUDEVENTS, BodyFormat.CLOUDEVENTS_STRUCTURED}

    @property
    def has_incidents_only(self) -> bool:
        return self in {BodyFormat.PAGERDUTY, BodyFormat.EMAIL}


class Payload(StrEnum):
    """How much of an event an endpoint gets."""

    FULL = "full"
    THIN = "thin"  # its ids, and where to fetch it


class Health(StrEnum):
    """Health of an endpoint, as the API shows it."""

    ACTIVE = "active"
    DEGRADED = "degraded"
    DISABLED = "disabled"


class DisabledReason(StrEnum):
    """Reason why an endpoint is disabled."""

    REQUEST = "request"  # the project itself
    GONE = "gone"  # the receiver answered 410
    FAILING = "failing"  # no success for DISABLE_AFTER_MS


@dataclass(frozen=True, slots=True)
class FailureStreak:
    """Failures since the last success. `spread` counts failures that are at least SPREAD_MS apart."""

    since_ms: int
    counted_ms: int
    spread: int = 1

    def after_failure(self, now_ms: int) -> "FailureStreak":
        if now_ms - self.counted_ms < SPREAD_MS:
            return self
        return replace(self, counted_ms=now_ms, spread=self.spread + 1)

    def has_lasted(self, now_ms: int, share: float = 1.0) -> bool:
        """Whether the streak has lasted that share of DISABLE_AFTER_MS, with more than one counted failure."""
        return self.spread > 1 and now_ms - self.since_ms >= DISABLE_AFTER_MS * share


@dataclass(frozen=True, slots=True)
class HealthChange:
    """A change of an endpoint's health that is not published yet. `degraded_at`: start of the degraded time."""

    type: str
    at: str
    degraded_at: str


def on_one_line(text: str) -> str:
    """Refuse control and bidirectional characters, because terminals show descriptions."""
    if not text.isprintable():
        raise ValueError("the text must be printable and on one line")
    return text


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointSettings:
    """The settings of an endpoint. Rows have these fields; `requests` makes the bodies of them, and `views` the answer.

    `metadata`: description and bounds, as arguments of pydantic's `Field`, and `check`, a function that may raise
    ValueError. A row has no `headers`, `routing_key` and `asymmetric`: see `Endpoint`.
    The hash of a body (`CreationClaim`) has the fields in this order.
    """

    url: str = field(
        repr=False,  # its query may hold a credential
        metadata={
            "description": "Where events are sent: https, port 443 or 8443, a public host name. Of "
            "format email: mailto: and one address, in a domain that the operator allows, or of somebody who agrees."
        },
    )
    events: tuple[str, ...] = field(  # see `wants`
        default=(),
        metadata={
            "description": "Subscribed event names. Empty: all but those of each check run and project.changed.",
            "max_length": 20,
            "examples": [list(FILTERABLE_EVENTS)],
        },
    )
    description: str = field(
        default="", metadata={"description": "Free text for your own use.", "max_length": 500, "check": on_one_line}
    )
    enabled: bool = True
    headers: Annotated[dict[str, str], IN_KEY] = field(
        default_factory=dict,
        hash=False,
        repr=False,
        metadata={
            "description": "Custom headers of each request, at most 16. Responses show *** in place of each value; "
            "send *** in a change to keep a value."
        },
    )
    max_concurrency: int = field(
        default=DEFAULT_CONCURRENCY,
        metadata={
            "description": f"Concurrent requests. Default: {DEFAULT_CONCURRENCY}.",
            "ge": 1,
            "le": MAX_CONCURRENCY,
        },
    )
    max_per_second: int = field(
        default=0, metadata={"description": "Requests per second. Default: 0, no limit.", "ge": 0, "le": MAX_PER_SECOND}
    )
    max_output_bytes: Annotated[int, OMIT_DEFAULT] = field(
        default=MAX_OUTPUT_BYTES,
        metadata={
            "description": "Bytes of each output stream in an event; 0: none. `result_url` leads to the whole output. "
            f"Default: {MAX_OUTPUT_BYTES}, as much as events have.",
            "ge": 0,
            "le": MAX_OUTPUT_BYTES,
        },
    )
    format: BodyFormat = field(
        default=BodyFormat.EVENT,
        metadata={
            "description": "event: the event itself. cloudevents: the same with the attributes of CloudEvents 1.0 in "
            "headers; cloudevents_structured: inside a CloudEvent. slack, discord, teams: a message for people. "
            "pagerduty: incidents. email: a mail when an incident begins and when it ends. Default: event."
        },
    )
    routing_key: Annotated[str, IN_KEY] = field(
        default="",
        repr=False,
        metadata={
            "description": "Only for format pagerduty: the integration key of an Events API v2 integration, 32 letters "
            "and digits. Responses show ***; send *** to keep it."
        },
    )
    kinds: Annotated[tuple[SubmissionKind, ...], OMIT_DEFAULT] = field(
        default=ALL_KINDS,  # as rows that are older than this setting
        metadata={
            "description": "The submissions whose ends it gets: run and judge, those of clients; check, runs of "
            "checks. Default of a new endpoint: run and judge.",
            "min_length": 1,
            "max_length": len(SubmissionKind),
            "examples": [["run", "judge", "check"]],
        },
    )
    filters: Annotated[RunFilters, OMIT_DEFAULT] = field(
        default=ALL_RUNS,
        metadata={
            "description": "Only events of these runs. Other events, such as endpoint.disabled, pass. Empty: all runs."
        },
    )
    payload: Annotated[Payload, OMIT_DEFAULT] = field(
        default=Payload.FULL,
        metadata={
            "description": "Set at creation. full: the event. thin: `type`, `id`, `timestamp`, `api_version`, "
            "`submission_id` and the `url` of the event, which needs an API key. Default: full."
        },
    )
    api_version: str = field(
        default=CURRENT_VERSION,
        metadata={
            "description": f"Version of the shape of events, set at creation: {', '.join(API_VERSIONS)}. "
            f"Default: {CURRENT_VERSION}."
        },
    )
    ordered: Annotated[bool, OMIT_DEFAULT] = field(  # see `sending.lanes.LaneStore`
        default=False,
        metadata={
            "description": "Set at creation. true: one delivery at a time; the next waits until the first is final."
        },
    )
    asymmetric: Annotated[bool, IN_KEY] = field(
        default=False,
        metadata={"description": "true: also sign with a new ed25519 key pair (v1a). Responses show its `public_key`."},
    )
    timeout_secs: Annotated[int, OMIT_DEFAULT] = field(
        default=MAX_TIMEOUT_SECS,
        metadata={
            "description": "Seconds that a request waits for its answer; then it has failed. A first attempt to a "
            f"quick target waits for 3 at most. Default: {MAX_TIMEOUT_SECS}.",
            "ge": 1,
            "le": MAX_TIMEOUT_SECS,
        },
    )
    transform: Transform | None = field(  # see `sending.transforms`
        default=None,
        metadata={
            "description": "A program that writes the body of each delivery: it reads the event, and prints an object "
            "with body, headers or skip, or the body. Only with format event. {} removes it. null: the event itself."
        },
    )

    @property
    def hidden(self) -> dict[str, Any]:
        """The values by name, with *** in place of secret ones, as endpoints and answers have them."""
        values = {each.name: getattr(self, each.name) for each in fields(EndpointSettings)}
        headers, routing_key = dict.fromkeys(self.headers, HIDDEN), HIDDEN if self.routing_key else ""
        return values | {"headers": headers, "routing_key": routing_key}

    def wants(self, event_type: str) -> bool:
        """Whether it gets events of a type. Without a filter, it does not get those of every run of a check."""
        if self.events:
            return event_type in self.events
        if self.format.has_incidents_only:
            return event_type in INCIDENT_EVENTS
        return event_type not in NAMED_ONLY_EVENTS

    def wants_run(self, run: RunFacts) -> bool:
        """Whether its kinds and filters accept a run."""
        return run.kind in self.kinds and self.filters.accept(run)


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint(EndpointSettings):
    """One endpoint row. Times ending in `_at` are RFC 3339 texts.

    `headers` and `routing_key` have *** in place of values. `asymmetric`: it has a `public_key`.
    """

    endpoint_id: Annotated[str, IN_KEY]
    project_id: Annotated[str, IN_KEY]
    created_at: str
    updated_at: str  # also the version of the settings
    headers_box: bytes | None = field(default=None, repr=False)  # the sealed values of `headers`, in their order
    routing_key_box: bytes | None = field(default=None, repr=False)  # the sealed key of format pagerduty
    secret_box: bytes = field(repr=False)  # the sealed `whsec_` secret, and the private key of `public_key` if any
    previous_secret_box: bytes | None = field(default=None, repr=False)  # also signs until `previous_until_ms`
    previous_until_ms: int | None = None
    public_key: str | None = None
    disabled_reason: DisabledReason | None = None
    disabled_at: str | None = None
    failing: Annotated[FailureStreak | None, Flat("failing_")] = None
    traffic: Annotated[Traffic, IN_KEY] = field(default_factory=Traffic)  # see `store.traffic_values`
    degraded_at: str | None = None
    unpublished_change: Annotated[HealthChange | None, Flat("untold_")] = None  # of its health
    link_sha256: str | None = None  # of the link that a recipient of e-mail got: see `recipients`
    link_until_ms: int | None = None
    confirmed_url: str | None = field(default=None, repr=False)  # its recipient agreed to mails

    def health(self, now_ms: int) -> Health:
        if not self.enabled:
            return Health.DISABLED
        return Health.DEGRADED if self.degraded_at is not None or self.is_failing_long(now_ms) else Health.ACTIVE

    def is_failing_long(self, now_ms: int) -> bool:
        """Whether only failures have come for half of DISABLE_AFTER_MS."""
        return self.failing is not None and self.failing.has_lasted(now_ms, 0.5)

    def signing_boxes(self, now_ms: int) -> tuple[bytes, ...]:
        """Return the sealed secrets that sign now, the current one first."""
        if self.previous_secret_box is None or self.previous_until_ms is None or self.previous_until_ms <= now_ms:
            return (self.secret_box,)
        return self.secret_box, self.previous_secret_box

    def after_reply(self, reply: Reply, now_ms: int) -> "Endpoint":
        """Return the endpoint with its health after an attempt. A disabled endpoint does not change."""
        if not self.enabled:
            return self
        if reply.is_success:
            return replace(self, failing=None)
        failing = self.failing.after_failure(now_ms) if self.failing else FailureStreak(now_ms, now_ms)
        failed = replace(self, failing=failing)
        if reply.is_gone:
            return failed.disabled(DisabledReason.GONE, now_ms)
        return failed.disabled(DisabledReason.FAILING, now_ms) if failing.has_lasted(now_ms) else failed

    def disabled(self, reason: DisabledReason, now_ms: int) -> "Endpoint":
        return replace(self, enabled=False, disabled_reason=reason, disabled_at=to_rfc3339(now_ms))


# The rule that degrades an endpoint that answers only sometimes, and that of its recovery. No clock, no table.
#
# The last hour decides if it has enough attempts; otherwise the last day does. Between DEGRADED_FROM and RECOVERED_TO
# an endpoint keeps its state, so that a rate near one bound does not change it again and again.

ENOUGH_ATTEMPTS = 10
ENOUGH_IF_ALL_FAIL = 5
"""So many attempts of a day are enough if all of them failed."""
DEGRADED_FROM = 0.25
"""Share of failed attempts that degrades an endpoint."""
RECOVERED_TO = 0.05
"""Share of failed attempts at which it has recovered."""
LEAST_DEGRADED_MS = 600_000
"""An endpoint stays degraded for this long, so that its alerts are few."""


def is_degraded(endpoint: Endpoint, now_ms: int) -> bool:
    """Whether an enabled endpoint is degraded from now on."""
    if endpoint.is_failing_long(now_ms):
        return True
    _, rate = deciding_rate(endpoint, now_ms)
    if endpoint.degraded_at is None:
        enough = ENOUGH_IF_ALL_FAIL if endpoint.failing and rate.failures >= rate.attempts else ENOUGH_ATTEMPTS
        return rate.attempts >= enough and rate.failed_share >= DEGRADED_FROM
    if endpoint.failing is not None or now_ms - from_rfc3339(endpoint.degraded_at) < LEAST_DEGRADED_MS:
        return True
    if rate.attempts >= ENOUGH_ATTEMPTS:
        return rate.failed_share > RECOVERED_TO
    return round(rate.failures) > 0  # few attempts in a day: none of them may have failed


def deciding_rate(endpoint: Endpoint, now_ms: int) -> tuple[Literal["hour", "day"], Rate]:
    """Return the window that decides, and its rate."""
    hour = endpoint.traffic.last_hour(now_ms)
    return ("hour", hour) if hour.attempts >= ENOUGH_ATTEMPTS else ("day", endpoint.traffic.last_day(now_ms))
