"""The outcome of a case: from the verdict of its run, then from its checker."""

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, zip_longest

from events.requested import Checker
from events.vocabulary import Outcome, Verdict
from sandbox_runtime.classify import OUTPUT_TOO_LONG, Classification
from sandbox_runtime.jail.spec import InputFile

# Compare an output with the expected one. Pure functions on bytes, because neither needs to be text.
#
# Each returns None when they agree, else where they differ. It never quotes the expected output, which may be secret.
# They split the outputs part by part: 64 MiB of short words at once would take gigabytes.

BLANKS = b" \t\r\v\f"
_PART_BYTES = 65_536
_REST_OF_WORD = re.compile(rb"[^ \t\n\r\v\f]+")
_NUMBER = re.compile(rb"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?")
_INFINITY = re.compile(rb"\+?inf(inity)?|(-inf(inity)?)", re.IGNORECASE)
_NAN = re.compile(rb"[+-]?nan", re.IGNORECASE)


def compare_exact(expected: bytes, output: bytes) -> str | None:
    """Compare byte for byte."""
    if expected == output:
        return None
    common = next((at for at, (a, b) in enumerate(zip(expected, output, strict=False)) if a != b), None)
    if common is not None:
        return f"byte {common + 1} differs"
    return "the output ends too early" if len(output) < len(expected) else "the output goes on after its expected end"


def compare_lines(expected: bytes, output: bytes) -> str | None:
    """Compare line by line, without blanks at the end of a line and without empty lines at the end."""
    if expected == output:
        return None
    lines = zip_longest(_lines(expected), _lines(output))
    at = next((number for number, (wanted, found) in enumerate(lines, 1) if wanted != found), None)
    return None if at is None else f"line {at} differs"


def compare_tokens(
    expected: bytes,
    output: bytes,
    *,
    case_sensitive: bool = True,
    float_abs: float | None = None,
    float_rel: float | None = None,
) -> str | None:
    """Compare the words between ASCII white space.

    With `float_abs` or `float_rel`, two decimal numbers also agree when they differ by at most `float_abs`, or by at
    most `float_rel` times the expected one; NaN agrees with NaN, and infinity with infinity of the same sign. Other
    words agree when they are equal. Without `case_sensitive`, A to Z are a to z, and other characters stay different.
    """
    if expected == output:
        return None
    if not case_sensitive:
        expected, output = expected.lower(), output.lower()  # of ASCII only
    has_tolerance = float_abs is not None or float_rel is not None
    for number, (word, other) in enumerate(zip(_words(expected), _words(output), strict=False), 1):
        if word != other and not (has_tolerance and _are_close(word, other, float_abs or 0.0, float_rel or 0.0)):
            return f"token {number} differs"
    wanted, found = _count(expected), _count(output)
    return None if wanted == found else f"{wanted} tokens expected, {found} found"


def _lines(content: bytes) -> Iterator[bytes]:
    content, begin = content.rstrip(BLANKS + b"\n"), 0
    while begin >= 0:
        end = content.find(b"\n", begin + _PART_BYTES)
        for line in content[begin : None if end < 0 else end].split(b"\n"):
            yield line.rstrip(BLANKS)
        begin = end + 1 if end >= 0 else -1


def _words(content: bytes) -> Iterator[bytes]:
    return chain.from_iterable(part.split() for part in _parts(content))


def _count(content: bytes) -> int:
    return sum(len(part.split()) for part in _parts(content))


def _parts(content: bytes) -> Iterator[bytes]:
    """Yield parts that end after a whole word."""
    begin = 0
    while begin < len(content):
        rest = _REST_OF_WORD.match(content, begin + _PART_BYTES)
        end = begin + _PART_BYTES if rest is None else rest.end()
        yield content[begin:end]
        begin = end


def _are_close(expected: bytes, found: bytes, float_abs: float, float_rel: float) -> bool:
    if not (_NUMBER.fullmatch(expected) and _NUMBER.fullmatch(found)):
        return _are_same_special(expected, found)
    wanted, other = float(expected), float(found)
    if math.isinf(wanted) or math.isinf(other):
        return False
    difference = abs(wanted - other)
    return difference <= float_abs or difference <= float_rel * abs(wanted)


def _are_same_special(expected: bytes, found: bytes) -> bool:
    """Whether both are NaN, or infinity with the same sign, as a validator of DOMjudge compares them."""
    if _NAN.fullmatch(expected):
        return _NAN.fullmatch(found) is not None
    wanted, other = _INFINITY.fullmatch(expected), _INFINITY.fullmatch(found)
    return wanted is not None and other is not None and (wanted[2] is None) == (other[2] is None)


@dataclass(frozen=True, slots=True)
class NextPass:
    """The program of a multi-pass case runs again with this input. `kept`: the checker's files of the passes so far."""

    stdin: bytes
    kept: tuple[InputFile, ...]


@dataclass(frozen=True, slots=True)
class Judgement:
    """`outcome`: a word of the message. `points`: from a checker, for a partial answer or an accepted one.

    `share`: from a checker, of the points of an accepted case, in place of `points`.

    `team_message`: of a checker for the contestant; `message` is for the judge. `next_pass`: None: this is the end.
    """

    outcome: Outcome
    message: str | None = None
    points: float | None = None
    team_message: str | None = None
    share: float | None = None
    next_pass: NextPass | None = None


PASSED = Judgement(Outcome.PASSED)
SKIPPED = Judgement(Outcome.SKIPPED)
CUT = Judgement(Outcome.WRONG_ANSWER, OUTPUT_TOO_LONG)


def of_run(found: Classification) -> Judgement | None:
    """Judge by the verdict alone. None: the program ended normally, and its output decides."""
    if found.verdict is Verdict.AC:
        return None
    if found.verdict is Verdict.IE:  # the platform's failure, never the program's
        return Judgement(Outcome.JUDGE_ERROR, found.error_message)
    return Judgement(Outcome.FAILED)


def of_output(checker: Checker, expected: bytes | None, output: bytes) -> Judgement:
    """Compare an output without a program. A case without expected output passes when the program ended normally."""
    if expected is None:
        return PASSED
    if checker.kind == "exact":
        difference = compare_exact(expected, output)
    elif checker.kind == "tokens":
        difference = compare_tokens(
            expected,
            output,
            case_sensitive=checker.case_sensitive is not False,
            float_abs=checker.float_abs,
            float_rel=checker.float_rel,
        )
    else:
        difference = compare_lines(expected, output)
    return PASSED if difference is None else Judgement(Outcome.WRONG_ANSWER, difference)
