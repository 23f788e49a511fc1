"""`rustbox judge` against a scripted service, and the folders that it reads."""

import contextlib
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from rustbox_cli.errors import CommandError, ExitCode
from rustbox_cli.problem_cases import read_case_folder
from tests.adapters.cli.invocation import Rustbox, write
from tests.adapters.cli.judge_replies import ACCEPTED, case, final
from tests.adapters.scripted_service import Reply, Service
from tests.submission_factory import SUBMISSION_ID as ID

OPEN = {"id": ID, "status": "running", "finished": 1, "total": 2}


@pytest.fixture
def solution(tmp_path: Path) -> tuple[str, str]:
    """A program and a folder with two cases."""
    write(tmp_path / "cases", {"1.in": "1\n", "1.ans": "2\n", "2.in": "3\n", "2.ans": "4\n"})
    (tmp_path / "solution.py").write_text("print(int(input()) + 1)")
    return str(tmp_path / "solution.py"), str(tmp_path / "cases")


def test_a_line_for_each_case_and_0_if_all_passed(
    rustbox: Rustbox, service: Service, solution: tuple[str, str]
) -> None:
    service.will(ACCEPTED, Reply(200, {**OPEN, "results": [case(0)]}), final(case(1)), final(case(0), case(1)))
    ended = rustbox("judge", solution[0], "--cases", solution[1], "--stop", "--limit", "memory_mb=64")
    assert ended.exit_code == 0, ended.stderr
    lines = ended.stdout.splitlines()
    assert lines[0].split() == ["CASE", "OUTCOME", "VERDICT", "CPU", "S", "MEMORY", "MIB", "MESSAGE"]
    assert lines[1].split() == ["1", "passed", "AC", "0.010", "3.5", "-"]
    assert lines[3] == "2 of 2 cases passed; score 2 of 2"
    sent, *polls = service.asked
    assert (sent.method, sent.path, sent.query) == ("POST", "/api/judge", {"wait": "false"})
    assert sent.body == {
        "language": "python",
        "code": "print(int(input()) + 1)",
        "cases": [{"id": "1", "stdin": "1\n", "expected": "2\n"}, {"id": "2", "stdin": "3\n", "expected": "4\n"}],
        "stop": "first_failure",
        "limits": {"memory_mb": 64},
    }
    assert [poll.query for poll in polls] == [{"wait": "20", "after": "0"}, {"wait": "20", "after": "1"}, {}]


@pytest.mark.parametrize("is_terminal", [True, False])
def test_progress_is_shown_in_a_terminal_only(
    service: Service, solution: tuple[str, str], *, is_terminal: bool
) -> None:
    service.will(ACCEPTED, Reply(200, {**OPEN, "results": [case(0)]}), final(case(1)), final(case(0), case(1)))
    terminal, errors = pty.openpty() if is_terminal else os.pipe()
    command = [sys.executable, "-m", "rustbox_cli", "judge", solution[0], "--cases", solution[1]]
    ended = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=errors, env={**os.environ, "TERM": "xterm"}, check=True
    )
    os.close(errors)
    shown = b""
    with contextlib.suppress(OSError):  # the end of a terminal
        while chunk := os.read(terminal, 65_536):
            shown += chunk
    os.close(terminal)
    assert ended.stdout.endswith(b"2 of 2 cases passed; score 2 of 2\n")
    assert (b"judging: 1 of 2 cases" in shown) == is_terminal


@pytest.mark.parametrize(
    ("messages", "shown"),
    [
        ({"checker_message": "for the judge", "team_message": "for the team"}, "for the judge"),
        ({"team_message": "for the team", "error_message": "the program waited"}, "for the team"),
        ({"team_message": None, "error_message": "the program waited"}, "the program waited"),
        ({"error_message": "from a service before team_message"}, "from a service before team_message"),
    ],
)
def test_a_case_shows_the_first_message_that_it_has(
    rustbox: Rustbox, service: Service, solution: tuple[str, str], messages: dict[str, str | None], shown: str
) -> None:
    service.will(ACCEPTED, final(case(0, "wrong_answer", **messages)))
    assert rustbox("judge", solution[0], "--cases", solution[1]).stdout.splitlines()[1].endswith(f" {shown}")


