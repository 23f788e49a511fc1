"""Compare an output as sinol and checkers of DMOJ do: a checker program, which is sent to the service as it is.

Arguments: input, output and expected output, the name of a comparison, and its options as JSON. The exit code is that
of a testlib checker: 0 right, 1 wrong, 7 with points, 3 a mistake in the package.
"""

import json
import re
import sys
import traceback
from collections import Counter
from collections.abc import Callable
from itertools import zip_longest
from pathlib import Path
from typing import Any


def by_line(output: bytes, answer: bytes) -> bool:
    """Compare as oicompare of sinol: the words of each line. Empty lines at the end do not count."""
    return all(
        one.split() == other.split() for one, other in zip_longest(*map(_lines, (output, answer)), fillvalue=b"")
    )


def standard(output: bytes, answer: bytes) -> bool:
    """Compare words, and whether a line break is between them."""
    return _marked(output) == _marked(answer)


def easy(output: bytes, answer: bytes) -> bool:
    """Count each character that is no white space, in lower case."""
    return Counter(b"".join(output.split()).lower()) == Counter(b"".join(answer.split()).lower())


def rstripped(output: bytes, answer: bytes, *, filter_new_line: bool = False) -> bool:
    """Compare lines without white space at their ends."""
    lines = [re.split(rb"[\r\n]", text) for text in (output, answer)]
    if filter_new_line:
        lines = [[line for line in some if line] for some in lines]
    return [line.rstrip() for line in lines[0]] == [line.rstrip() for line in lines[1]]


def in_any_order(output: bytes, answer: bytes, *, split_on: str = "lines") -> bool:
    """Compare lines, or words with `split_on` whitespace, in any order."""
    pattern = {"lines": rb"[\r\n]", "whitespace": rb"\s"}[split_on]
    found, wanted = (sorted(part.split() for part in re.split(pattern, text) if part) for text in (output, answer))
    return found == wanted


def linematches(
    output: bytes, answer: bytes, *, point_distribution: tuple[int, ...] = (1,), filler_lines_required: bool = True
) -> float:
    """Return the share of the points of the lines that are equal."""
    found, wanted = ([line for line in re.split(rb"[\r\n]", text) if line] for text in (output, answer))
    if len(wanted) != len(point_distribution) or sum(point_distribution) == 0:
        raise ValueError("point_distribution does not fit the expected output")
    if filler_lines_required and len(found) != len(wanted):
        return 0
    points = sum(each for one, other, each in zip(found, wanted, point_distribution, strict=False) if one == other)
    return points / sum(point_distribution)


def floats(output: bytes, answer: bytes, *, precision: int = 6, error_mode: str = "default") -> bool:
    """Compare the words of each line that is not empty; numbers with a tolerance."""
    found, wanted = ([line.split() for line in re.split(rb"[\r\n]", text) if line] for text in (output, answer))
    is_close, tolerance = _CLOSE[error_mode], 10 ** -int(precision)
    if list(map(len, found)) != list(map(len, wanted)):
        return False
    words = (pair for lines in zip(found, wanted, strict=True) for pair in zip(*lines, strict=True))
    return all(_is_number_close(word, other, is_close, tolerance) for word, other in words)


def _is_number_close(
    found: bytes, wanted: bytes, is_close: Callable[[float, float, float], bool], tolerance: float
) -> bool:
    try:
        number = float(wanted)
    except ValueError:
        return found == wanted
    try:
        return is_close(float(found), number, tolerance)
    except (ValueError, ZeroDivisionError):
        return False


def _is_relative(found: float, wanted: float, tolerance: float) -> bool:
    ends = wanted * (1 - tolerance), wanted * (1 + tolerance)
    return min(ends) <= found <= max(ends)


_CLOSE: dict[str, Callable[[float, float, float], bool]] = {
    "absolute": lambda found, wanted, tolerance: abs(found - wanted) <= tolerance,
    "relative": _is_relative,
    "default": lambda found, wanted, tolerance: (
        abs(found - wanted) <= tolerance or (abs(wanted) >= tolerance and abs(1 - found / wanted) <= tolerance)
    ),
}


def _lines(text: bytes) -> list[bytes]:
    return text.replace(b"\0", b" ").rstrip().split(b"\n")


def _marked(text: bytes) -> bytes:
    """Make one character of each white space: a line break if it has one, else a blank."""
    return re.sub(rb"\s+", lambda found: b"\n" if re.search(rb"[\r\n]", found[0]) else b" ", text.strip())


COMPARISONS: dict[str, Callable[..., float]] = {
    "by_line": by_line,
    "standard": standard,
    "easy": easy,
    "rstripped": rstripped,
    "sorted": in_any_order,
    "linematches": linematches,
    "floats": floats,
}


def main(words: list[str]) -> int:
    """Return the exit code. Points of a part are those of `points` in the options."""
    output, answer = (Path(name).read_bytes() for name in words[1:3])
    options: dict[str, Any] = json.loads(words[4])
    points = options.pop("points", 1)
    share = COMPARISONS[words[3]](output, answer, **options)
    if share in {0, 1}:
        return 0 if share else 1
    sys.stderr.write(f"points {share * points:f}\n")
    return 7


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except Exception:  # noqa: BLE001 - Python's own exit code means a wrong answer
        traceback.print_exc()
        sys.exit(3)
