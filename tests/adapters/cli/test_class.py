"""`rustbox judge --class` against a scripted service: grades, feedback, and students who want something else."""

import base64
import csv
import json
import os
import zipfile
from pathlib import Path
from typing import Any

import pytest

from rustbox_cli.class_grades import students
from rustbox_cli.errors import ExitCode
from tests.adapters.cli.invocation import Rustbox, write
from tests.adapters.cli.judge_replies import ACCEPTED, case, final
from tests.adapters.scripted_service import Reply, Service


@pytest.fixture
def place(tmp_path: Path) -> Path:
    write(tmp_path / "cases", {"1.in": "1\n", "1.ans": "2\n"})
    write(tmp_path / "class", {"ann.py": "print(2)", "bob/main.py": "import x", "bob/x.py": "print(1)"})
    with zipfile.ZipFile(tmp_path / "class/cyd.zip", "w") as archive:
        archive.writestr("work/solution.c", "int main() {")
    return tmp_path


def judged(*cases: dict[str, Any], **more: Any) -> tuple[Reply, Reply, Reply]:
    return ACCEPTED, final(*cases, **more), final(*cases, **more)


WRONG = case(0, "wrong_answer", checker_message="line 1 differs")
BROKEN = {"compile": {"verdict": "RE", "stderr": "solution.c:1: error \x1b[2J\n"}}


def grade(rustbox: Rustbox, place: Path, *options: str) -> Any:
    files = ("--csv", str(place / "grades.csv"), "--feedback", str(place / "feedback"), "--jobs", "1")
    return rustbox("judge", "--class", str(place / "class"), "--cases", str(place / "cases"), *files, *options)


def rows(place: Path) -> dict[str, dict[str, str]]:
    with (place / "grades.csv").open(newline="") as file:
        return {row["student"]: row for row in csv.DictReader(file)}


def judged_codes(service: Service) -> list[str]:
    return [asked.body["code"] for asked in service.asked if asked.method == "POST"]


def test_each_student_has_a_row_and_feedback(rustbox: Rustbox, service: Service, place: Path) -> None:
    service.will(*judged(case(0)), *judged(WRONG), *judged(case(0, "skipped", None, cpu_time_secs=None), **BROKEN))
    ended = grade(rustbox, place)
    assert ended.exit_code == 0, ended.stderr
    found = rows(place)
    assert {name: (row["result"], row["score"], row["passed"]) for name, row in found.items()} == {
        "ann": ("passed", "1", "1"),
        "bob": ("wrong_answer", "0", "0"),
        "cyd": ("compile_error", "0", "0"),
    }
    assert (found["bob"]["first_failed"], found["bob"]["message"]) == ("1", "line 1 differs")
    assert "3 students, 0 unchanged; 1 passed every case" in ended.stdout
    feedback = {path.name: path.read_text() for path in (place / "feedback").iterdir()}
    assert set(feedback) == {"ann.txt", "bob.txt", "cyd.txt"}
    assert "First failed case: 1 (wrong_answer): line 1 differs" in feedback["bob.txt"]
    assert "solution.c:1: error \\x1b[2J" in feedback["cyd.txt"]
    assert "\x1b" not in ended.stdout + feedback["cyd.txt"]
    bodies = [asked.body for asked in service.asked if asked.method == "POST"]
    assert [(body["language"], [file["path"] for file in body.get("files", [])]) for body in bodies] == [
        ("python", []),
        ("python", ["x.py"]),
        ("c", []),
    ]


