"""Read stored objects of another version."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from _typeshed import DataclassInstance


def known_fields(kind: type[DataclassInstance], stored: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of a dataclass's fields. A row of the next minor version may hold more."""
    names = {field.name for field in fields(kind)}
    return {name: value for name, value in stored.items() if name in names}
