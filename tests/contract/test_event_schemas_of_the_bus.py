"""The schemas for other accounts are those of the catalogue, and the events on the bus fit them."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft4Validator

from functions.feed.catalogue import samples
from tests.contract import event_schemas

_SCHEMAS = {
    json.loads(resource["Properties"]["Content"])["title"]: json.loads(resource["Properties"]["Content"])
    for resource in event_schemas.template()["Resources"].values()
    if resource["Type"] == "AWS::EventSchemas::Schema"
}
_MOST_CHARS = 100_000
"""https://docs.aws.amazon.com/eventbridge/latest/schema-reference/v1-registries-name-registryname-schemas-name-schemaname.html"""


def test_the_file_is_what_the_command_writes() -> None:
    assert event_schemas.PATH.read_text(encoding="utf-8") == event_schemas.text()


def test_every_event_of_the_bus_has_a_schema() -> None:
    assert set(_SCHEMAS) == set(samples()) - {"project.changed"}


@pytest.mark.parametrize("event_type", sorted(_SCHEMAS))
def test_the_sample_on_the_bus_fits_its_schema_and_a_changed_one_does_not(event_type: str) -> None:
    schema = _SCHEMAS[event_type]
    Draft4Validator.check_schema(schema)
    assert len(json.dumps(schema)) < _MOST_CHARS
    event: dict[str, Any] = {
        "source": "rustbox",
        "detail-type": event_type,
        "detail": {**samples()[event_type], "project_id": "dev"},
    }
    Draft4Validator(schema).validate(event)
    assert not Draft4Validator(schema).is_valid({**event, "detail-type": "other"})
    assert not Draft4Validator(schema).is_valid({**event, "detail": samples()[event_type]})
    assert not Draft4Validator(schema).is_valid({**event, "detail": {**event["detail"], "type": 7}})


def test_cfn_lint_accepts_the_templates_for_others() -> None:
    root = Path(__file__).parents[2]
    files = [event_schemas.PATH, root / "examples" / "event-subscriber" / "template.yaml"]
    tool = Path(sys.executable).with_name("cfn-lint")
    done = subprocess.run([tool, *files], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
