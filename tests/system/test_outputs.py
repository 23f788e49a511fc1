"""Output of every size and kind comes back as the contract says."""

import base64
import hashlib
from pathlib import Path

import httpx
import pytest

from tests.system.local_stack import LocalStack, run

MEBIBYTE = 1024 * 1024
# The launcher holds 64 request threads, the runner two streams a slot; neither may hold what a program writes.
MAX_RSS_BYTES = 700 * MEBIBYTE


def _peak_rss_bytes(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    line = next(text for text in status.splitlines() if text.startswith("VmHWM:"))
    return int(line.split()[1]) * 1024


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_one_mebibyte_comes_back_whole_by_every_way(client: httpx.Client, stream: str) -> None:
    expected = ("0123456789abcde\n" * 65_536).encode()
    assert len(expected) == MEBIBYTE
    result = run(client, f"import sys; sys.{stream}.write('0123456789abcde\\n' * 65536)")
    assert (result["verdict"], result["output"]["integrity"]) == ("AC", "complete")
    assert result["output"][stream].encode() == expected
    polled = client.get(f"/api/result/{result['id']}").json()
    assert polled["output"][stream].encode() == expected
    exact = client.get(f"/api/result/{result['id']}", params={"encoding": "base64"}).json()
    assert base64.b64decode(exact["output"][stream]) == expected
    raw = client.get(f"/api/result/{result['id']}/{stream}")
    assert raw.content == expected


def test_both_streams_full_come_back_whole(client: httpx.Client) -> None:
    code = "import sys; sys.stdout.write('o' * 1048576); sys.stdout.flush(); sys.stderr.write('e' * 1048576)"
    result = run(client, code)
    assert result["output"] == {"stdout": "o" * MEBIBYTE, "stderr": "e" * MEBIBYTE, "integrity": "complete"}


def test_100_megabytes_are_cut_and_marked_and_memory_stays_bounded(stack: LocalStack, client: httpx.Client) -> None:
    result = run(client, "import sys\nfor _ in range(1600): sys.stdout.write('x' * 65536)\n")
    assert result["output"]["integrity"] == "truncated_by_judge_limit"
    assert result["output"]["stdout"] == "x" * MEBIBYTE
    assert (result["result"]["cause"], result["result"]["actor"]) == ("ole_output_limit", "judge")
    assert result["verdict"] in {"RE", "SIG"}
    assert client.get(f"/api/result/{result['id']}/stdout").content == b"x" * MEBIBYTE
    assert stack.process is not None
    for pid in (stack.process.pid, stack.runner_pid()):
        assert _peak_rss_bytes(pid) < MAX_RSS_BYTES
    assert run(client, "print('next')")["stdout"] == "next\n"


def test_program_that_ignores_the_closed_pipe_is_ended_by_its_time_limit(client: httpx.Client) -> None:
    code = (
        "import os, signal\nsignal.signal(signal.SIGPIPE, signal.SIG_IGN)\n"
        "while True:\n  try: os.write(1, b'x' * 65536)\n  except OSError: pass\n"
    )
    result = run(client, code, limits={"cpu_time_secs": 1, "wall_time_secs": 20})
    assert result["verdict"] == "TLE"
    assert result["output"]["integrity"] == "truncated_by_judge_limit"


@pytest.mark.parametrize(
    ("code", "char"),
    [
        ("import sys; sys.stdout.buffer.write(b'\\xff' * 1048576)", "\N{REPLACEMENT CHARACTER}"),
        ("import sys\nfor stream in (sys.stdout, sys.stderr): stream.write('é' * 524288); stream.flush()", "é"),
    ],
    ids=["invalid", "letters"],
)
def test_letters_that_grow_past_the_answer_limit_are_cut_with_a_raw_url(
    client: httpx.Client, code: str, char: str
) -> None:
    result = run(client, code)
    for answered in (result, client.get(f"/api/result/{result['id']}").json()):
        output = answered["output"]
        assert (answered["verdict"], output["integrity"]) == ("AC", "complete")
        assert output["truncated_in_response"] is True
        assert "stdout" not in answered
        assert set(output["stdout"]) == {char}
        assert len(client.get(output["stdout_url"]).content) == MEBIBYTE


@pytest.mark.parametrize("size", [64 * 1024, 64 * 1024 + 1, 200_000])
def test_output_around_the_inline_limit_is_whole(client: httpx.Client, size: int) -> None:
    result = run(client, f"import sys; sys.stdout.write('z' * {size})")
    assert result["stdout"] == "z" * size


def test_largest_code_and_stdin_are_accepted(client: httpx.Client) -> None:
    head = "import sys, hashlib; print(hashlib.sha256(sys.stdin.buffer.read()).hexdigest())\n#"
    code = head + "é" * ((65_536 - len(head)) // 2)
    result = run(client, code, stdin="ü" * 131_072)
    assert result["stdout"].strip() == hashlib.sha256(("ü" * 131_072).encode()).hexdigest()
