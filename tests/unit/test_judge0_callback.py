"""The body of a callback whose output is cut: it was not compared, so it is neither right nor wrong."""

import base64
from typing import Any

import pytest

from functions.dialects.judge0.views import KeptRequest, callback_body


def body(*, is_cut: bool, expected: bytes | None, stdout: str = "6\n") -> dict[str, Any]:
    output = {"stdout": stdout, "stderr": ""} | ({"truncated_in_event": True} if is_cut else {})
    return callback_body(
        {
            "id": "960cf022-0ceb-45aa-a44b-34372a816d45",
            "language": "python",
            "timestamps": {"created_at": "2026-11-30T00:00:00.000Z", "completed_at": "2026-11-30T00:00:01.000Z"},
            "result": {"verdict": "AC", "phase": "run", "cause": "normal_exit", "exit_code": 0},
            "metrics": None,
            "metadata": KeptRequest.of({}, expected).metadata,
            "output": output,
        }
    )


@pytest.mark.parametrize(
    ("is_cut", "expected", "status"),
    [(False, b"6", 3), (False, b"7", 4), (False, None, 3), (True, b"6", 13), (True, b"7", 13), (True, None, 3)],
)
def test_an_output_that_is_cut_is_not_compared(*, is_cut: bool, expected: bytes | None, status: int) -> None:
    shown = body(is_cut=is_cut, expected=expected)
    assert shown["status"]["id"] == status
    said = base64.b64decode(shown["message"] or "").decode()
    assert ("read the submission" in said.lower()) == (status == 13)
