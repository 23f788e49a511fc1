"""Checkers of other judges: the programs rustbox_cli/sio2_checker.cpp and foreign_checker.py that make them work."""

from pathlib import Path

import pytest

from events.requested import CheckerFile
from tests.guest_files import guest
from tests.jail.judging.programs import program
from tests.jail.judging.runs import Judge, results
from tests.judge_requests import case, judge_requested

WRAPPER = Path(__file__).parents[2] / "rustbox_cli" / "sio2_checker.cpp"
ECHO = b"import sys\nsys.stdout.write(sys.stdin.read())\n"
# As the checkers of sinol packages are: it compares one number, gives half of the points for a near one, and its main
# ends without return.
CHECKER = guest("judges/sio2.h")
CASES = [
    (b"7", "passed", None, None),
    (b"8", "partial", 5.0, "points 5.000000 near"),
    (b"9", "wrong_answer", None, "expected another number"),
    (b"", "wrong_answer", None, "no number"),
    (b"13", "judge_error", None, "the checker ended with exit code 3"),
    (b"14", "judge_error", None, "the checker ended with exit code 3"),
    (b"15", "passed", None, None),
    (b"16", "partial", 3.333333, "points 3.333333 third"),
]


@pytest.mark.parametrize("args", [("10",), pytest.param((), marks=pytest.mark.whole)])
def test_a_checker_of_sio2_works_behind_the_wrapper(judge: Judge, args: tuple[str, ...]) -> None:
    checker = program(
        WRAPPER.read_text(), "cpp", "testlib", args=args, files=(CheckerFile("checker.h", CHECKER.encode()),)
    )
    cases = [case(output, b"7\n") for output, *_ in CASES]
    found = results(judge(judge_requested(cases, code=ECHO, checkers=(checker,))))
    factor = 1 if args else 10
    assert [(one.outcome, one.checker_points) for one in found] == [
        (outcome, points and pytest.approx(points * factor, abs=1e-5)) for _, outcome, points, _ in CASES
    ]
    if args:
        assert [one.checker_message for one in found] == [message for *_, message in CASES]


@pytest.mark.parametrize(
    ("name", "options", "outcomes", "points"),
    [
        ("by_line", "{}", ["passed", "wrong_answer", "wrong_answer"], None),
        ("sorted", "{}", ["passed", "passed", "wrong_answer"], None),
        ("linematches", '{"point_distribution": [1, 3], "points": 8}', ["passed", "wrong_answer", "partial"], 2),
        ("floats", '{"tolerance": 1}', ["judge_error"] * 3, None),
    ],
)
def test_comparisons_of_other_judges_are_a_checker_program(
    judge: Judge, name: str, options: str, outcomes: list[str], points: float | None
) -> None:
    checker = program((WRAPPER.parent / "foreign_checker.py").read_text(), args=(name, options))
    cases = [case(output, b"1\n2\n") for output in (b"1\n2\n", b"2\n1\n", b"1\n3\n")]
    found = results(judge(judge_requested(cases, code=ECHO, checkers=(checker,))))
    assert [one.outcome for one in found] == outcomes
    assert found[2].checker_points == points
