"""`rustbox problems verify` against a scripted service."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from rustbox_cli import output
from rustbox_cli.errors import ExitCode
from tests.adapters.cli.invocation import Rustbox, write
from tests.adapters.cli.judge_replies import ACCEPTED, case, final
from tests.adapters.scripted_service import Asked, Reply, Service, open_service

PUSHED = Reply(200, {"id": "verify-x", "version": "0123456789abcdef", "cases": 1, "size_bytes": 4})
DELETED = Reply(200, {"id": "verify-x", "deleted": True})
NONE = Reply(200, {"items": [], "next_cursor": None})
"""The list of problems, which a command reads before it stores its own."""


@pytest.fixture
def package(tmp_path: Path) -> Path:
    files = {
        "problem.yaml": "name: x\n",
        "data/secret/1.in": "1\n",
        "data/secret/1.ans": "2\n",
        "submissions/accepted/a.py": "print(2)",
        "submissions/accepted/b.kt": "",
        "submissions/wrong_answer/c.py": "print(1)",
        "submissions/time_limit_exceeded/d.py": "while True: pass",
    }
    write(tmp_path / "sum", files)
    return tmp_path / "sum"


def judged(outcome: str = "passed", verdict: str = "AC", secs: float = 0.3, **more: Any) -> tuple[Reply, Reply, Reply]:
    ended = final(case(0, outcome, verdict, id="secret/1", cpu_time_secs=secs, **more))
    return ACCEPTED, ended, ended


AS_EXPECTED = (
    *judged(secs=0.3),
    *judged("failed", "TLE", 4.0),
    *judged("wrong_answer", checker_message="line 1 differs"),
)


def verify(rustbox: Rustbox, package: Path, *options: str) -> Any:
    return rustbox("problems", "verify", str(package), "--jobs", "1", *options)


def test_a_table_of_the_submissions_and_a_proposed_limit(rustbox: Rustbox, service: Service, package: Path) -> None:
    service.will(NONE, PUSHED, *AS_EXPECTED, DELETED)
    ended = verify(rustbox, package)
    assert ended.exit_code == 0, ended.stdout + ended.stderr
    lines = [line.split() for line in ended.stdout.splitlines()]
    assert lines[0] == ["SUBMISSION", "EXPECTED", "GOT", "RESULT", "CPU", "S", "CASE", "MESSAGE"]
    assert lines[1] == ["accepted/a.py", "AC", "AC", "ok", "0.300", "-", "-"]
    assert lines[2][:4] == ["accepted/b.kt", "AC", "-", "skipped"]
    assert lines[3] == ["time_limit_exceeded/d.py", "TLE", "TLE", "ok", "4.000", "secret/1", "-"]
    assert lines[4] == ["wrong_answer/c.py", "WA", "WA", "ok", "0.300", "secret/1", "-"]
    assert ended.stdout.splitlines()[5:] == [
        "3 of 4 submissions as expected, 1 skipped",
        "slowest accepted: 0.300 s (accepted/a.py)",
        "fastest too slow: 4.000 s (time_limit_exceeded/d.py)",
        "The package has no time limit. Proposed: 2 s. Write it to problem.yaml or .timelimit.",
    ]
    _, pushed, *_, deleted = service.asked
    assert (pushed.path, pushed.body["stop"], deleted.method) == ("/api/problems", "first_failure", "DELETE")
    assert deleted.path == f"/api/problems/{pushed.body['id']}"
    sent = [asked.body for asked in service.asked if asked.path == "/api/judge"]
    assert [body["limits"]["cpu_time_secs"] for body in sent] == [10, 4, 2]
    assert {body["problem"] for body in sent} == {pushed.body["id"]}


def test_a_verdict_that_differs_ends_with_1_and_is_a_failure_in_junit(
    rustbox: Rustbox, service: Service, package: Path, tmp_path: Path
) -> None:
    (package / ".timelimit").write_text("1")
    wrong = judged("wrong_answer", checker_message="line 1 \x1b differs")
    service.will(NONE, PUSHED, *wrong, *judged(secs=1.2), *wrong, DELETED)
    ended = verify(rustbox, package, "--junit", str(tmp_path / "out.xml"))
    assert ended.exit_code == 1
    assert "\x1b" not in ended.stdout
    assert "WA is not AC (line 1 \\x1b differs)" in ended.stdout
    assert "2 of 4 submissions as expected, 1 differ, 1 skipped" in ended.stdout
    suite = ET.parse(tmp_path / "out.xml").getroot()[0]  # noqa: S314 - of this command
    assert (suite.get("tests"), suite.get("failures"), suite.get("skipped")) == ("4", "1", "1")
    failure = suite[0].find("failure")
    assert failure is not None
    assert failure.get("message") == "WA is not AC (line 1 \ufffd differs) (case secret/1)"


def test_a_crash_shows_the_last_line_of_its_errors(rustbox: Rustbox, service: Service, package: Path) -> None:
    crash = judged("failed", "RE", stderr="Traceback\n  line 1\nNameError: xrange\n")
    service.will(NONE, PUSHED, *crash, *AS_EXPECTED[3:], DELETED)
    assert "RTE is not AC (NameError: xrange)" in verify(rustbox, package, "--time-limit", "2").stdout


def test_files_of_the_package_go_with_each_submission(rustbox: Rustbox, service: Service, package: Path) -> None:
    write(package, {"include/python/lib.py": "", "submissions/accepted/a.py": "import lib"})
    write(package, {"submissions/wrong_answer/d/main.py": "", "submissions/wrong_answer/d/own.py": ""})
    wrong = judged("wrong_answer")
    service.will(NONE, PUSHED, *judged(), *judged("failed", "TLE", 2.0), *wrong, *wrong, DELETED)
    assert verify(rustbox, package, "--time-limit", "1").exit_code == 0
    pushed, *judge_runs = [asked.body for asked in service.asked if asked.method == "POST"]
    assert "files" not in pushed
    assert [[file["path"] for file in body["files"]] for body in judge_runs] == [["lib.py"]] * 3 + [
        ["own.py", "lib.py"]
    ]


def test_a_program_that_waited_for_its_wall_limit_is_not_the_fastest_too_slow(
    rustbox: Rustbox, service: Service, package: Path
) -> None:
    replies = [judged(), judged("failed", "TLE", 0.002), judged("wrong_answer")]
    service.will(NONE, PUSHED, *[reply for each in replies for reply in each], DELETED)
    shown = verify(rustbox, package, "--time-limit", "1").stdout
    assert "fastest too slow" not in shown, shown


def test_json_has_rows_and_times(rustbox: Rustbox, service: Service, package: Path) -> None:
    service.will(NONE, PUSHED, *AS_EXPECTED, DELETED)
    found = json.loads(verify(rustbox, package, "--time-limit", "3", "--json").stdout)
    assert (found["time_limit_secs"], found["is_proposed"], found["wanted_time_limit_secs"]) == (3, False, 2)
    assert found["slowest_accepted"] == [0.3, "accepted/a.py"]
    assert [row["result"] for row in found["submissions"]] == ["ok", "skipped", "ok", "ok"]


def test_a_failure_of_the_service_is_an_error_and_a_refused_program_is_named(
    rustbox: Rustbox, service: Service, package: Path
) -> None:
    broken = final(case(0, "judge_error", None, id="secret/1", checker_message="exit code 1"), status="error")
    refused = Reply(422, {"error": "invalid", "message": "Some fields are wrong.", "fields": []})
    service.will(NONE, PUSHED, ACCEPTED, broken, broken, refused, *judged("wrong_answer"), DELETED)
    ended = verify(rustbox, package, "--time-limit", "1")
    assert ended.exit_code == ExitCode.PLATFORM_FAILURE
    assert (
        "1 of 4 submissions as expected, 1 skipped, 1 refused by the service, 1 not judged: the service failed"
        in ended.stdout
    )
    assert "exit code 1" in ended.stdout
    assert "Some fields are wrong." in ended.stdout


def test_a_failure_of_the_platform_is_judged_again(rustbox: Rustbox, service: Service, package: Path) -> None:
    ended = final(case(0, "judge_error", "IE", id="secret/1"), status="error")
    busy = (ACCEPTED, ended, ended)
    service.will(NONE, PUSHED, *busy, *AS_EXPECTED, DELETED)
    assert verify(rustbox, package, "--time-limit", "1").exit_code == 0
    service.will(NONE, PUSHED, *busy * 3, *AS_EXPECTED[3:], DELETED)
    assert verify(rustbox, package, "--time-limit", "1").exit_code == ExitCode.PLATFORM_FAILURE


def test_a_proposed_limit_above_the_ceiling_judges_with_the_ceiling(
    rustbox: Rustbox, service: Service, package: Path
) -> None:
    refused = Reply(422, {"error": "invalid", "message": "Some fields are wrong.", "fields": []})
    service.will(NONE, PUSHED, *judged(secs=4.2), *judged("failed", "TLE", 15.0), refused, DELETED)
    ended = verify(rustbox, package)
    assert ended.exit_code == ExitCode.REFUSED
    assert "Proposed: 21 s." in ended.stdout
    sent = [asked.body for asked in service.asked if asked.path == "/api/judge"]
    assert [body["limits"]["cpu_time_secs"] for body in sent] == [10, 15, 15]


@pytest.mark.parametrize(
    ("version", "rules", "stop"),
    [
        ("legacy", "", "first_failure"),
        ("2023-07-draft", "", "first_failure"),
        ("2023-07-draft", "wrong_answer/c.py: {permitted: [WA], required: [WA]}", "first_failure"),
        ("2023-07-draft", "wrong_answer/c.py: {secret/1: {permitted: [WA]}}", None),
        ("2023-07-draft", "wrong_answer/c.py: {message: differs}", None),
        ("2023-07-draft", "wrong_answer/c.py: {permitted: [AC, RTE, WA], required: [WA]}", None),
        ("2023-07-draft", "'rejected/*': {required: [WA]}\n'wrong_answer/*': {required: [TLE], permitted: []}", None),
    ],
)
def test_a_pass_fail_package_stops_at_the_first_failure_unless_a_rule_needs_the_other_cases(
    rustbox: Rustbox, service: Service, package: Path, version: str, rules: str, stop: str | None
) -> None:
    write(package, {"problem.yaml": f"problem_format_version: {version}\n", "submissions/submissions.yaml": rules})
    service.will(NONE, PUSHED, *AS_EXPECTED, DELETED)
    verify(rustbox, package, "--time-limit", "1")
    pushed = next(asked for asked in service.asked if asked.path == "/api/problems" and asked.method == "POST")
    assert pushed.body.get("stop") == stop


def test_problems_that_a_killed_command_left_are_deleted_after_an_hour(
    rustbox: Rustbox, service: Service, package: Path
) -> None:
    now = datetime.now(UTC)
    ages = {"verify-0123456789ab": 61, "verify-0123456789ac": 59, "verify-sum": 90, "sum": 90}
    items = [
        {"id": name, "created_at": (now - timedelta(minutes=minutes)).isoformat().replace("+00:00", "Z")}
        for name, minutes in ages.items()
    ]
    service.will(Reply(200, {"items": items, "next_cursor": None}), DELETED, PUSHED, *AS_EXPECTED, DELETED)
    assert verify(rustbox, package, "--time-limit", "1").exit_code == 0
    deleted = [asked.path for asked in service.asked if asked.method == "DELETE"]
    assert deleted[0] == "/api/problems/verify-0123456789ab"
    assert len(deleted) == 2


class _Unfinished(Service):
    """A service whose judge runs end when they are cancelled. `has_begun`: a run was asked for."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.has_begun, self._is_cancelled = threading.Event(), threading.Event()

    def answer(self, asked: Asked) -> Reply:
        self.asked.append(asked)
        if asked.path == "/api/problems":
            return NONE if asked.method == "GET" else PUSHED
        if asked.path.endswith("/cancel"):
            self._is_cancelled.set()
        elif asked.path == "/api/judge":
            return ACCEPTED
        elif asked.method == "GET":
            self.has_begun.set()
            self._is_cancelled.wait(10)
            return final(case(0, "cancelled", None))
        return Reply(200, {})


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_the_judge_runs_and_removes_the_problem(package: Path, number: int) -> None:
    with open_service(_Unfinished) as service:
        assert isinstance(service, _Unfinished)
        command = [sys.executable, "-m", "rustbox_cli", "problems", "verify", str(package), "--time-limit", "1"]
        with subprocess.Popen(
            command, env={**os.environ, "RUSTBOX_URL": service.url}, stderr=subprocess.PIPE
        ) as process:
            assert service.has_begun.wait(20)
            process.send_signal(number)
            _, said = process.communicate(timeout=20)
    assert process.returncode == ExitCode.INTERRUPTED, said
    assert service.asked[-1].method == "DELETE"
    assert service.asked[-1].path.startswith("/api/problems/verify-")
    assert any(asked.path.endswith("/cancel") for asked in service.asked)


