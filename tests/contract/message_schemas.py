"""The JSON Schemas of the messages, in `events/`: `python -m tests.contract.message_schemas` writes them.

They are for readers in other languages. A schema says what is written, so it has no unknown fields and no nulls for
absent ones.
"""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec

from events.completed import ExecutionCompleted
from events.judged import JudgeCompleted, JudgeProgress
from events.message import Message, Shape, type_of
from events.requested import ExecutionRequested, JudgeRequested
from events.runner import ExecutionStarted, RunnerHeartbeat
from events.vocabulary import Language

EVENTS = Path(__file__).parents[2] / "events"
KINDS: dict[str, type[Message]] = {
    type_of(kind): kind
    for kind in (
        *(ExecutionRequested, ExecutionStarted, ExecutionCompleted, RunnerHeartbeat),
        *(JudgeRequested, JudgeProgress, JudgeCompleted),
    )
}


# The others refer to it, those of webhooks too: a new language changes one file.
_LANGUAGE = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "$id": "rustbox:language",
    "title": "language",
    "description": "The languages of programs, by their canonical names, in listing order.",
    "enum": list(Language),
}


def schema_texts() -> dict[Path, str]:
    """Return the text of each schema, by file."""
    schemas = {
        EVENTS / name / f"v{version}.schema.json": _schema(kind, version)
        for name, kind in KINDS.items()
        for version in sorted({1, *(version for version, _ in kind.NEWER)})
    }
    schemas[EVENTS / "language.schema.json"] = _LANGUAGE
    return {path: json.dumps(schema, indent=2, ensure_ascii=False) + "\n" for path, schema in schemas.items()}


def _schema(kind: type[Message], version: int) -> dict[str, Any]:
    (_,), components = msgspec.json.schema_components([kind], ref_template="#/$defs/{name}")
    if "Language" in components:
        components["Language"] = {"$ref": _LANGUAGE["$id"]}
    shapes = {shape.__name__: shape for shape in _shapes(Shape)}
    for name, component in components.items():
        if "properties" in component:
            _close(component, shapes[name])
    top, name = components.pop(kind.__name__), type_of(kind)
    later = {field for newer, fields in kind.NEWER if newer > version for field in fields}
    fields = {field: rule for field, rule in top["properties"].items() if field not in later}
    written: dict[str, Any] = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"rustbox:{name}:v{version}",
        "title": name,
        "description": top["description"],
        "type": "object",
        "required": ["type", "version", *(field for field in top["required"] if field != "type")],
        "additionalProperties": False,
        "properties": {**fields, "type": {"const": name}, "version": {"const": version}},
    }
    needed = next((names for newer, names in kind.NEWER if newer == version), frozenset[str]())
    if needed:
        written["anyOf"] = [_given(field, top["properties"]) for field in sorted(needed)]
    if absent := sorted(later - top["properties"].keys()):
        written["properties"]["limits"] = {
            **fields["limits"],
            "not": {"anyOf": [{"required": [one]} for one in absent]},
        }
    used = _used(written, components)
    written["$defs"] = {name: component for name, component in components.items() if name in used}
    cleaned: dict[str, Any] = json.loads(json.dumps(written).replace(r"(?!\\n)", ""))
    return cleaned


def _shapes(base: type[Shape]) -> Iterable[type[Shape]]:
    for shape in base.__subclasses__():
        yield shape
        yield from _shapes(shape)


def _close(component: dict[str, Any], shape: type[Shape]) -> None:
    """Allow no other fields, and no null for an absent field."""
    component["additionalProperties"] = False
    for name, rule in component["properties"].items():
        if "default" in rule:
            given = [one for one in rule["anyOf"] if one != {"type": "null"}]
            component["properties"][name] = given[0] if len(given) == 1 else {"anyOf": given}
    if shape.ONE_OF:
        names = dict(zip(shape.__struct_fields__, shape.__struct_encode_fields__, strict=True))
        component["oneOf"] = [{"required": [names[name]]} for name in shape.ONE_OF]


def _given(field: str, properties: dict[str, Any]) -> dict[str, Any]:
    is_limit = field not in properties
    return {"properties": {"limits": {"required": [field]}}} if is_limit else {"required": [field]}


def _used(schema: Any, components: dict[str, Any]) -> set[str]:
    """Return the names of the shapes that a schema refers to, also through others."""
    names = {name for name in components if f'"#/$defs/{name}"' in json.dumps(schema)}
    return names.union(*(_used(components[name], components) for name in names)) if names else names


if __name__ == "__main__":
    for path, text in schema_texts().items():
        path.write_text(text, encoding="utf-8")
