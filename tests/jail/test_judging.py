"""Judge runs in the real jail: every language, checker programs, and contestants that look for their judge."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from typing import Any

import pytest

from events.files import PlacedFile
from events.judged import OUT_OF_TIME, CaseResult, JudgeCompleted
from events.program import RequestedLimits
from events.requested import Checker, CheckerFile, Group
from events.vocabulary import CheckerKind
from sandbox_runtime.executor import CompileCache
from sandbox_runtime.jail import Slot
from sandbox_runtime.judging import Setting, interaction, programs
from sandbox_runtime.judging import run as judge_run
from sandbox_runtime.languages import Language, RequestRefusedError
from tests.choice import whole_but
from tests.guest_files import guest
from tests.jail.judging.pairs import CHECKERS, INTERACTORS, SLEEP, Pair
from tests.jail.judging.programs import BISECT, GUESS, KATTIS_SUM, program, with_testlib
from tests.jail.judging.runs import Judge, begun, results
from tests.jail.language_programs.table import KINDS, NAMES, PROGRAMS, cpu_secs
from tests.judge_requests import case, judge_requested, no_object

ECHO = b"import sys\nsys.stdout.write(sys.stdin.read())\n"


def outcomes(completed: JudgeCompleted) -> list[str]:
    return [found.outcome for found in results(completed)]


def checked(
    judge: Judge, checker: Any, *pairs: tuple[bytes, bytes | None], stdin: bytes = b""
) -> tuple[CaseResult, ...]:
    """Check outputs: pairs of an output, which is the input of a program that echoes it, and the expected one."""
    cases = [case(output, expected) for output, expected in pairs]
    return results(judge(judge_requested(cases, code=ECHO, checkers=(checker,))))


def test_words_are_compared_by_a_testlib_checker(judge: Judge) -> None:
    checker = with_testlib("--testset", "words")
    found = checked(judge, checker, (b"a  b\n", b"a b"), (b"a c\n", b"a b"), (b"a\n", b"a b"), (b"a b c\n", b"a b"))
    assert [(one.outcome, one.checker_message) for one in found] == [
        ("passed", "ok 2 words"),
        ("wrong_answer", "wrong answer 2nd words differ"),
        ("presentation_error", "wrong output format Unexpected end of file - token expected"),
        ("presentation_error", "wrong output format extra words"),
    ]


def test_numbers_and_real_numbers_are_compared_by_testlib_checkers(judge: Judge) -> None:
    whole = with_testlib("--testset", "numbers")
    found = checked(judge, whole, (b"1 2", b"1 2"), (b"1 3", b"1 2"), (b"1 x", b"1 2"), (b"1 2", b"1 x"))
    assert [one.outcome for one in found] == ["passed", "wrong_answer", "presentation_error", "judge_error"]
    assert "exit code 3" in (found[3].checker_message or "")
    real = with_testlib("--testset", "real")
    found = checked(judge, real, (b"1.005", b"1"), (b"1.02", b"1"), (b"nan", b"1"))
    assert [one.outcome for one in found] == ["passed", "wrong_answer", "presentation_error"]


TREE = b"""
import os
for folder, _, names in sorted(os.walk(".")):
    for name in sorted(names):
        if name != "solution.py": print(os.path.join(folder, name), open(os.path.join(folder, name)).read())
