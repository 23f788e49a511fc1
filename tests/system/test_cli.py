"""`.venv/bin/rustbox` as a process of its own, against the running stack."""

import json
import os
import re
import signal
import subprocess
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.system.local_stack import ROOT, LocalStack, free_port, wait_until

COMMAND = ROOT / ".venv" / "bin" / "rustbox"

type Rustbox = Callable[..., subprocess.CompletedProcess[bytes]]


def environment(url: str, **variables: str) -> dict[str, str]:
    # PYTHONPATH: the tree under test, also where several trees share one .venv.
    return {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "RUSTBOX_URL": url, **variables}


@pytest.fixture
def rustbox(stack: LocalStack, tmp_path: Path) -> Rustbox:
    """Call it in a folder that holds what it must not import."""
    for name in ("click", "httpx", "json", "rustbox_cli"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('imported from the folder of the call')")

    def call(*arguments: str, stdin: bytes = b"", **variables: str) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            [COMMAND, *arguments],
            cwd=tmp_path,
            env=environment(stack.url, **variables),
            input=stdin,
            capture_output=True,
            timeout=60,
            check=False,
        )

    return call


def loaded(ended: subprocess.CompletedProcess[bytes]) -> Any:
    assert ended.returncode == 0, ended.stderr.decode()
    return json.loads(ended.stdout)


def test_programs_end_as_they_end(rustbox: Rustbox, tmp_path: Path) -> None:
    programs = {
        "ok.py": ("import sys; print(input()); print('warned', file=sys.stderr)", 0, b"7\n", b"warned\n"),
        "fails.js": ("console.log('before'); process.exit(3)", 3, b"before\n", b""),
        "bytes.py": ("import os; os.write(1, bytes(range(256)))", 0, bytes(range(256)), b""),
        "killed.py": ("import os; print('x', flush=True); os.kill(os.getpid(), 15)", 143, b"x\n", b"SIG"),
        "spins.py": ("while True: pass", 124, b"", b"TLE (tle_"),
        "broken.c": ("int main(void) {", 120, b"", b"Compilation Error"),
        "broken.py": ("print(1)\nx = = 1", 120, b"", b'File "solution.py", line 2'),
    }
    for name, (code, exit_code, stdout, stderr) in programs.items():
        (tmp_path / name).write_text(code)
        ended = rustbox("run", name, "--stdin", "-", "--limit", "cpu_time_secs=1", stdin=b"7\n")
        assert (ended.returncode, ended.stdout) == (exit_code, stdout), (name, ended.stderr)
        assert stderr in ended.stderr, name
        assert stderr or not ended.stderr, name


def test_a_submission_is_followed_by_its_id(rustbox: Rustbox) -> None:
    ended = rustbox("submit", "-", "--language", "py", "--metadata", "build=7", stdin=b"print(6 * 7)")
    submission_id = ended.stdout.decode().strip()
    assert re.fullmatch(r"[0-9a-f-]{36}", submission_id)
    watched = rustbox("result", submission_id, "--watch").stdout.decode()
    assert re.search(r"^verdict +AC$", watched, re.MULTILINE)
    assert re.search(r"^metadata +build=7$", watched, re.MULTILINE)
    assert "stdout:\n42\n" in watched
    assert loaded(rustbox("result", submission_id, "--json"))["metadata"] == {"build": "7"}
    assert rustbox("result", submission_id, "--stream", "stdout").stdout == b"42\n"
    unknown = rustbox("result", submission_id[:-1] + ("0" if submission_id[-1] != "0" else "1"))
    assert (unknown.returncode, unknown.stdout) == (66, b"")


def test_a_project_its_quota_and_its_keys_live_and_end(rustbox: Rustbox) -> None:
    project_id = loaded(rustbox("projects", "create", "Of the command line", "--profile", "judge", "--json"))["id"]
    changed = loaded(rustbox("projects", "quota", project_id, "--per-minute", "600", "--json"))
    assert changed["quotas"]["judge"]["per_minute"] == 600
    assert project_id in rustbox("projects", "list").stdout.decode()
    issued = loaded(rustbox("keys", "issue", project_id, "--expires", "1h", "--json"))

    def runs(key: str) -> bool:
        ended = rustbox("run", "-", "-l", "python", stdin=b"print(1)", RUSTBOX_API_KEY=key)
        assert ended.returncode in {0, 77}, ended.stderr
        return ended.returncode == 0

    assert runs(issued["key"])
    reader = loaded(rustbox("keys", "issue", project_id, "--right", "read", "--name", "reader", "--json"))["key"]
    refused = rustbox("run", "-", "-l", "python", stdin=b"print(1)", RUSTBOX_API_KEY=reader)
    assert (refused.returncode, b"lacks the right run" in refused.stderr) == (77, True), refused.stderr
    assert rustbox("results", RUSTBOX_API_KEY=reader).returncode == 0
    _, listed = loaded(rustbox("keys", "list", project_id, "--json"))["items"]
    assert (listed["prefix"], listed["last_used_at"] is None) == (issued["key"][:12], False)
    assert loaded(rustbox("projects", "disable", project_id, "--json"))["enabled"] is False
    assert loaded(rustbox("projects", "enable", project_id, "--json"))["enabled"] is True
    assert loaded(rustbox("keys", "revoke", project_id, listed["key_id"], "--yes", "--json"))["revoked_at"]
    wait_until(lambda: not runs(issued["key"]), 30, "the key is revoked")


