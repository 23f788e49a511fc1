"""Counters of an endpoint in its row, and the update that counts.

A count needs no read: it relies on the periods that the process saw last, and fails if another process has begun a new
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


def count(
    update: ConditionalUpdate, seen: Traffic, now_ms: int, number: Literal["attempts", "failures"]
) -> ConditionalUpdate:
    """Add one to a number of this hour and of this day. Fails unless the row has the periods of `seen`."""
    after = seen.at(now_ms)
    for name in _PERIODS:
        update = _count_one(update, name, getattr(seen, name), getattr(after, name), number)
    return update


def _count_one(update: ConditionalUpdate, name: str, seen: Counter, after: Counter, number: str) -> ConditionalUpdate:
    sets, computed = dict(update.sets), list(update.computed)
    values: dict[str, Value] = {}
    condition = f"attribute_not_exists(#{name})"
    if seen.period != NEVER:
        condition = f"#{name} = :seen_{name}"
        values[f"seen_{name}"] = seen.period
    if after.period == seen.period:
        values["one"] = 1
        computed.append(f"#{name}_{number} = #{name}_{number} + :one")
    else:
        sets |= {name: after.period, f"{name}_attempts": 0, f"{name}_failures": 0, f"{name}_{number}": 1}
        if after.period == seen.period + 1 and seen.period != NEVER:
            computed += [f"#{name}_{counted}_before = #{name}_{counted}" for counted in ("attempts", "failures")]
        else:
            sets |= {f"{name}_attempts_before": 0, f"{name}_failures_before": 0}
    return replace(update.only_if(condition, values), sets=sets, computed=tuple(computed))
