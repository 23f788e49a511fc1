"""Hostile pairs of a judge's program and a contestant's: each must end as a verdict, never as a hang."""

from dataclasses import dataclass
from typing import Final

from tests.jail.judging.programs import BISECT, GUESS

VERDICTS: Final = frozenset({"AC", "RE", "TLE", "MLE", "PLE", "FSE", "SIG"})
REJECTED: Final = frozenset({"wrong_answer", "presentation_error"})
FAILED: Final = frozenset({"failed"})
ERROR: Final = frozenset({"judge_error"})
PASSED: Final = frozenset({"passed"})


@dataclass(frozen=True)
class Pair:
    """`outcomes` and `verdicts`: what may come out. More than one where two ends race."""

    judge: str
    program: str
    outcomes: frozenset[str]
    verdicts: frozenset[str] = VERDICTS
    protocol: str = "testlib"


def one(*words: str) -> frozenset[str]:
    return frozenset(words)


SLEEP = "import time\ntime.sleep(60)\n"
BURN = "while True: pass\n"
FLOOD = "import os\nwhile True: os.write(1, b'7' * 4096)\n"
READ_ALL = "import sys\nsys.stdin.read()\n"
CRASH = "1 / 0\n"
ABORT = "import os\nos.abort()\n"
KILLED = "import os\nos.kill(os.getpid(), 9)\n"
HUNGRY = "x = bytearray(1 << 31)\n"
FORKS = "import os, time\nfor _ in range(500):\n    if os.fork() == 0: time.sleep(60)\n"
CHILD_KEEPS_PIPES = "import os, time\nif os.fork() == 0: time.sleep(60)\n"
ACCEPT = "import sys\nsys.exit(0)\n"
REJECT = "import sys\nsys.exit(1)\n"
ASK_FOR_EVER = "while True:\n    print(1, flush=True)\n    input()\n"
CLOSE_BOTH = "import os\nos.close(0)\nos.close(1)\n"
OWN_INPUT = "import os\nos.write(os.open('/proc/self/fd/0', os.O_WRONLY), b'=\\n')\nprint(1, flush=True)\ninput()\n"
KATTIS = "import sys\nsys.exit(42 if sys.stdin.read() == '1\\n' else 43)\n"
KATTIS_ACCEPT = "import sys\nsys.exit(42)\n"
KATTIS_REJECT = "import sys\nsys.exit(43)\n"
INVALID_TEXT = "import os, sys\nos.write(2, b'\\xff\\0')\nsys.exit(1)\n"
ECHO_FOR_EVER = "import sys\nfor line in sys.stdin: print(line.strip(), flush=True)\n"

