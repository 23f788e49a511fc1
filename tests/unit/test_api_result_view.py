import base64
import json

import pytest

from functions.submissions.model import Status
from functions.submissions.results.short_views import (
    LAMBDA_MAX_BYTES,
    RESPONSE_MAX_BYTES,
    serialise_within,
    summary_body,
)
from functions.submissions.results.views import accepted_body, pending_body, result_body, timeout_body
from tests.submission_factory import final_submission, new_submission

MIB = 1_048_576
FLAT_KEYS = {
    *("verdict", "exit_code", "signal", "stdout", "stderr", "output_integrity", "error_message"),
    *("cpu_time_secs", "wall_time_secs", "memory_peak_bytes", "created_at", "started_at", "completed_at"),
}


@pytest.mark.parametrize("status", [Status.PENDING, Status.RUNNING])
def test_no_body_of_an_open_submission_has_a_flat_key(status: Status) -> None:
    row = new_submission(status=status)
    for body in (pending_body(row), summary_body(row), accepted_body(row, 3), timeout_body(row, "/api/result/x")):
        assert FLAT_KEYS.isdisjoint(body)


def test_an_open_result_has_null_in_nested_fields() -> None:
    body = pending_body(new_submission(metadata={"build": "1"}))
    assert [body[name] for name in ("result", "output", "metrics", "evidence")] == [None] * 4
    assert body["status"] == body["job_status"] == "pending"
    assert body["metadata"] == {"build": "1"}
    assert body["expires_at"] == "2026-12-24T12:00:00.000Z"


def test_a_final_result_says_everything_twice() -> None:
    body = result_body(final_submission(), b"42\n", b"")
    assert body.keys() >= FLAT_KEYS
    assert body["verdict"] == body["result"]["verdict"] == "AC"
    assert body["stdout"] == body["output"]["stdout"] == "42\n"
    assert body["output_integrity"] == body["output"]["integrity"] == "complete"
    assert body["metrics"] is not None
    assert body["memory_peak_bytes"] == body["metrics"]["memory_peak_bytes"]
    assert body["completed_at"] == body["timestamps"]["completed_at"]


def test_an_unmeasured_result_has_null_for_flat_metrics() -> None:
    row = final_submission(status=Status.ERROR, verdict="IE", evidence=None, summary={"result": {"verdict": "IE"}})
    body = result_body(row, b"", b"")
    assert [body["metrics"], body["evidence"], body["cpu_time_secs"]] == [None, None, None]
    assert body["status"] == "error"


def test_invalid_utf8_is_replaced_in_text_and_exact_in_base64() -> None:
    raw = b"\xff\xfe\x80ok"
    assert result_body(final_submission(), raw, b"")["stdout"] == "\N{REPLACEMENT CHARACTER}" * 3 + "ok"
    exact = result_body(final_submission(), raw, raw, encoding="base64")
    assert base64.b64decode(exact["output"]["stderr"]) == raw
    assert exact["output"]["encoding"] == "base64"


def test_a_summary_leaves_out_output_and_evidence_only() -> None:
    row = final_submission()
    left_out = {"output", "evidence", "stdout", "stderr", "output_integrity"}
    assert summary_body(row).keys() == (result_body(row, b"", b"").keys() - left_out) | {"kind", "line", "source"}


@pytest.mark.parametrize("raw", [b"y\n" * (MIB // 2), b"a" * MIB], ids=["lines", "letters"])
def test_a_full_stream_of_text_comes_back_whole(raw: bytes) -> None:
    body = json.loads(serialise_within(result_body(final_submission(), raw, b""), url="/r"))
    assert body["stdout"].encode() == body["output"]["stdout"].encode() == raw
    assert "truncated_in_response" not in body["output"]


def test_over_the_limit_the_flat_copies_go_first() -> None:
    raw = b"ab\n" * (MIB // 3)
    body = json.loads(serialise_within(result_body(final_submission(), raw, raw), url="/api/result/x"))
    assert "stdout" not in body
    assert body["output"]["stdout"].encode() == body["output"]["stderr"].encode() == raw
    assert body["output"]["truncated_in_response"] is True
    assert body["output"]["stdout_url"] == "/api/result/x/stdout"
    assert body["verdict"] == "AC"


@pytest.mark.parametrize(
    "unit", [b"\0", b'"', b"\n", b"\\", b"\xff", "é".encode(), "\N{SNOWMAN}".encode(), "😀".encode(), b"a"], ids=str
)
@pytest.mark.parametrize("encoding", [None, "base64"])
def test_no_output_makes_a_response_that_a_function_may_not_give(unit: bytes, encoding: str | None) -> None:
    raw = unit * (MIB // len(unit))
    for stdout, stderr in ((raw, raw), (raw, b"short"), (b"", raw)):
        body = result_body(final_submission(), stdout, stderr, encoding="base64" if encoding else None)
        text = serialise_within(body, url="/r")
        assert len(text.encode()) <= RESPONSE_MAX_BYTES
        for is_ascii in (True, False):
            assert len(json.dumps(text, ensure_ascii=is_ascii).encode()) <= LAMBDA_MAX_BYTES
        output = json.loads(text)["output"]
        for stream, whole in (("stdout", stdout), ("stderr", stderr)):
            expected = base64.b64encode(whole).decode() if encoding else whole.decode(errors="replace")
            assert expected.startswith(output[stream])
            assert len(output[stream]) % 4 == 0 or output[stream] == expected


def test_a_short_stream_is_not_cut_for_a_long_one() -> None:
    body = json.loads(serialise_within(result_body(final_submission(), b"\0" * MIB, b"why"), url="/r"))
    assert body["output"]["stderr"] == "why"
    assert len(body["output"]["stdout"]) > MIB * 6 // 10


def test_cut_base64_decodes() -> None:
    body = result_body(final_submission(), b"x" * MIB, b"y" * MIB, encoding="base64")
    output = json.loads(serialise_within(body, url="/r", max_bytes=100_001))["output"]
    assert base64.b64decode(output["stdout"]) == b"x" * (len(output["stdout"]) // 4 * 3)
