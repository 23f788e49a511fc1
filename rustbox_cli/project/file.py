"""Read project.yaml, and checks.yaml, which has only the checks. Programs and problems lie beside the file."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from difflib import get_close_matches
from pathlib import Path
from typing import Any, NamedTuple

from rustbox_cli.errors import CommandError, ExitCode
from rustbox_cli.output import plain
from rustbox_cli.problem_package import refuse_links_out
from rustbox_cli.program_input import language_of, project_schema
from rustbox_cli.project.yaml_file import Document, parse
from rustbox_cli.schedule import ScheduleInvalidError, parse_schedule

# The rules of the file: its JSON Schema, and what no schema can say. Both come from the service.

_SIMILARITY = 0.6
_NOT_OF_RE2 = re.compile(r"(?:^|[^\\])(?:\\\\)*(?:\(\?<?[=!]|\\[1-9])")
_BROKEN_EVERYWHERE = ("unterminated", "unbalanced", "nothing to repeat", "multiple repeat")


class Problem(NamedTuple):
    """A problem of the value at a place of the file."""

    place: tuple[str | int, ...]
    text: str


def only_of_programs() -> frozenset[str]:
    """Return the settings that a heartbeat does not have."""
    return frozenset(project_schema()["$defs"]["Check"]["then"]["properties"])


def schema_problems(document: Any) -> list[Problem]:
    """Return what the schema refuses, in the order of the file's places."""
    import jsonschema  # noqa: PLC0415 - other commands start faster without it

    validator = jsonschema.Draft202012Validator(project_schema())
    errors = sorted(validator.iter_errors(document), key=lambda error: [str(part) for part in error.absolute_path])
    return [problem for error in errors for problem in _told(error)]


def _told(error: Any) -> Iterator[Problem]:
    """Yield the problems of one error of the schema, in our words where they help more."""
    import jsonschema  # noqa: PLC0415 - other commands start faster without it

    if error.validator == "oneOf" and "discriminator" in error.schema and isinstance(error.instance, dict):
        yield from _told_of_type(error)
        return
    error = jsonschema.exceptions.best_match([error]) or error
    place = tuple(error.absolute_path)
    if _may_show_a_secret(error, place):
        yield Problem(place, _SECRET_TEXT)
    elif error.validator == "additionalProperties":
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
        yield Problem(place, _none_of(error.instance, names))
    elif error.validator == "maxItems":
        yield Problem(place, f"at most {error.validator_value:,}; these are {len(error.instance):,}")
    else:
        yield Problem(place, error.message if len(error.message) <= _MAX_CHARS else f"… {error.message[-_MAX_CHARS:]}")


def _may_show_a_secret(error: Any, place: tuple[str | int, ...]) -> bool:
    """Whether the schema's own text of an error may have the value of a secret, which somebody wrote into the file."""
    if place[:1] != ("secrets",):
        return False
    return place[2:] == ("value",) or (len(place) < _DEPTH_OF_VALUE and error.validator in {"type", "maxProperties"})


def _told_of_type(error: Any) -> Iterator[Problem]:
    """Yield the problems of an object by the alternative that its `type` names."""
    place, kind = tuple(error.absolute_path), error.instance.get("type")
    kinds = error.schema["discriminator"]["mapping"]
    if kind is None:
        yield Problem(place, "type is missing")
    elif not isinstance(kind, str) or kind not in kinds:
        yield Problem((*place, "type"), _none_of(kind, list(kinds)))
    else:
        for one in error.context:
            if error.validator_value[one.schema_path[0]]["$ref"] == kinds[kind]:
                yield from _told(one)


def _none_of(value: Any, names: list[str]) -> str:
    return f"{value!r} is none of {', '.join(names)}{_meant(str(value), names)}"


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


