"""Literal rows: a change of what is stored must fail here."""

from dataclasses import replace
from typing import Any

import pytest

from functions.aws.dynamodb.items import from_item
from functions.aws.dynamodb.row_codec import to_json
from functions.submissions.model import Completion, Status, Submission
from functions.submissions.store import encode_submission, final_values, submission_of, with_completion

ID, EXECUTION = "7d8f0f5e-3b1c-4c59-9a52-0f7f3b2f8a11", "0d4b6a34-58a1-4d4c-b1c5-7b0f5e1f9c02"
CREATED = "2026-11-24T12:00:00.000Z"
PENDING = Submission(
    submission_id=ID,
    project_id="dev",
    status=Status.PENDING,
    language="python",
    profile="judge",
    priority="interactive",
    created_at=CREATED,
    ttl=1_798_113_600,
    execution_id=EXECUTION,
    wall_budget_secs=7,
    code=b"print(42)",
    stdin=b"",
    limits={"cpu_time_secs": 0.5, "memory_mb": 64},
    metadata={"build": "7"},
    due_at_ms=1_795_521_720_000,
    asked_directly=True,
    correlation_id="r-1",
)
PENDING_ROW: dict[str, Any] = {
    "pk": f"SUBMISSION#{ID}",
    "sk": "SUBMISSION",
    "list_shard": "dev#1",
    "list_key": f"{CREATED}#{ID}",
    "due_shard": "DUE#1",
    "run_budget_ms": 97_000,
    "submission_id": ID,
    "project_id": "dev",
    "status": "pending",
    "language": "python",
    "profile": "judge",
    "priority": "interactive",
    "created_at": CREATED,
    "ttl": 1_798_113_600,
    "execution_id": EXECUTION,
    "wall_budget_secs": 7,
    "code": b"print(42)",
    "stdin": b"",
    "limits": '{"cpu_time_secs":0.5,"memory_mb":64}',
    "metadata": {"build": "7"},
    "redrives": 0,
    "due_at_ms": 1_795_521_720_000,
    "asked_directly": True,
    "correlation_id": "r-1",
}
JUDGE = replace(
    PENDING, asked_directly=False, summary={"kind": "judge", "cases": 2}, plan={"cases": [{}, {}], "groups": []}
)
JUDGE_ROW = {name: value for name, value in PENDING_ROW.items() if name != "asked_directly"} | {
    "summary": '{"kind":"judge","cases":2}',
    "plan": '{"cases":[{},{}],"groups":[]}',
    "run_budget_ms": 240_000,  # until a silent runner counts as lost; version 0.1 had the whole time of its cases
}
COMPLETION = Completion(
    completed_at="2026-11-24T12:00:01.000Z",
    started_at="2026-11-24T12:00:00.500Z",
    node_id="runner-1",
    execution_id=EXECUTION,
    result={"verdict": "AC"},
    metrics={"cpu_time_secs": 0.009},
    evidence={"isolation_mode": "strict"},
    integrity="complete",
    stdout=b"42\n",
    stdout_size_bytes=3,
    stderr=b"",
    compilation={"stderr": "warning"},
    case_keys=("k",),
)
FINAL_VALUES = {
    "status": "completed",
    "verdict": "AC",
    "completed_at": "2026-11-24T12:00:01.000Z",
    "started_at": "2026-11-24T12:00:00.500Z",
    "node_id": "runner-1",
    "execution_id": EXECUTION,
    "integrity": "complete",
    "stdout": b"42\n",
    "stdout_size_bytes": 3,
    "stderr": b"",
    "summary": '{"result":{"verdict":"AC"},"metrics":{"cpu_time_secs":0.009},"line":"42"}',
    "evidence": '{"isolation_mode":"strict"}',
    "compilation": '{"stderr":"warning"}',
    "case_keys": ("k",),
}
GONE = {"code", "stdin", "due_shard", "due_at_ms", "asked_directly", "wall_budget_secs", "run_budget_ms"}


@pytest.mark.parametrize(("submission", "row"), [(PENDING, PENDING_ROW), (JUDGE, JUDGE_ROW)])
def test_open_rows_are_those_of_version_0_1(submission: Submission, row: dict[str, Any]) -> None:
    assert from_item(encode_submission(submission)) == row
    assert submission_of(row) == submission
    assert submission_of(row | {"of_a_newer_version": {}}) == submission


def test_the_end_sets_the_attributes_of_version_0_1() -> None:
    final = with_completion(PENDING, COMPLETION)
    assert final_values(final, COMPLETION) == FINAL_VALUES
    row = {name: value for name, value in PENDING_ROW.items() if name not in GONE}
    assert submission_of(row | FINAL_VALUES) == final


def test_a_value_that_a_completion_lacks_stays_as_it_was() -> None:
    running = replace(PENDING, status=Status.RUNNING, started_at="2026-11-24T12:00:00.500Z", node_id="runner-1")
    failed = replace(COMPLETION, started_at=None, node_id=None, execution_id=None, evidence=None, case_keys=())
    values = final_values(with_completion(running, failed), failed)
    assert {"started_at", "node_id", "execution_id", "evidence", "case_keys"}.isdisjoint(values)
    assert with_completion(running, failed).node_id == "runner-1"


def test_an_entry_of_a_list_index_is_a_submission_without_what_it_does_not_project() -> None:
    needed = ("submission_id", "project_id", "status", "language", "profile", "created_at", "ttl")
    listed = submission_of({name: PENDING_ROW[name] for name in needed})
    assert (listed.submission_id, listed.priority, listed.execution_id, listed.code) == (ID, "batch", "", None)


LONG = "\N{PILE OF POO}" * 500
SAID: list[tuple[dict[str, Any], bytes, bytes, str | None]] = [
    ({"verdict": "AC"}, b"\n \n42\nnext", b"warning", "42"),
    ({"verdict": "AC"}, b"", b"", None),
    ({"verdict": "RE"}, b"out", b"oops", "oops"),
    ({"verdict": "RE"}, b"out", b"", "out"),
    ({"verdict": "RE"}, b"out", b'Traceback (most recent call last):\n  File "x"\nKeyError: 7\n', "KeyError: 7"),
    ({"verdict": "RE", "error_message": "no module"}, b"out", b"Traceback (x", "no module"),
    ({"verdict": "RE", "cause": "ce_compile_failed", "error_message": "failed"}, b"", b"x.c:1: error", "x.c:1: error"),
    ({"verdict": "IE", "error_message": "lost"}, b"", b"", "lost"),
    ({"verdict": "AC"}, b"\x1b]0;title\x07\xe2\x80\xae<b>\xff", b"", "]0;title <b>\N{REPLACEMENT CHARACTER}"),
]


@pytest.mark.parametrize(("result", "stdout", "stderr", "line"), SAID)
def test_a_line_says_what_a_run_came_to(result: dict[str, Any], stdout: bytes, stderr: bytes, line: str | None) -> None:
    assert replace(COMPLETION, result=result, stdout=stdout, stderr=stderr).line == line


def test_a_line_is_short_also_in_the_row() -> None:
    assert len(replace(COMPLETION, stdout=b"x" * 100_000).line or "") == 120
    line = replace(COMPLETION, stdout=LONG.encode()).line
    assert line
    assert len(to_json(line)) <= 300


def test_the_outputs_of_judge_runs_and_large_ones_give_no_line() -> None:
    assert replace(COMPLETION, stdout=None, stdout_key="k", stderr=b"").line is None
    assert replace(COMPLETION, result={}, stdout=None, stderr=None, judged={"score": 1}).line is None
