"""Limits of problem packages, and the files that they have for programs."""

import base64
from pathlib import Path
from typing import Any

import pytest

from rustbox_cli.errors import CommandError, ExitCode
from rustbox_cli.problem_cases import read_case_folder
from tests.adapters.cli.invocation import Rustbox
from tests.adapters.cli.judge_replies import ACCEPTED, case, final
from tests.adapters.scripted_service import Reply, Service

PUSHED = Reply(200, {"id": "sum", "version": "0123456789abcdef", "cases": 1, "size_bytes": 2})
CASE = {"data/secret/1.in": "1\n", "data/secret/1.ans": "1\n"}
UNTIMED = "The package has no time limit"


def package(folder: Path, problem: str = "", **files: str) -> Path:
    """Write a package with one case. `files`: by paths with _ in place of a dash."""
    for name, text in {"problem.yaml": problem, **CASE, **files}.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


@pytest.mark.parametrize(
    ("problem", "files", "limits"),
    [
        ("limits: {time_limit: 2}", {}, {"cpu_time_secs": 2, "wall_time_secs": 5}),
        (
            "limits: {time_limit: 2, memory: 512, output: 4}",
            {},
            {"cpu_time_secs": 2, "wall_time_secs": 5, "memory_mb": 512, "output_kb": 4096},
        ),
        (
            "limits: {memory: 256}",
            {".timelimit": "1.5\n"},
            {"cpu_time_secs": 1.5, "wall_time_secs": 4, "memory_mb": 256},
        ),
        (
            "",
            {"domjudge-problem.ini": "color = '#fff'\ntimelimit='2.5'\n"},
            {"cpu_time_secs": 2.5, "wall_time_secs": 6},
        ),
        ("", {"domjudge-problem.ini": "timelimit = 2\n", ".timelimit": "1"}, {"cpu_time_secs": 2, "wall_time_secs": 5}),
        ("", {"domjudge-problem.ini": "name = x\n"}, {}),
        ("limits: {time_limit: 4}", {}, {"cpu_time_secs": 4, "wall_time_secs": 9}),
        ("limits: {time_limit: 10}", {}, {"cpu_time_secs": 10, "wall_time_secs": 21}),
        ("limits: {time_limit: 14}", {}, {"cpu_time_secs": 14, "wall_time_secs": 25}),
        ("limits: {time_limit: 40}", {}, {"cpu_time_secs": 40, "wall_time_secs": 81}),
        ("limits: [1]", {}, {}),
        # The answer shows that programs write more than the default limit: they get that of packages.
        (
            "",
            {".timelimit": "1", "data/secret/1.ans": "x" * 1_048_577},
            {"cpu_time_secs": 1, "wall_time_secs": 3, "output_kb": 8192},
        ),
        (
            "",
            {".timelimit": "1", "data/secret/1.ans": "x" * 9_000_000},
            {"cpu_time_secs": 1, "wall_time_secs": 3, "output_kb": 8790},
        ),
        ("limits: {output: 1}", {"data/secret/1.ans": "x" * 1_048_577}, {"output_kb": 1024}),
    ],
)
def test_a_package_brings_its_limits(
    tmp_path: Path, problem: str, files: dict[str, str], limits: dict[str, float]
) -> None:
    assert read_case_folder(package(tmp_path, problem, **files)).limits == limits


@pytest.mark.parametrize(
    "problem",
    ["limits: {memory: much}", "limits: {output: [1]}", "limits: {time_limit: soon}", "limits: {memory: .inf}"],
)
def test_a_limit_that_is_no_number_is_refused(tmp_path: Path, problem: str) -> None:
    with pytest.raises(CommandError, match="needs a number"):
        read_case_folder(package(tmp_path, problem))


def test_a_package_without_a_time_limit_says_so_unless_one_is_given(
    rustbox: Rustbox, service: Service, tmp_path: Path
) -> None:
    folder = str(package(tmp_path / "sum"))
    for options, limits in (((), None), (("--limit", "cpu_time_secs=2"), {"cpu_time_secs": 2})):
        service.will(PUSHED)
        ended = rustbox("problems", "push", folder, *options)
        assert ended.exit_code == 0, ended.stderr
        assert (UNTIMED in ended.stderr) == (limits is None)
        assert service.asked[-1].body.get("limits") == limits


def test_a_limit_above_a_ceiling_is_refused_by_the_service_and_may_be_given_lower(
    rustbox: Rustbox, service: Service, tmp_path: Path
) -> None:
    folder = str(package(tmp_path / "sum", "limits: {time_limit: 1, memory: 2048}"))
    text = "Must be a whole number from 1 up to 1024. The operator can raise it (LimitCeilings)."
    problems = [{"field": "limits.memory_mb", "message": text}]
    service.will(Reply(422, {"error": "invalid", "message": text, "fields": problems, "request_id": "r"}))
    refused = rustbox("problems", "push", folder)
    assert refused.exit_code == ExitCode.REFUSED
    assert "LimitCeilings" in refused.stderr
    service.will(PUSHED)
    assert rustbox("problems", "push", folder, "--limit", "memory_mb=1024").exit_code == 0
    assert service.asked[-1].body["limits"] == {"cpu_time_secs": 1, "wall_time_secs": 3, "memory_mb": 1024}


