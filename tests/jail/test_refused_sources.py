"""Sources that Python refuses to compile are compile errors; a program cannot make its own end look like one."""

from datetime import UTC, datetime

import pytest

from events.completed import ExecutionCompleted
from events.files import PlacedFile
from sandbox_runtime.executor import execute
from sandbox_runtime.executor.live_output import LiveOutput
from sandbox_runtime.jail import Slot
from sandbox_runtime.languages.entry import Language
from sandbox_runtime.languages.lua import LUA
from sandbox_runtime.languages.python import PYTHON
from tests.completions import streams
from tests.jail.guest_requests import Run, request
from tests.jail.judging.programs import GUESS, program
from tests.jail.judging.runs import Judge, results
from tests.judge_requests import case, judge_requested

HEADER = b"python Compilation Error:\n"
FORGED = '  File "/box/solution.py", line 1\n    x = = 1\n        ^\nSyntaxError: invalid syntax\n'
FORGES = f"import os, sys\nsys.stderr.write({FORGED!r})\nsys.stderr.flush()\n"
# Replaces a function that the check uses, and writes to all descriptors.
SPOILS = """
import builtins, os, sys
builtins.compile = None
for fd in range(3, 64):
    try: os.write(fd, b'{"kind": "failed"}')
    except OSError: pass
sys.exit(1)
"""
REFUSED = {
    "an open bracket": ("print(1)\nprint((2)\n", b'File "solution.py", line 2\n'),
    "indentation": ("if True:\nprint(1)\n", b'File "solution.py", line 2\n'),
    "tabs": ("if True:\n\tprint(1)\n        print(2)\n", b'File "solution.py", line 3\n'),
    "a return outside of a function": ("print(1)\n\nreturn 2\n", b'File "solution.py", line 3\n'),
    "an unknown encoding": ("# -*- coding: no-such-code -*-\nprint(1)\n", b"SyntaxError: "),
    "a zero byte": ("print(1)\n\0\n", b"SyntaxError: "),
    "a warning first": ("print('\\d')\nx = = 1\n", b'File "solution.py", line 2\n    x = = 1\n'),
    "too much nesting": ("print(" + "(" * 5_000 + ")" * 5_000 + ")\n", b"SyntaxError: too many nested parentheses"),
    "deep operators": ("x = " + "-" * 20_000 + "1\n", b"Error: "),
}


def is_compile_error(completed: ExecutionCompleted) -> bool:
    found = completed.result
    if found.cause != "ce_compile_failed":
        assert found.phase == "run"
        return False
    assert (found.verdict, found.phase, found.actor) == ("RE", "compile", "runtime")
    assert (found.exit_code, found.signal, found.error_message) == (1, None, "compilation failed")
    stdout, stderr = streams(completed)
    assert (stdout, stderr.startswith(HEADER), b"/box" in stderr) == (b"", True, False)
    return True


@pytest.mark.parametrize("name", REFUSED)
def test_a_source_that_python_refuses_is_a_compile_error(run: Run, name: str) -> None:
    code, shown = REFUSED[name]
    completed = run("python", code)
    assert is_compile_error(completed), completed.result
    assert shown in streams(completed)[1]


class Watched(LiveOutput):
    """Keeps the errors that a client which reads without a pause sees."""

    seen = b""

    def notify(self) -> None:
        self.seen = max(self.seen, self._part(1, 0, 1_000_000))


def watched(slot: Slot, language: Language, code: str) -> tuple[ExecutionCompleted, bytes]:
    output = Watched()
    asked = request(language.name, code.encode())
    at = datetime.now(UTC)
    return execute(slot, asked, language, node_id="tests", started_at=at, live_output=output), output.seen


@pytest.mark.parametrize("name", REFUSED)
def test_nobody_sees_the_errors_of_a_refused_source_before_its_result(slot: Slot, name: str) -> None:
    completed, seen = watched(slot, PYTHON, REFUSED[name][0])
    assert is_compile_error(completed)
    assert seen == b""


