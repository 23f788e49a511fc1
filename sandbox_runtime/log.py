"""JSON logs: one object a line, a constant phrase plus keys from a fixed list.

Only listed keys are written, so that source, input or output of a program cannot reach a log by accident.
"""

import json
import logging
import sys
from datetime import UTC, datetime
from typing import Final

from sandbox_runtime import RUNNER_VERSION

KEYS: Final = (
    "execution_id",
    "language",
    "verdict",
    "cause",
    "phase",
    "priority",
    "queue",
    "receive_count",
    "message_id",
    "slot",
    "slots",
    "languages",
    "node_id",
    "step",
    "target",
    "errno",
    "field",
    "problem",
    "code",
    "delay_secs",
    "count",
    "run_ms",
    "queue_ms",
)


class JsonFormatter(logging.Formatter):
    """One line of JSON. `correlation_id` is that of the request, as in every part of the service."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as one line; of an exception only its type and where it was raised."""
        entry: dict[str, object] = {
            "timestamp": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "message": record.getMessage(),
            "service": "runner",
            "version": RUNNER_VERSION,
        }
        submission_id = getattr(record, "submission_id", None)
        if submission_id is not None:
            # A submission that was sent by functions of the revision before has no correlation id of its own.
            entry["correlation_id"] = getattr(record, "correlation_id", None) or submission_id
            entry["submission_id"] = submission_id
        entry.update({key: record.__dict__[key] for key in KEYS if record.__dict__.get(key) is not None})
        if record.exc_info and record.exc_info[0] is not None:
            entry["exception"] = record.exc_info[0].__name__
            entry["exception_at"] = _frames(record)
        return json.dumps(entry, default=str)


def configure(level: str) -> None:
    """Send every log record to stderr as JSON; libraries from WARNING up."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter())
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logging.getLogger("sandbox_runtime").setLevel(level)


def _frames(record: logging.LogRecord) -> list[str]:
    frames = []
    trace = record.exc_info[2] if record.exc_info else None
    while trace is not None:
        frames.append(f"{trace.tb_frame.f_code.co_qualname}:{trace.tb_lineno}")
        trace = trace.tb_next
    return frames
