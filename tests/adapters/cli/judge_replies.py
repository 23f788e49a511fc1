"""Replies of the service about judge runs."""

from typing import Any

from tests.adapters.scripted_service import Reply
from tests.submission_factory import SUBMISSION_ID as ID

ACCEPTED = Reply(202, {"id": ID, "status": "pending", "queue_depth": 0})


def case(index: int, outcome: str = "passed", verdict: str | None = "AC", **more: Any) -> dict[str, Any]:
    """A case of an answer."""
    return {
        "index": index,
        "id": f"{index + 1}",
        "outcome": outcome,
        "verdict": verdict,
        "cpu_time_secs": 0.01,
        "memory_peak_bytes": 3_670_016,
        "checker_message": None,
        "error_message": None,
        "signal": None,
        "exit_code": 0,
        **more,
    }


def final(*cases: dict[str, Any], **more: Any) -> Reply:
    """A finished judge run."""
    failed = [one["index"] for one in cases if one["outcome"] not in {"passed", "skipped", "judge_error"}]
    passed = sum(one["outcome"] == "passed" for one in cases)
    body = {
        "id": ID,
        "status": "completed",
        "all_passed": passed == len(cases),
        "passed": passed,
        "score": passed,
        "max_score": len(cases),
        "first_failed": failed[0] if failed else None,
        "compile": None,
        "error_message": None,
        "results": list(cases),
    }
    return Reply(200, body | more)
