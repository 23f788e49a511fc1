"""Assertions about a run, as clients write them. `evaluation` compares them with an outcome."""

import json
import re
from collections.abc import Sequence
from typing import Annotated, Any, Literal, Self

import re2
from pydantic import AfterValidator, ConfigDict, Field, JsonValue, model_validator

from events.vocabulary import Verdict
from functions.http.validation import StrictModel, whole_characters

MAX_PATH_CHARS = 256
_STEP = re.compile(
    r"""\.(?P<name>[A-Za-z_\u0080-\U0010FFFF][A-Za-z0-9_\u0080-\U0010FFFF]*)"""
    r"""|\[(?P<index>0|-?[1-9][0-9]{0,8})\]"""
    r"""|\['(?P<single>[^'\\\x00-\x1f]*)'\]"""
    r"""|\["(?P<double>[^"\\\x00-\x1f]*)"\]"""
)
PATH_PATTERN = rf"^\$({re.sub(r'[?]P<[a-z]+>', '?:', _STEP.pattern)})*$".replace(r"\U0010FFFF", r"\uFFFF")
"""For a JSON Schema: the paths that are understood."""

MISSING = object()
"""The value of a path that leads nowhere."""


class PathError(ValueError):
    """The text is no path that names one value."""


def parse_path(text: str) -> tuple[str | int, ...]:
    """Return the names and indexes of a JSON path that names one value. Raises PathError.

    Paths are the singular queries of RFC 9535, such as `$.items[0]['a key']` or `$[-1].id`.
    """
    steps: list[str | int] = []
    at = 1
    if not text.startswith("$"):
        raise PathError("A path starts with `$`, as in $.items[0].id.")
    while at < len(text):
        found = _STEP.match(text, at)
        if found is None:
            raise PathError(f"The path is not understood from character {at + 1}. Use .name, ['name'] or [0].")
        kind = found.lastgroup or ""
        steps.append(int(found[kind]) if kind == "index" else found[kind])
        at = found.end()
    return tuple(steps)


def value_at(document: Any, steps: tuple[str | int, ...]) -> Any:
    """Return the value at a path, or MISSING."""
    for step in steps:
        if isinstance(step, str):
            document = document.get(step, MISSING) if isinstance(document, dict) else MISSING
        elif isinstance(document, list) and -len(document) <= step < len(document):
            document = document[step]
        else:
            return MISSING
    return document


def read_document(raw: bytes) -> Any:
    """Parse a program's output as JSON; MISSING if it is none."""
    try:
        return json.loads(raw.decode(), parse_constant=_refuse)
    except (ValueError, RecursionError):
        return MISSING


def is_equal(left: Any, right: Any) -> bool:
    """Whether two JSON values are equal: 1 equals 1.0, and true equals no number."""
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(is_equal(value, right[name]) for name, value in left.items())
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(is_equal, left, right))
    return bool(left == right)


