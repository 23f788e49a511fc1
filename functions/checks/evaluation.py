"""Compare a run with the assertions of its check: the expected and the actual value of each."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from difflib import unified_diff
from itertools import takewhile
from typing import Any, TypedDict

from events.vocabulary import Verdict
from functions.checks.assertions import (
    MISSING,
    Assertion,
    ExitCodeAssertion,
    JsonAssertion,
    MemoryAssertion,
    NetworkAssertion,
    SameAsLastGoodAssertion,
    StderrEmptyAssertion,
    StdoutAssertion,
    VerdictAssertion,
    WallTimeAssertion,
    is_equal,
    is_found,
    is_number,
    operator_of,
    parse_path,
    read_document,
    value_at,
)

MAX_LINES = 60
MAX_CHARS = 4_000
_COMPARED_LINES = 200
_LINE_CHARS = 200
_CONTEXT_LINES = 3


def difference(before: bytes, after: bytes) -> str:
    """Return a unified diff of two outputs, small enough for an event and for a chat; "" if they are equal.

    At most 60 lines, 4,000 characters and 200 characters a line. Only 200 lines from the first difference on are
    compared, so that two large outputs cost no more time than two small ones. The last line names omitted lines.
    """
    if before == after:
        return ""
    old, new = _lines(before), _lines(after)
    same = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(old, new, strict=False)))
    start = max(0, same - _CONTEXT_LINES)
    window = slice(start, start + _COMPARED_LINES)
    differing = list(
        unified_diff([_cut_diff(line) for line in old[window]], [_cut_diff(line) for line in new[window]], lineterm="")
    )
    if not differing:  # a long line differs behind its cut, or only the ends of lines do
        differing = ["", "", f"@@ line {same + 1}: differs in white space, in bytes that are no text, or far right @@"]
    lines = [f"--- last good output, from line {start + 1}", f"+++ this output, from line {start + 1}", *differing[2:]]
    is_cut = max(len(old), len(new)) > window.stop or len(lines) > MAX_LINES
    return _bounded(lines[:MAX_LINES], is_cut=is_cut)


def _bounded(lines: list[str], *, is_cut: bool) -> str:
    text = "\n".join(lines)
    if len(text) > MAX_CHARS:
        text, is_cut = text[:MAX_CHARS].rpartition("\n")[0], True
    return f"{text}\n… the rest is left out" if is_cut else text


def _lines(output: bytes) -> list[str]:
    return output.decode(errors="replace").split("\n")


def _cut_diff(line: str) -> str:
    return line if len(line) <= _LINE_CHARS else f"{line[: _LINE_CHARS - 1]}…"


SHOWN_CHARS = 256
_CONTEXT_CHARS = 40
_MIB = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The outcome of one run. Secrets in the output are masked already: assertions show parts of it.

    `connections`: those of the evidence, by host and port.
    """

    verdict: str
    exit_code: int | None
    stdout: bytes = field(repr=False)
    stderr: bytes = field(repr=False)
    wall_time_secs: float | None
    memory_peak_bytes: int | None
    connections: Sequence[Mapping[str, Any]] = ()


class AssertionResult(TypedDict):
    """One assertion with its outcome. Each text has at most 256 characters."""

    assertion: str
    expected: str
    actual: str
    passed: bool


@dataclass(frozen=True, slots=True)
class Evaluation:
    """All results of a run. `passed` is inverted for a check that should fail."""

    results: tuple[AssertionResult, ...]
    passed: bool


def evaluate(
    assertions: Sequence[Assertion],
    outcome: Outcome,
    last_good: bytes | None,
    *,
    has_network: bool = False,
    should_fail: bool = False,
) -> Evaluation:
    """Evaluate every assertion. `last_good`: standard output of the last run that passed, None before the first."""
    if has_network and not any(isinstance(each, NetworkAssertion) for each in assertions):
        assertions = (*assertions, NetworkAssertion(type="network"))
    if not any(isinstance(each, VerdictAssertion) for each in assertions):
        assertions = (VerdictAssertion(type="verdict", equals=Verdict.AC), *assertions)
    results = tuple(_evaluate(each, outcome, last_good) for each in assertions)
    holds = all(result["passed"] for result in results)
    if should_fail and holds:
        unexpected = _result("should_fail", "at least one assertion fails", "every assertion holds", passed=False)
        return Evaluation((*results, unexpected), passed=False)
    return Evaluation(results, holds or should_fail)