INCLUDES = {
    "include/cpp/grader.cpp": "int main() {}\n",
    "include/cpp/lib/add.h": "int add();\n",
    "include/cpp/.hidden": "",
    "include/python3/add.py": "def add(): ...\n",
    "include/cobol/add.cob": "",
}


def text_of(entry: dict[str, Any]) -> tuple[Any, ...]:
    return entry.get("language"), entry["path"], base64.b64decode(entry["content_base64"]).decode()


def test_files_of_a_package_go_to_programs_in_their_language(
    rustbox: Rustbox, service: Service, tmp_path: Path
) -> None:
    folder = str(package(tmp_path / "sum", "limits: {time_limit: 1}", **INCLUDES))
    service.will(PUSHED)
    assert rustbox("problems", "push", folder).exit_code == 0
    assert [text_of(entry) for entry in service.asked[-1].body["files"]] == [
        ("cpp", "grader.cpp", "int main() {}\n"),
        ("cpp", "lib/add.h", "int add();\n"),
        ("python", "add.py", "def add(): ...\n"),
    ]
    for name, files in (("a.cpp", ["grader.cpp", "lib/add.h"]), ("a.py", ["add.py"]), ("a.c", [])):
        (tmp_path / name).write_text("x")
        service.will(ACCEPTED, final(case(0)))
        rustbox("judge", str(tmp_path / name), "--cases", folder)
        (posted,) = [asked.body for asked in service.asked[-2:] if asked.method == "POST"]
        assert [entry["path"] for entry in posted.get("files", [])] == files


def test_default_files_are_for_languages_without_their_own(tmp_path: Path) -> None:
    files = {"include/default/a.txt": "", "include/cpp/b.h": "", "include/javascript/c.js": ""}
    found = read_case_folder(package(tmp_path, "", **files)).includes
    assert {language: [file.path for file in some] for language, some in found.items() if language in {"c", "cpp"}} == {
        "cpp": ["b.h"],
        "c": ["a.txt"],
    }
    assert [file.path for file in found["javascript"]] == ["c.js"]


def test_a_large_file_of_a_package_is_stored_first(rustbox: Rustbox, service: Service, tmp_path: Path) -> None:
    folder = str(package(tmp_path / "sum", "limits: {time_limit: 1}", **{"include/cpp/big.h": "x" * 20_000}))
    service.will(Reply(200, {"id": "sha256:" + "0" * 64, "exists": True}), PUSHED)
    assert rustbox("problems", "push", folder).exit_code == 0
    assert service.asked[-1].body["files"] == [{"path": "big.h", "sha256": "sha256:" + "0" * 64, "language": "cpp"}]


def test_a_folder_of_packages_is_refused_with_their_names(rustbox: Rustbox, tmp_path: Path) -> None:
    package(tmp_path / "all/easy/sum")
    package(tmp_path / "all/hello")
    for command in (("problems", "push"), ("judge", str(tmp_path / "all/hello/problem.yaml"), "-l", "c", "--cases")):
        ended = rustbox(*command, str(tmp_path / "all"))
        assert ended.exit_code == ExitCode.REFUSED
        assert "packages in it: easy/sum, hello. Give one of them." in ended.stderr


MAINS = {
    "include/cpp/main.cpp": "int main() {}\n",
    "include/python3/main.py": "import answer\n",
    "include/java/Grader.java": "class Grader { public static void main(String[] args) {} }\n",
    "include/rust/lib.rs": "",
}


def test_languages_whose_files_have_a_main_program_are_refused_by_name(
    rustbox: Rustbox, service: Service, tmp_path: Path
) -> None:
    folder = str(package(tmp_path / "sum", "limits: {time_limit: 1}", **MAINS))
    service.will(PUSHED)
    pushed = rustbox("problems", "push", folder)
    assert pushed.exit_code == 0
    for name, language in (("python3/main.py", "python"), ("java/Grader.java", "java")):
        assert f"include/{name} is a main program" in pushed.stderr
        assert f"no program in {language} is judged" in pushed.stderr
    body = service.asked[-1].body
    assert {"python", "java"}.isdisjoint(body["languages"])
    assert {"c", "cpp", "rust", "go"} <= {*body["languages"]}
    assert [(entry["language"], entry["path"]) for entry in body["files"]] == [("cpp", "main.cpp"), ("rust", "lib.rs")]
    (tmp_path / "answer.py").write_text("x")
    refused = rustbox("judge", str(tmp_path / "answer.py"), "--cases", folder)
    assert refused.exit_code == ExitCode.REFUSED
    assert "include/python3/main.py is a main program" in refused.stderr
