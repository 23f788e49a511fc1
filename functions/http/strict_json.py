"""Strict JSON of RFC 8259: no duplicate keys, bounded depth, bounded number of values.

One exception: NaN and Infinity become `Constant`, because the contract answers them inside `limits` with 422 and the
name of the field. Callers must refuse all others; `read_json` returns their number.
"""

import json
import math
import re
from typing import Any

from functions.errors import BadRequestError

MAX_VALUES = 20_000
"""Members of objects and elements of arrays in one body. Each costs time, and validation may find a problem in each.

The largest judge run has fewer: 200 cases with 64 arguments each."""
_STRING = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z)', re.DOTALL)


class Constant(float):
    """NaN, Infinity or -Infinity, which are not JSON, or a number that is too large for a float, such as 1e999."""


def read_json(raw: bytes) -> tuple[Any, int]:
    """Return the value and the number of its Constants. Raises BadRequestError."""
    if _has_too_many_values(raw):
        raise BadRequestError(f"The JSON body has more than {MAX_VALUES:,} values.")
    constants = 0

    def constant(name: str) -> Constant:
        nonlocal constants
        constants += 1
        return Constant(name)

    def number(text: str) -> float:
        return found if math.isfinite(found := float(text)) else constant(text)

    try:
        value = json.loads(raw.decode(), parse_constant=constant, parse_float=number, object_pairs_hook=_unique)
    except RecursionError:
        raise BadRequestError("The JSON body is nested too deeply.") from None
    except json.JSONDecodeError as error:
        raise BadRequestError(
            f"The body is not valid JSON: line {error.lineno}, column {error.colno} (character {error.pos + 1})."
        ) from None
    except UnicodeDecodeError as error:
        raise BadRequestError(f"The body is not valid UTF-8: byte {error.start + 1}.") from None
    except ValueError:
        raise BadRequestError("The JSON body has a number with too many digits.") from None
    return value, constants


def _has_too_many_values(raw: bytes) -> bool:
    """Count commas outside of strings, and stop early. The parser would hold all other threads up until its end."""
    if raw.count(b",") < MAX_VALUES:
        return False
    commas = end = 0
    for strings, string in enumerate(_STRING.finditer(raw)):
        commas += raw.count(b",", end, string.start())
        if commas >= MAX_VALUES or strings > 2 * MAX_VALUES:  # a name and a text between two commas
            return True
        end = string.end()
    return commas + raw.count(b",", end) >= MAX_VALUES


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Refuse duplicate keys: two parsers could see two different requests."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise BadRequestError("The JSON body has a key twice in one object.")
    return found
