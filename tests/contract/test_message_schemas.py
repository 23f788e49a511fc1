"""The schemas of the messages are those of the types, and the golden messages fit them."""

import json
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from tests.contract.message_schemas import EVENTS, KINDS, schema_texts
from tests.contract.schema_files import schema, validator

GOLDEN = [path for kind in KINDS for path in sorted((EVENTS / kind).glob("v*.json")) if "schema" not in path.name]


def test_the_schemas_are_those_that_the_command_writes() -> None:
    found = {path for kind in KINDS for path in (EVENTS / kind).glob("v*.schema.json")} | {
        EVENTS / "language.schema.json"
    }
    texts = schema_texts()
    assert found == texts.keys()
    assert [path.name for path, text in texts.items() if path.read_text(encoding="utf-8") != text] == []


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_a_golden_message_fits_the_schema_of_its_version(path: Path) -> None:
    document = json.loads(path.read_text())
    found = schema(f"{path.parent.name}/v{document['version']}")
    Draft202012Validator.check_schema(found)
    validator(found).validate(document)
