"""The text that a model gets of a run: a sentence, the line of an error, bounded output."""

from dataclasses import replace
from typing import Any

import pytest

from functions.dialects.mcp.tools import STRUCTURED_MAX_BYTES, TEXT_MAX_BYTES, run_data, run_text
from functions.submissions.model import Status, Submission

RUN_ID = "960cf022-0ceb-45aa-a44b-34372a816d45"


def final(verdict: str = "AC", artifacts: Any = None, **result: Any) -> Submission:
    return Submission(
        submission_id=RUN_ID,
        project_id="p",
        status=Status.COMPLETED,
        language="python",
        profile="agent",
        priority="interactive",
        created_at="2026-11-30T00:00:00.000Z",
        ttl=1,
        execution_id=RUN_ID,
        wall_budget_secs=30,
        verdict=verdict,
        summary={"result": {"phase": "run", "exit_code": 0, **result}, "metrics": {"wall_time_secs": 0.5}},
        artifacts=artifacts,
    )


@pytest.mark.parametrize(
    ("row", "stderr", "sentence"),
    [
        (final(), b"", "The program ended normally after 0.50 s."),
        (
            replace(final(), cancelled_at="2026-11-24T12:00:00.000Z"),
            b"",
            "The program ended normally after 0.50 s. The cancel came too late.",
        ),
        (final("RE", exit_code=3), b"", "The program failed with exit code 3."),
        (
            final("RE", exit_code=1),
            b'  File "/box/solution.py", line 9, in f\n  File "/box/a.py", line 4, in g\nKeyError: 1\n',
            "The program failed with exit code 1 at line 4.",
        ),
        (
            final("RE", exit_code=1),
            b'  File "/box/solution.py", line 1, in f\n  File "/usr/lib/python3/urllib/request.py", line 1322, in g\n',
            "The program failed with exit code 1 at line 1.",
        ),
        (
            final("RE", exit_code=1),
            b'  File "/opt/rustbox/data/numpy/core.py", line 7, in f\n  File "<string>", line 3, in <module>\n',
            "The program failed with exit code 1.",
        ),
        (
            final("RE", cause="ce_compile_failed", phase="compile", exit_code=1),
            b"/usr/include/c++/14/bits/stl_algo.h:1322:7: error: no match\nmain.cpp:3:9: note: required from here\n",
            "The program does not compile at line 3.",
        ),
        (
            final("RE", cause="ce_compile_failed", phase="compile", exit_code=1),
            b'  File "solution.py", line 2\nSyntaxError: invalid syntax\n',
            "The program does not compile at line 2.",
        ),
        (
            final("RE", cause="ce_compile_failed", phase="compile", exit_code=1),
            b"main.c:7:3: error: expected ;\nmain.c:9:1: error: x\n",
            "The program does not compile at line 7.",
        ),
        (final("SIG", signal=11, exit_code=None), b"", "The program was ended by signal 11."),
        (final("TLE", signal=9), b"", "The program was stopped: it took too much time."),
        (final("SIG", cause="cancelled", signal=9), b"", "The run was cancelled."),
        (final("IE", error_message="the host was overloaded"), b"", "The service could not run the program. the host"),
    ],
)
def test_the_verdict_is_a_sentence_with_the_line_of_the_error(row: Submission, stderr: bytes, sentence: str) -> None:
    assert run_text(row, b"", stderr).startswith(sentence)


@pytest.mark.parametrize("stdout", [b"", b"x" * 10, b"\xff" * 100_000, "€".encode() * 50_000, b"\n" * 5_000])
@pytest.mark.parametrize("stderr", [b"", b"e" * 1_500, b"\xf0\x9f" * 80_000])
@pytest.mark.parametrize("count", [0, 100])
def test_the_text_is_bounded_and_says_how_to_read_the_rest(stdout: bytes, stderr: bytes, count: int) -> None:
    stored = [
        {"path": f"{number}" + "ä" * 120, "size": 1, "sha256": "0" * 64, "media_type": "text/plain", "key": "k"}
        for number in range(count)
    ]
    row = final("RE", {"stored": stored, "skipped": []}, exit_code=1, error_message="m" * 5_000)
    text = run_text(row, stdout, stderr)
    assert len(text.encode()) <= TEXT_MAX_BYTES
    if len(stdout) > TEXT_MAX_BYTES:
        assert f"read_output id={RUN_ID} stream=stdout offset=" in text


def test_structured_content_has_more_of_the_output_and_its_size() -> None:
    data = run_data(final(), b"a" * 5_000, b"b" * 100_000)
    assert (data["stdout"], data["stdout_bytes"]) == ("a" * 5_000, 5_000)
    assert (len(data["stderr"]) < STRUCTURED_MAX_BYTES + 200, data["stderr_bytes"]) == (True, 100_000)
    assert "signal" not in data
