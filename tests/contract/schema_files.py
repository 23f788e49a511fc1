"""The JSON Schemas of `events/`, with that of languages, which the others refer to."""

import json
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator
from referencing import Registry, Resource

EVENTS = Path(__file__).parents[2] / "events"


def schema(name: str) -> dict[str, Any]:
    """Read a schema, such as execution_requested/v1."""
    found: dict[str, Any] = json.loads((EVENTS / f"{name}.schema.json").read_text(encoding="utf-8"))
    return found


def validator(document: dict[str, Any], events: Path = EVENTS) -> Draft202012Validator:
    """Read a schema with the languages of `events`, the folder of today or of a released version."""
    registry: Registry[Any] = Registry()
    languages = events / "language.schema.json"
    if languages.is_file():  # the schemas of version 0.1 list them themselves
        found = Resource.from_contents(json.loads(languages.read_text(encoding="utf-8")))
        registry = registry.with_resource("rustbox:language", found)
    return Draft202012Validator(document, registry=registry, format_checker=Draft202012Validator.FORMAT_CHECKER)
