"""Parameters of which `make test` runs some, and `make test-all` all."""

from collections.abc import Collection, Iterable
from typing import Any

import pytest


def whole_but(values: Iterable[Any], quick: Collection[Any]) -> list[Any]:
    """Return the values; those that are not in `quick` have the marker `whole`. A tuple is a value for each name."""
    return [
        value
        if value in quick
        else pytest.param(*(value if isinstance(value, tuple) else (value,)), marks=pytest.mark.whole)
        for value in values
    ]
