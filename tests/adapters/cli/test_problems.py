"""`rustbox problems` and `rustbox judge --problem` against a scripted service."""

import hashlib
import json
from pathlib import Path

import pytest

from rustbox_cli import problem_cases
from rustbox_cli.errors import ExitCode
from tests.adapters.cli.invocation import Rustbox
from tests.adapters.cli.judge_replies import ACCEPTED, case, final
from tests.adapters.scripted_service import Reply, Service

PUSHED = {"id": "sum", "version": "0123456789abcdef", "cases": 2, "size_bytes": 2_097_152}


def write(folder: Path, files: dict[str, bytes]) -> Path:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a small case, and one whose input is no text and whose answer is large."""
    return write(tmp_path / "sum", {"1.in": b"1\n", "1.ans": b"2\n", "2.in": b"\xff\0", "2.ans": b"x" * 20_000})


def known(service: Service, content: bytes) -> None:
    service.will(Reply(200, {"id": f"sha256:{hashlib.sha256(content).hexdigest()}", "exists": True}))


def test_small_texts_go_with_the_problem_and_other_contents_by_their_hash(
    rustbox: Rustbox, service: Service, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(problem_cases, "_UPLOADS", 1)
    digest = hashlib.sha256(b"\xff\0").hexdigest()
    link = {"url": f"{service.url}/upload", "method": "PUT", "headers": {}, "expires_at": ""}
    service.will(Reply(200, {"id": f"sha256:{digest}", "exists": False, "upload": link}))
    monkeypatch.setattr("rustbox_cli.program_input._send", lambda *_: None)
    known(service, b"\xff\0")
    known(service, b"x" * 20_000)
    service.will(Reply(200, PUSHED))
    ended = rustbox("problems", "push", str(folder))
    assert ended.exit_code == 0, ended.stderr
    assert ended.stdout == "sum@0123456789abcdef: 2 cases, 2.0 MiB, 1 file sent\n"
    pushed = service.asked[-1]
    assert (pushed.method, pushed.path) == ("POST", "/api/problems")
    assert pushed.body == {
        "id": "sum",
        "cases": [
            {"id": "1", "stdin": "1\n", "expected": "2\n"},
            {
                "id": "2",
                "stdin_sha256": f"sha256:{digest}",
                "expected_sha256": f"sha256:{hashlib.sha256(b'x' * 20_000).hexdigest()}",
            },
        ],
    }


def test_texts_that_are_too_many_for_a_request_become_files(
    rustbox: Rustbox, service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(problem_cases, "_INLINE_TOTAL_BYTES", 10)
    monkeypatch.setattr(problem_cases, "_UPLOADS", 1)
    folder = write(tmp_path / "sum", {"1.in": b"\n\n\n\n\n", "1.ans": b"1234", "2.in": b"1234", "2.ans": b"1234"})
    for content in (b"\n\n\n\n\n", b"1234", b"1234"):
        known(service, content)
    service.will(Reply(200, PUSHED))
    assert rustbox("problems", "push", str(folder), "--id", "other").exit_code == 0
    first, second = service.asked[-1].body["cases"]
    assert service.asked[-1].body["id"] == "other"
    assert ("stdin_sha256" in first, first["expected"], second["stdin_sha256"]) == (
        True,
        "1234",
        f"sha256:{hashlib.sha256(b'1234').hexdigest()}",
    )


def test_a_package_is_pushed_with_its_checker_groups_and_limits(
    rustbox: Rustbox, service: Service, tmp_path: Path
) -> None:
    folder = write(
        tmp_path / "hello",
        {
            "problem.yaml": b"validation: custom\nlimits: {time_limit: 2}\n",
            "output_validators/check.py": b"import sys; sys.exit(42)",
            "data/sample/1.in": b"1",
            "data/sample/1.ans": b"2",
        },
    )
    service.will(Reply(200, PUSHED))
    assert rustbox("problems", "push", str(folder)).exit_code == 0
    body = service.asked[-1].body
    assert (body["checker"]["kind"], body["checker"]["protocol"], body["limits"]) == (
        "program",
        "kattis",
        {"cpu_time_secs": 2, "wall_time_secs": 5},
    )
    service.will(Reply(200, PUSHED))
    assert rustbox("problems", "push", str(folder), "--checker", "exact").exit_code == 0
    assert service.asked[-1].body["checker"] == {"kind": "exact"}


def test_a_problem_without_answers_is_pushed_only_if_asked_for(
    rustbox: Rustbox, service: Service, tmp_path: Path
) -> None:
    folder = write(tmp_path / "sum", {"in/1.in": b"1", "out/1.out": b"2", "in/2.in": b"3"})
    ended = rustbox("problems", "push", str(folder))
    assert (ended.exit_code, service.asked) == (ExitCode.REFUSED, [])
    assert "1 of 2 cases have none: in/2" in ended.stderr
    service.will(Reply(200, {**PUSHED, "warnings": ["cases[1] has none."]}))
    ended = rustbox("problems", "push", str(folder), "--no-answers")
    assert (ended.exit_code, ended.stderr) == (0, "rustbox: cases[1] has none.\n")
    assert service.asked[-1].body["cases"] == [
        {"id": "in/1", "stdin": "1", "expected": "2"},
        {"id": "in/2", "stdin": "3"},
    ]


def test_a_problem_has_up_to_1000_cases(rustbox: Rustbox, service: Service, tmp_path: Path) -> None:
    folder = write(tmp_path / "many", {f"{number}.in": b"" for number in range(1_000)})
    service.will(Reply(200, PUSHED))
    assert rustbox("problems", "push", str(folder), "--no-answers").exit_code == 0
    assert len(service.asked[-1].body["cases"]) == 1_000
    (tmp_path / "solution.py").write_text("1")
    refused = rustbox("judge", str(tmp_path / "solution.py"), "--cases", str(folder))
    assert "problems push" in refused.stderr
    write(folder, {"one.in": b""})
    assert "at most 1,000" in rustbox("problems", "push", str(folder)).stderr


@pytest.mark.parametrize("name", ["a b", ".a", "ä", "a/b", "x" * 65])
def test_a_name_that_is_no_id_is_refused(rustbox: Rustbox, service: Service, folder: Path, name: str) -> None:
    ended = rustbox("problems", "push", str(folder), "--id", name)
    assert (ended.exit_code, "--id" in ended.stderr, service.asked) == (2, True, [])


def test_a_case_that_is_too_large_is_refused_before_anything_is_sent(
    rustbox: Rustbox, service: Service, folder: Path
) -> None:
    with (folder / "2.in").open("wb") as file:
        file.truncate(problem_cases.CASE_MAX_BYTES + 1)
    ended = rustbox("problems", "push", str(folder))
    assert (ended.exit_code != 0, "2.in has 67,108,865 bytes" in ended.stderr, service.asked) == (True, True, [])


def test_problems_are_listed_shown_and_deleted(rustbox: Rustbox, service: Service) -> None:
    item = {**PUSHED, "created_at": "2026-11-30T12:00:00.000Z", "pushed_at": "2026-11-30T12:00:00.000Z"}
    service.will(Reply(200, {"items": [item], "next_cursor": None}))
    lines = rustbox("problems", "list").stdout.splitlines()
    assert lines[1].split() == ["sum", "0123456789abcdef", "2", "2097152", "2026-11-30T12:00:00.000Z"]
    service.will(Reply(200, item))
    assert "0123456789abcdef" in rustbox("problems", "show", "sum@0123456789abcdef").stdout
    assert service.asked[-1].path == "/api/problems/sum%400123456789abcdef"
    service.will(Reply(200, {"id": "sum", "deleted": True}))
    assert rustbox("problems", "delete", "sum", "--yes").stdout == "sum deleted\n"
    assert (service.asked[-1].method, service.asked[-1].path) == ("DELETE", "/api/problems/sum")


def test_a_program_is_judged_on_a_stored_problem(rustbox: Rustbox, service: Service, tmp_path: Path) -> None:
    (tmp_path / "solution.py").write_text("print(1)")
    service.will(ACCEPTED, final(case(0, max_points=1), case(1, max_points=1)))
    ended = rustbox("judge", str(tmp_path / "solution.py"), "--problem", "sum@0123456789abcdef", "--json")
    assert ended.exit_code == 0, ended.stderr
    assert json.loads(ended.stdout)["all_passed"] is True
    assert service.asked[0].body == {"language": "python", "code": "print(1)", "problem": "sum@0123456789abcdef"}


@pytest.mark.parametrize(
    "options",
    [
        (),
        ("--problem", "sum", "--cases", "."),
        ("--problem", "sum", "--checker", "exact"),
        ("--problem", "sum", "--float-abs", "0"),
        ("--problem", "sum", "--stop"),
        ("--problem", "sum", "--without-groups"),
        ("--problem", "sum", "--no-answers"),
    ],
)
def test_options_that_exclude_each_other_are_refused(
    rustbox: Rustbox, service: Service, tmp_path: Path, options: tuple[str, ...]
) -> None:
    (tmp_path / "solution.py").write_text("print(1)")
    ended = rustbox("judge", str(tmp_path / "solution.py"), *options)
    assert (ended.exit_code, service.asked) == (2, [])
