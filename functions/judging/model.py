"""The plan of a judge run: the fields of its cases and groups that scores and answers need."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from functions.known_fields import known_fields

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

DEFAULT_POINTS = 1.0
"""Points of a case whose request names none."""


class Visibility(StrEnum):
    """How much of a case the answer shows: each level hides what the one before hides, and more."""

    FULL = "full"
    NO_EXPECTED = "no_expected"
    VERDICT = "verdict"
    HIDDEN = "hidden"


class Aggregate(StrEnum):
    """How the points of a group follow from its cases."""

    PASS_FAIL = "pass_fail"  # noqa: S105 - not a password
    SUM = "sum"
    MIN = "min"


@dataclass(frozen=True, slots=True)
class PlannedCase:
    """One case, without its input, its expected output and its checker."""

    id: str | None = None
    group: str | None = None
    points: float = DEFAULT_POINTS
    visibility: Visibility = Visibility.FULL


@dataclass(frozen=True, slots=True)
class PlannedGroup:
    """One group. `points` None: those of its cases together."""

    id: str
    points: float | None = None
    aggregate: Aggregate = Aggregate.PASS_FAIL
    requires: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Plan:
    """The cases in their order, and the groups."""

    cases: tuple[PlannedCase, ...]
    groups: tuple[PlannedGroup, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return the plan for the row, without default values: a row with 200 plain cases stays small."""
        return {
            "cases": [_without_defaults(case, PlannedCase()) for case in self.cases],
            "groups": [_without_defaults(group, PlannedGroup("")) for group in self.groups],
        }

    @staticmethod
    def of_json(stored: Mapping[str, Any]) -> Plan:
        """Return the plan of a row."""
        cases = (case | {"visibility": Visibility(case.get("visibility", "full"))} for case in stored["cases"])
        groups = (
            group
            | {
                "aggregate": Aggregate(group.get("aggregate", "pass_fail")),
                "requires": tuple(group.get("requires", ())),
            }
            for group in stored["groups"]
        )
        return Plan(
            tuple(PlannedCase(**known_fields(PlannedCase, case)) for case in cases),
            tuple(PlannedGroup(**known_fields(PlannedGroup, group)) for group in groups),
        )


def required_groups(requires: Mapping[str, Sequence[str]]) -> tuple[str, ...] | None:
    """Order groups so that each comes after those it requires. None if some require each other in a cycle.

    `requires`: the required groups of each group; all must be keys.
    """
    left = {group: set(required) for group, required in requires.items()}
    ordered: list[str] = []
    while ready := [group for group, required in left.items() if not required]:
        ordered += ready
        for group in ready:
            del left[group]
        for required in left.values():
            required.difference_update(ready)
    return None if left else tuple(ordered)


def repeated(names: Sequence[str]) -> tuple[str, ...]:
    """Return the names that occur more than once."""
    return tuple(name for name, count in Counter(names).items() if count > 1)


def _without_defaults(value: PlannedCase | PlannedGroup, default: PlannedCase | PlannedGroup) -> dict[str, Any]:
    standard = asdict(default)
    return {name: part for name, part in asdict(value).items() if part != standard[name]}
