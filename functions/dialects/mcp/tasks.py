"""A run as a task. Its id is that of the run.

2025-11-25 has tasks of its own: a client asks for one, and reads its result with tasks/result. For 2026-07-28 they are
the extension SEP-2663: the service decides, and tasks/get has the result.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from functions.clock import MS_PER_SEC, from_rfc3339
from functions.messages.verdict import CANCELLATIONS

if TYPE_CHECKING:
    from functions.submissions.model import Submission

TASK_AFTER_SECS = 5.0
"""A run that takes longer becomes a task of clients that know the extension."""
_POLL_MS = 1_000
RELATED_TASK = "io.modelcontextprotocol/related-task"


def task_body(row: Submission, *, is_stateless: bool) -> dict[str, Any]:
    """Return a task. A program that failed has completed, with a result that says so."""
    ended = "cancelled" if row.result.get("cause") in CANCELLATIONS else "completed"
    unit = "Ms" if is_stateless else ""
    return {
        "taskId": row.submission_id,
        "status": ended if row.is_final else "working",
        "createdAt": row.created_at,
        "lastUpdatedAt": row.completed_at or row.started_at or row.created_at,
        f"ttl{unit}": row.ttl * MS_PER_SEC - from_rfc3339(row.created_at),
        f"pollInterval{unit}": _POLL_MS,
    }