def test_only_what_changed_is_judged_again(rustbox: Rustbox, service: Service, place: Path) -> None:
    all_of_them = (*judged(case(0)), *judged(WRONG), *judged(case(0)))
    service.will(*all_of_them)
    grade(rustbox, place)
    before = (place / "grades.csv").read_bytes()
    asked = len(service.asked)
    ended = grade(rustbox, place)
    assert (ended.exit_code, len(service.asked), (place / "grades.csv").read_bytes()) == (0, asked, before)
    assert "3 students, 3 unchanged; 2 passed" in ended.stdout
    (place / "class/bob/x.py").write_text("print(2)")  # not the main file
    (place / "feedback/cyd.txt").unlink()
    service.will(*judged(case(0)), *judged(case(0)))
    assert "3 students, 1 unchanged; 3 passed" in grade(rustbox, place).stdout
    assert judged_codes(service)[3:] == ["import x", "int main() {"]
    (place / "cases/1.ans").write_text("3\n")
    service.will(*all_of_them)
    assert "0 unchanged" in grade(rustbox, place).stdout
    (place / "class/ann.py").unlink()
    assert "2 students, 2 unchanged" in grade(rustbox, place).stdout
    assert set(rows(place)) == {"bob", "cyd"}
    found = json.loads(grade(rustbox, place, "--json").stdout)
    assert [(row["student"], row["score"]) for row in found] == [("bob", 0), ("cyd", 1)]


def test_a_message_that_may_quote_the_answer_is_for_the_teacher(
    rustbox: Rustbox, service: Service, place: Path
) -> None:
    for name in ("bob/main.py", "bob/x.py", "cyd.zip"):
        (place / "class" / name).unlink()
    (place / "class/bob").rmdir()
    secret = case(0, "wrong_answer", checker_message="expected 42", team_message="too small")
    service.will(*judged(secret))
    grade(rustbox, place)
    assert rows(place)["ann"]["message"] == "expected 42"
    text = (place / "feedback/ann.txt").read_text()
    assert ("too small" in text, "42" in text) == (True, False)


def test_hostile_students_cost_themselves_a_row(
    rustbox: Rustbox, service: Service, place: Path, tmp_path: Path
) -> None:
    (tmp_path / "secret.py").write_text("a private key")
    folder = place / "class"
    (folder / "dan").mkdir()
    (folder / "dan/main.py").symlink_to(tmp_path / "secret.py")
    (folder / "eve.py").symlink_to(tmp_path / "secret.py")
    os.mkfifo(folder / "fay.py")
    (folder / "gus.zip").write_bytes(b"no zip file")
    with zipfile.ZipFile(folder / "hal.zip", "w") as archive:
        archive.writestr("../../out.py", "x")
    (folder / "=cmd|x!A1.py").write_text("print(2)")
    (folder / "ivy.exe").write_bytes(b"MZ")
    (folder / ".hidden.py").write_text("")
    (place / "feedback").mkdir()
    (place / "feedback/ann.txt").symlink_to(tmp_path / "secret.py")
    service.will(*judged(WRONG), *judged(case(0)), *judged(case(0)), *judged(case(0)))
    ended = grade(rustbox, place)
    assert ended.exit_code == ExitCode.REFUSED
    found = rows(place)
    assert {name for name, row in found.items() if row["result"] == "not_judged"} == {"dan", "gus", "hal", "ivy"}
    assert "'=cmd|x!A1" in found
    assert "eve" not in found
    assert "a private key" not in str([asked.body for asked in service.asked])
    assert (tmp_path / "secret.py").read_text() == "a private key"
    assert "Not judged" in (place / "feedback/hal.txt").read_text()
    ended = grade(rustbox, place)  # a name like a formula is known again
    assert "4 unchanged" in ended.stdout


def test_what_was_judged_is_kept_if_the_service_goes_away(rustbox: Rustbox, service: Service, place: Path) -> None:
    service.will(*judged(case(0)), Reply(500, {"error": "internal", "message": "Broken."}))
    assert grade(rustbox, place).exit_code == ExitCode.FAULT
    assert rows(place)["ann"]["result"] == "passed"
    service.will(*judged(case(0)), *judged(case(0)))
    assert "3 students, 1 unchanged" in grade(rustbox, place).stdout


