"""Counters of an endpoint in its row, and the update that counts.

A count needs no read: it relies on the periods that the process read last, and fails if another process has begun a new
one since. The first count of a period moves the numbers of the one before.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, Literal

from functions.webhooks.endpoints.traffic import NEVER, Counter, Traffic

if TYPE_CHECKING:
    from collections.abc import Mapping

    from functions.aws.dynamodb.conditional import ConditionalUpdate
    from functions.aws.dynamodb.items import Value

_PERIODS: Final = ("hour", "day")
_NUMBERS: Final = ("attempts", "failures", "attempts_before", "failures_before")
type Number = Literal["attempts", "failures"]
TRAFFIC: Final = (*_PERIODS, *(f"{period}_{number}" for period in _PERIODS for number in _NUMBERS))
"""All attributes of the counters."""


def traffic_values(traffic: Traffic) -> dict[str, Value]:
    """Build the attributes; none for a counter that has not begun."""
    values: dict[str, Value] = {}
    for name in _PERIODS:
        counter: Counter = getattr(traffic, name)
        if counter.period != NEVER:
            values[name] = counter.period
            values |= {f"{name}_{number}": getattr(counter, number) for number in _NUMBERS}
    return values


def to_traffic(row: Mapping[str, Any]) -> Traffic:
    """Read the counters of a row."""
    counters = (
        Counter(row[name], *(row[f"{name}_{number}"] for number in _NUMBERS)) if name in row else Counter()
        for name in _PERIODS
    )
    return Traffic(*counters)


def count(update: ConditionalUpdate, before: Traffic, now_ms: int, numbers: Mapping[Number, int]) -> ConditionalUpdate:
    """Add to numbers of this hour and of this day. Fails unless the row has the periods of `before`."""
    after = before.at(now_ms)
    for name in _PERIODS:
        update = _count_in(update, name, getattr(before, name), getattr(after, name), numbers)
    return update


def _count_in(
    update: ConditionalUpdate, name: str, before: Counter, after: Counter, numbers: Mapping[Number, int]
) -> ConditionalUpdate:
    sets, computed = dict(update.sets), list(update.computed)
    values: dict[str, Value] = {}
    condition = f"attribute_not_exists(#{name})"
    if before.period != NEVER:
        condition = f"#{name} = :read_{name}"
        values[f"read_{name}"] = before.period
    if after.period == before.period:
        values |= {f"more_{number}": more for number, more in numbers.items()}
        computed += [f"#{name}_{number} = #{name}_{number} + :more_{number}" for number in numbers]
    else:
        sets |= {name: after.period, f"{name}_attempts": 0, f"{name}_failures": 0}
        sets |= {f"{name}_{number}": more for number, more in numbers.items()}
        if after.period == before.period + 1 and before.period != NEVER:
            computed += [f"#{name}_{counted}_before = #{name}_{counted}" for counted in ("attempts", "failures")]
        else:
            sets |= {f"{name}_attempts_before": 0, f"{name}_failures_before": 0}
    return replace(update.only_if(condition, values), sets=sets, computed=tuple(computed))
