"""The data of an event that starts a run: its form for the program, and its limit."""

from __future__ import annotations

import json
from enum import StrEnum
from typing import TYPE_CHECKING

from functions.errors import FieldProblem

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic import JsonValue

VARIABLE_MAX_BYTES = 1_400
"""As it is sealed for a run, escaped and beside the values of `env`: KMS encrypts 4,096 bytes in a call."""
STDIN_MAX_BYTES = 65_536
CALL_VARIABLES_MAX_BYTES = 1_536
"""Of all variables about a signed call, in JSON: the rest of these 4,096 bytes."""


class EventAs(StrEnum):
    """How a program gets the data of the event that started it."""

    VARIABLE = "variable"
    STDIN = "stdin"


def event_text(event: Mapping[str, JsonValue]) -> str:
    """Return the data as its program reads it: JSON in ASCII."""
    return json.dumps(event, separators=(",", ":"))


def size_problem(text: str, event_as: EventAs) -> str | None:
    """Return why the data is too large; None if it is not."""
    if event_as is EventAs.STDIN:
        return None if len(text) <= STDIN_MAX_BYTES else f"the event has more than {STDIN_MAX_BYTES:,} bytes of JSON"
    if len(json.dumps(text)) <= VARIABLE_MAX_BYTES:
        return None
    limit = f"the event has more than {VARIABLE_MAX_BYTES:,} bytes of JSON, with its quotes escaped"
    return f"{limit}: set event_as to stdin for up to {STDIN_MAX_BYTES:,}"


def field_problem(text: str, event_as: EventAs, field: str) -> FieldProblem | None:
    """Return the problem of a request whose field has the data; None if it is not too large."""
    problem = size_problem(text, event_as)
    return None if problem is None else FieldProblem(field, f"{problem[0].upper()}{problem[1:]}.")
