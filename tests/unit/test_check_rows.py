"""Literal rows of version 0.1: a codec or a field that changes what is stored must fail here."""

import json
from dataclasses import replace
from typing import Any

from functions.aws.dynamodb.items import from_item, to_item
from functions.checks.runs.run import Commit, Run, RunKind, RunStatus
from functions.checks.runs.store import run_item, to_run
from functions.checks.settings.check_settings import CheckSettings
from functions.checks.settings.store import Check, check_row, source_row, to_check
from functions.checks.state import Standing, State

CHECK_ID, RUN_ID = "5b0a4a3e-0d53-4f5e-9c5d-6f6f4b5a0c11", "7f3f8d9c-52f2-4f0d-8d7e-0c5b3a8f1f11"
SETTINGS: dict[str, Any] = {
    "name": "Totals",
    "slug": "totals",
    "kind": "program",
    "language": "python",
    "profile": "judge",
    "limits": {"memory_mb": 64.0},
    "env": {"TOKEN": "***"},
    "event_as": "variable",
    "events": [],
    "match": {},
    "schedule": "rate(5 minutes)",
    "timezone": "UTC",
    "spread_minutes": 0,
    "overlap": "skip",
    "missed": "run_latest",
    "grace_minutes": 60,
    "retries": 0,
    "fail_after": {"needed": 1, "of": 1},
    "remind_hours": 0,
    "notify": [],
    "quiet": [],
    "should_fail": False,
    "tags": ["nightly"],
    "trigger": {"type": "check", "slug": "import"},
    "assertions": [{"type": "stdout", "contains": "42"}],
}
CHECK_ROW: dict[str, Any] = {
    "pk": "PROJECT#p",
    "sk": f"CHECK#{CHECK_ID}",
    "check_id": CHECK_ID,
    "project_id": "p",
    "settings": json.dumps(SETTINGS, separators=(",", ":")),
    "created_at": "2026-11-24T12:00:00.000Z",
    "updated_at": "2026-11-24T12:00:01.000Z",
    "anchor_ms": 1764000000000,
    "badge_token": "t" * 32,
    "version": 3,
    "standing": '{"state":"failing","since_ms":1,"recent":[0,7],"bad_since_ms":7,"outage_ms":null,"told":"failing",'
    '"told_ms":9}',
    "standing_version": 4,
    "next_slot_ms": 1764000300000,
    "open_run_id": "r",
    "last_run": '{"run_id":"r","status":"failed","verdict":null}',
    "due_at_ms": 1764000300000,
    "due_shard": "DUE#1",
}
SOURCE_ROW = {
    "pk": "PROJECT#p",
    "sk": f"SOURCE#{CHECK_ID}",
    "code": b"print(1)",
    "stdin": b"2",
    "env_boxes": {"TOKEN": b"sealed"},
    "version": 3,
}
CHECK = Check(
    check_id=CHECK_ID,
    project_id="p",
    settings=CheckSettings.model_validate({**SETTINGS, "code": "print(1)", "stdin": "2"}),
    created_at="2026-11-24T12:00:00.000Z",
    updated_at="2026-11-24T12:00:01.000Z",
    anchor_ms=1764000000000,
    badge_token="t" * 32,
    version=3,
    standing=Standing(state=State.FAILING, since_ms=1, recent=(0, 7), bad_since_ms=7, told=State.FAILING, told_ms=9),
    standing_version=4,
    next_slot_ms=1764000300000,
    open_run_id="r",
    last_run={"run_id": "r", "status": "failed", "verdict": None},
    env_boxes={"TOKEN": b"sealed"},
)
RUN_ROW: dict[str, Any] = {
    "pk": f"RUNS#p#{CHECK_ID}",
    "sk": f"2025-11-24T16:00:00.000Z#{RUN_ID}",
    "run_id": RUN_ID,
    "check_id": CHECK_ID,
    "project_id": "p",
    "kind": "event",
    "status": "failed",
    "scheduled_ms": 1764000000000,
    "ttl": 1771776000,
    "affects_state": False,
    "attempt": 1,
    "earlier_failed": True,
    "reason": "why",
    "event": '{"a":1}',
    "chain": 2,
    "commit": {"repository": "octo-org/hello", "sha": "a"},
    "due_at_ms": 1764000060000,
    "due_shard": "DUE#1",
    "submission_id": "s",
    "verdict": "RE",
    "wall_time_ms": 11,
    "started_at": "2026-11-24T12:00:00.000Z",
    "completed_at": "2026-11-24T12:00:01.000Z",
    "results": '[{"assertion":"a","expected":"e","actual":"x","passed":false}]',
    "events": [["check.run.completed", b"{}"]],
}
RUN = Run(
    run_id=RUN_ID,
    check_id=CHECK_ID,
    project_id="p",
    kind=RunKind.EVENT,
    status=RunStatus.FAILED,
    scheduled_ms=1764000000000,
    ttl=1771776000,
    affects_state=False,
    attempt=1,
    earlier_failed=True,
    reason="why",
    event='{"a":1}',
    chain=2,
    commit=Commit("octo-org/hello", "a"),
    due_at_ms=1764000060000,
    submission_id="s",
    verdict="RE",
    wall_time_secs=0.011,
    started_at="2026-11-24T12:00:00.000Z",
    completed_at="2026-11-24T12:00:01.000Z",
    results=({"assertion": "a", "expected": "e", "actual": "x", "passed": False},),
    events=(("check.run.completed", b"{}"),),
)
MISSED = Run(
    run_id=RUN_ID,
    check_id=CHECK_ID,
    project_id="p",
    kind=RunKind.SCHEDULED,
    status=RunStatus.MISSED,
    scheduled_ms=1764000000000,
    ttl=1771776000,
)
MISSED_ROW = {
    name: RUN_ROW[name] for name in ("pk", "sk", "run_id", "check_id", "project_id", "scheduled_ms", "ttl")
} | {
    "kind": "scheduled",
    "status": "missed",
    "affects_state": True,
    "attempt": 0,
    "earlier_failed": False,
    "reason": "",
    "chain": 0,
}


