"""A project's webhook endpoint: what it wants to hear of, and how it has been doing.

    active ──failures only for half the time──▶ degraded ──5 days, or an answer 410──▶ disabled
      ▲◀───────────── any delivery ───────────────┘                                      │
      └──────────────────────── the project enables it again ────────────────────────────┘

A disabled endpoint keeps getting its delivery rows, in state `paused`: `recover` sends them later.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TYPE_CHECKING

from functions.clock import to_rfc3339

if TYPE_CHECKING:
    from collections.abc import Mapping

    from functions.webhooks.sending.reply import Reply

MAX_ENDPOINTS = 50
"""Endpoints of a project. One query reads them all."""
DEFAULT_CONCURRENCY = 10
MAX_CONCURRENCY = 20
"""Sends to one endpoint at the same time, unless set and at most."""
MAX_PER_SECOND = 100
DISABLE_AFTER_MS = 5 * 86_400_000
"""Nothing but failures for this long disables an endpoint; half of it makes it degraded."""
SPREAD_MS = 12 * 3_600_000
"""Failures count towards that only when they lie this far apart: one bad hour is one failure."""


class Health(StrEnum):
    """What the API shows of an endpoint's condition."""

    ACTIVE = "active"
    DEGRADED = "degraded"
    DISABLED = "disabled"


class DisabledReason(StrEnum):
    """Who switched an endpoint off."""

    REQUEST = "request"  # the project itself
    GONE = "gone"  # the receiver answered 410
    FAILING = "failing"  # DISABLE_AFTER_MS of nothing but failures


@dataclass(frozen=True, slots=True)
class FailureStreak:
    """Failures since the last delivery. `spread` counts those at least SPREAD_MS after the one counted before."""

    since_ms: int
    counted_ms: int
    spread: int = 1

    def after_failure(self, now_ms: int) -> FailureStreak:
        """One failure more."""
        if now_ms - self.counted_ms < SPREAD_MS:
            return self
        return replace(self, counted_ms=now_ms, spread=self.spread + 1)

    def has_lasted(self, now_ms: int, share: float = 1.0) -> bool:
        """Whether it has failed for that share of DISABLE_AFTER_MS, more than once."""
        return self.spread > 1 and now_ms - self.since_ms >= DISABLE_AFTER_MS * share


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """One endpoint row. Times ending in `_at` are RFC 3339 texts.

    `events`: names it wants, empty for all. `headers_box`: the values of its custom headers, sealed, in the order of
    `header_names`. `secret_box`: its `whsec_` secret, sealed; the previous one signs too until `previous_until_ms`.
    `max_per_second` 0: as many as its receiver takes.
    """

    endpoint_id: str
    project_id: str
    url: str = field(repr=False)  # its query may hold a credential
    secret_box: bytes = field(repr=False)
    created_at: str
    updated_at: str
    events: tuple[str, ...] = ()
    description: str = ""
    header_names: tuple[str, ...] = ()
    headers_box: bytes | None = field(default=None, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)  # of a row of an older revision
    previous_secret_box: bytes | None = field(default=None, repr=False)
    previous_until_ms: int | None = None
    enabled: bool = True
    disabled_reason: DisabledReason | None = None
    disabled_at: str | None = None
    failing: FailureStreak | None = None
    max_concurrency: int = DEFAULT_CONCURRENCY
    max_per_second: int = 0

    def wants(self, event_type: str) -> bool:
        """Whether its filter lets an event through."""
        return not self.events or event_type in self.events

    def health(self, now_ms: int) -> Health:
        """Its condition now."""
        if not self.enabled:
            return Health.DISABLED
        if self.failing is not None and self.failing.has_lasted(now_ms, 0.5):
            return Health.DEGRADED
        return Health.ACTIVE

    def signing_boxes(self, now_ms: int) -> tuple[bytes, ...]:
        """Sealed secrets that sign at this moment, the current one first."""
        if self.previous_secret_box is None or self.previous_until_ms is None or self.previous_until_ms <= now_ms:
            return (self.secret_box,)
        return self.secret_box, self.previous_secret_box

    def after_reply(self, reply: Reply, now_ms: int) -> Endpoint:
        """What an attempt makes of its health. A disabled one is left as it is: its owner decides."""
        if not self.enabled:
            return self
        if reply.is_success:
            return replace(self, failing=None)
        failing = self.failing.after_failure(now_ms) if self.failing else FailureStreak(now_ms, now_ms)
        failed = replace(self, failing=failing)
        if reply.is_gone:
            return failed.disabled(DisabledReason.GONE, now_ms)
        return failed.disabled(DisabledReason.FAILING, now_ms) if failing.has_lasted(now_ms) else failed

    def disabled(self, reason: DisabledReason, now_ms: int) -> Endpoint:
        """Switched off."""
        return replace(self, enabled=False, disabled_reason=reason, disabled_at=to_rfc3339(now_ms))
