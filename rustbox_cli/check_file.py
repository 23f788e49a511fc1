"""Read checks.yaml: checks of a project beside the code that they test."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from rustbox_cli.check_rules import Problem, only_of_programs, rule_problems, schema, schema_problems
from rustbox_cli.check_yaml import Document, parse
from rustbox_cli.errors import CommandError, ExitCode
from rustbox_cli.languages import language_of

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

HIDDEN = "***"
"""The placeholder that the service shows for the value of a variable. Sent back, it keeps that value."""
_MAX_SHOWN = 20


@dataclass(frozen=True, slots=True)
class WantedCheck:
    """A check of the file. `settings`: as the API takes them, without variables, with all defaults.

    `variables`: their values as the file gives them; `$NAME` stands for a variable of our own environment.
    """

    slug: str
    settings: dict[str, Any]
    variables: dict[str, str] = field(repr=False)

    @property
    def is_heartbeat(self) -> bool:
        """Whether it has no program."""
        return bool(self.settings["kind"] == "heartbeat")


def read_checks(path: Path) -> list[WantedCheck]:
    """Return the checks of a file. Raises CommandError, which lists every problem with its line."""
    document = parse(path)
    problems = schema_problems(document.value)
    if problems:
        raise _invalid(path, document, problems)
    defaults = document.value.get("defaults", {})
    checks = []
    for index, entry in enumerate(document.value["checks"]):
        found, wrong = _wanted(path.parent, defaults, entry)
        problems += [_placed(problem, index, entry) for problem in wrong]
        checks += [] if found is None else [found]
    slugs = [entry["slug"] for entry in document.value["checks"]]
    problems += [
        Problem(("checks", index, "slug"), f"the slug {slug} is there twice")
        for index, slug in enumerate(slugs)
        if slug in slugs[:index]
    ]
    if problems:
        raise _invalid(path, document, problems)
    return checks


def _placed(problem: Problem, index: int, entry: dict[str, Any]) -> Problem:
    """Return a problem of a check with its place in the file: a default is where the defaults are."""
    top = ("checks", index) if not problem.place or problem.place[0] in entry else ("defaults",)
    return Problem((*top, *problem.place), problem.text)


def _wanted(folder: Path, defaults: dict[str, Any], entry: dict[str, Any]) -> tuple[WantedCheck | None, list[Problem]]:
    """Return one check, and the problems of its settings and of its program."""
    is_heartbeat = entry.get("kind") == "heartbeat"
    foreign = only_of_programs() if is_heartbeat else frozenset[str]()
    given = {**{name: value for name, value in defaults.items() if name not in foreign}, **entry}
    problems = list(rule_problems(given))
    program = {} if is_heartbeat else _program(folder, given)
    if isinstance(program, Problem):
        return None, [*problems, program]
    given = {"name": entry["slug"], **given, **program}
    if given.get("network") is not None:
        given.setdefault("profile", "agent")
    given = {name: value for name, value in given.items() if name not in {"file", "stdin_file"}}
    settings = _completed(schema()["$defs"]["Check"], given)
    settings = {name: value for name, value in settings.items() if name not in foreign}
    return WantedCheck(given["slug"], settings, settings.pop("env", {})), problems


def _program(folder: Path, entry: dict[str, Any]) -> dict[str, str] | Problem:
    """Return language, code and standard input of a program, or why there is none."""
    texts: dict[str, str] = {}
    for name, setting in (("file", "code"), ("stdin_file", "stdin")):
        if name in entry:
            text = _text(folder / entry[name], schema()["$defs"]["Check"]["properties"][name]["x-max-bytes"])
            if isinstance(text, Problem):
                return Problem((name,), text.text)
            texts[setting] = text
    if not texts["code"]:
        return Problem(("file",), f"{folder / entry['file']} is empty")
    if "stdin" in entry and "stdin" in texts:
        return Problem(("stdin_file",), "give stdin or stdin_file, not both")
    language = entry.get("language") or language_of(entry["file"])
    if language is None:
        return Problem(("file",), f"the language of {entry['file']} is unknown: give `language`")
    return {"language": language, **texts}


def _text(source: Path, max_bytes: int) -> str | Problem:
    try:
        text = source.read_text(encoding="utf-8")
    except OSError as error:
        return Problem((), f"{source} cannot be read: {error.strerror}")
    except UnicodeDecodeError:
        return Problem((), f"{source} is not UTF-8 text")
    is_too_large = len(text.encode()) > max_bytes
    return Problem((), f"{source} is larger than {max_bytes:,} bytes") if is_too_large else text


def _completed(model: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    """Return an object with the defaults of its model, those of nested objects too."""
    whole = {name: found["default"] for name, found in model["properties"].items() if "default" in found}
    whole |= given
    for name, value in whole.items():
        reference = model["properties"].get(name, {})
        if isinstance(value, list) and (item := _model_of(reference.get("items", {}))):
            whole[name] = [_completed(item, each) if isinstance(each, dict) else each for each in value]
        if isinstance(value, dict) and (nested := _model_of(reference)):
            whole[name] = _completed(nested, value)
    return whole


def _model_of(reference: dict[str, Any]) -> dict[str, Any] | None:
    """Return the object that a part of the schema refers to."""
    found: dict[str, Any] | None = schema()["$defs"].get(reference.get("$ref", "").rpartition("/")[2])
    return found if found is not None and "properties" in found else None


def _invalid(path: Path, document: Document, problems: Iterable[Problem]) -> CommandError:
    placed = sorted((document.line(place), _shown(place), text) for place, text in problems)
    lines = [f"  line {line}: {place}: {text}" for line, place, text in placed[:_MAX_SHOWN]]
    left_out = len(placed) - _MAX_SHOWN
    lines += [f"  and {left_out} more"] if left_out > 0 else []
    return CommandError("\n".join([f"{path} is not valid:", *lines]), ExitCode.REFUSED)


def _shown(place: Iterable[str | int]) -> str:
    """Return a place as people write it: `checks[0].schedule`."""
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in place)
    return text.lstrip(".") or "the file"
