"""Spans and metrics of a submission: accepted, queued, and, with the times that the runner reports, its steps.

The runner exports nothing: it runs hostile code, and its network has no way to a collector.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from events.vocabulary import Cause
from functions import otlp
from functions.clock import from_rfc3339
from functions.telemetry import Metric, metrics

if TYPE_CHECKING:
    from functions.submissions.model import Submission


_STEPS = {"set-up": "setup_ms", "compile": "compile_ms", "run": "run_ms"}
"""The runner's steps, in their order, and their times in the result's metrics."""


def root_id(submission_id: str) -> str:
    """Return the id of the span of the whole submission: the parent of all others."""
    return otlp.span_id(submission_id)


def keep_accepted(row: Submission, service: str, arrived_ms: float, now_ms: float) -> None:
    """Keep the span of the request, from its arrival at the gateway to the row and its message."""
    trace = otlp.trace_of(row.submission_id, row.traceparent)
    if trace is not None:
        root = root_id(row.submission_id)
        own = otlp.span_id(row.submission_id, "accepted")
        attributes = {"rustbox.submission_id": row.submission_id, "rustbox.project_id": row.project_id}
        otlp.keep(otlp.Span(trace.trace_id, own, root, "accepted", service, arrived_ms, now_ms, attributes))


def keep_ended(row: Submission, service: str, now_ms: float) -> None:
    """Keep the spans of a final submission: the whole, the queue, the runner's steps, and the record."""
    trace = otlp.trace_of(row.submission_id, row.traceparent)
    if trace is None:
        return
    root, runner = root_id(row.submission_id), {"host.name": row.node_id or ""}

    def child(name: str, of: str, start_ms: float, end_ms: float) -> otlp.Span:
        own = otlp.span_id(row.submission_id, name)
        return otlp.Span(trace.trace_id, own, root, name, of, start_ms, end_ms, runner if of == "runner" else {})

    created_ms = from_rfc3339(row.created_at)
    attributes = {
        "rustbox.submission_id": row.submission_id,
        "rustbox.project_id": row.project_id,
        "rustbox.language": row.language,
        "rustbox.kind": row.kind.value,
        "rustbox.verdict": row.verdict or "",
    }
    is_error = row.verdict == "IE" and row.result.get("cause") != Cause.CANCELLED_BEFORE_START
    spans = [
        otlp.Span(
            trace.trace_id, root, trace.parent_id, "submission", service, created_ms, now_ms, attributes, is_error
        )
    ]
    if row.started_at is not None:
        at_ms: float = from_rfc3339(row.started_at)
        spans.append(child("queued", service, created_ms, at_ms))
        for name, key in _STEPS.items():
            step_ms = (row.metrics or {}).get(key)
            if step_ms is not None:
                spans.append(child(name, "runner", at_ms, at_ms + step_ms))
                at_ms += step_ms
    if row.completed_at is not None:
        spans.append(child("recorded", service, from_rfc3339(row.completed_at), now_ms))
    otlp.keep(*spans)


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