def test_the_administrator_traces_a_submission(rustbox: Rustbox, tmp_path: Path) -> None:
    (tmp_path / "traced.py").write_text("print(42)")
    submitted = rustbox("submit", "traced.py").stdout.decode().strip()
    assert rustbox("result", submitted, "--watch").returncode == 0
    found = loaded(rustbox("admin", "trace", submitted, "--json"))
    assert (found["id"], found["row"]["verdict"]) == (submitted, "AC")
    assert [step["what"] for step in found["history"]][:3] == [
        "submission accepted",
        "execution started",
        "execution completed",
    ]
    shown = rustbox("admin", "trace", submitted).stdout.decode()
    assert found["correlation_id"] in shown
    assert loaded(rustbox("admin", "redrive", "batch", "--json"))["moved"] == 0


def test_a_wrong_key_a_stopped_service_and_a_missing_setting_have_exit_codes_of_their_own(rustbox: Rustbox) -> None:
    refused = rustbox("projects", "list", RUSTBOX_ADMIN_KEY="rb_live_local_development_only")
    assert (refused.returncode, b"X-Admin-Key" in refused.stderr) == (77, True)
    nobody = rustbox("result", "x", RUSTBOX_URL=f"http://127.0.0.1:{free_port()}")
    assert (nobody.returncode, b"make up" in nobody.stderr) == (69, True)
    elsewhere = rustbox("projects", "list", RUSTBOX_URL="https://192.0.2.1")
    assert (elsewhere.returncode, b"RUSTBOX_ADMIN_KEY" in elsewhere.stderr) == (78, True)


def test_an_interrupted_wait_has_its_own_exit_code(stack: LocalStack, rustbox: Rustbox) -> None:
    job = ("submit", "-", "-l", "python", "--profile", "agent", "--json")
    submission_id = loaded(rustbox(*job, stdin=b"import time; time.sleep(12)"))["id"]
    watching = subprocess.Popen(
        [COMMAND, "result", submission_id, "--watch"],
        env=environment(stack.url),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )

    def is_connected() -> bool:
        with suppress(FileNotFoundError):  # it closes files as it starts
            return any(
                str(path.readlink()).startswith("socket:") for path in Path(f"/proc/{watching.pid}/fd").iterdir()
            )
        return False

    wait_until(is_connected, 20, "it is connected")
    watching.send_signal(signal.SIGINT)
    _, told = watching.communicate(timeout=60)
    assert (watching.returncode, told.strip()) == (130, b"rustbox: interrupted")


def test_a_reader_that_has_seen_enough_is_no_error(stack: LocalStack, tmp_path: Path) -> None:
    (tmp_path / "many.py").write_text("for n in range(40000): print(n)")
    ended = subprocess.run(
        ["/bin/bash", "-c", f"set -o pipefail; '{COMMAND}' run many.py | head -1"],
        cwd=tmp_path,
        env=environment(stack.url),
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert (ended.stdout, ended.stderr) == (b"0\n", b"")


VALIDATOR = """
import sys
number = float(sys.stdin.read())
if number < 0:
    sys.exit(43)
open(sys.argv[3] + {file!r}, "w").write(str(number / {divisor}))
sys.exit(42)
"""
# A package whose validator gives points, and one of the newest format, whose validator gives shares of them.
PACKAGES = {
    "score 5\n": {
        "problem.yaml": "type: scoring\nvalidation: custom score\n",
        "output_validators/check.py": VALIDATOR.format(file="score.txt", divisor=1),
        "data/testdata.yaml": "on_reject: continue\ngrader_flags: ignore_sample\n",
        "data/secret/a/testdata.yaml": "on_reject: continue\ngrader_flags: min\n",
        "data/secret/b/testdata.yaml": "on_reject: continue\n",
        "data/sample/1.in": "100",
        "data/secret/a/1.in": "7.5",
        "data/secret/a/2.in": "3",
        "data/secret/b/1.in": "2",
        "data/secret/b/2.in": "-1",
    },
    "score 36.5 of 100\n": {
        "problem.yaml": "problem_format_version: 2025-09\ntype: scoring\n",
        "output_validator/check.py": VALIDATOR.format(file="score_multiplier.txt", divisor=10),
        "data/secret/a/test_group.yaml": "max_score: 30\nscore_aggregation: sum\n",
        "data/secret/b/test_group.yaml": "max_score: 70\nscore_aggregation: min\nrequire_pass: sample\n",
        "data/sample/1.in": "10",
        "data/secret/a/1.in": "10",
        "data/secret/a/2.in": "5",
        "data/secret/b/1.in": "10",
        "data/secret/b/2.in": "2",
    },
}


@pytest.mark.parametrize("score", PACKAGES)
def test_a_scoring_package_has_the_score_that_its_format_says(rustbox: Rustbox, tmp_path: Path, score: str) -> None:
    for name, text in PACKAGES[score].items():
        place = tmp_path / "package" / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)
    (tmp_path / "echo.py").write_text("print(input())\n")
    ended = rustbox("judge", "echo.py", "--cases", "package")
    assert ended.stdout.decode().endswith(score), (ended.stdout, ended.stderr)