def test_all_students_have_the_same_version_of_a_stored_problem(
    rustbox: Rustbox, service: Service, place: Path
) -> None:
    service.will(Reply(200, {"id": "sum", "version": "0123456789abcdef"}), *judged(case(0)) * 3)
    files = ("--class", str(place / "class"), "--csv", str(place / "grades.csv"))
    ended = rustbox("judge", *files, "--problem", "sum", "--jobs", "1")
    assert ended.exit_code == 0, ended.stderr
    sent = [asked.body["problem"] for asked in service.asked if asked.method == "POST"]
    assert sent == ["sum@0123456789abcdef"] * 3


def test_a_failure_of_the_service_ends_with_its_code_and_is_repeated(
    rustbox: Rustbox, service: Service, place: Path
) -> None:
    failed = judged(case(0, "judge_error", None, checker_message="exit code 1"), status="error")
    service.will(*judged(case(0)), *failed, *judged(case(0)))
    assert grade(rustbox, place).exit_code == ExitCode.PLATFORM_FAILURE
    service.will(*judged(case(0)))
    assert "3 students, 2 unchanged" in grade(rustbox, place).stdout


def test_names_of_students(tmp_path: Path) -> None:
    write(tmp_path, {"ann.py": "", "ann.cpp": "", "bob.v2/x.py": "", "cyd.x.py": ""})
    assert set(students(tmp_path)) == {"ann.py", "ann.cpp", "bob.v2", "cyd.x"}


def test_a_zip_file_in_the_folder_of_a_student_is_unpacked(rustbox: Rustbox, service: Service, place: Path) -> None:
    (place / "class/cyd").mkdir()
    (place / "class/cyd.zip").rename(place / "class/cyd/work.zip")
    service.will(*judged(case(0)) * 3)
    assert grade(rustbox, place).exit_code == 0
    assert judged_codes(service)[2] == "int main() {"


@pytest.mark.parametrize(
    "arguments",
    [
        ("--cases", "cases"),
        ("class/ann.py", "--cases", "cases", "--csv", "x.csv"),
        ("--class", "class", "--cases", "cases"),
        ("class/ann.py", "--class", "class", "--cases", "cases", "--csv", "x.csv"),
        ("--class", "class", "--csv", "x.csv"),
    ],
)
def test_options_that_do_not_go_together(
    rustbox: Rustbox, place: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]
) -> None:
    monkeypatch.chdir(place)
    assert rustbox("judge", *arguments).exit_code == 2


def test_another_csv_file_is_not_written_over(rustbox: Rustbox, place: Path) -> None:
    (place / "grades.csv").write_text("name,mark\nann,1\n")
    ended = grade(rustbox, place)
    assert (ended.exit_code, "has other columns" in ended.stderr) == (ExitCode.REFUSED, True)
    assert (place / "grades.csv").read_text() == "name,mark\nann,1\n"


def test_a_harness_runs_with_the_file_of_each_student_beside_it(
    rustbox: Rustbox, service: Service, place: Path
) -> None:
    harness = place / "calls.py"
    harness.write_text("import student")
    service.will(*judged(case(0)), *judged(case(0)))
    ended = grade(rustbox, place, "--harness", str(harness), "--file", f"lib.py={harness}")
    assert ended.exit_code == ExitCode.REFUSED
    bodies = [asked.body for asked in service.asked if asked.method == "POST"]
    assert [(body["code"], [file["path"] for file in body["files"]]) for body in bodies] == [
        ("import student", ["lib.py", "student.py"]),
        ("import student", ["lib.py", "x.py", "student.py"]),
    ]
    assert base64.b64decode(bodies[0]["files"][1]["content_base64"]) == b"print(2)"
    assert rows(place)["cyd"]["message"] == "solution.c is no .py file, as the harness is."


def test_a_harness_is_for_a_class(rustbox: Rustbox, place: Path) -> None:
    program = str(place / "class" / "ann.py")
    ended = rustbox("judge", program, "--cases", str(place / "cases"), "--harness", program)
    assert ended.exit_code == ExitCode.USAGE
    assert "Give the harness as FILE" in ended.stderr