def test_a_check_is_written_as_by_version_0_1_and_read_back() -> None:
    written = from_item(to_item(check_row(CHECK)))
    # Fields without a value have left the standing: version 0.1 reads their defaults.
    standing = {name: value for name, value in json.loads(CHECK_ROW["standing"]).items() if value is not None}
    assert json.loads(written.pop("standing")) == standing
    assert written == {name: value for name, value in CHECK_ROW.items() if name != "standing"}
    assert from_item(to_item(source_row(CHECK))) == SOURCE_ROW
    assert to_check(CHECK_ROW, SOURCE_ROW) == CHECK


def test_the_token_of_a_report_is_in_the_row_of_the_source() -> None:
    row = SOURCE_ROW | {"report_box": b"sealed too"}
    assert to_check(CHECK_ROW, row) == replace(CHECK, report_box=b"sealed too")
    assert from_item(to_item(source_row(replace(CHECK, report_box=b"sealed too")))) == row


def test_a_check_without_its_source_has_no_program_and_no_sealed_values() -> None:
    settings = CHECK.settings.model_copy(update={"code": "-", "stdin": ""})
    assert to_check(CHECK_ROW) == replace(CHECK, settings=settings, env_boxes={})


def test_a_paused_check_has_no_due_time() -> None:
    paused = {
        name: value for name, value in CHECK_ROW.items() if name not in {"next_slot_ms", "due_at_ms", "due_shard"}
    }
    check = replace(CHECK, next_slot_ms=None)
    assert to_check(paused, SOURCE_ROW) == check
    assert from_item(to_item(check_row(check))).keys() == paused.keys()


def test_a_run_is_written_as_by_version_0_1_and_read_back() -> None:
    assert from_item(run_item(RUN)) == RUN_ROW
    assert to_run(RUN_ROW) == RUN
    assert from_item(run_item(MISSED)) == MISSED_ROW
    assert to_run(MISSED_ROW) == MISSED


def test_a_run_of_an_older_version_has_the_defaults() -> None:
    older = {
        name: value for name, value in MISSED_ROW.items() if name not in {"affects_state", "attempt", "chain", "reason"}
    }
    assert to_run(older) == MISSED
