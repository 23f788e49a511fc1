"""The status of a commit has GitHub's published form, however a run ended."""

import json
from typing import Any

import pytest

from functions.checks.evaluation import AssertionResult
from functions.checks.runs.report import status_body
from functions.checks.runs.run import FINAL_STATUSES, Run, RunKind, RunStatus
from functions.checks.settings.check_settings import CheckSettings
from functions.checks.settings.store import Check
from tests.chat_shapes import problems

RESULT: AssertionResult = {"assertion": "a", "expected": "e", "actual": "very-secret", "passed": False}
STATES = {"passed": "success", "flaky": "success", "failed": "failure"}


def check(**status: Any) -> Check:
    settings: dict[str, Any] = {"name": "x" * 100, "slug": "x" * 64, "language": "python", "code": "print(1)"}
    settings["report"] = {"github_status": {"token": "***", **status}}
    return Check(
        check_id="c",
        project_id="p",
        settings=CheckSettings.model_validate(settings),
        created_at="",
        updated_at="",
        anchor_ms=0,
        badge_token="b",
    )


def run(status: RunStatus) -> Run:
    return Run(
        run_id="r",
        check_id="c",
        project_id="p",
        kind=RunKind.EVENT,
        status=status,
        scheduled_ms=0,
        ttl=0,
        reason="very-secret",
        results=(RESULT,) * 20,
    )


@pytest.mark.parametrize("status", sorted(FINAL_STATUSES))
@pytest.mark.parametrize("base_url", ["", "https://api.example.com"])
def test_the_status_has_the_published_form_and_none_of_the_output(status: RunStatus, base_url: str) -> None:
    for settings in ({}, {"context": "ü" * 100}):
        body = status_body(check(**settings), run(status), base_url)
        assert problems("github_status", json.dumps(body).encode()) == []
        assert body["state"] == STATES.get(status.value, "error")
        assert "very-secret" not in repr(body)
        assert ("target_url" in body) is bool(base_url)


def test_a_check_without_a_context_is_named_by_its_slug() -> None:
    assert status_body(check(), run(RunStatus.PASSED), "")["context"] == "rustbox/" + "x" * 64
