"""A runner and functions one minor version apart: each reads what the other writes.

`events/released/<version>/` holds the golden messages and schemas of each released minor version, as `make release`
stores them. Today's code reads those messages. Each message that it writes passes those schemas; fields that they do
not know are allowed, because readers ignore them. If a test fails after a change of a message, give the new field a
default at its reader.
"""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from events.message import Message
from sandbox_runtime import RUNNER_VERSION
from tests.contract.message_schemas import KINDS
from tests.contract.schema_files import validator

EVENTS = Path(__file__).parents[2] / "events"
RELEASED = EVENTS / "released"
MAPS = {"toolchains", "environment", "packages"}  # their keys are data


def _golden(root: Path) -> list[Any]:
    paths = (path for kind in KINDS for path in sorted((root / kind).glob("v*.json")))
    return [
        pytest.param(path, id=f"{path.parent.name}/{path.stem}")
        for path in paths
        if not path.name.endswith(".schema.json")
    ]


def _read(kind: str, document: object) -> Message:
    return KINDS[kind].parse(json.dumps(document))


def _with_unknown_fields(value: object) -> object:
    """Add a field to each object of a message."""
    if isinstance(value, list):
        return [_with_unknown_fields(item) for item in value]
    if not isinstance(value, dict):
        return value
    grown = {name: item if name in MAPS else _with_unknown_fields(item) for name, item in value.items()}
    return {**grown, "from_a_newer_version": {"depth": [1]}}


def test_the_version_before_and_this_one_are_released_or_in_preparation() -> None:
    major, minor = map(int, re.findall(r"\d+", RUNNER_VERSION)[:2])
    wanted = {f"{major}.{earlier}" for earlier in range(max(1, minor - 1), minor + 1)}
    assert wanted <= {path.name for path in RELEASED.iterdir()}


@pytest.mark.parametrize("path", [golden for version in sorted(RELEASED.iterdir()) for golden in _golden(version)])
def test_messages_of_released_versions_are_read_and_written_again_as_they_were(path: Path) -> None:
    document = json.loads(path.read_text())
    assert json.loads(_read(path.parent.name, document).serialise()) == document
    assert _schema(path.parents[1], path).is_file()


def _open(schema: Any) -> Any:
    """Return a schema that allows unknown fields, as readers do."""
    if isinstance(schema, list):
        return [_open(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    return {name: _open(rule) for name, rule in schema.items() if (name, rule) != ("additionalProperties", False)}


def _schema(released: Path, message: Path) -> Path:
    return released / message.parent.name / f"{message.name.partition('.')[0]}.schema.json"


# A message of a version that a reader does not know is sent to newer readers alone.
@pytest.mark.parametrize(
    ("released", "path"),
    [
        pytest.param(released, path, id=f"{released.name}-{path.parent.name}/{path.stem}")
        for released in sorted(RELEASED.iterdir())
        for path in sorted(EVENTS.glob("*/v*.json"))
        if path.parent.name in KINDS and "schema" not in path.name and _schema(released, path).exists()
    ],
)
def test_messages_of_today_fit_the_schemas_of_released_versions(released: Path, path: Path) -> None:
    written = json.loads(_read(path.parent.name, json.loads(path.read_text())).serialise())
    schema = _open(json.loads(_schema(released, path).read_text()))
    validator(schema, released).validate(written)


@pytest.mark.parametrize("path", _golden(EVENTS))
def test_fields_of_a_newer_version_are_ignored_wherever_they_are(path: Path) -> None:
    kind, document = path.parent.name, json.loads(path.read_text())
    grown = _with_unknown_fields(document)
    assert json.dumps(grown).count("from_a_newer_version") > 0
    assert _read(kind, grown) == _read(kind, document)


@pytest.mark.parametrize("path", _golden(EVENTS))
def test_fields_that_the_schema_does_not_require_have_defaults(path: Path) -> None:
    kind, document = path.parent.name, json.loads(path.read_text())
    schema = json.loads((EVENTS / kind / f"v{document['version']}.schema.json").read_text())
    # Of some fields one is required: without all of them the message has another version.
    alternatives = [name for one in schema.get("anyOf", ()) for name in one.get("required", ())]
    required = {*schema["required"], *alternatives}
    _read(kind, {name: value for name, value in document.items() if name in required})


def test_a_runner_that_offers_unknown_languages_counts_with_those_that_are_known() -> None:
    heartbeat = json.loads((EVENTS / "runner_heartbeat/v1.strict.json").read_text())
    newer = {**heartbeat, "languages": [*heartbeat["languages"], "a_newer_language"]}
    assert _read("runner_heartbeat", newer) == _read("runner_heartbeat", heartbeat)
