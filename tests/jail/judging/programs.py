"""Checker programs of the tests: as problem setters write them, and hostile ones."""

from pathlib import Path
from typing import Any

from sandbox_runtime.messages import Checker, CheckerFile, CheckerProgram

TESTLIB = CheckerFile("testlib.h", (Path(__file__).parent / "testlib.h").read_bytes())

WCMP = """
#include "testlib.h"
int main(int argc, char** argv) {
    registerTestlibCmd(argc, argv);
    int n = 0;
    while (!ans.seekEof()) {
        ++n;
        const std::string wanted = ans.readToken(), found = ouf.readToken();
        if (wanted != found) quitf(_wa, "%d. words differ", n);
    }
    if (!ouf.seekEof()) quitf(_dirt, "extra tokens");
    quitf(_ok, "%d tokens", n);
}
"""
NCMP = """
#include "testlib.h"
int main(int argc, char** argv) {
    registerTestlibCmd(argc, argv);
    int n = 0;
    while (!ans.seekEof()) {
        ++n;
        if (ans.readLong() != ouf.readLong()) quitf(_wa, "%d. numbers differ", n);
    }
    if (!ouf.seekEof()) quitf(_pe, "extra tokens");
    quitf(_ok, "%d numbers", n);
}
"""
RCMP = """
#include "testlib.h"
int main(int argc, char** argv) {
    registerTestlibCmd(argc, argv);
    const double allowed = argc > 4 ? std::atof(argv[4]) : 1e-6;
    const double wanted = ans.readDouble(), found = ouf.readDouble();
    if (std::fabs(wanted - found) > allowed) quitf(_wa, "error %g", std::fabs(wanted - found));
    quitf(_ok, "error %g", std::fabs(wanted - found));
}
"""
POINTS = """
#include "testlib.h"
int main(int argc, char** argv) {
    registerTestlibCmd(argc, argv);
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
    return Checker(kind, program=CheckerProgram(language=language, protocol=protocol, code=code.encode(), **values))


def with_testlib(code: str, **fields: Any) -> Checker:
    return program(code, "cpp", files=(TESTLIB,), **fields)