HIDDEN = "***"
"""The placeholder that the service shows for the value of a variable. Sent back, it keeps that value."""
_MAX_SHOWN = 20
_MAX_CHARS = 300
_SECRET_TEXT = "each secret has a name, and its value is $NAME, a variable of the environment: no value belongs here"  # noqa: S105 - a text
_DEPTH_OF_VALUE = 3
_DEFAULT_PORT = 443


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


@dataclass(frozen=True, slots=True)
class WantedProject:
    """The parts of a project that a file has. None: it has no such part, so that of the service stays as it is.

    `endpoints`, `project`, `quiet_times`, `status_page`: as the API takes them, endpoints with all defaults; values may
    be `$NAME`. An empty `status_page`: there is none. `problems`: their folders, by id. `secrets`: by name, as the API
    takes and shows them; their values are `$NAME`.
    """

    checks: list[WantedCheck] | None
    endpoints: list[dict[str, Any]] | None = field(repr=False)
    project: dict[str, Any] | None
    quiet_times: dict[str, Any] | None
    status_page: dict[str, Any] | None
    problems: dict[str, Path] | None
    secrets: dict[str, dict[str, Any]] | None


def read_checks(path: Path) -> list[WantedCheck]:
    """Return the checks of a file. Raises CommandError, which lists every problem with its line."""
    return read_project(path).checks or []


def read_project(path: Path) -> WantedProject:
    """Return what a file wants. Raises CommandError, which lists every problem with its line."""
    document = parse(path)
    whole, problems = document.value, schema_problems(document.value)
    if problems:
        raise _invalid(path, document, problems)
    checks = []
    for index, entry in enumerate(whole.get("checks", ())):
        found, wrong = _wanted(path.parent, whole.get("defaults", {}), entry)
        problems += [_placed(problem, index, entry) for problem in wrong]
        checks += [] if found is None else [found]
    models = project_schema()["$defs"]
    endpoints = [_completed(models["Endpoint"], entry) for entry in whole.get("endpoints", ())]
    page = whole.get("status_page") and _completed(models["StatusPage"], whole["status_page"])
    tags = whole.get("quiet_times", {})
    quiet = {tag: [_completed(models["Quiet"], one) for one in times] for tag, times in tags.items()}
    problems += _twice("checks", "slug", [entry["slug"] for entry in whole.get("checks", ())])
    problems += _twice("endpoints", "description", [name_of(endpoint) for endpoint in endpoints])
    problems += _unnamed(endpoints)
    folders = _problem_folders(path.parent, whole["problems"]) if "problems" in whole else {}
    if isinstance(folders, Problem):
        raise _invalid(path, document, [*problems, folders])
    if problems:
        raise _invalid(path, document, problems)
    parts = {
        "checks": checks,
        "endpoints": endpoints,
        "quiet_times": quiet,
        "status_page": page or {},
        "problems": folders,
        "secrets": {name: _secret(entry) for name, entry in whole.get("secrets", {}).items()},
    }
    given: dict[str, Any] = {name: part if name in whole else None for name, part in parts.items()}
    return WantedProject(**given, project=whole.get("project"))


def _secret(entry: dict[str, Any]) -> dict[str, Any]:
    """Return a secret with its defaults, and with its host and its lists as the service stores them."""
    whole = _completed(project_schema()["$defs"]["Secret"], entry)
    lists = {name: list(dict.fromkeys(whole[name])) for name in ("methods", "paths")}
    return {**whole, **lists, "host": normal_host(whole["host"])}


def normal_host(entry: str) -> str:
    """Return `name:port` of an entry `name[:port]`, as the service stores it."""
    return entry.lower() if ":" in entry else f"{entry.lower()}:{_DEFAULT_PORT}"


def name_of(endpoint: dict[str, Any]) -> str:
    """Return what identifies an endpoint: its description, or else its URL."""
    return str(endpoint["description"] or endpoint["url"])