@pytest.mark.parametrize(
    ("reply", "code"),
    [
        (final(case(0), case(1, "wrong_answer", checker_message="line 1 differs")), 1),
        (final(case(0), case(1, "partial")), 1),
        (final(case(0), case(1, "failed", "TLE")), ExitCode.TIME_LIMIT),
        (final(case(0, "failed", "MLE"), case(1, "failed", "TLE")), ExitCode.MEMORY_LIMIT),
        (final(case(0), case(1, "failed", "RE", exit_code=7)), 7),
        (final(case(0), case(1, "failed", "SIG", signal=11)), 139),
        (final(case(0), case(1, "judge_error"), status="error"), ExitCode.PLATFORM_FAILURE),
        (
            final(
                *(case(index, "skipped", None, cpu_time_secs=None, memory_peak_bytes=None) for index in range(2)),
                compile={"verdict": "RE", "stderr": "syntax \x1b error\n"},
            ),
            ExitCode.COMPILE_ERROR,
        ),
    ],
)
def test_the_exit_code_is_that_of_the_first_failed_case(
    rustbox: Rustbox, service: Service, solution: tuple[str, str], reply: Reply, code: int
) -> None:
    service.will(ACCEPTED, reply)
    ended = rustbox("judge", solution[0], "--cases", solution[1])
    assert ended.exit_code == code, ended.stderr
    assert "\x1b" not in ended.stdout + ended.stderr
    assert ("syntax" in ended.stderr) == (code == ExitCode.COMPILE_ERROR)
    service.will(ACCEPTED, reply)
    assert rustbox("judge", solution[0], "--cases", solution[1], "--json").exit_code == code


def test_a_refusal_names_the_field(rustbox: Rustbox, service: Service, solution: tuple[str, str]) -> None:
    problem = {"field": "cases[1].stdin", "message": "Has 1,048,577 bytes, the limit is 1,048,576 bytes."}
    service.will(Reply(422, {"error": "invalid", "message": "Some fields are wrong.", "fields": [problem]}))
    ended = rustbox("judge", solution[0], "--cases", solution[1])
    assert ended.exit_code == ExitCode.REFUSED
    assert "cases[1].stdin: Has 1,048,577 bytes" in ended.stderr


def test_options_choose_the_checker_of_the_request(
    rustbox: Rustbox, service: Service, solution: tuple[str, str]
) -> None:
    for options, checker in (
        (("--checker", "exact"), {"kind": "exact"}),
        (("--float-abs", "1e-6"), {"kind": "tokens", "float_abs": 1e-6}),
        (("--checker", "tokens", "--float-rel", "0.5"), {"kind": "tokens", "float_rel": 0.5}),
    ):
        service.will(ACCEPTED, final(case(0), case(1)))
        assert rustbox("judge", solution[0], "--cases", solution[1], *options).exit_code == 0
        assert service.asked[-2].body["checker"] == checker


def test_plain_folders_are_read_in_natural_order(tmp_path: Path) -> None:
    write(tmp_path, {"10.in": "a", "10.out": "b", "2.in": "c", "2.ans": "d", "sample/1.in": "e", "notes.txt": "x"})
    found = read_case_folder(tmp_path, needs_answers=False)
    assert found.cases == [
        {"id": "2", "stdin": "c", "expected": "d"},
        {"id": "10", "stdin": "a", "expected": "b"},
        {"id": "sample/1", "stdin": "e"},
    ]
    assert (found.checker, found.limits) == (None, {})


@pytest.mark.parametrize(("inputs", "answers"), [("in", "out"), ("input", "output")])
@pytest.mark.parametrize("suffix", [".out", ".ans"])
def test_answers_in_a_folder_beside_that_of_the_inputs_belong_to_them(
    tmp_path: Path, inputs: str, answers: str, suffix: str
) -> None:
    write(
        tmp_path,
        {
            f"{inputs}/sum1a.in": "1 2",
            f"{answers}/sum1a{suffix}": "3",
            f"{inputs}/sum2.in": "4 5",
            f"{inputs}/sum2{suffix}": "9",
            f"{answers}/sum2{suffix}": "the nearer file wins",
        },
    )
    assert read_case_folder(tmp_path).cases == [
        {"id": f"{inputs}/sum1a", "stdin": "1 2", "expected": "3"},
        {"id": f"{inputs}/sum2", "stdin": "4 5", "expected": "9"},
    ]


