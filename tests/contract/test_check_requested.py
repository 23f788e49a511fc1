"""`check.requested`, which others put on the bus: its schema and our reader agree."""

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from events import MessageInvalidError
from functions.checks.runs.start import CheckRequested
from tests.submission_factory import EVENTS

FOLDER = EVENTS / "check_requested"
SCHEMA = Draft202012Validator(json.loads((FOLDER / "v1.schema.json").read_text()))
GOLDEN = sorted(path for path in FOLDER.glob("v1.*.json") if path.name != "v1.schema.json")
NAMED = {"project_id": "dev", "slug": "totals"}


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_we_read_the_golden_events(path: Path) -> None:
    detail = json.loads(path.read_text())
    SCHEMA.validate(detail)
    read = CheckRequested.of({"id": "id-of-the-bus", "detail": detail})
    assert read.model_dump(exclude_none=True) == {"event_id": "id-of-the-bus", **detail}


@pytest.mark.parametrize(
    "detail",
    [
        {},
        {"project_id": "dev"},
        {"slug": "totals"},
        NAMED | {"tag": "deploy"},
        NAMED | {"slug": ""},
        NAMED | {"slug": 7},
        NAMED | {"event": "text"},
        NAMED | {"event_id": "x" * 257},
        NAMED | {"Event": {}},
    ],
)
def test_values_outside_the_schema_are_refused(detail: dict[str, Any]) -> None:
    assert not SCHEMA.is_valid(detail)
    with pytest.raises(MessageInvalidError):
        CheckRequested.of({"id": "id-of-the-bus", "detail": detail})


@pytest.mark.parametrize("envelope", [{}, {"detail": None}, {"detail": []}])
def test_an_event_without_detail_is_refused(envelope: dict[str, Any]) -> None:
    with pytest.raises(MessageInvalidError, match="wrong detail"):
        CheckRequested.of(envelope)