def _twice(part: str, what: str, names: list[str]) -> Iterator[Problem]:
    seen = set[str]()
    for index, name in enumerate(names):
        if name in seen:
            yield Problem((part, index), f"the {what} {name} is there twice")
        seen.add(name)


def _unnamed(endpoints: list[dict[str, Any]]) -> Iterator[Problem]:
    for index, endpoint in enumerate(endpoints):
        if not endpoint["description"] and endpoint["url"].startswith("$"):
            yield Problem(("endpoints", index), "an endpoint whose URL is in the environment needs a description")


def _problem_folders(folder: Path, name: str) -> dict[str, Path] | Problem:
    """Return the folders of problems by id, or why there are none."""
    try:
        place = _inside(folder, name)
        refuse_links_out(place)
        found = {each.name: each for each in sorted(place.iterdir()) if each.is_dir() and each.name[0] != "."}
    except OSError as error:
        return Problem(("problems",), f"{folder / name} cannot be read: {error.strerror}")
    except CommandError as error:
        return Problem(("problems",), error.message)
    return found


def _inside(folder: Path, name: str) -> Path:
    """Return the place of a file or folder below the one of the YAML file. Raises CommandError, OSError.

    Who changes the file must not read other files of this machine by it, such as keys, or the token in `.git/config`.
    """
    try:
        place, root = (folder / name).resolve(), folder.resolve()
    except (ValueError, RuntimeError) as error:  # a NUL character; a loop of links, before Python 3.13
        raise CommandError(f"{name!r} cannot be read: {error}", ExitCode.REFUSED) from None
    if not place.is_relative_to(root) or ".git" in place.relative_to(root).parts:
        raise CommandError(f"{folder / name} is outside of {folder}, or in .git. Copy the file.", ExitCode.REFUSED)
    return place


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
    settings = _completed(project_schema()["$defs"]["Check"], given)
    settings = {name: value for name, value in settings.items() if name not in foreign}
    return WantedCheck(given["slug"], settings, settings.pop("env", {})), problems


def _program(folder: Path, entry: dict[str, Any]) -> dict[str, str] | Problem:
    """Return language, code and standard input of a program, or why there is none."""
    texts: dict[str, str] = {}
    for name, setting in (("file", "code"), ("stdin_file", "stdin")):
        if name in entry:
            text = _text(folder, entry[name], project_schema()["$defs"]["Check"]["properties"][name]["x-max-bytes"])
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


def _text(folder: Path, name: str, max_bytes: int) -> str | Problem:
    source = folder / name
    try:
        with _inside(folder, name).open("rb") as file:
            raw = file.read(max_bytes + 1)
        text = raw.decode().replace("\r\n", "\n").replace("\r", "\n")
    except OSError as error:
        return Problem((), f"{source} cannot be read: {error.strerror}")
    except CommandError as error:
        return Problem((), error.message)
    except UnicodeDecodeError:
        if len(raw) <= max_bytes:
            return Problem((), f"{source} is not UTF-8 text")
    return Problem((), f"{source} is larger than {max_bytes:,} bytes") if len(raw) > max_bytes else text


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
    found: dict[str, Any] | None = project_schema()["$defs"].get(reference.get("$ref", "").rpartition("/")[2])
    return found if found is not None and "properties" in found else None


def _invalid(path: Path, document: Document, problems: Iterable[Problem]) -> CommandError:
    placed = sorted((document.line(place), _shown(place), text) for place, text in problems)
    lines = [f"  line {line}: {place}: {text}" for line, place, text in placed[:_MAX_SHOWN]]
    left_out = len(placed) - _MAX_SHOWN
    lines += [f"  and {left_out} more"] if left_out > 0 else []
    return CommandError(plain("\n".join([f"{path} is not valid:", *lines])), ExitCode.REFUSED)


def _shown(place: Iterable[str | int]) -> str:
    """Return a place as people write it: `checks[0].schedule`."""
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in place)
    return text.lstrip(".") or "the file"
