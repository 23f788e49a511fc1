"""Checker programs of the tests: as problem setters write them, and hostile ones."""

import sys
from pathlib import Path
from typing import Any

from events.requested import Checker, CheckerFile, CheckerProgram
from events.vocabulary import CheckerKind, Language, Protocol
from tests.guest_files import guest

# The real header, of a package for problem setters: see the group testlib in pyproject.toml. It names its own licence.
_HEADER = Path(sys.prefix) / "testlib" / "rbx" / "resources" / "predownloaded" / "testlib.h"
TESTLIB = CheckerFile("testlib.h", _HEADER.read_bytes())

# As wcmp, ncmp and rcmp compare, a checker that gives points, and an interactor: one program, because the header takes
# seconds to compile. Half of them are spent on optimising it.
TESTLIB_PROGRAM = guest("judges/testlib.cpp")
# A Kattis output validator: input, answer, feedback directory; the team's output on stdin.
KATTIS_SUM = guest("judges/kattis_sum.py")

# An interactor of testlib's exit codes in Python: the program finds a hidden number.
GUESS = guest("judges/guess.py")
BISECT = guest("judges/bisect.py")


def program(
    code: str, language: str = "python", protocol: str = "testlib", *, kind: str = "program", **fields: Any
) -> Checker:
    values: dict[str, Any] = {"args": (), "files": ()} | fields
    return Checker(
        CheckerKind(kind),
        program=CheckerProgram(language=Language(language), protocol=Protocol(protocol), code=code.encode(), **values),
    )


def with_testlib(*args: str, kind: str = "program") -> Checker:
    return program(TESTLIB_PROGRAM, "cpp", kind=kind, files=(TESTLIB,), args=args)
