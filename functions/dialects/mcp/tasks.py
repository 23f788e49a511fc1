"""A run as a task. Its id is that of the run.

2025-11-25 has tasks of its own: a client asks for one, and reads its result with tasks/result. For 2026-07-28 they are
the extension SEP-2663: the service decides, and tasks/get has the result.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from functions.clock import MS_PER_SEC, from_rfc3339
from functions.messages.verdict import CANCELLATIONS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from functions.submissions.model import Submission

TASK_AFTER_SECS = 5.0
"""A run that takes longer becomes a task of clients that know the extension."""
_POLL_MS = 1_000
RELATED_TASK = "io.modelcontextprotocol/related-task"


def task_status(row: Submission) -> str:
    """Return the status of a task: a program that failed has completed, with a result that says so."""
    if not row.is_final:
        return "working"
    return "cancelled" if row.result.get("cause") in CANCELLATIONS else "completed"


def handshake_task(row: Submission) -> dict[str, Any]:
    """Return a task of 2025-11-25."""
    return {**_task(row), "ttl": _ttl_ms(row), "pollInterval": _POLL_MS}


def stateless_task(row: Submission) -> dict[str, Any]:
    """Return a task of SEP-2663."""
    return {**_task(row), "ttlMs": _ttl_ms(row), "pollIntervalMs": _POLL_MS}


def stateless_detail(row: Submission, result: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return the answer of tasks/get of SEP-2663. `result`: of a run that has ended by itself."""
    return {**stateless_task(row), **({"result": result} if result is not None else {})}


def _task(row: Submission) -> dict[str, Any]:
    updated_at = row.completed_at or row.started_at or row.created_at
    return {
        "taskId": row.submission_id,
        "status": task_status(row),
        "createdAt": row.created_at,
        "lastUpdatedAt": updated_at,
    }


def _ttl_ms(row: Submission) -> int:
    return row.ttl * MS_PER_SEC - from_rfc3339(row.created_at)
