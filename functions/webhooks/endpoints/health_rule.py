"""The rule that degrades an endpoint that answers only sometimes, and that of its recovery. No clock, no table.

The last hour decides if it has enough attempts; otherwise the last day does. Between DEGRADED_FROM and RECOVERED_TO an
endpoint keeps its state, so that a rate near one bound does not change it again and again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from functions.clock import from_rfc3339

if TYPE_CHECKING:
    from functions.webhooks.endpoints.model import Endpoint
    from functions.webhooks.endpoints.traffic import Rate

ENOUGH_ATTEMPTS = 10
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
        return rate.attempts >= ENOUGH_ATTEMPTS and rate.failed_share >= DEGRADED_FROM
    if endpoint.failing is not None or now_ms - from_rfc3339(endpoint.degraded_at) < LEAST_DEGRADED_MS:
        return True
    if rate.attempts >= ENOUGH_ATTEMPTS:
        return rate.failed_share > RECOVERED_TO
    return round(rate.failures) > 0  # few attempts in a day: none of them may have failed


def deciding_rate(endpoint: Endpoint, now_ms: int) -> tuple[Literal["hour", "day"], Rate]:
    """Return the window that decides, and its rate."""
    hour = endpoint.traffic.last_hour(now_ms)
    return ("hour", hour) if hour.attempts >= ENOUGH_ATTEMPTS else ("day", endpoint.traffic.last_day(now_ms))