def test_a_log_without_a_terminal_gets_a_line_of_progress(
    rustbox: Rustbox, service: Service, package: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(output, "PROGRESS_SECS", 0.001)
    service.will(NONE, PUSHED, *AS_EXPECTED, DELETED)
    ended = verify(rustbox, package, "--time-limit", "1")
    assert re.search(r"^rustbox: judging: [1-4] of 4 submissions$", ended.stderr, re.MULTILINE)


def test_the_problem_is_deleted_if_the_service_goes_away(rustbox: Rustbox, service: Service, package: Path) -> None:
    gone = Reply(500, {"error": "internal", "message": "Broken."})
    service.will(NONE, PUSHED, ACCEPTED, gone, Reply(200, {}), DELETED)
    ended = verify(rustbox, package, "--time-limit", "1")
    assert ended.exit_code == ExitCode.FAULT
    assert [asked.method for asked in service.asked[-2:]] == ["POST", "DELETE"]
    assert service.asked[-2].path.endswith("/cancel")


@pytest.mark.parametrize(
    ("files", "sentence"),
    [
        ({"1.in": "", "1.ans": ""}, "has no problem.yaml"),
        ({"problem.yaml": "", "data/secret/1.in": ""}, "no submissions"),
    ],
)
def test_what_is_no_package_with_submissions_is_refused(
    rustbox: Rustbox, tmp_path: Path, files: dict[str, str], sentence: str
) -> None:
    write(tmp_path / "x", files)
    ended = verify(rustbox, tmp_path / "x")
    assert (ended.exit_code, sentence in ended.stderr) == (ExitCode.REFUSED, True)