def is_number(value: Any) -> bool:
    """Whether a JSON value is a number."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def _refuse(name: str) -> Any:
    raise ValueError(name)


MAX_PATTERN_CHARS = 512
MAX_STATES = 1_000
"""Limit for all patterns of one check together. A literal character is one state; `\\pL`, every letter, has 1,200."""
SEARCHED_BYTES = 64 * 1024


class PatternError(ValueError):
    """The pattern is invalid or too large; the text says why."""


def count_states(pattern: str) -> int:
    """Return the size of a pattern in states of its automaton. Raises PatternError."""
    return int(_compile(pattern).programsize)


def is_found(pattern: str, text: bytes) -> bool:
    """Whether a valid pattern occurs in the first 64 KiB of a text.

    RE2 never backtracks: the time is linear in the text. Linear is not cheap: it spends 7 s on 1 MiB with a pattern of
    900 states. So text and pattern are bounded too.
    """
    occurs = _compile(pattern).search(text[:SEARCHED_BYTES].decode(errors="replace")) is not None
    re2.purge()  # its cache would keep up to 8 MiB for each of 128 patterns
    return occurs


def _compile(pattern: str) -> re2._Regexp:
    options = re2.Options()
    options.log_errors = False
    options.never_capture = True
    try:
        return re2.compile(pattern, options)
    except re2.error as error:
        reason = error.args[0] if error.args else ""
        shown = reason.decode(errors="replace") if isinstance(reason, bytes) else str(reason)
        raise PatternError(f"RE2 refuses the pattern: {shown[:200]}") from None


MAX_ASSERTIONS = 20
MAX_TEXT_CHARS = 4_096
_MAX_DEPTH = 20

_TEXT_OPERATORS = ("equals", "contains", "matches")
_JSON_OPERATORS = ("equals", "less_than", "greater_than", "exists")


def _path(text: str) -> str:
    parse_path(text)
    return text


def _pattern(text: str) -> str:
    count_states(text)
    return text


def _small(value: JsonValue) -> JsonValue:
    level, depth = [value], 0
    while level:
        depth += 1
        if depth > _MAX_DEPTH:
            raise ValueError(f"the value is nested deeper than {_MAX_DEPTH} levels")
        level = [child for parent in level for child in _children(parent)]
    if len(whole_characters(json.dumps(value, ensure_ascii=False))) > MAX_TEXT_CHARS:
        raise ValueError(f"the value is longer than {MAX_TEXT_CHARS:,} characters of JSON")
    return value


def _children(value: JsonValue) -> list[JsonValue]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []


def _one_beside(required_count: int) -> dict[str, Any]:
    """Say in JSON Schema: exactly one field beside the required ones."""
    return {"minProperties": required_count + 1, "maxProperties": required_count + 1}


# `str`, not `Text`: behind a function, the message about a length would count items. pydantic refuses half characters.
BoundedText = Annotated[str, Field(max_length=MAX_TEXT_CHARS)]
Pattern = Annotated[str, Field(max_length=MAX_PATTERN_CHARS), AfterValidator(_pattern)]
Path = Annotated[str, Field(max_length=MAX_PATH_CHARS), AfterValidator(_path)]
Value = Annotated[JsonValue, AfterValidator(_small)]


class VerdictAssertion(StrictModel):
    """The run has this verdict. Without one, a check asserts `AC`."""

    type: Literal["verdict"]
    equals: Verdict = Field(strict=False)


class ExitCodeAssertion(StrictModel):
    """The program ends with this exit code."""

    type: Literal["exit_code"]
    equals: int = Field(ge=0, le=255)


class StdoutAssertion(StrictModel):
    """Standard output equals a text, contains it, or matches an RE2 pattern in its first 64 KiB.

    `equals` ignores line ends at the end of both texts.
    """

    model_config = ConfigDict(json_schema_extra=_one_beside(1))

    type: Literal["stdout"]
    equals: BoundedText = ""
    contains: BoundedText = ""
    matches: Pattern = ""

    @model_validator(mode="after")
    def _has_one_operator(self) -> Self:
        _check_one_operator(self, _TEXT_OPERATORS)
        return self


class JsonAssertion(StrictModel):
    """Standard output is JSON, and the value at `path` compares as given."""

    model_config = ConfigDict(json_schema_extra=_one_beside(2))

    type: Literal["json"]
    path: Path = Field(examples=["$.items[0].id"])
    equals: Value = None
    less_than: float = Field(default=0, allow_inf_nan=False)
    greater_than: float = Field(default=0, allow_inf_nan=False)
    exists: bool = True

    @model_validator(mode="after")
    def _has_one_operator(self) -> Self:
        _check_one_operator(self, _JSON_OPERATORS)
        return self


class WallTimeAssertion(StrictModel):
    """The run takes at most this long."""

    type: Literal["wall_time"]
    at_most_secs: float = Field(gt=0, le=60)


class MemoryAssertion(StrictModel):
    """The run uses at most this much memory, in MiB."""

    type: Literal["memory"]
    at_most_mb: float = Field(gt=0, le=1024)


class StderrEmptyAssertion(StrictModel):
    """The program writes nothing to standard error."""

    type: Literal["stderr_empty"]


class SameAsLastGoodAssertion(StrictModel):
    """Standard output is that of the last run that passed. The first run passes."""

    type: Literal["same_as_last_good"]


class NetworkAssertion(StrictModel):
    """No connection of the program failed. A check with network asserts it unless it has one with `allow_failed`."""

    type: Literal["network"]
    allow_failed: bool = Field(default=False, description="true: connections may fail.")


type Assertion = Annotated[
    VerdictAssertion
    | ExitCodeAssertion
    | StdoutAssertion
    | JsonAssertion
    | WallTimeAssertion
    | MemoryAssertion
    | StderrEmptyAssertion
    | SameAsLastGoodAssertion
    | NetworkAssertion,
    Field(discriminator="type"),
]


def operator_of(assertion: StdoutAssertion | JsonAssertion) -> str:
    """Return the name of its one operator."""
    return next(iter(assertion.model_fields_set - {"type", "path"}))


def _check_one_operator(assertion: StrictModel, names: tuple[str, ...]) -> None:
    if len(assertion.model_fields_set.intersection(names)) != 1:
        raise ValueError(f"give exactly one of {', '.join(names)}")


def _bounded(assertions: list[Assertion]) -> list[Assertion]:
    patterns = [each.matches for each in assertions if isinstance(each, StdoutAssertion)]
    states = sum(count_states(pattern) for pattern in patterns if pattern)
    if states > MAX_STATES:
        raise ValueError(f"the patterns of a check have {states:,} states together, the limit is {MAX_STATES:,}")
    return assertions


type Assertions = Annotated[list[Assertion], Field(max_length=MAX_ASSERTIONS), AfterValidator(_bounded)]
"""The list of a request."""


def to_stored(assertions: Sequence[Assertion]) -> list[dict[str, Any]]:
    """Return JSON objects as a client sends them."""
    return [each.model_dump(mode="json", exclude_unset=True) for each in assertions]
