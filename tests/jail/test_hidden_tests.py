"""The programs of examples/hidden-tests/: hidden tests of a function, and students who want its points otherwise."""

from pathlib import Path
from typing import Final

import pytest

from events.files import PlacedFile
from events.judged import CaseResult
from events.program import RequestedLimits
from events.requested import CheckerFile
from tests.choice import whole_but
from tests.guest_files import guest
from tests.jail.judging.programs import program
from tests.jail.judging.runs import Judge, results
from tests.judge_requests import case, judge_requested

FOLDER = Path(__file__).parents[2] / "examples" / "hidden-tests"
# The tests of the example, and one with a secret that no student may find.
SECRET = "SECRET-" + "0123456789abcdef" * 2
TEST_SECRET = f"\ndef test_secret() -> None:\n    expect('add', 1, 2, gives='{SECRET}')\n\n"
GRADER = (FOLDER / "grade.py").read_text().replace("run(globals())", f"{TEST_SECRET}run(globals())")
MAINS: Final = {"python": "main.py", "java": "Main.java", "cpp": "main.cpp"}
STUDENTS: Final = {"python": "student.py", "java": "Student.java", "cpp": "student.cpp"}
LIMITS = RequestedLimits(wall_time_secs=4)

PYTHON = "def add(a, b): return a + b\ndef mean(numbers): return sum(numbers) / len(numbers)\n"
JAVA = """
class Student {
    static int add(int a, int b) { return a + b; }
    static double mean(double[] all) { double sum = 0; for (double n : all) sum += n; return sum / all.length; }
}
"""
CPP = """
#include <cstdio>
#include <cstdlib>
#include <numeric>
#include <vector>
int add(int a, int b) { return a + b; }
double mean(std::vector<double> all) { return std::accumulate(all.begin(), all.end(), 0.0) / all.size(); }
"""


def graded(judge: Judge, student: str, *tests: str, language: str = "python", grader: str = GRADER) -> list[CaseResult]:
    files = [PlacedFile(STUDENTS[language], read_only=False, content=student.encode())]
    if language == "cpp":
        files.append(PlacedFile("grading.h", read_only=False, content=(FOLDER / "grading.h").read_bytes()))
    checker = program(
        grader,
        protocol="kattis",
        kind="interactor",
        files=(CheckerFile("grading.py", (FOLDER / "grading.py").read_bytes()),),
    )
    request = judge_requested(
        [case(test.encode(), None) for test in tests],
        language=language,
        code=(FOLDER / MAINS[language]).read_bytes(),
        files=tuple(files),
        checkers=(checker,),
        limits=LIMITS,
    )
    return list(results(judge(request)))


def outcomes(found: list[CaseResult]) -> list[str]:
    return [one.outcome for one in found]


@pytest.mark.parametrize(("language", "student"), [("python", PYTHON), ("java", JAVA), ("cpp", CPP)])
def test_right_functions_pass(judge: Judge, language: str, student: str) -> None:
    found = graded(judge, student, "test_add", "test_mean", "test_add test_mean", language=language)
    assert [(one.outcome, one.checker_message) for one in found] == [("passed", None)] * 3


WRONG: Final = {
    "python": PYTHON.replace("a + b", "a * b"),
    "java": JAVA.replace("a + b", "a * b"),
    "cpp": CPP.replace("a + b", "a * b"),
}


@pytest.mark.parametrize("language", whole_but(WRONG, ["python"]))
def test_a_wrong_function_fails_its_test_and_the_student_sees_only_which(judge: Judge, language: str) -> None:
    found = graded(judge, WRONG[language], "test_add", "test_mean", "", language=language)
    assert outcomes(found) == ["wrong_answer", "passed", "wrong_answer"]
    assert found[0].checker_message == "test_add: AssertionError: add(2, 3) gave 6, not 5"
    assert [one.team_message for one in found] == ["failed: test_add", None, "failed: test_add, test_secret"]


PRINTS: Final = {
    "python": "print('points 2')\nimport os\nos.write(1, b'5')\n" + PYTHON.replace("return a", "print(a); return a"),
    "java": JAVA.replace("{ return a", '{ System.out.print("points 2"); return a'),
    # Before main, to the descriptor of the answers: a line that is no answer.
    "cpp": CPP + 'struct Early { Early() { puts("points 2"); fflush(stdout); } } early;\n',
}


@pytest.mark.parametrize("language", whole_but(PRINTS, ["python"]))
def test_a_student_may_print(judge: Judge, language: str) -> None:
    assert outcomes(graded(judge, PRINTS[language], "test_add", language=language)) == ["passed"]


LEAVES: Final = {
    "python": "import os\ndef add(a, b): print('POINTS 2'); os._exit(0)\n",
    "java": JAVA.replace("{ return a", "{ Runtime.getRuntime().halt(0); return a"),
    "cpp": CPP.replace("{ return a", "{ _Exit(0); return a"),
}


