"""JSON as RFC 8259 has it: no NaN, no doubled keys, no surprise from depth or size.

The one exception: NaN and Infinity are let through as `Constant`, since the contract answers them inside `limits` with
422 and the name of the field. Whoever takes the value must refuse every other one; `count_constants` says how many
there were.
"""

import json
from typing import Any

from functions.errors import BadRequestError


class Constant(float):
    """A literal that is not JSON: NaN, Infinity or -Infinity."""


def read_json(raw: bytes) -> tuple[Any, int]:
    """Parse; return the value and the number of Constants in it. Raises BadRequestError."""
    constants = 0

    def constant(name: str) -> Constant:
        nonlocal constants
        constants += 1
        return Constant(name)

    try:
        return json.loads(raw.decode(), parse_constant=constant, object_pairs_hook=_unique), constants
    except RecursionError:
        raise BadRequestError("The JSON body is nested too deeply.") from None
    except ValueError:  # bad UTF-8, bad JSON, a number with thousands of digits
        raise BadRequestError("The body is not valid JSON in UTF-8.") from None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Refuse doubled keys: two parsers would see two different requests."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise BadRequestError("The JSON body has a key twice in one object.")
    return found