INTERACTORS: Final = {
    # A sound interactor, and programs that are not.
    "the program says nothing": Pair(GUESS, "pass", REJECTED, one("AC")),
    "the program sends no number": Pair(GUESS, "print('x')", REJECTED, one("AC")),
    "the program guesses without end": Pair(GUESS, ASK_FOR_EVER, REJECTED, one("RE")),
    "both wait: deadlock": Pair(GUESS, "input()", FAILED, one("TLE")),
    "the program forgets to flush": Pair(GUESS, "print(1)\ninput()\n", REJECTED | FAILED),
    "the program sleeps": Pair(GUESS, SLEEP, FAILED, one("TLE")),
    "the program burns": Pair(GUESS, BURN, FAILED, one("TLE")),
    "the program crashes": Pair(GUESS, CRASH, FAILED, one("RE")),
    "the program crashes after a guess": Pair(GUESS, "print(1, flush=True)\ninput()\n1 / 0", FAILED, one("RE")),
    "the program is right and crashes": Pair(GUESS, BISECT + "\n1 / 0", FAILED, one("RE")),
    "the program is right and floods": Pair(GUESS, BISECT + "\n" + FLOOD, FAILED),
    "the program is right and says more": Pair(GUESS, BISECT + "\nprint('more')", PASSED, one("AC")),
    "the program is right and sleeps": Pair(GUESS, BISECT + "\n" + SLEEP, FAILED, one("TLE")),
    "the program floods": Pair(GUESS, FLOOD, REJECTED | FAILED),
    "the program floods and never reads": Pair(ECHO_FOR_EVER, "while True: print('7')", FAILED),
    "the program closes its output": Pair(GUESS, "import os\nos.close(1)", REJECTED, one("AC")),
    "the program closes its input": Pair(GUESS, "import os\nos.close(0)\nprint(1, flush=True)", REJECTED, one("AC")),
    "the program closes both and sleeps": Pair(GUESS, CLOSE_BOTH + SLEEP, FAILED, one("TLE")),
    "the program leaves a child with its pipes": Pair(GUESS, CHILD_KEEPS_PIPES, REJECTED, one("AC")),
    "the program kills itself": Pair(GUESS, KILLED, FAILED, one("SIG")),
    "the program takes all memory": Pair(GUESS, HUNGRY, FAILED),
    "the program forks": Pair(GUESS, FORKS, FAILED | REJECTED),
    "the program reads for ever": Pair(GUESS, READ_ALL, FAILED, one("TLE")),
    "the program writes to its own input": Pair(GUESS, OWN_INPUT, REJECTED | FAILED),
    "the program sends zero bytes": Pair(GUESS, "print(chr(0), flush=True)", REJECTED, one("AC")),
    "the program sends one endless line": Pair(GUESS, "print('7' * 60000, flush=True)", REJECTED | ERROR),
    # A sound program, and interactors that are not.
    "the interactor crashes": Pair(ABORT, BISECT, ERROR),
    "the interactor is killed": Pair(KILLED, BISECT, ERROR),
    "the interactor burns": Pair(BURN, BISECT, ERROR | FAILED),
    "the interactor sleeps": Pair(SLEEP, BISECT, FAILED, one("TLE")),
    "the interactor floods": Pair(FLOOD, BISECT, ERROR | FAILED),
    "the interactor floods a program that reads": Pair(FLOOD, READ_ALL, ERROR),
    # Beside other work the kernel may need longer for all that memory than the program may wait.
    "the interactor takes all memory": Pair(HUNGRY, BISECT, ERROR | FAILED),
    "the interactor forks": Pair(FORKS, BISECT, ERROR | PASSED | FAILED),
    "the interactor accepts at once": Pair(ACCEPT, "print(1)", PASSED, one("AC")),
    "the interactor accepts at once, the program waits": Pair(ACCEPT, "input()", FAILED, one("RE")),
    "the interactor rejects at once, the program waits": Pair(REJECT, "input()", one("wrong_answer"), one("RE")),
    "the interactor rejects at once, the program sleeps": Pair(REJECT, SLEEP, one("wrong_answer"), one("TLE")),
    "the interactor closes its pipes": Pair(CLOSE_BOTH, BISECT, FAILED | PASSED),
    "the interactor leaves a child with its pipes": Pair(CHILD_KEEPS_PIPES, BISECT, FAILED),
    "the interactor has an unknown exit code": Pair("import sys\nsys.exit(42)", "print(1)", ERROR, one("AC")),
    "the interactor gives points without a number": Pair("import sys\nsys.exit(7)", "print(1)", ERROR, one("AC")),
    # Neither is.
    # They keep both CPUs busy: beside other work the host lacks the time for them, and says so. RE: the interactor was
    # stopped first, and the program finds its input at an end.
    "both talk without end": Pair(ASK_FOR_EVER, ASK_FOR_EVER, FAILED | ERROR, one("TLE", "IE", "RE")),
    "both flood": Pair(FLOOD, FLOOD, FAILED | ERROR),
    "both sleep": Pair(SLEEP, SLEEP, FAILED, one("TLE")),
    # Python's exit code of a crash is 1, testlib's of a wrong answer.
    "both crash": Pair(CRASH, CRASH, FAILED | one("wrong_answer")),
    "both read for ever": Pair(READ_ALL, READ_ALL, FAILED, one("TLE")),
    "a Kattis interactor accepts": Pair(KATTIS, "print(1)", PASSED, one("AC"), "kattis"),
    "a Kattis interactor rejects": Pair(KATTIS, "print(2)", REJECTED, one("AC"), "kattis"),
    "a Kattis interactor ends with 0": Pair("", "print(1)", ERROR, one("AC"), "kattis"),
    # It runs under a shell, which must not keep the pipes open.
    "a Kattis interactor accepts at once, the program waits": Pair(
        KATTIS_ACCEPT, "input()", FAILED, one("RE"), "kattis"
    ),
    "a Kattis interactor rejects at once, the program waits": Pair(
        KATTIS_REJECT, "input()", one("wrong_answer"), one("RE"), "kattis"
    ),
    "a Kattis interactor rejects at once, the program sleeps": Pair(
        KATTIS_REJECT, SLEEP, one("wrong_answer"), one("TLE"), "kattis"
    ),
    "a Kattis interactor closes its output and waits, the program waits": Pair(
        "import os\nos.close(1)\n" + READ_ALL + KATTIS_REJECT, "input()", one("wrong_answer"), one("RE"), "kattis"
    ),
    "a Kattis interactor closes its input, the program writes": Pair(
        "import os\nos.close(0)\n" + SLEEP, "while True: print(1, flush=True)", FAILED, one("RE"), "kattis"
    ),
    "a Kattis interactor and its program sleep": Pair(SLEEP, SLEEP, FAILED, one("TLE"), "kattis"),
}

CHECKERS: Final = {
    "the checker crashes": Pair(ABORT, "print(1)", ERROR),
    "the checker raises an exception": Pair(CRASH, "print(1)", ERROR, protocol="kattis"),
    "the checker is killed": Pair(KILLED, "print(1)", ERROR),
    "the checker burns": Pair(BURN, "print(1)", ERROR),
    "the checker takes all memory": Pair(HUNGRY, "print(1)", ERROR),
    "the checker forks": Pair(FORKS, "print(1)", ERROR | PASSED),
    "the checker floods": Pair(FLOOD, "print(1)", ERROR, protocol="kattis"),
    "the checker floods its message": Pair("import os\nos.write(2, b'x' * 500000)\n", "print(1)", PASSED | ERROR),
    "the checker says invalid text": Pair(INVALID_TEXT, "print(1)", one("wrong_answer")),
    "the checker ends with 3": Pair("import sys\nsys.exit(3)", "print(1)", ERROR),
    "the checker ends with 42 in the other protocol": Pair("import sys\nsys.exit(42)", "print(1)", ERROR),
    "the checker ends with 0 in the other protocol": Pair("", "print(1)", ERROR, protocol="kattis"),
    "the checker gives negative points": Pair(
        "import sys\nprint('points -5', file=sys.stderr)\nsys.exit(7)", "print(1)", ERROR
    ),
    "the checker gives no finite points": Pair(
        "import sys\nprint('points nan', file=sys.stderr)\nsys.exit(7)", "print(1)", ERROR
    ),
    "the checker changes the answer": Pair("open('answer', 'w').write('2')\n", "print(1)", PASSED),
    "the program crashes, the checker would accept": Pair(ACCEPT, CRASH, FAILED),
    "the program floods, the checker would accept": Pair(ACCEPT, FLOOD, FAILED),
    "the program writes what looks like a message": Pair(
        "import sys\nopen('output').read()\nsys.exit(1)", "print('ok points 100')", one("wrong_answer")
    ),
}