@pytest.mark.parametrize("language", whole_but(LEAVES, ["python"]))
def test_a_program_that_ends_with_0_has_not_passed(judge: Judge, language: str) -> None:
    (found,) = graded(judge, LEAVES[language], "test_add", language=language)
    assert (found.outcome, found.checker_message) == (
        "wrong_answer",
        "test_add: CallError: the program ended without an answer",
    )


CRASHES: Final = {
    "python": "def add(a, b): return 1 / 0\n",
    "java": JAVA.replace("{ return a", "{ if (a == 2) throw new IllegalStateException(); return a"),
    "cpp": "#include <stdexcept>\n" + CPP.replace("{ return a", '{ if (a == 2) throw std::range_error("x"); return a'),
}


@pytest.mark.parametrize("language", whole_but(CRASHES, ["python"]))
def test_an_exception_fails_the_test_that_met_it(judge: Judge, language: str) -> None:
    (found,) = graded(judge, CRASHES[language], "test_add", language=language)
    assert found.outcome == "wrong_answer"
    assert (found.checker_message or "").startswith("test_add: CallError: ")


# Each wants test_add to pass without adding.
HOSTILE: Final = {
    "it prints points and leaves": "print('POINTS 2')\nimport os\nos._exit(0)\n",
    "it leaves at the end": "import atexit, os\natexit.register(lambda: os._exit(0))\ndef add(a, b): return 0\n",
    "it ends with the code of acceptance": "import os\nos._exit(42)\n",
    "it raises SystemExit": "import sys\nsys.exit(42)\n",
    "it writes to every descriptor": (
        "import os\n"
        "def add(a, b):\n"
        "    for fd in range(256):\n"
        "        try: os.write(fd, b'\\n42 5\\npoints 1\\n! 5\\n')\n"
        "        except OSError: pass\n"
        "    return 0\n"
    ),
    "it answers every value at once": (
        "import os, sys\n"
        "def add(a, b):\n"
        "    mark = sys._getframe(1).f_globals['mark']\n"
        "    for fd in range(3, 64):\n"
        "        try: os.write(fd, b''.join(b'\\n%s %d\\n' % (mark.encode(), n) for n in range(9)))\n"
        "        except OSError: pass\n"
        "    return 0\n"
    ),
    "its result equals everything": (
        "class Any(int):\n    def __eq__(self, other): return True\n    __hash__ = None\ndef add(a, b): return Any(0)\n"
    ),
    "its result is a large text": "def add(a, b): return 'x' * 900_000\n",
    "its result is nested deeply": ("import json\njson.dumps = lambda value: '[' * 300_000\ndef add(a, b): return 0\n"),
    "its result is a number of many digits": (
        "import json\njson.dumps = lambda value: '7' * 300_000\ndef add(a, b): return 0\n"
    ),
    "its result is beyond every float": "import json\njson.dumps = lambda value: '1e999'\ndef add(a, b): return 0\n",
    "its result is true": "def add(a, b): return True\n",
    "it changes the tools of its main": (
        "import builtins, json, os\n"
        "json.dumps = lambda value: '!ok'\n"
        "builtins.print = lambda *words, file=None, flush=True: os._exit(0)\n"
        "def add(a, b): return 0\n"
    ),
    "it kills its parent": (
        "import os, signal\n"
        "for pid in [os.getppid(), 1, -1]:\n"
        "    try: os.kill(pid, signal.SIGKILL)\n"
        "    except OSError: pass\n"
        "def add(a, b): return 0\n"
    ),
    "it attaches to its parent": (
        "import ctypes, os\n"
        "libc = ctypes.CDLL(None)\n"
        "for pid in [os.getppid(), 1]: libc.ptrace(16, pid, 0, 0)\n"
        "def add(a, b): return 0\n"
    ),
}


@pytest.mark.parametrize("student", [pytest.param(code, id=name) for name, code in HOSTILE.items()])
def test_no_hostile_student_passes(judge: Judge, student: str) -> None:
    (found,) = graded(judge, student, "test_add")
    assert found.outcome in {"wrong_answer", "failed"}, found


def test_a_student_finds_no_expected_value(judge: Judge) -> None:
    """Not in frames and objects, which are memory of its process, nor in other processes, files and descriptors."""
    (found,) = graded(
        judge,
        f"def add(a, b):\n    scope = {{}}\n    exec({guest('judges/spy.py')!r}, scope)\n    return 0\n",
        "test_secret",
    )
    assert found.outcome == "wrong_answer"
    assert SECRET in (found.checker_message or "")
    assert found.run is not None
    seen = found.run.stderr.head.decode().splitlines()
    assert [line for line in seen if not line.startswith("FOUND descriptor ")] == ["looked"]
    assert found.team_message == "failed: test_secret"


def test_a_mistake_in_the_tests_is_an_error_of_the_judge(judge: Judge) -> None:
    (found,) = graded(judge, PYTHON, "test_add", grader=GRADER.replace('expect("add', 'expects("add'))
    assert found.outcome == "judge_error"
