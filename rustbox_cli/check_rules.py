"""The rules of checks.yaml: its JSON Schema, and what no schema can say. Both come from the service."""

from __future__ import annotations

import json
import re
from datetime import datetime
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from rustbox_cli.schedules.expression import ScheduleInvalidError, parse_schedule

if TYPE_CHECKING:
    from collections.abc import Iterator

SCHEMA_FILE = Path(__file__).with_name("checks.schema.json")
_SIMILARITY = 0.6
_NOT_OF_RE2 = re.compile(r"(?:^|[^\\])(?:\\\\)*(?:\(\?<?[=!]|\\[1-9])")
_BROKEN_EVERYWHERE = ("unterminated", "unbalanced", "nothing to repeat", "multiple repeat")


class Problem(NamedTuple):
    """A problem of the value at a place of the file."""

    place: tuple[str | int, ...]
    text: str


@cache
def schema() -> dict[str, Any]:
    """Return the JSON Schema of checks.yaml."""
    found: dict[str, Any] = json.loads(SCHEMA_FILE.read_text(encoding="utf-8"))
    return found


def only_of_programs() -> frozenset[str]:
    """Return the settings that a heartbeat does not have."""
    return frozenset(schema()["$defs"]["Check"]["then"]["properties"])


def schema_problems(document: Any) -> list[Problem]:
    """Return what the schema refuses, in the order of the file's places."""
    import jsonschema  # noqa: PLC0415 - other commands start faster without it

    validator = jsonschema.Draft202012Validator(schema())
    errors = sorted(validator.iter_errors(document), key=lambda error: [str(part) for part in error.absolute_path])
    return [problem for error in errors for problem in _told(jsonschema.exceptions.best_match([error]) or error)]


def _told(error: Any) -> Iterator[Problem]:
    """Yield the problems of one error of the schema, in our words where they help more."""
    place = tuple(error.absolute_path)
    if error.validator == "additionalProperties":
        known = list(error.schema["properties"])
        for name in (str(name) for name in error.instance if name not in known):  # a number is a key too in YAML
            yield Problem((*place, name), f"there is no such setting{_meant(name, known)}")
    elif error.validator == "required":
        for name in (name for name in error.validator_value if name not in error.instance):
            yield Problem(place, f"{name} is missing")
    elif error.validator == "not":
        yield Problem(place, "a heartbeat has no program, so it has no such setting")
    elif error.validator == "enum":
        names = [str(name) for name in error.validator_value]
        yield Problem(place, f"{error.instance!r} is none of {', '.join(names)}{_meant(str(error.instance), names)}")
    else:
        yield Problem(place, error.message)


def _meant(name: str, known: list[str]) -> str:
    close = get_close_matches(name.lower(), known, 1, _SIMILARITY)
    return f"; did you mean {close[0]}?" if close else ""


def rule_problems(check: dict[str, Any]) -> Iterator[Problem]:
    """Yield what the schema cannot say of a check; places are inside it."""
    yield from _schedule_problems(check)
    for index, quiet in enumerate(check.get("quiet", ())):
        yield from _expression_problems(quiet["schedule"], quiet.get("timezone", "UTC"), ("quiet", index))
        if quiet["schedule"].lstrip().startswith("rate("):
            yield Problem(("quiet", index, "schedule"), "a quiet time begins at times of a clock: cron(0 2 * * ? *)")
    for index, assertion in enumerate(check.get("assertions", ())):
        if "matches" in assertion and (problem := _pattern_problem(assertion["matches"])):
            yield Problem(("assertions", index, "matches"), problem)
    if check.get("network") is not None and check.get("profile") == "judge":
        yield Problem(("network",), "only the agent profile has network: leave the profile out, or network")
    name = check.get("name", "a")
    if not name.isprintable() or not name.strip():
        yield Problem(("name",), "the text must be printable, on one line, and not blank")
    if (moment := check.get("muted_until")) is not None:
        try:
            datetime.fromisoformat(moment.upper().replace("Z", "+00:00"))
        except ValueError:
            yield Problem(("muted_until",), f"{moment!r} is no time of RFC 3339, such as 2027-01-31T12:00:00Z")


def _schedule_problems(check: dict[str, Any]) -> Iterator[Problem]:
    timezone = check.get("timezone", "UTC")
    yield from _expression_problems(check.get("schedule") or "rate(1 day)", timezone, ())
    if (faster := check.get("faster_while_failing")) is not None:
        for problem in _expression_problems(faster, "UTC", ()):
            yield Problem(("faster_while_failing",), problem.text)


def _expression_problems(expression: str, timezone: str, place: tuple[str | int, ...]) -> Iterator[Problem]:
    try:
        parse_schedule(expression, timezone)
    except ScheduleInvalidError as invalid:
        name, _, text = str(invalid).rpartition("timezone: ")
        yield Problem((*place, "timezone" if name == "" and text != str(invalid) else "schedule"), text)


def _pattern_problem(pattern: str) -> str | None:
    if _NOT_OF_RE2.search(pattern):
        return "RE2 has no look-around and no back-references"
    try:
        re.compile(pattern)
    except re.error as error:
        return error.msg if error.msg.startswith(_BROKEN_EVERYWHERE) or "unterminated" in error.msg else None
    return None
