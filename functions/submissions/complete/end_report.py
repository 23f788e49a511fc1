"""Metrics and spans of a submission that has just become final."""

from __future__ import annotations

from typing import TYPE_CHECKING

from events.vocabulary import Cause
from functions import otlp
from functions.clock import from_rfc3339
from functions.submissions.spans import keep_ended
from functions.telemetry import Metric, metrics

if TYPE_CHECKING:
    from functions.submissions.model import Submission


def report_end(final: Submission, service: str, now_ms: int) -> None:
    """Count it, and keep its spans if there is a collector. `service`: the entry point that recorded it."""
    was_cancelled = final.result.get("cause") == Cause.CANCELLED_BEFORE_START  # its IE is no fault of the platform
    verdict = Cause.CANCELLED_BEFORE_START.value if was_cancelled else final.verdict or final.kind
    dimensions = {"verdict": verdict, "language": final.language}
    values = [Metric("ExecutionCompleted", dimensions=dimensions)]
    if final.started_at is not None:
        waited_ms = from_rfc3339(final.started_at) - from_rfc3339(final.created_at)
        values.append(Metric("QueueDelay", max(0, waited_ms), "Milliseconds"))
    metrics(service).write(*values)
    if otlp.is_on():
        keep_ended(final, service, now_ms)
