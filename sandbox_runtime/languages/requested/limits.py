"""Limits that a request asks for, checked against the ceilings of its profile."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

from events.limits import LEAST_OPEN_FILES
from sandbox_runtime.jail.spec import Limits

KIB = 1024
MIB = 1024 * KIB
STACK_SHARE = Fraction(15, 16)
"""A little less than the memory limit: an endless recursion ends as a stack overflow, and not as MLE."""
_OTHER_NAMES = {
    "memory_mb": ("memory_bytes", MIB),
    "output_kb": ("output_bytes", KIB),
    "file_size_mb": ("max_file_bytes", MIB),
    "open_files": ("max_open_files", 1),
    "stack_mb": ("stack_bytes", MIB),
}
"""Name and unit in `Limits` of the limits that a request names otherwise."""


class RequestRefusedError(Exception):
    """A request asks for something that is not offered. The text is for the client."""


class LimitRefusedError(RequestRefusedError):
    """A requested limit is too low or is above the profile's ceiling."""

    def __init__(self, limit: str, ceiling: float) -> None:
        self.limit = limit
        self.ceiling = ceiling
        lower = f"at least {LEAST_OPEN_FILES}" if limit == "open_files" else "above 0"
        super().__init__(f"limit {limit} must be {lower} and at most {ceiling}")


@dataclass(frozen=True, slots=True)
class Profile:
    """Default limits of the run step and the highest that a request may ask for.

    `stack_share`: the default size of the stack, as a share of the memory limit.
    """

    limits: Limits
    ceiling: Limits
    stack_share: Fraction


def choose_limits(profile: Profile, asked: Mapping[str, float | None]) -> Limits:
    """Replace the profile's default limits by those that a request asks for. Raises LimitRefusedError."""
    chosen: dict[str, Any] = {}
    for name, value in asked.items():
        if value is not None:
            field, unit = _OTHER_NAMES.get(name, (name, 1))
            ceiling = getattr(profile.ceiling, field) // unit
            is_enough = value >= LEAST_OPEN_FILES if name == "open_files" else value > 0
            if not (is_enough and value <= ceiling):  # NaN fails all comparisons
                raise LimitRefusedError(name, ceiling)
            chosen[field] = value * unit
    limits = replace(profile.limits, **chosen)
    stack_bytes = chosen.get("stack_bytes", int(limits.memory_bytes * profile.stack_share))
    return replace(limits, stack_bytes=min(stack_bytes, limits.memory_bytes))
