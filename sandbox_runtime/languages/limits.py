"""Limits that a request asks for, checked against the ceilings of its profile."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from sandbox_runtime.jail.spec import Limits

KIB = 1024
MIB = 1024 * KIB
_IN_LARGER_UNITS = {"memory_mb": ("memory_bytes", MIB), "output_kb": ("output_bytes", KIB)}


class LimitRefusedError(Exception):
    """A requested limit is not positive or is above the profile's ceiling."""

    def __init__(self, limit: str, ceiling: float) -> None:
        self.limit = limit
        self.ceiling = ceiling
        super().__init__(f"limit {limit} must be above 0 and at most {ceiling}")


@dataclass(frozen=True, slots=True)
class Profile:
    """Default limits of the run step and the highest that a request may ask for."""

    limits: Limits
    ceiling: Limits


def choose_limits(profile: Profile, asked: Mapping[str, float | None]) -> Limits:
    """Replace the profile's default limits by those that a request asks for. Raises LimitRefusedError."""
    chosen: dict[str, Any] = {}
    for name, value in asked.items():
        if value is not None:
            field, unit = _IN_LARGER_UNITS.get(name, (name, 1))
            ceiling = getattr(profile.ceiling, field) // unit
            if not 0 < value <= ceiling:  # NaN fails both comparisons
                raise LimitRefusedError(name, ceiling)
            chosen[field] = value * unit
    return replace(profile.limits, **chosen)