open("left", "w")
"""


def test_a_case_has_its_own_files_and_those_of_all_cases(judge: Judge) -> None:
    files = (
        PlacedFile("all.txt", read_only=False, content=b"a"),
        PlacedFile("data/in", read_only=True, case=0, content=b"0"),
        PlacedFile("data/in", read_only=False, case=2, content=b"2"),
    )
    expected = (b"./all.txt a\n./data/in 0\n", b"./all.txt a\n", b"./all.txt a\n./data/in 2\n")
    found = results(judge(judge_requested([case(b"", text) for text in expected], code=TREE, files=files)))
    assert [(one.outcome, one.run and one.run.stdout.head) for one in found] == [("passed", text) for text in expected]


def test_the_files_of_a_case_are_not_compiled(judge: Judge) -> None:
    code = b'#include <stdio.h>\nint main(void) { putchar(fgetc(fopen("bad.c", "r"))); }'
    files = (PlacedFile("bad.c", read_only=True, case=1, content=b"x"),)
    found = results(judge(judge_requested([case(b"", None)] * 2, code=code, language="c", files=files)))
    assert [one.run and one.run.stdout.head for one in found] == [b"", b"x"]


def test_a_case_file_with_a_name_of_ours_is_refused(judge: Judge) -> None:
    files = (PlacedFile("solution.py", read_only=True, case=1, content=b"x"),)
    with pytest.raises(RequestRefusedError, match="name that the service uses"):
        judge(judge_requested([case(), case()], files=files))


def test_points_of_a_checker_are_a_partial_answer(judge: Judge) -> None:
    (found,) = checked(judge, with_testlib(), (b"15", None))
    assert (found.outcome, found.checker_points, found.checker_message) == ("partial", 7.5, "points 7.5 half of it")


def test_information_about_points_is_the_points(judge: Judge) -> None:
    checker = with_testlib("--testset", "information")
    found = checked(judge, checker, (b"7.5", None), (b"all", None))
    assert [(one.outcome, one.checker_points) for one in found] == [("partial", 7.5), ("judge_error", None)]


def test_a_kattis_validator_decides(judge: Judge) -> None:
    code = b"words = input().split()\nprint(sum(map(int, words)) if len(words) == 2 else -1)\n"
    cases, checker = [case(b"1 2\n", None), case(b"1 2 3\n", None)], program(KATTIS_SUM, protocol="kattis")
    found = results(judge(judge_requested(cases, code=code, checkers=(checker,))))
    assert [(one.outcome, one.checker_message) for one in found] == [
        ("passed", "seen\nsum of 2 numbers"),
        ("wrong_answer", "seen\nsum of 3 numbers"),
    ]


def test_an_interactor_of_testlib_talks_with_the_program(judge: Judge) -> None:
    checkers = (with_testlib("interact", kind="interactor"),)
    codes = {
        BISECT: "passed",
        "for _ in range(25): print(1, flush=True)": "wrong_answer",
        "print('x')": "presentation_error",
    }
    for code, outcome in codes.items():
        (found,) = results(judge(judge_requested([case(b"637\n", None)], code=code.encode(), checkers=checkers)))
        assert found.outcome == outcome, found


def test_an_interactor_talks_with_the_program(judge: Judge) -> None:
    checkers = (program(GUESS, kind="interactor"),)
    (found,) = results(judge(judge_requested([case(b"637\n", None)], code=BISECT.encode(), checkers=checkers)))
    assert (found.outcome, found.checker_message) == ("passed", "found")
    assert found.run is not None
    assert found.run.stdout.head.startswith(b"500\n750\n")
    assert found.run.stdout.head.endswith(b"637\n")


@pytest.mark.parametrize(("output_kb", "outcome"), [(64, "judge_error"), (8 << 10, "passed")])
def test_an_interactor_may_write_as_much_as_the_program(
    judge: Judge, output_kb: int, outcome: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(interaction, "INTERACTOR_OUTPUT_BYTES", 1 << 20)
    code = b"import sys\nprint(len(sys.stdin.buffer.read()))\n"
    talk = "import os, sys\nfor _ in range(64): os.write(1, b'x' * 65536)\nos.close(1)\ninput()\nsys.exit(42)\n"
    checker = program(talk, protocol="kattis", kind="interactor")
    limits = RequestedLimits(cpu_time_secs=5, wall_time_secs=10, memory_mb=256, output_kb=output_kb)
    (found,) = results(judge(judge_requested([case(b"", None)], code=code, checkers=(checker,), limits=limits)))
    assert found.outcome == outcome, found


SHORT = RequestedLimits(cpu_time_secs=0.3, wall_time_secs=1, memory_mb=128, output_kb=64)


@pytest.fixture
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give programs of the judge less time, because hostile ones use all of it.

    An interactor may write less too: on a busy host 8 MiB take longer than its program may wait.
    """
    monkeypatch.setattr(interaction, "INTERACTOR_OUTPUT_BYTES", 1 << 20)
    monkeypatch.setattr(programs, "CHECK_CPU_SECS", 0.5)
    monkeypatch.setattr(programs, "CHECK_WALL_SECS", 2)
    monkeypatch.setattr(interaction, "EXTRA_WALL_SECS", 1)


