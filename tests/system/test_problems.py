"""Problems over the whole stack: a package is pushed once and judged as if its cases went with the request."""

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.system.local_stack import ROOT, LocalStack

COMMAND = ROOT / ".venv" / "bin" / "rustbox"
CHECK = """\
import sys
wanted = open(sys.argv[2]).read().split()
found = sys.stdin.read().split()
open(sys.argv[3] + "judgemessage.txt", "w").write(f"{len(open(sys.argv[1], 'rb').read())} bytes of input")
sys.exit(42 if wanted == found else 43)
"""
COUNT = """\
import sys
content = sys.stdin.buffer.read()
print(content.count(b"\\n"))
"""
MEASURED = ("cpu_time_secs", "wall_time_secs", "memory_peak_bytes")

type Rustbox = Callable[..., subprocess.CompletedProcess[bytes]]


@pytest.fixture
def rustbox(stack: LocalStack, tmp_path: Path) -> Rustbox:
    def call(*arguments: str) -> subprocess.CompletedProcess[bytes]:
        variables = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "RUSTBOX_URL": stack.url}
        return subprocess.run(
            [COMMAND, *arguments],
            cwd=tmp_path,
            env=variables,
            capture_output=True,
            timeout=500,
            check=False,
            stdin=subprocess.DEVNULL,
        )

    return call


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A package with a validator of its own, and cases of 2 bytes to 3 MB; the last answer is wrong."""
    folder = tmp_path / "lines"
    for name in ("data/sample", "data/secret", "output_validators"):
        (folder / name).mkdir(parents=True)
    (folder / "problem.yaml").write_text("validation: custom\nlimits: {time_limit: 5}\n")
    (folder / "output_validators" / "check.py").write_text(CHECK)
    for number, size in enumerate((1, 100, 40_000, 1_500_000)):
        place = folder / "data" / ("secret" if number else "sample")
        (place / f"{number}.in").write_bytes(b"x\n" * size)
        (place / f"{number}.ans").write_text(f"{size if number < 3 else 0}\n")
    (tmp_path / "count.py").write_text(COUNT)
    return folder


def judged(rustbox: Rustbox, *arguments: str) -> dict[str, Any]:
    ended = rustbox("judge", "count.py", *arguments, "--json")
    answer: dict[str, Any] = json.loads(ended.stdout)
    return answer


def comparable(answer: dict[str, Any]) -> list[dict[str, Any]]:
    return [{name: value for name, value in case.items() if name not in MEASURED} for case in answer["results"]]


def test_a_package_gives_equal_answers_with_its_cases_in_the_request_and_kept_on_the_service(
    rustbox: Rustbox, package: Path, client: httpx.Client
) -> None:
    (package / "data" / "secret" / "3.in").write_bytes(b"x\n" * 200_000)  # a request takes 1 MiB
    with_cases = judged(rustbox, "--cases", "lines")
    pushed = rustbox("problems", "push", "lines")
    assert pushed.returncode == 0, pushed.stderr
    assert b"4 cases, 0.5 MiB, 2 files sent" in pushed.stdout
    of_problem = judged(rustbox, "--problem", "lines")
    assert comparable(of_problem) == comparable(with_cases)
    assert [case["outcome"] for case in of_problem["results"]] == ["passed"] * 3 + ["wrong_answer"]
    assert [case["checker_message"] for case in of_problem["results"]][3] == "400000 bytes of input"
    for name in ("all_passed", "passed", "failed", "score", "max_score", "first_failed", "groups", "limits"):
        assert of_problem[name] == with_cases[name]
    name, _, _ = pushed.stdout.decode().partition(":")
    assert of_problem["problem"] == name


def test_large_and_binary_inputs_are_pushed_once_and_judged_for_many_submissions(
    rustbox: Rustbox, package: Path, client: httpx.Client
) -> None:
    (package / "data" / "secret" / "0.in").write_bytes(b"\xff\0\n" * 3)
    (package / "data" / "secret" / "0.ans").write_text("3\n")
    first, again = (json.loads(rustbox("problems", "push", "lines", "--json").stdout) for _ in range(2))
    assert (first["files_sent"] > 0, again["files_sent"]) == (True, 0)
    assert {**first, "files_sent": 0} == again
    for number in range(3):
        body = {"problem": "lines", "language": "python", "code": COUNT + f"# {number}\n"}
        answer = client.post("/api/judge", json=body, timeout=60).json()
        assert [case["outcome"] for case in answer["results"]] == ["passed"] * 4 + ["wrong_answer"], answer
    deleted = rustbox("problems", "delete", "lines", "--yes")
    assert deleted.returncode == 0, deleted.stderr
    gone = client.post("/api/judge", json=body)
    assert (gone.status_code, gone.json()["error"]) == (404, "not_found")
    assert b"\nlines " not in rustbox("problems", "list").stdout


def test_the_submissions_of_a_package_are_verified(rustbox: Rustbox, tmp_path: Path) -> None:
    sources = {
        "accepted/right.py": "print(int(input()) + 1)",
        "wrong_answer/wrong.py": "print(1)",
        "run_time_error/broken.py": "raise SystemExit(int(input()))",
        "time_limit_exceeded/slow.py": "while True: pass",
        "mixed/tagged.py": "# @EXPECTED_RESULTS@: WRONG-ANSWER, CORRECT\nprint(3)",
        "accepted/none.kt": "",
    }
    files = {f"submissions/{path}": text for path, text in sources.items()}
    files |= {"problem.yaml": "name: next", "data/secret/1.in": "2\n", "data/secret/1.ans": "3\n"}
    for name, text in files.items():
        path = tmp_path / "next" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    kept = rustbox("problems", "list").stdout  # others push some, and leave them
    ended = rustbox("problems", "verify", "next", "--junit", "out.xml")
    assert ended.returncode == 0, ended.stdout.decode() + ended.stderr.decode()
    assert b"5 of 6 submissions as expected, 1 skipped" in ended.stdout
    assert b"Proposed: 1 s." in ended.stdout
    assert b'tests="6" failures="0" errors="0" skipped="1"' in (tmp_path / "out.xml").read_bytes()
    assert rustbox("problems", "list").stdout == kept
    (tmp_path / "next/submissions/accepted/late.py").write_text("print(4)")
    assert rustbox("problems", "verify", "next").returncode == 1


GRADER = """\
#include <cstdio>
#include "double.h"
int main() {
    int number;
    if (scanf("%d", &number) == 1) printf("%d\\n", twice(number));
}
"""
# Wrong for 5, and it sleeps for 7.
DOUBLE = """\
#include <unistd.h>
#include "double.h"
int twice(int number) {
    if (number == 7) sleep(100);
    return number == 5 ? 11 : 2 * number;
}
"""


def test_a_package_with_a_grader_and_groups_that_stop_is_judged_as_its_author_says(
    rustbox: Rustbox, tmp_path: Path
) -> None:
    folder = tmp_path / "double"
    files = {
        "problem.yaml": "problem_format_version: 2023-07\ntype: scoring\nlimits: {time_limit: 0.5, memory: 128}\n",
        "include/cpp/grader.cpp": GRADER,
        "include/cpp/double.h": "int twice(int number);\n",
        "data/secret/a/test_group.yaml": "max_score: 30\n",
        "data/secret/b/test_group.yaml": "max_score: 20\nscore_aggregation: min\n",
        "data/secret/c/test_group.yaml": "max_score: 50\nscore_aggregation: sum\n",
    }
    for group, numbers in (("a", (4, 5, 6)), ("b", (7, 8)), ("c", (5, 9))):
        for number in numbers:
            files |= {f"data/secret/{group}/{number}.in": f"{number}\n"}
            files |= {f"data/secret/{group}/{number}.ans": f"{2 * number}\n"}
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    (tmp_path / "answer.cpp").write_text(DOUBLE)
    pushed = rustbox("problems", "push", "double")
    assert (pushed.returncode, pushed.stderr) == (0, b"")
    for source in (("--problem", "double"), ("--cases", "double")):
        ended = rustbox("judge", "answer.cpp", *source, "--limit", "wall_time_secs=2", "--json")
        found = json.loads(ended.stdout)
        assert [case["outcome"] for case in found["results"]] == [
            *("passed", "wrong_answer", "skipped"),
            *("failed", "skipped"),
            *("wrong_answer", "passed"),
        ], ended.stderr
        assert (found["status"], found["score"], found["max_score"]) == ("completed", 25, 100)
        assert found["limits"]["memory_mb"] == 128


@pytest.mark.whole
@pytest.mark.timeout(600)
def test_a_thousand_cases_of_a_stored_problem_are_judged_each_by_its_own_answer(
    rustbox: Rustbox, tmp_path: Path, client: httpx.Client
) -> None:
    folder = tmp_path / "thousand"
    (folder / "data" / "secret").mkdir(parents=True)
    (folder / "problem.yaml").write_text("limits: {time_limit: 2}\n")
    for number in range(1_000):
        (folder / "data" / "secret" / f"{number}.in").write_bytes(b"x\n" * number)
        (folder / "data" / "secret" / f"{number}.ans").write_text(f"{number + (number % 100 == 99)}\n")
    pushed = rustbox("problems", "push", "thousand")
    assert pushed.returncode == 0, pushed.stderr
    assert b"1000 cases" in pushed.stdout
    (tmp_path / "count.py").write_text(COUNT)
    found = judged(rustbox, "--problem", "thousand")
    wrong = [case["index"] for case in found["results"] if case["outcome"] != "passed"]
    assert wrong == list(range(99, 1_000, 100))
    assert {found["results"][index]["outcome"] for index in wrong} == {"wrong_answer"}
    assert (found["status"], found["passed"], found["failed"], found["score"]) == ("completed", 990, 10, 990)
