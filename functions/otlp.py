"""Spans over OTLP/HTTP as JSON, to the collector of OTEL_EXPORTER_OTLP_ENDPOINT. Without it nothing is kept.

https://opentelemetry.io/docs/specs/otlp/#otlphttp. Spans are kept by thread until the entry point has its answer and
calls `flush`: Lambda stops the process then. A span's id follows from its name, so a repeated message changes nothing.
"""

import hashlib
import json
import os
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from aws_lambda_powertools import Logger

from functions import VERSION

_ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"
_HEADERS = "OTEL_EXPORTER_OTLP_HEADERS"
MOST_SPANS = 512
"""Of one invocation. More are dropped."""
TIMEOUT_SECS = 2
PAUSE_SECS = 30
"""A collector that does not answer gets nothing for so long: each invocation would wait for it."""
_INTERNAL, _CLIENT, _ERROR = 1, 3, 2
_SAMPLED = 0x01

_kept = threading.local()
_quiet_until = 0.0


class Trace(NamedTuple):
    """The trace of a submission. `parent_id`: the client's span; empty without one."""

    trace_id: str
    parent_id: str


@dataclass(frozen=True, slots=True)
class Span:
    """One step. `service` is `runner`, or an entry point. `attributes`: never code, input, output or secrets."""

    trace_id: str
    span_id: str
    parent_id: str
    name: str
    service: str
    start_ms: float
    end_ms: float
    attributes: Mapping[str, str | int] = field(default_factory=dict)
    has_failed: bool = False
    is_call: bool = False


def is_on() -> bool:
    """Whether a collector is set."""
    return bool(os.environ.get(_ENDPOINT))


def trace_of(submission_id: str, traceparent: str | None) -> Trace | None:
    """Return the client's trace, or one with the submission's id. None if the client does not sample its trace."""
    if not traceparent:
        return Trace(submission_id.replace("-", ""), "")
    _, trace_id, parent_id, flags = traceparent.split("-")[:4]
    return Trace(trace_id, parent_id) if int(flags, 16) & _SAMPLED else None


def span_id(*names: object) -> str:
    """Return the id of a span."""
    return hashlib.sha256("\n".join(map(str, names)).encode()).hexdigest()[:16]


def keep(*spans: Span) -> None:
    """Keep spans for `flush`."""
    buffer: list[Span] = _kept.__dict__.setdefault("spans", [])
    buffer.extend(spans[: MOST_SPANS - len(buffer)])


def flush(log: Logger) -> None:
    """Send the spans of this thread. A failure is logged: it fails no request."""
    global _quiet_until  # noqa: PLW0603 - one collector for the process
    spans: list[Span] = _kept.__dict__.pop("spans", [])
    if not spans or time.monotonic() < _quiet_until:
        return
    try:
        _post(encode(spans))
    except (OSError, ValueError) as error:
        _quiet_until = time.monotonic() + PAUSE_SECS
        log.warning("Spans not exported; later ones are dropped for a while", error_type=type(error).__name__)


def encode(spans: Sequence[Span]) -> bytes:
    """Return the body of an ExportTraceServiceRequest."""
    services = dict.fromkeys(span.service for span in spans)
    return json.dumps(
        {
            "resourceSpans": [
                {
                    "resource": {"attributes": _attributes(_resource(service))},
                    "scopeSpans": [
                        {
                            "scope": {"name": "rustbox", "version": VERSION},
                            "spans": [_encoded(span) for span in spans if span.service == service],
                        }
                    ],
                }
                for service in services
            ]
        },
        separators=(",", ":"),
    ).encode()


def _resource(service: str) -> dict[str, str | int]:
    return {"service.name": f"rustbox-{service}", "deployment.environment.name": os.environ.get("STAGE", "")}


def _encoded(span: Span) -> dict[str, Any]:
    encoded: dict[str, Any] = {
        "traceId": span.trace_id,
        "spanId": span.span_id,
        "name": span.name,
        "kind": _CLIENT if span.is_call else _INTERNAL,
        "startTimeUnixNano": _nanoseconds(span.start_ms),
        "endTimeUnixNano": _nanoseconds(max(span.start_ms, span.end_ms)),
        "attributes": _attributes(span.attributes),
        "status": {"code": _ERROR} if span.has_failed else {},
    }
    return encoded | ({"parentSpanId": span.parent_id} if span.parent_id else {})


def _nanoseconds(ms: float) -> str:
    return str(round(ms * 1_000) * 1_000)


def _attributes(values: Mapping[str, str | int]) -> list[dict[str, Any]]:
    return [
        {"key": key, "value": {"intValue": str(value)} if isinstance(value, int) else {"stringValue": value}}
        for key, value in values.items()
    ]


def _post(body: bytes) -> None:
    from urllib.parse import unquote  # noqa: PLC0415 - only stages with a collector need them
    from urllib.request import Request, urlopen  # noqa: PLC0415

    url = os.environ[_ENDPOINT].rstrip("/") + "/v1/traces"
    if not url.startswith(("http://", "https://")):
        raise ValueError("OTEL_EXPORTER_OTLP_ENDPOINT must begin with http:// or https://")
    headers = {"Content-Type": "application/json"}
    for pair in filter(None, os.environ.get(_HEADERS, "").split(",")):
        name, _, value = pair.partition("=")
        headers[name.strip()] = unquote(value.strip())
    with urlopen(Request(url, body, headers), timeout=TIMEOUT_SECS) as answer:  # noqa: S310 - the scheme is checked
        answer.read()
