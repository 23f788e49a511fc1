"""Checker programs of the tests: as problem setters write them, and hostile ones."""

import sys
from pathlib import Path
from typing import Any

from events.requested import Checker, CheckerFile, CheckerProgram
from events.vocabulary import CheckerKind, Language, Protocol

# The real header, of a package for problem setters: see the group testlib in pyproject.toml. It names its own licence.
_HEADER = Path(sys.prefix) / "testlib" / "rbx" / "resources" / "predownloaded" / "testlib.h"
TESTLIB = CheckerFile("testlib.h", _HEADER.read_bytes())

# As wcmp, ncmp and rcmp compare, a checker that gives points, and an interactor: one program, because the header takes
# seconds to compile. Half of them are spent on optimising it.
TESTLIB_PROGRAM = """
#pragma GCC optimize("O0")
#include "testlib.h"

static void words() {
    int n = 0;
    for (; !ans.seekEof(); ++n) {
        const std::string wanted = ans.readWord(), found = ouf.readWord();
        if (wanted != found) quitf(_wa, "%d%s words differ", n + 1, englishEnding(n + 1).c_str());
    }
    if (!ouf.seekEof()) quitf(_dirt, "extra words");
    quitf(_ok, "%d words", n);
}

static void numbers() {
    int n = 0;
    for (; !ans.seekEof(); ++n)
        if (ans.readLong() != ouf.readLong()) quitf(_wa, "%d%s numbers differ", n + 1, englishEnding(n + 1).c_str());
    if (!ouf.seekEof()) quitf(_pe, "extra numbers");
    quitf(_ok, "%d numbers", n);
}

static void real() {
    const double wanted = ans.readDouble(), found = ouf.readDouble();
    if (!doubleCompare(wanted, found, 0.01)) quitf(_wa, "expected %.3f, found %.3f", wanted, found);
    quitf(_ok, "found %.3f", found);
}

static void guesses() {
    const int hidden = inf.readInt();
    for (int left = 20; left > 0; --left) {
        const int guess = ouf.readInt(0, 1000, "guess");
        std::cout << (guess == hidden ? '=' : hidden < guess ? '<' : '>') << std::endl;
        tout << guess << '\\n';
        if (guess == hidden) quitf(_ok, "found with %d left", left - 1);
    }
    quitf(_wa, "too many guesses");
}

int main(int argc, char** argv) {
    if (argc > 4 && std::string(argv[4]) == "interact") {
        registerInteraction(argc - 1, argv);
        guesses();
    }
    registerTestlibCmd(argc, argv);
    if (checker.testset() == "words") words();
    if (checker.testset() == "numbers") numbers();
    if (checker.testset() == "real") real();
    if (checker.testset() == "information") quitpi(ouf.readWord(), "as printed");
    quitp(ouf.readDouble() / 2, "half of it");
}
"""
# A Kattis output validator: input, answer, feedback directory; the team's output on stdin.
KATTIS_SUM = """
import sys
numbers = open(sys.argv[1]).read().split()
open(sys.argv[3] + "judgemessage.txt", "w").write("seen")
output = sys.stdin.read().split()
print("sum of", len(numbers), "numbers")
sys.exit(42 if output == [str(sum(map(int, numbers)))] else 43)
"""

# An interactor of testlib's exit codes in Python: the program finds a hidden number.
GUESS = """
import sys
hidden = int(open(sys.argv[1]).read())
for _ in range(20):
    word = sys.stdin.buffer.readline(1000)
    if not word.strip().isdigit():
        print("no number", file=sys.stderr)
        sys.exit(2)
    guess = int(word)
    print("=" if guess == hidden else "<" if hidden < guess else ">", flush=True)
    if guess == hidden:
        print("found", file=sys.stderr)
        sys.exit(0)
print("too many guesses", file=sys.stderr)
sys.exit(1)
"""
BISECT = """
low, high = 0, 1000
while True:
    middle = (low + high) // 2
    print(middle, flush=True)
    answer = input()
    if answer == "=":
        break
    low, high = (low, middle - 1) if answer == "<" else (middle + 1, high)
"""


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
