"""What `make test` leaves to `make test-all`: parameters, examples of hypothesis, second proofs."""

import os
from collections.abc import Collection, Iterable
from typing import Any

import pytest

IS_QUICK = os.environ.get("RUSTBOX_TESTS") == "quick"
"""Set by `check.sh --quick`. Prefer the marker `whole`, which pytest counts and shows."""
_QUICK_SHARE = 4


def whole_but(values: Iterable[Any], quick: Collection[Any]) -> list[Any]:
    """Return the values; those that are not in `quick` have the marker `whole`. A tuple is a value for each name."""
    return [
        value
        if value in quick
        else pytest.param(*(value if isinstance(value, tuple) else (value,)), marks=pytest.mark.whole)
        for value in values
    ]


def examples(most: int) -> int:
    """Return how many examples a property gets: a quarter of them in `make test`."""
    return most // _QUICK_SHARE if IS_QUICK else most