NO_ANSWERS = {"in/1.in": "", "in/2.in": "", "out/2.ans": "", "3.in": "", "3.txt": "no answer"}


@pytest.mark.parametrize("reads_checker", [True, False])
def test_cases_without_an_answer_are_refused_by_name(tmp_path: Path, *, reads_checker: bool) -> None:
    write(tmp_path, NO_ANSWERS)
    with pytest.raises(CommandError, match=r"2 of 3 cases have none: 3, in/1\. .*--no-answers") as refused:
        read_case_folder(tmp_path, reads_checker=reads_checker)
    assert refused.value.exit_code == ExitCode.REFUSED


def test_a_refusal_names_the_first_cases_without_an_answer(tmp_path: Path) -> None:
    write(tmp_path, {f"{number}.in": "" for number in range(30)})
    with pytest.raises(CommandError, match=r": 0, 1, 2, 3, 4, 5, 6, 7, 8, 9 and 20 more\. "):
        read_case_folder(tmp_path)


def test_the_names_of_cms_are_cases_in_natural_order(tmp_path: Path) -> None:
    names = ("0", "2", "10")
    write(tmp_path, {f"input/input{name}.txt": f"in {name}" for name in names})
    write(
        tmp_path,
        {f"output/output{name}.txt": f"out {name}" for name in names}
        | {"input/notes.txt": "", "input/input_format.txt": ""},
    )
    wanted = [{"id": f"input/input{name}", "stdin": f"in {name}", "expected": f"out {name}"} for name in names]
    assert read_case_folder(tmp_path).cases == wanted
    (tmp_path / "output" / "output2.txt").unlink()
    with pytest.raises(CommandError, match="1 of 3 cases have none: input/input2"):
        read_case_folder(tmp_path)


def test_no_answer_is_looked_for_outside_of_the_folder(tmp_path: Path) -> None:
    write(tmp_path, {"in/1.in": "", "out/1.out": ""})
    with pytest.raises(CommandError, match="1 of 1 cases have none: 1"):
        read_case_folder(tmp_path / "in")


def test_cases_that_a_program_judges_need_no_answer(tmp_path: Path) -> None:
    program = {"problem.yaml": "validation: custom", "output_validators/check.py": "x"}
    write(tmp_path, {"data/secret/1.in": "", "data/secret/2.in": "", "data/secret/2.ans": "", **program})
    assert len(read_case_folder(tmp_path).cases) == 2
    with pytest.raises(CommandError, match="1 of 2 cases have none: secret/1"):
        read_case_folder(tmp_path, reads_checker=False)


def test_no_answers_judges_cases_without_an_answer_and_shows_what_the_service_warns_of(
    rustbox: Rustbox, service: Service, solution: tuple[str, str]
) -> None:
    (Path(solution[1]) / "2.ans").unlink()
    ended = rustbox("judge", solution[0], "--cases", solution[1])
    assert (ended.exit_code, service.asked) == (ExitCode.REFUSED, [])
    assert "1 of 2 cases have none: 2" in ended.stderr
    service.will(
        Reply(202, {"id": ID, "status": "pending", "queue_depth": 0, "warnings": ["cases[1] has none.\x1b"]}),
        final(case(0), case(1)),
    )
    ended = rustbox("judge", solution[0], "--cases", solution[1], "--no-answers")
    assert ended.exit_code == 0, ended.stderr
    assert service.asked[0].body["cases"][1] == {"id": "2", "stdin": "3\n"}
    assert ended.stderr == "rustbox: cases[1] has none.\\x1b\n"


