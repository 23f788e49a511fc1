"""The span of one attempt of a delivery."""

from __future__ import annotations

from typing import TYPE_CHECKING

from functions import otlp

if TYPE_CHECKING:
    from functions.webhooks.deliveries.model import Delivery
    from functions.webhooks.vocabulary import Reply


def keep_attempt(delivery: Delivery, reply: Reply, service: str, now_ms: int) -> None:
    """Keep the span. `delivery`: as it was before the attempt. Its parent is the span of the submission."""
    trace = otlp.trace_of(delivery.submission_id, delivery.traceparent)
    if trace is None:
        return
    attempt = delivery.attempts_before + delivery.attempt + 1
    attributes: dict[str, str | int] = {
        "rustbox.event_id": delivery.event_id,
        "rustbox.endpoint_id": delivery.endpoint_id,
        "rustbox.attempt": attempt,
        "server.address": reply.host or "",  # never the URL: its path or query may hold a credential
    }
    if reply.status_code is not None:
        attributes["http.response.status_code"] = reply.status_code
    if reply.error_code is not None:
        attributes["error.type"] = reply.error_code
    otlp.keep(
        otlp.Span(
            trace.trace_id,
            otlp.span_id(delivery.event_id, delivery.endpoint_id, attempt),
            otlp.span_id(delivery.submission_id),
            "attempt",
            service,
            now_ms - reply.latency_ms,
            now_ms,
            attributes,
            has_failed=not reply.is_success,
            is_call=True,
        )
    )
