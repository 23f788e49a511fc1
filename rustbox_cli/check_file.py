"""Read checks.yaml: checks of a project beside the code that they test."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from rustbox_cli.errors import CommandError, ExitCode
from rustbox_cli.languages import language_of

SCHEMA_FILE = Path(__file__).with_name("checks.schema.json")
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


@cache
def schema() -> dict[str, Any]:
    """Return the JSON Schema of checks.yaml."""
    found: dict[str, Any] = json.loads(SCHEMA_FILE.read_text(encoding="utf-8"))
    return found


def read_checks(path: Path) -> list[WantedCheck]:
    """Return the checks of a file. Raises CommandError, which lists every problem."""
    document = _parse(path)
    problems = _schema_problems(document)
    if problems:
        raise _invalid(path, problems)
    defaults = document.get("defaults", {})
    checks = []
    for index, entry in enumerate(document["checks"]):
        found = _wanted(path.parent, {**defaults, **entry})
        if isinstance(found, str):
            problems.append(f"checks[{index}] ({entry['slug']}): {found}")
        else:
            checks.append(found)
    slugs = [check.slug for check in checks]
    problems += [f"the slug {slug} is there twice" for slug in sorted(set(slugs)) if slugs.count(slug) > 1]
    if problems:
        raise _invalid(path, problems)
    return checks


def _parse(path: Path) -> Any:
    import yaml  # type: ignore[import-untyped]  # noqa: PLC0415 - other commands start faster without it

    class Loader(yaml.SafeLoader):  # type: ignore[misc]  # yaml has no types
        """YAML without two traps: a key twice is refused, and a time stays a text."""

        def construct_mapping(self, node: Any, deep: bool = False) -> Any:  # noqa: FBT002 - the signature of yaml
            keys = [self.construct_object(key, deep=True) for key, _ in node.value]
            twice = next((key for key in keys if keys.count(key) > 1), None)
            if twice is not None:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {twice!r} is there twice", node.start_mark
                )
            return super().construct_mapping(node, deep=deep)

    Loader.yaml_implicit_resolvers = {
        first: [pair for pair in pairs if pair[0] != "tag:yaml.org,2002:timestamp"]
        for first, pairs in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }
    try:
        return yaml.load(path.read_bytes(), Loader)  # noqa: S506 - a SafeLoader
    except OSError as error:
        raise CommandError(f"{path} cannot be read: {error.strerror}.", ExitCode.NOT_FOUND) from None
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        raise CommandError(f"{path} is not valid YAML: {error}", ExitCode.REFUSED) from None


def _schema_problems(document: Any) -> list[str]:
    import jsonschema  # noqa: PLC0415 - other commands start faster without it

    validator = jsonschema.Draft202012Validator(schema())
    errors = sorted(validator.iter_errors(document), key=lambda error: [str(part) for part in error.absolute_path])
    deepest = (jsonschema.exceptions.best_match([error]) or error for error in errors)
    return [f"{error.json_path.removeprefix('$').lstrip('.') or 'the file'}: {error.message}" for error in deepest]


def _wanted(folder: Path, entry: dict[str, Any]) -> WantedCheck | str:
    """Return one check, or the problem of its program."""
    source = folder / entry.pop("file")
    try:
        code = source.read_text(encoding="utf-8")
    except OSError as error:
        return f"{source} cannot be read: {error.strerror}"
    except UnicodeDecodeError:
        return f"{source} is not UTF-8 text"
    given = {"name": entry["slug"], "language": language_of(source.name), **entry, "code": code}
    if given["language"] is None:
        return f"the language of {source.name} is unknown: give `language`"
    settings = _completed(schema()["$defs"]["Check"], given)
    variables = settings.pop("env")
    return WantedCheck(given["slug"], settings, variables)


def _completed(model: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    """Return an object with the defaults of its model, those of nested objects too."""
    whole = {name: found["default"] for name, found in model["properties"].items() if "default" in found}
    whole |= given
    for name, value in whole.items():
        nested = schema()["$defs"].get(model["properties"].get(name, {}).get("$ref", "").rpartition("/")[2])
        if nested is not None and isinstance(value, dict):
            whole[name] = _completed(nested, value)
    return whole


def _invalid(path: Path, problems: list[str]) -> CommandError:
    left_out = len(problems) - _MAX_SHOWN
    lines = [f"  {problem}" for problem in problems[:_MAX_SHOWN]]
    lines += [f"  and {left_out} more"] if left_out > 0 else []
    return CommandError("\n".join([f"{path} is not valid:", *lines]), ExitCode.REFUSED)
