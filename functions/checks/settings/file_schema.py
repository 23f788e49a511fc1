"""The JSON Schema of checks.yaml, made from the request model of the API.

The command line has a copy, because it validates offline: `python -m tests.contract.checks_schema` writes it.
"""

import functools
import json
from typing import Any

from pydantic import BaseModel, ConfigDict

from events.limits import ceilings
from events.variables import NAME_PATTERN
from events.vocabulary import ALIASES, Language, Profile
from functions.checks.assertions.kinds import PATH_PATTERN
from functions.checks.settings.check_settings import ONLY_OF_PROGRAMS, CheckKind, CheckSettings
from functions.checks.state import MAX_OF_RUNS
from functions.submissions.accept.requests import CODE_MAX_BYTES, STDIN_MAX_BYTES

_ONLY_OF_ONE_CHECK = ("slug", "name", "kind", "file", "stdin_file")
_LANGUAGES = {"enum": [*sorted(Language), *sorted(ALIASES)]}
_VARIABLE = {"pattern": NAME_PATTERN}


def _with(name: str, schema: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of objects that have no such field, or one that fits."""
    return {"properties": {name: schema}}


class JsonSchema(BaseModel):
    """A JSON Schema."""

    model_config = ConfigDict(extra="allow")


def file_schema() -> dict[str, Any]:
    """Return the schema: the settings of a check with `file` for `code`, and `defaults` for all checks."""
    settings = CheckSettings.model_json_schema()
    models = settings.pop("$defs")
    models["FailAfter"]["allOf"] = [
        {"if": _with("of", {"maximum": most}), "then": _with("needed", {"maximum": most})}
        for most in range(1, MAX_OF_RUNS)
    ]
    standard = ceilings(Language.PYTHON, Profile.AGENT)  # checks keep the standard ceilings
    for name in ("cpu_time_secs", "wall_time_secs", "memory_mb", "output_kb"):
        number = next(kind for kind in models["RequestLimits"]["properties"][name]["anyOf"] if "maximum" in kind)
        number["maximum"] = getattr(standard, name)
    models["JsonAssertion"]["properties"]["path"]["pattern"] = PATH_PATTERN
    fields = dict(settings["properties"])
    del fields["code"]
    slug = next(kind for kind in fields["slug"]["anyOf"] if kind.get("type") == "string")
    fields["slug"] = {**slug, "description": "Identifies the check in its project. A check keeps its history under it."}
    fields["name"] = {**fields["name"], "description": "For people. Default: the slug."}
    fields["language"] = {**_LANGUAGES, "description": "Default: from the suffix of the file."}
    fields["file"] = {
        "type": "string",
        "minLength": 1,
        "x-max-bytes": CODE_MAX_BYTES,
        "description": "The program, relative to checks.yaml.",
        "examples": ["totals.py"],
    }
    fields["stdin_file"] = {
        "type": "string",
        "minLength": 1,
        "x-max-bytes": STDIN_MAX_BYTES,
        "description": "The standard input of the program, relative to checks.yaml, in place of `stdin`.",
        "examples": ["prices.csv"],
    }
    fields["env"] = {
        **fields["env"],
        "propertyNames": _VARIABLE,
        "description": "Environment variables of the program. $NAME is taken from the environment of `rustbox`, "
        "so that no secret lies in this file; $$ is a dollar sign.",
        "examples": [{"API_TOKEN": "$API_TOKEN"}],
    }
    shared = {name: field for name, field in fields.items() if name not in _ONLY_OF_ONE_CHECK}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "checks.yaml",
        "description": "Checks of a Rustbox project, for `rustbox checks`.",
        "type": "object",
        "properties": {
            "defaults": {"$ref": "#/$defs/Defaults"},
            "checks": {"type": "array", "items": {"$ref": "#/$defs/Check"}},
        },
        "required": ["checks"],
        "additionalProperties": False,
        "$defs": {
            **models,
            "Check": {**_model("One check.", fields, ["slug"]), **_KINDS, "allOf": [_JUDGE_LIMITS]},
            "Defaults": _model("Settings of every check that has none of its own.", shared, []),
        },
    }


_KINDS = {
    "if": {"properties": {"kind": {"const": CheckKind.HEARTBEAT.value}}, "required": ["kind"]},
    "then": {
        "required": ["schedule"],
        "properties": {name: {"not": {}} for name in ("file", "stdin_file", *ONLY_OF_PROGRAMS) if name != "code"},
    },
    "else": {"required": ["file"]},
}
"""The fields of each kind: a heartbeat has no program."""


_JUDGE_LIMITS = {
    "if": _with("profile", {"const": Profile.JUDGE.value}),
    "then": _with(
        "limits", _with("wall_time_secs", {"maximum": ceilings(Language.PYTHON, Profile.JUDGE).wall_time_secs})
    ),
}


def _model(description: str, fields: dict[str, Any], required: list[str]) -> dict[str, Any]:
    ordered = {name: fields[name] for name in sorted(fields, key=lambda name: (name not in _ONLY_OF_ONE_CHECK, name))}
    return {
        "description": description,
        "type": "object",
        "properties": ordered,
        "required": required,
        "additionalProperties": False,
    }


@functools.cache
def schema_text() -> str:
    """Return the schema as JSON."""
    return json.dumps(file_schema(), indent=2, ensure_ascii=False) + "\n"
