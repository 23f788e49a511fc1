"""Multi-pass cases in the real jail: the checker writes the input of the next pass, and its files stay."""

from typing import Any

import pytest

from events.judged import CaseResult
from tests.jail.judging.programs import program
from tests.jail.judging.runs import Judge, results
from tests.judge_requests import case, judge_requested

# It doubles its input, until the checker has seen 8: in the passes it reads 1, 2, 4.
DOUBLE = b"print(2 * int(input()))\n"
CHECKER = """
import os, sys
folder, output = sys.argv[3], sys.stdin.read()
assert folder.endswith("/")
assert not os.path.exists(folder + "nextpass.in")
os.makedirs(folder + "own", exist_ok=True)
with open(folder + "own/state", "a") as state: state.write(output)
with open(folder + "judgemessage.txt", "a") as message: message.write("pass " + open(sys.argv[1]).read())
if int(output) != 2 * int(open(sys.argv[1]).read()): sys.exit(43)
if int(output) < 8:
    with open(folder + "nextpass.in", "w") as after: after.write(output)
elif open(folder + "own/state").read() != open(sys.argv[2]).read(): sys.exit(43)
sys.exit(42)
"""
ALL_PASSES = b"2\n4\n8\n"


def judged(
    judge: Judge, checker: str, code: bytes = DOUBLE, *, passes: int = 3, total_secs: int | None = None, **fields: Any
) -> CaseResult:
    checkers = (program(checker, protocol="kattis", **fields).changed(passes=passes),)
    cases = [case(b"1\n", None if fields.get("kind") == "interactor" else ALL_PASSES)]
    (found,) = results(
        judge(judge_requested(cases, code=code, checkers=checkers, passes=passes, total_secs=total_secs))
    )
    return found


def test_each_pass_gets_the_input_that_the_one_before_it_left(judge: Judge) -> None:
    found = judged(judge, CHECKER)
    assert (found.outcome, found.checker_message) == ("passed", "pass 1\npass 2\npass 4")
    assert found.run is not None
    assert found.run.stdout.head == b"8\n"


def test_times_of_a_case_are_the_sums_of_its_passes(judge: Judge) -> None:
    found = judged(judge, CHECKER, b"import time\ntime.sleep(0.2)\n" + DOUBLE)
    assert found.outcome == "passed"
    assert found.run is not None
    assert 0.6 <= found.run.wall_time_secs < 3


def test_more_passes_than_allowed_are_an_error_of_the_judge(judge: Judge) -> None:
    found = judged(judge, CHECKER, passes=2)
    assert (found.outcome, found.checker_message) == ("judge_error", "the validator wants more than 2 passes")


def test_passes_end_with_the_total_time_of_a_judge_run(judge: Judge) -> None:
    found = judged(judge, CHECKER, b"import time\ntime.sleep(0.7)\n" + DOUBLE, total_secs=1)
    assert found.outcome == "judge_error"
    assert "took more than 1 s together" in (found.checker_message or "")


@pytest.mark.parametrize(
    ("code", "outcome"),
    [
        (b"n = int(input())\nprint(2 * n if n < 4 else 7)\n", "wrong_answer"),
        (b"n = int(input())\nprint(2 * n if n < 4 else 1 / 0)\n", "failed"),
        # A program keeps nothing from one pass to the next.
        (b"import os\nopen('a', 'x')\nopen('/tmp/a', 'x')\n" + DOUBLE, "passed"),
    ],
)
def test_a_later_pass_decides(judge: Judge, code: bytes, outcome: str) -> None:
    assert judged(judge, CHECKER, code).outcome == outcome


NEXT = "import os, sys\nopen(sys.argv[3] + 'nextpass.in', 'w').write('1\\n')\n"


@pytest.mark.parametrize(
    ("checker", "message"),
    [
        (NEXT + "sys.exit(43)", "the validator wrote nextpass.in and did not accept"),
        (NEXT + "sys.exit(0)", "the checker ended with exit code 0"),
        (
            NEXT + "os.symlink('/etc/passwd', sys.argv[3] + 'link')\nsys.exit(42)",
            "cannot be kept: feedback/link (not_a_regular_file)",
        ),
        (
            NEXT + "os.remove(sys.argv[3] + 'nextpass.in')\nos.symlink('/', sys.argv[3] + 'nextpass.in')\nsys.exit(42)",
            "kept",
        ),
        (
            NEXT + "[open(sys.argv[3] + str(n), 'w').close() for n in range(200)]\nsys.exit(42)",
            "(too_many_files)",
        ),
        (
            NEXT + "for n in 'ab': open(sys.argv[3] + n, 'wb').write(bytes(5 << 20))\nsys.exit(42)",
            "the validator's files have more than 8 MiB",
        ),
        (NEXT + "sys.exit(42)", "the validator wants more than 3 passes"),
    ],
)
def test_a_broken_validator_is_an_error_of_the_judge(judge: Judge, checker: str, message: str) -> None:
    found = judged(judge, checker)
    assert (found.outcome, message in (found.checker_message or "")) == ("judge_error", True), found


INTERACTOR = """
import sys
folder, known = sys.argv[3], open(sys.argv[1]).read()
print(known, end="", flush=True)
output = int(input())
if output != 2 * int(known): sys.exit(43)
if output < 8: open(folder + "nextpass.in", "w").write(f"{output}\\n")
sys.exit(42)
"""


def test_an_interactor_may_have_several_passes(judge: Judge) -> None:
    assert judged(judge, INTERACTOR, kind="interactor").outcome == "passed"
    assert judged(judge, INTERACTOR, b"print(2)\n", kind="interactor").outcome == "wrong_answer"
    assert judged(judge, INTERACTOR, kind="interactor", passes=2).outcome == "judge_error"