def _evaluate(assertion: Assertion, outcome: Outcome, last_good: bytes | None) -> AssertionResult:
    match assertion:
        case VerdictAssertion():
            result = _equal("verdict", assertion.equals.value, outcome.verdict)
        case ExitCodeAssertion():
            result = _equal("exit code", assertion.equals, outcome.exit_code)
        case StdoutAssertion():
            result = _stdout(assertion, outcome.stdout)
        case JsonAssertion():
            result = _json(assertion, outcome.stdout)
        case WallTimeAssertion():
            result = _at_most("wall time", assertion.at_most_secs, outcome.wall_time_secs, "s")
        case MemoryAssertion():
            peak = outcome.memory_peak_bytes
            result = _at_most("memory", assertion.at_most_mb, None if peak is None else peak / _MIB, "MiB")
        case StderrEmptyAssertion():
            result = _result(
                "stderr is empty", "nothing", _head(outcome.stderr) or "nothing", passed=not outcome.stderr
            )
        case SameAsLastGoodAssertion():
            expected = outcome.stdout if last_good is None else last_good
            result = _same_text("stdout equals the last good output", expected, outcome.stdout)
        case NetworkAssertion():
            result = _network(assertion, outcome.connections)
    return result


def _result(assertion: str, expected: str, actual: str, *, passed: bool) -> AssertionResult:
    return {"assertion": assertion, "expected": expected, "actual": actual, "passed": passed}


def _equal(name: str, expected: object, actual: object) -> AssertionResult:
    return _result(
        f"{name} is {expected}", str(expected), "none" if actual is None else str(actual), passed=expected == actual
    )


def _at_most(name: str, limit: float, actual: float | None, unit: str) -> AssertionResult:
    shown = "not measured" if actual is None else f"{actual:.3f} {unit}"
    passed = actual is not None and actual <= limit
    return _result(f"{name} is at most {limit:g} {unit}", f"at most {limit:g} {unit}", shown, passed=passed)


def _network(assertion: NetworkAssertion, connections: Sequence[Mapping[str, Any]]) -> AssertionResult:
    failed = [f"{one['name']}:{one['port']} {one['first_error']}" for one in connections if one["first_error"]]
    expected = "connections may fail" if assertion.allow_failed else "none"
    passed = assertion.allow_failed or not failed
    return _result("failed connections", expected, _cut("; ".join(failed)) or "none", passed=passed)


def _stdout(assertion: StdoutAssertion, stdout: bytes) -> AssertionResult:
    operator = operator_of(assertion)
    if operator == "equals":
        return _same_text("stdout equals", assertion.equals.encode().rstrip(b"\r\n"), stdout.rstrip(b"\r\n"))
    wanted = assertion.contains if operator == "contains" else assertion.matches
    passed = wanted.encode() in stdout if operator == "contains" else is_found(wanted, stdout)
    return _result(_cut(f"stdout {operator} {wanted!r}"), _cut(wanted), _head(stdout) or "nothing", passed=passed)


def _same_text(name: str, expected: bytes, actual: bytes) -> AssertionResult:
    """Compare two outputs. A difference far from the start is shown with a little text before it."""
    if expected == actual:
        return _result(name, _head(expected) or "nothing", _head(actual) or "nothing", passed=True)
    left, right = expected.decode(errors="replace"), actual.decode(errors="replace")
    at = next((index for index, pair in enumerate(zip(left, right, strict=False)) if pair[0] != pair[1]), None)
    at = min(len(left), len(right)) if at is None else at
    start = max(0, at - _CONTEXT_CHARS)
    line = left.count("\n", 0, at) + 1
    mark = f"line {line}: …" if start else ""
    shown = [_cut(mark + text[start:]) or "nothing" for text in (left, right)]
    return _result(name, shown[0], shown[1], passed=False)


def _json(assertion: JsonAssertion, stdout: bytes) -> AssertionResult:
    operator = operator_of(assertion)
    wanted = getattr(assertion, operator)
    words = {"equals": "equals", "less_than": "is less than", "greater_than": "is greater than", "exists": "exists:"}
    name = _cut(f"{assertion.path} {words[operator]} {_shown(wanted)}")
    document = read_document(stdout)
    if document is MISSING:
        return _result(name, _shown(wanted), _cut(f"stdout is not JSON: {_head(stdout)}"), passed=False)
    value = value_at(document, parse_path(assertion.path))
    if operator == "exists":
        passed = (value is not MISSING) == wanted
    elif operator == "equals":
        passed = value is not MISSING and is_equal(wanted, value)
    else:
        passed = is_number(value) and (value < wanted if operator == "less_than" else value > wanted)
    return _result(name, _shown(wanted), "nothing there" if value is MISSING else _shown(value), passed=passed)


def _shown(value: Any) -> str:
    try:
        return _cut(json.dumps(value, ensure_ascii=False))
    except RecursionError:
        return "a value that is nested too deeply to show"


def _head(text: bytes) -> str:
    return _cut(text[: 4 * SHOWN_CHARS + 4].decode(errors="replace"))


def _cut(text: str) -> str:
    text = text.encode(errors="replace").decode()  # half characters of JSON output have no UTF-8 form
    return text if len(text) <= SHOWN_CHARS else text[: SHOWN_CHARS - 1] + "…"