def test_a_problem_package_brings_its_cases_checker_and_time_limit(tmp_path: Path) -> None:
    package = {
        "problem.yaml": "validation: default\nvalidator_flags: float_tolerance 1e-6 case_sensitive\n",
        ".timelimit": "2\n",
        "data/secret/1.in": "s",
        "data/secret/1.ans": "t",
        "data/sample/1.in": "u",
        "data/sample/1.ans": "v",
        "submissions/accepted/x.in": "no case",
    }
    write(tmp_path, package)
    found = read_case_folder(tmp_path)
    assert [one["id"] for one in found.cases] == ["sample/1", "secret/1"]
    assert found.checker == {"kind": "tokens", "case_sensitive": True, "float_abs": 1e-6, "float_rel": 1e-6}
    assert found.limits == {"cpu_time_secs": 2, "wall_time_secs": 5}
    (tmp_path / "problem.yaml").write_text("validation: custom\n")
    assert read_case_folder(tmp_path, reads_checker=False).checker is None
    (tmp_path / "problem.yaml").write_text("name: x\n")
    assert read_case_folder(tmp_path).checker == {"kind": "tokens", "case_sensitive": False}


def test_a_package_of_2023_07_and_later_has_its_arguments_in_groups_and_cases(tmp_path: Path) -> None:
    package = {
        "problem.yaml": "problem_format_version: 2023-07-draft\ntype: pass-fail\nlimits: {time_limit: 1.5}\n",
        "data/test_group.yaml": "output_validator_args: [float_tolerance, 1e-6]\n",
        "data/sample/1.in": "a",
        "data/sample/1.ans": "b",
        "data/secret/group/test_group.yaml": "scoring: {}\noutput_validator_args: [case_sensitive]\n",
        "data/secret/group/1.in": "c",
        "data/secret/group/1.ans": "d",
        "data/secret/group/2.in": "e",
        "data/secret/group/2.ans": "f",
        "data/secret/group/2.yaml": "args: [--fast, 3]\noutput_validator_args: []\n",
        "data/invalid_input/1.in": "no case",
        "data/valid_output/1.in": "no case",
    }
    write(tmp_path, package)
    found = read_case_folder(tmp_path)
    assert found.checker == {"kind": "tokens", "case_sensitive": False, "float_abs": 1e-6, "float_rel": 1e-6}
    assert found.cases == [
        {"id": "sample/1", "stdin": "a", "expected": "b"},
        {"id": "secret/group/1", "stdin": "c", "expected": "d", "checker": {"kind": "tokens", "case_sensitive": True}},
        {
            "id": "secret/group/2",
            "stdin": "e",
            "expected": "f",
            "args": ["--fast", "3"],
            "checker": {"kind": "tokens", "case_sensitive": False},
        },
    ]
    assert found.limits == {"cpu_time_secs": 1.5, "wall_time_secs": 4}
    plain = read_case_folder(tmp_path, reads_checker=False)
    assert (plain.checker, plain.limits) == (None, found.limits)
    assert plain.cases[2] == {"id": "secret/group/2", "stdin": "e", "expected": "f", "args": ["--fast", "3"]}


CUSTOM = {"1.in": "1", "1.ans": "2", "problem.yaml": "validation: custom\nvalidator_flags: --strict 3"}


@pytest.mark.parametrize("place", ["output_validators/check.cc", "output_validators/check/check.cc"])
def test_the_validator_of_a_package_judges(tmp_path: Path, place: str) -> None:
    header = {"output_validators/check/validate.h": "// header"} if "check/" in place else {}
    write(
        tmp_path, {**CUSTOM, place: "int main() {}", **header, "output_validators/.DS_Store": "", "testdata.yaml": ""}
    )
    found = read_case_folder(tmp_path)
    files = {"files": {"validate.h": "// header"}} if header else {}
    program = {"kind": "program", "language": "cpp", "protocol": "kattis", "code": "int main() {}", **files}
    assert found.checker == {**program, "args": ["--strict", "3"]}
    assert found.cases == [{"id": "1", "stdin": "1", "expected": "2"}]


def test_main_of_several_scripts_is_the_validator(tmp_path: Path) -> None:
    write(tmp_path, {**CUSTOM, "output_validators/a/main.py": "main", "output_validators/a/help.py": "help"})
    checker = read_case_folder(tmp_path).checker
    assert checker is not None
    assert (checker["code"], checker["files"]) == ("main", {"help.py": "help"})


