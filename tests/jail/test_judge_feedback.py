"""Feedback files of Kattis validators in the real jail: every language, interactors, and hostile files."""

from dataclasses import dataclass
from typing import Final

import pytest

from events.judged import CaseResult
from sandbox_runtime.judging import interaction, programs
from tests.jail.judging.programs import program
from tests.jail.judging.runs import Judge, results
from tests.jail.language_programs.table import ONE_OF_EACH_KIND, PROGRAMS
from tests.judge_requests import case, judge_requested

MOST_CHARACTERS = 4096
WRITE = "import os, sys\nplace = sys.argv[3] + 'judgemessage.txt'\n"
TEAM = "open(sys.argv[3] + 'teammessage.txt', 'w').write("
REJECT = "sys.exit(43)\n"
KINDS = ["program", pytest.param("interactor", marks=pytest.mark.whole)]
"""The same files are read after both; quick tests below have one of each."""


@dataclass(frozen=True)
class Feedback:
    """A validator in Python that leaves this behind. `message`: the first words of the case's message."""

    code: str
    message: str | None
    outcome: str = "wrong_answer"
    team: str | None = None


FEEDBACK: Final = {
    "a message": Feedback(
        "open(place, 'w').write('token 3: expected 7, found 8\\n')\n", "token 3: expected 7, found 8"
    ),
    "none": Feedback("", None),
    "an empty one": Feedback("open(place, 'w')\n", None),
    "a message before its own output": Feedback(
        "open(place, 'w').write('seen')\nos.write(2, b'printed')\n", "seen\nprinted"
    ),
    "a message before a flood of output": Feedback(
        "open(place, 'w').write('seen')\nos.write(2, b'x' * 500_000)\n", "seen\nxxxx"
    ),
    "an error of the judge": Feedback(
        "open(sys.argv[3] + 'judgeerror.txt', 'w').write('no answer file')\nsys.exit(1)\n",
        "the checker ended with exit code 1: no answer file",
        "judge_error",
    ),
    "a message for the contestant": Feedback(TEAM + "'look at n = 0\\n')\n", None, team="look at n = 0"),
    "both messages": Feedback("open(place, 'w').write('judge')\n" + TEAM + "'team')\n", "judge", team="team"),
    "a long message for the contestant": Feedback(TEAM + "'x' * 1_000_000)\n", None, team="x" * MOST_CHARACTERS),
    "a message that quotes the name of the other file": Feedback(
        "open(place, 'w').write('teammessage.txt\\0seen')\n", "teammessage.txt\0seen"
    ),
    "another file": Feedback("open(sys.argv[3] + 'diffposition.txt', 'w').write('99')\n", None),
    # Hostile ones.
    "invalid text": Feedback("open(place, 'wb').write(b'\\xff\\xfe\\0' + b'seen')\n", "\ufffd\ufffd\0seen"),
    "half a character at the bound": Feedback(
        "open(place, 'wb').write(b'x' * 4095 + '€'.encode())\n", "x" * 4095 + "€"
    ),
    "a million bytes": Feedback("open(place, 'w').write('x' * 1_000_000)\n", "x" * MOST_CHARACTERS),
    "a gigabyte": Feedback(
        "import signal\nsignal.signal(signal.SIGXFSZ, signal.SIG_DFL)\n"
        "file = os.open(place, os.O_WRONLY | os.O_CREAT)\n"
        "for _ in range(1024): os.write(file, b'x' * (1 << 20))\n",
        "the checker ended with exit code 153: xxxx",
        "judge_error",
    ),
    "a gigabyte of holes": Feedback(
        "import contextlib\nfile = os.open(place, os.O_WRONLY | os.O_CREAT)\n"
        "with contextlib.suppress(OSError): os.truncate(file, 1 << 30)\n",
        None,
    ),
    "a directory": Feedback("os.mkdir(place)\n", None),
    "a FIFO": Feedback("os.mkfifo(place)\n", None),
    "a link to a device": Feedback("os.symlink('/dev/zero', place)\n", None),
    "a link to standard error": Feedback("os.symlink('/dev/stderr', place)\n", None),
    "a link to itself": Feedback("os.symlink(place, place)\n", None),
    "a link to no file": Feedback("os.symlink('/nowhere', place)\n", None),
    "a link out of the jail": Feedback("os.symlink('/../../etc/passwd', place)\n", None),
    "an unreadable file": Feedback("open(place, 'w').write('seen')\nos.chmod(place, 0)\n", None),
    "a name with a line break": Feedback("open(place + '\\n', 'w').write('seen')\n", None),
    "a child that goes on": Feedback(
        "import time\nif os.fork() == 0:\n    time.sleep(60)\nopen(place, 'w').write('seen')\n", "seen"
    ),
    "a dead shell": Feedback("os.kill(os.getppid(), 9)\n", "the checker was stopped: SIG", "judge_error"),
    "a crash": Feedback(
        "open(place, 'w').write('seen')\nos.abort()\n", "the checker ended with exit code 134: seen", "judge_error"
    ),
    "all memory": Feedback("x = b'x' * (1 << 29)\n", "the checker was stopped: MLE", "judge_error"),
    "no exit": Feedback(
        "open(place, 'w').write('seen')\nwhile True: pass\n", "the checker was stopped: TLE", "judge_error"
    ),
}


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give programs of the judge less time, because hostile ones use all of it."""
    monkeypatch.setattr(programs, "CHECK_CPU_SECS", 1)
    monkeypatch.setattr(programs, "CHECK_WALL_SECS", 3)
    monkeypatch.setattr(interaction, "EXTRA_WALL_SECS", 1)


def validated(
    judge: Judge, code: str, *, language: str = "python", kind: str = "program", solution: str = "print(1)"
) -> CaseResult:
    checker = program(code, language, "kattis", kind=kind)
    request = judge_requested([case(b"1\n", None)], code=solution.encode(), checkers=(checker,))
    (found,) = results(judge(request))
    return found


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("feedback", [pytest.param(feedback, id=name) for name, feedback in FEEDBACK.items()])
def test_feedback_is_part_of_the_message_whatever_it_is(judge: Judge, feedback: Feedback, kind: str) -> None:
    found = validated(judge, WRITE + feedback.code + REJECT, kind=kind)
    assert (found.outcome, found.team_message) == (feedback.outcome, feedback.team), found
    if feedback.message is None:
        assert found.checker_message is None
    else:
        wanted = feedback.message.replace("the checker", f"the {'checker' if kind == 'program' else kind}")
        assert (found.checker_message or "").startswith(wanted)
        assert len(found.checker_message or "") <= MOST_CHARACTERS


@pytest.mark.parametrize("kind", ["program", "interactor"])
def test_a_program_that_fails_gets_no_message_of_its_checker(judge: Judge, kind: str) -> None:
    found = validated(judge, WRITE + TEAM + "'team')\nsys.stdin.read()\n" + REJECT, kind=kind, solution="1 / 0")
    assert (found.outcome, found.team_message) == ("failed", None)


@pytest.mark.parametrize("name", ONE_OF_EACH_KIND)
def test_a_validator_in_every_language_runs_under_the_shell(judge: Judge, name: str) -> None:
    """A program that echoes its input: neither 42 nor 43. So what it prints is the message of the error."""
    found = validated(judge, PROGRAMS[name]["echo"], language=name)
    assert (found.outcome, found.checker_message) == ("judge_error", "the checker ended with exit code 0: 1")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("code", "outcome", "earned"),
    [
        ("open(folder + 'score.txt', 'w').write('12.5\\n')", "passed", (12.5, None)),
        ("open(folder + 'score.txt', 'w').write('many')", "judge_error", (None, None)),
        ("open(folder + 'score.txt', 'w').write('1' * 1_000_000)", "judge_error", (None, None)),
        ("os.symlink('/dev/zero', folder + 'score.txt')", "passed", (None, None)),
        ("open(folder + 'score_multiplier.txt', 'w').write('0.25\\n')", "passed", (None, 0.25)),
        ("open(folder + 'score_multiplier.txt', 'w').write('1.01')", "judge_error", (None, None)),
        ("open(folder + 'score_multiplier.txt', 'w').write('-0.5')", "judge_error", (None, None)),
        ("open(folder + 'score_multiplier.txt', 'w').write('nan')", "judge_error", (None, None)),
        (
            "for n in ('score', 'score_multiplier'): open(folder + n + '.txt', 'w').write('1')",
            "judge_error",
            (None, None),
        ),
    ],
)
def test_the_score_of_a_validator_is_the_points_of_its_case(
    judge: Judge, kind: str, code: str, outcome: str, earned: tuple[float | None, float | None]
) -> None:
    found = validated(judge, f"import os, sys\nfolder = sys.argv[3]\n{code}\nsys.exit(42)\n", kind=kind)
    assert (found.outcome, (found.checker_points, found.checker_share)) == (outcome, earned), found


@pytest.mark.parametrize("stream", [1, 2])
def test_a_checker_of_testlib_that_writes_200_mb_is_no_wrong_answer(judge: Judge, stream: int) -> None:
    code = f"import os\nfor _ in range(3200): os.write({stream}, b'x' * (1 << 16))\n"
    checkers = (program(code, "python", "testlib"),)
    (found,) = results(judge(judge_requested([case(b"1\n", None)], code=b"print(1)", checkers=checkers)))
    assert found.outcome == "judge_error"
    assert (found.checker_message or "").startswith("the checker wrote more than its limit: ")
    assert len(found.checker_message or "") == MOST_CHARACTERS


@pytest.mark.parametrize("kind", ["program", "interactor"])
def test_a_validator_that_writes_200_mb_ends_as_an_error_of_the_judge(judge: Judge, kind: str) -> None:
    code = "import os, sys\nfor _ in range(3200): os.write(2, b'x' * (1 << 16))\nsys.exit(42)\n"
    found = validated(judge, code, kind=kind)
    assert found.outcome == "judge_error"
    assert len(found.checker_message or "") <= MOST_CHARACTERS
