"""The JSON Schema of checks.yaml, made from the request model of the API.

The command line has a copy, because it validates offline: `python -m tests.contract.checks_schema` writes it.
"""

import functools
import json
from typing import Any

from pydantic import BaseModel, ConfigDict

from functions.checks.settings.check_settings import CheckSettings

_ONLY_OF_ONE_CHECK = ("slug", "name", "file")


class JsonSchema(BaseModel):
    """A JSON Schema."""

    model_config = ConfigDict(extra="allow")


def file_schema() -> dict[str, Any]:
    """Return the schema: the settings of a check with `file` for `code`, and `defaults` for all checks."""
    settings = CheckSettings.model_json_schema()
    models = settings.pop("$defs")
    fields = dict(settings["properties"])
    del fields["code"]
    slug = next(kind for kind in fields["slug"]["anyOf"] if kind.get("type") == "string")
    fields["slug"] = {**slug, "description": "Identifies the check in its project. A check keeps its history under it."}
    fields["name"] = {**fields["name"], "description": "For people. Default: the slug."}
    fields["language"] = {**fields["language"], "description": "Default: from the suffix of the file."}
    fields["file"] = {
        "type": "string",
        "minLength": 1,
        "description": "The program, relative to checks.yaml.",
        "examples": ["totals.py"],
    }
    fields["env"] = {
        **fields["env"],
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
            "Check": _model("One check.", fields, ["slug", "file"]),
            "Defaults": _model("Settings of every check that has none of its own.", shared, []),
        },
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