@pytest.mark.usefixtures("_impatient")
@pytest.mark.parametrize("pair", [pytest.param(pair, id=name) for name, pair in INTERACTORS.items()])
def test_hostile_interactors_and_programs_end_as_verdicts(
    judge: Judge, pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    if SLEEP in pair.judge:  # it sleeps until the program could have had all of its overtime
        monkeypatch.setattr(judge_run, "MOST_OVERTIME_SECS", 3.0)
    checker = program(pair.judge, protocol=pair.protocol, kind="interactor")
    request = judge_requested([case(b"637\n", None)], code=pair.program.encode(), checkers=(checker,), limits=SHORT)
    (found,) = results(judge(request, tries=1 if "IE" in pair.verdicts else 3))
    assert found.run is not None
    assert (found.outcome in pair.outcomes, found.run.result.verdict in pair.verdicts) == (True, True), found
    assert found.run.stdout.size_bytes <= 64 << 10


@pytest.mark.usefixtures("_impatient")
@pytest.mark.parametrize("protocol", ["kattis", "testlib"])
def test_a_program_that_floods_a_slow_interactor_meets_its_time_limit(judge: Judge, protocol: str) -> None:
    code = b"for number in range(5_000): print(f'{number:080}')\ninput()\n"
    checker = program("import time\nwhile input(): time.sleep(0.001)\n", protocol=protocol, kind="interactor")
    limits = SHORT.changed(output_kb=1024)
    (found,) = results(judge(judge_requested([case(b"", None)], code=code, checkers=(checker,), limits=limits)))
    assert found.run is not None
    assert (found.outcome, found.run.result.verdict) == ("failed", "TLE"), found


@pytest.mark.usefixtures("_impatient")
@pytest.mark.parametrize("pair", [pytest.param(pair, id=name) for name, pair in CHECKERS.items()])
def test_hostile_checkers_and_programs_end_as_verdicts(judge: Judge, pair: Pair) -> None:
    checker = program(pair.judge, protocol=pair.protocol)
    (found,) = results(
        judge(judge_requested([case(b"1\n", b"1\n")], code=pair.program.encode(), checkers=(checker,), limits=SHORT))
    )
    assert found.outcome in pair.outcomes, found
    assert len(found.checker_message or "") <= 4096


SECRET = "SECRET-" + "0123456789abcdef" * 2


@pytest.mark.parametrize("kind", ["lines", "program", "interactor"])
def test_a_program_finds_nothing_of_its_judge(judge: Judge, kind: str) -> None:
    """Not the expected output, not another case, not the checker: in files, memory, descriptors or other processes."""
    secret = SECRET.encode()
    if kind == "lines":
        checker = Checker(CheckerKind.LINES)
    else:
        code = f"# {SECRET}\nimport sys, time\ntime.sleep(0.2)\nsys.exit(0)\n"
        checker = program(code, kind=kind, args=(SECRET,), files=(CheckerFile("secret.txt", secret),))
    other = case(b"other " + secret, secret)
    cases = [other, case(b"", secret), other, case(b"", secret, checker=0)]
    found = results(judge(judge_requested(cases, code=guest("judges/spy.py").encode(), checkers=(checker,))))
    for index in (1, 3):
        ran = found[index].run
        assert ran is not None
        # An interactor that has accepted ends before the program: both are read to their ends.
        assert (ran.result.verdict, ran.stdout.head, ran.stderr.head) == ("AC", b"looked\n", b"")


def test_the_spy_finds_the_input_of_its_own_case(judge: Judge) -> None:
    """Its own input is its own: so we know that it looks."""
    (found,) = results(judge(judge_requested([case(SECRET.encode(), None)], code=guest("judges/spy.py").encode())))
    assert found.run is not None
    assert b"FOUND" in found.run.stdout.head


def test_cases_share_no_files_and_no_processes(judge: Judge) -> None:
    code = (
        b"import os, time\n"
        b"print(sorted(os.listdir('/tmp')), sorted(os.listdir('/box')), sorted(os.listdir('/dev/shm')))\n"
        b"for place in ('/tmp', '/box', '/dev/shm'): open(place + '/left', 'w').write('x')\n"
        b"if os.fork() == 0: time.sleep(60)\n"
    )
    found = results(judge(judge_requested([case(expected=None)] * 3, code=code)))
    heads = {one.run.stdout.head for one in found if one.run is not None}
    assert heads == {b"[] ['solution.py'] []\n"}


def test_two_slots_share_the_cases_of_a_judge_run(
    slot: Slot, second: Slot, languages: Mapping[str, Language], compiled: CompileCache
) -> None:
    setting = Setting(
        *("tests", languages, compiled, None, lambda _index, _output: ""),
        interactor_slot=lambda: nullcontext(second),
        read=no_object,
    )
    cases = [case(b"%d\n" % number, b"%d\n" % number) for number in range(40)]
    run = begun(judge_requested(cases, code=ECHO, checkers=(with_testlib("--testset", "words"),)), setting)

    def work(jail: Slot) -> None:
        while run.shareable:
            run.turn(jail, is_shared=True)
        jail.settle()

    with ThreadPoolExecutor(2) as threads:
        list(threads.map(work, (slot, second)))
    while not run.is_over:  # cases for which the host was too busy
        run.turn(slot)
    slot.settle()
    completed = run.completed()
    assert [(found.index, found.outcome) for found in results(completed)] == [(n, "passed") for n in range(40)]
    assert completed.evidence is not None
    assert completed.evidence.isolation_mode == "strict"


# A problem: print the input. Solutions by the names of the small programs that they are.
CASES = [case(b"%d lines\n" % number * number, b"%d lines\n" % number * number) for number in range(1, 4)]
SOLUTIONS = {"echo": "AC", "hello": "AC", "endless": "TLE", "throw": "RE", "buffers": "MLE"}
# The verdicts of all languages: test_languages. What becomes of a verdict does not depend on the language.
ANSWERS = [(name, "echo") for name in NAMES] + [("python", solution) for solution in SOLUTIONS if solution != "echo"]
QUICK = [answer for answer in ANSWERS if answer[0] in KINDS]


@pytest.mark.parametrize(("name", "solution"), whole_but(ANSWERS, QUICK))
def test_a_problem_is_solved_in_every_language_and_not_by_wrong_programs(
    judge: Judge, name: str, solution: str
) -> None:
    """A right, a wrong, a slow, a crashing and a memory-hungry solution."""
    stops_early = solution in {"endless", "buffers"}
    request = judge_requested(
        CASES,
        language=name,
        code=PROGRAMS[name][solution].encode(),
        limits=RequestedLimits(cpu_time_secs=cpu_secs(0.4)) if solution == "endless" else RequestedLimits(),
        stop="first_failure" if stops_early else "never",
    )
    found = results(judge(request))
    verdicts = {one.run.result.verdict for one in found if one.run is not None}
    wanted = {"echo": "passed", "hello": "wrong_answer"}.get(solution, "failed")
    assert [one.outcome for one in found] == ([wanted] + ["skipped"] * 2 if stops_early else [wanted] * 3)
    assert verdicts == {SOLUTIONS[solution]}


@pytest.mark.parametrize(
    ("total_secs", "wanted"),
    [(12, ["failed", "failed", "failed", "passed"]), (1, ["failed", "failed", "judge_error", "judge_error"])],
)
def test_a_group_that_sleeps_costs_no_other_group_its_cases(judge: Judge, total_secs: int, wanted: list[str]) -> None:
    """Its cases meet their limits of 0.7 s. The total is above their sum, or an operator's ceiling cuts it."""
    code = b"import time\ntime.sleep(float(input()))\nprint(1)\n"
    limits = RequestedLimits(wall_time_secs=0.7)
    cases = [*[case(b"60\n", b"1\n", group="slow", limits=limits)] * 3, case(b"0\n", b"1\n", group="easy")]
    groups = (Group("slow", ()), Group("easy", ()))
    completed = judge(judge_requested(cases, code=code, groups=groups, total_secs=total_secs))
    assert outcomes(completed) == wanted
    messages = [found.checker_message or "" for found in results(completed)]
    assert [OUT_OF_TIME in message for message in messages] == [outcome == "judge_error" for outcome in wanted]
