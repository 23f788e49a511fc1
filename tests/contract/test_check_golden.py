"""The events of checks that we make are the golden ones."""

import json
from dataclasses import replace

import pytest

from functions.checks.evaluation import AssertionResult
from functions.checks.runs.event_bodies import events_of, run_event, state_event
from functions.checks.runs.run import Run, RunKind, RunStatus
from functions.checks.settings.check_settings import CheckSettings
from functions.checks.settings.store import Check
from functions.checks.state import Announcement, State
from tests.submission_factory import EVENTS, START_MS, SUBMISSION_ID, golden

BASE_URL = "https://api.example.com"
CHECK = Check(
    check_id="3f0c5a3e-8d7b-4b52-9a3c-6e2d4f8b7c03",
    project_id="dev",
    settings=CheckSettings(
        name="Nightly totals", slug="nightly-totals", language="python", code="print(13)", tags=["nightly"]
    ),
    created_at="2026-11-24T11:00:00.000Z",
    updated_at="2026-11-24T11:00:00.000Z",
    anchor_ms=START_MS,
    badge_token="very-hidden",
)
RESULTS: tuple[AssertionResult, ...] = (
    {"assertion": "verdict is AC", "expected": "AC", "actual": "AC", "passed": True},
    {"assertion": "stdout equals", "expected": "42", "actual": "13", "passed": False},
)
FAILED = Run(
    run_id="8a0c5a3e-8d7b-4b52-9a3c-6e2d4f8b7c08",
    check_id=CHECK.check_id,
    project_id="dev",
    kind=RunKind.SCHEDULED,
    status=RunStatus.FAILED,
    scheduled_ms=START_MS,
    ttl=0,
    submission_id=SUBMISSION_ID,
    verdict="AC",
    wall_time_secs=0.011,
    results=RESULTS,
)
PASSED: dict[str, object] = {"status": RunStatus.PASSED, "results": ({**RESULTS[1], "actual": "42", "passed": True},)}
MISSED: dict[str, object] = {
    "status": RunStatus.MISSED,
    "submission_id": None,
    "verdict": None,
    "wall_time_secs": None,
    "results": (),
    "reason": "the schedule was not served in time: 7200 s late",
}


def made(name: str) -> tuple[str, bytes]:
    kind, _, variant = name.partition(".v1.")
    run = {"failing": FAILED, "up": replaced(PASSED), "passed": replaced(PASSED), "missed": replaced(MISSED)}[variant]
    if kind != "check_state_changed":
        return run_event(CHECK, run, START_MS, BASE_URL)
    outage_ms, since_ms = (None, START_MS) if variant == "failing" else (600_000, START_MS + 600_000)
    states = (State.UP, State.FAILING) if variant == "failing" else (State.FAILING, State.UP)
    announced = Announcement(was=states[0], state=states[1], is_reminder=False, outage_ms=outage_ms, since_ms=since_ms)
    difference = "--- last good output, from line 1\n+++ this output, from line 1\n@@ -1 +1 @@\n-42\n+13"
    return state_event(CHECK, run, announced, difference if variant == "failing" else "", START_MS, BASE_URL)


def replaced(changes: dict[str, object]) -> Run:
    return replace(FAILED, **changes)  # type: ignore[arg-type]  # the tables above have its types


NAMES = sorted(
    path.name.removesuffix(".json") for path in (EVENTS / "webhook").glob("check_*.json") if "schema" not in path.name
)


@pytest.mark.parametrize("name", NAMES)
def test_the_event_equals_the_golden_one(name: str) -> None:
    event_type, body = made(name)
    assert json.loads(body) == golden(f"webhook/{name}")
    (event,) = events_of(replaced({"events": ((event_type, body),)}))
    assert (event.type, event.body) == (event_type, body)
    assert b"very-hidden" not in body