@pytest.mark.parametrize(
    "package",
    [
        {"problem.yaml": "validation: custom interactive", "output_validators/talk.py": "x"},
        {"problem.yaml": "type: [pass-fail, interactive]", "output_validator/talk.py": "x"},
    ],
)
def test_an_interactive_validator_is_an_interactor_and_its_cases_have_no_answer(
    tmp_path: Path, package: dict[str, str]
) -> None:
    write(tmp_path, {"data/secret/1.in": "1", "data/secret/1.ans": "2", **package})
    found = read_case_folder(tmp_path)
    assert found.checker == {"kind": "interactor", "language": "python", "protocol": "kattis", "code": "x", "args": []}
    assert found.cases == [{"id": "secret/1", "stdin": "1"}]


@pytest.mark.parametrize(
    ("problem", "passes"),
    [
        ("validation: custom multi-pass\nlimits: {validation_passes: 26}", 26),  # as of DOMjudge
        ("type: [pass-fail, multi-pass]", 2),
        ("problem_format_version: 2025-09\ntype: multi-pass interactive\nlimits: {validation_passes: 3}", 3),
    ],
)
def test_a_multi_pass_package_has_its_passes(tmp_path: Path, problem: str, passes: int) -> None:
    write(tmp_path, {"data/secret/1.in": "1", "problem.yaml": problem, "output_validator/a.py": "x"})
    found = read_case_folder(tmp_path)
    assert found.checker is not None
    assert (found.checker["kind"], found.checker["passes"]) == (
        "interactor" if "interactive" in problem else "program",
        passes,
    )


@pytest.mark.parametrize(
    ("files", "sentence"),
    [
        ({"readme": ""}, "There is no case"),
        ({f"{number}.in": "" for number in range(201)}, "has 201 cases; a judge run has at most 200"),
        ({"1.in": "", "problem.yaml": "validation: custom"}, "has 0 output validators; one can judge"),
        (
            {**CUSTOM, "output_validators/a.py": "", "output_validators/b.py": ""},
            "has 2 output validators; one can judge",
        ),
        ({**CUSTOM, "output_validators/a/b.py": "", "output_validators/a/c.cc": ""}, "must have one source file"),
        ({**CUSTOM, "output_validators/a/main.cc": "", "output_validators/a/c.cc": ""}, "must have one source file"),
        ({**CUSTOM, "output_validators/a/b.py": "", "output_validators/a/build": ""}, "and no build script"),
        (
            {
                "1.in": "",
                "problem.yaml": "type: multi-pass\nlimits: {validation_passes: x}",
                "output_validator/a.py": "",
            },
            "validation_passes needs a number",
        ),
        ({"1.in": "", "problem.yaml": "limits: {time_limit: soon}"}, "time limit of .* needs a number"),
        ({"1.in": "", "problem.yaml": "validator_flags: float_tolerance much"}, "float_tolerance needs a number"),
        ({"1.in": "", "problem.yaml": "a: [b"}, "is not valid YAML"),
        ({"1.in": "", ".timelimit": "soon"}, "needs a number"),
    ],
)
def test_a_folder_that_cannot_be_judged_is_refused(tmp_path: Path, files: dict[str, str], sentence: str) -> None:
    write(tmp_path, files)
    with pytest.raises(CommandError, match=sentence) as refused:
        read_case_folder(tmp_path)
    assert refused.value.exit_code == ExitCode.REFUSED


def test_a_case_that_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "1.in").write_bytes(b"\xff")
    with pytest.raises(CommandError, match="not UTF-8"):
        read_case_folder(tmp_path)


def test_no_name_of_a_case_looks_like_another_row(
    service: Service, rustbox: Rustbox, solution: tuple[str, str]
) -> None:
    wrong = case(0, "wrong_answer", id="1\n2     passed        AC\x1b[2J")
    service.will(ACCEPTED, final(wrong))
    ended = rustbox("judge", solution[0], "--cases", solution[1])
    (row,) = [line for line in ended.stdout.splitlines() if "passed  " in line]
    assert "1\\n2 " in row
    assert "\x1b" not in ended.stdout
