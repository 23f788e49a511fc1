"""Turn the rows of an account into those of the next minor version, with a field more in each row and object."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.adapters.aws_account import Aws

TABLES = ("ProjectsTable", "SubmissionsTable", "DeliveriesTable", "ChecksTable", "RunnersTable", "QuotasTable")
_NEW = "from_a_newer_version"
_MAPS = {"metadata", "env", "env_boxes", "quotas", "toolchains", "data", "match"}  # their keys are data
_TEXTS = {"code", "stdin", "event"}  # of clients


def make_newer(aws: Aws) -> int:
    """Add a field to every row of every table, and to every object in them. Return the number of rows."""
    dynamodb, rows = aws.client("dynamodb"), 0
    for table in TABLES:
        for item in aws.items(table):
            grown = {name: _grown_value(name, value) for name, value in item.items()}
            dynamodb.put_item(TableName=aws.names[table], Item={**grown, _NEW: {"M": {"depth": {"N": "1"}}}})
            rows += 1
    return rows


def without_new(answer: Any) -> Any:
    """Return an answer of the API without these fields: what is stored as a client sees it may be shown whole."""
    if isinstance(answer, list):
        return [without_new(item) for item in answer]
    if not isinstance(answer, dict):
        return answer
    return {name: without_new(value) for name, value in answer.items() if name != _NEW}


def _grown_value(name: str, value: dict[str, Any]) -> dict[str, Any]:
    if "M" in value:
        inner = {key: _grown_value(key, part) for key, part in value["M"].items()}
        return {"M": inner if name in _MAPS else {**inner, _NEW: {"BOOL": True}}}
    if "L" in value:
        return {"L": [_grown_value("", part) for part in value["L"]]}
    for kind in ("S", "B"):
        text = value.get(kind, "")
        if name not in _TEXTS and text[:1] in ("{", "[", b"{", b"["):
            with suppress(ValueError):  # a sealed value may begin with any byte
                grown = json.dumps(_grown_json(name, json.loads(text)))
                return {kind: grown if kind == "S" else grown.encode()}
    return value


def _grown_json(name: str, value: Any) -> Any:
    if isinstance(value, list):
        return [_grown_json("", item) for item in value]
    if not isinstance(value, dict):
        return value
    inner = {key: _grown_json(key, part) for key, part in value.items()}
    return inner if name in _MAPS else {**inner, _NEW: 1}