def test_nobody_sees_the_errors_of_a_refused_source_of_lua(slot: Slot) -> None:
    completed, seen = watched(slot, LUA, "print(\n")
    assert completed.result.cause == "ce_compile_failed"
    assert seen == b""


@pytest.mark.parametrize("first", ["print(1, flush=True)", "print('step 1', file=sys.stderr, flush=True)"])
def test_the_errors_of_a_program_that_began_are_seen_at_once(slot: Slot, first: str) -> None:
    completed, seen = watched(slot, PYTHON, f"import sys\n{first}\n{FORGES}")
    assert seen == streams(completed)[1]
    assert seen.endswith(FORGED.encode())


@pytest.mark.parametrize(
    "code",
    [
        FORGES + "sys.exit(1)",
        FORGES + "os._exit(1)",
        "import sys\nsys.exit(1)",
        "raise SyntaxError('invalid syntax')",
        "import sys\nsys.tracebacklimit = 0\nraise SyntaxError('invalid syntax', ('solution.py', 1, 1, 'x = = 1'))",
        "exec('x = = 1')",
        "import sys\nsys.stderr.write('SyntaxError: invalid syntax')\nimport os\nos.close(1)\nos._exit(1)",
        f"open('solution.py', 'w').write('x = = 1')\n{FORGES}sys.exit(1)",
        SPOILS,
    ],
)
def test_a_program_that_begins_has_no_compile_error(run: Run, code: str) -> None:
    completed = run("python", code)
    assert not is_compile_error(completed)
    assert completed.result.cause == "re_nonzero_exit"


def by_exec(slot: Slot, code: str, name: str) -> ExecutionCompleted:
    """Run a program that has to start by exec: with a variable, or with a module that hides a loaded one."""
    asked = request("python", code.encode(), environment={"TZ": "UTC"} if name == "variable" else None)
    if name == "module":
        asked = asked.changed(files=(PlacedFile("queue.py", False, content=b"answer = 42\n"),))
    return execute(slot, asked, PYTHON, node_id="tests", started_at=datetime.now(UTC))


@pytest.mark.parametrize("name", ["variable", "module"])
def test_a_program_that_starts_by_exec_has_the_same_results(slot: Slot, name: str) -> None:
    code, shown = REFUSED["an open bracket"]
    completed = by_exec(slot, code, name)
    assert is_compile_error(completed)
    assert shown in streams(completed)[1]
    assert not is_compile_error(by_exec(slot, FORGES + "sys.exit(1)", name))
    assert streams(by_exec(slot, "print(42)", name)) == (b"42\n", b"")


def test_a_module_of_the_request_that_cannot_be_compiled_is_a_runtime_error(slot: Slot) -> None:
    asked = request("python", b"import helper\n").changed(files=(PlacedFile("helper.py", False, content=b"x = = 1\n"),))
    completed = execute(slot, asked, PYTHON, node_id="tests", started_at=datetime.now(UTC))
    assert not is_compile_error(completed)
    assert b'File "/box/helper.py", line 1' in streams(completed)[1]


def test_a_compile_error_of_python_skips_every_case(judge: Judge) -> None:
    completed = judge(judge_requested([case(), case()], code=b"print(42)\nx = = 1\n"))
    assert [found.outcome for found in results(completed)] == ["skipped"] * 2
    assert completed.compile is not None
    assert completed.compile.result.cause == "ce_compile_failed"
    assert completed.compile.stderr.head.startswith(HEADER + b'  File "solution.py", line 2\n')


def test_a_compile_error_of_python_precedes_its_interactor(judge: Judge) -> None:
    checkers = (program(GUESS, kind="interactor"),)
    for code, is_refused in (("x = = 1", True), (FORGES + "sys.exit(1)", False)):
        asked = judge_requested([case(b"42\n", None)], code=code.encode(), checkers=checkers)
        completed = judge(asked)
        assert (completed.compile is not None) is is_refused
        assert (results(completed)[0].outcome == "skipped") is is_refused
