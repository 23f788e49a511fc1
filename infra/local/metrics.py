"""Counters that all processes of the stack share, and Prometheus' text of them and of the queues."""

from __future__ import annotations

import mmap
import threading
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from infra.local.template import Stack

_COUNTER_BYTES: Final = 8
_MICROSECONDS: Final = 1_000_000


def request_name(function: str, status: int) -> str:
    """Name the counter of requests with such an answer. `function`: empty for answers of the gateway itself."""
    return f'rustbox_http_requests_total{{function="{function}",status="{status // 100}xx"}}'


def duration_name(function: str) -> str:
    """Name the counter of all requests' time. It counts microseconds, and is shown in seconds."""
    return f'rustbox_http_request_seconds_total{{function="{function}"}}'


def message_name(queue: str, outcome: str) -> str:
    """Name the counter of messages that a mapping handled, by outcome: handled or failed."""
    return f'rustbox_queue_messages_total{{queue="{queue}",outcome="{outcome}"}}'


def counter_names(stack: Stack) -> tuple[str, ...]:
    functions = sorted({"", *(route.function for route in stack.routes)})
    requests = (request_name(name, status) for name in functions for status in (200, 300, 400, 500))
    queues = sorted(mapping.queue for mapping in stack.mappings)
    messages = (message_name(queue, outcome) for queue in queues for outcome in ("handled", "failed"))
    return (*requests, *map(duration_name, functions), *messages)


class Counters:
    """Make it before the processes are forked. Each one counts in a row of its own, so that none waits for another.

    A process that replaces a dead one goes on with its row.
    """

    def __init__(self, names: Sequence[str], processes: int) -> None:
        self._places = {name: place for place, name in enumerate(names)}
        self._values = memoryview(mmap.mmap(-1, _COUNTER_BYTES * len(names) * processes)).cast("Q")
        self._row = 0
        self._lock = threading.Lock()

    def use_row(self, number: int) -> None:
        """Count in the row of this process from now on."""
        self._row = number * len(self._places)

    def add(self, name: str, amount: int = 1) -> None:
        with self._lock:
            self._values[self._row + self._places[name]] += amount

    def totals(self) -> Iterator[tuple[str, int]]:
        width = len(self._places)
        return ((name, sum(self._values[place::width])) for name, place in self._places.items())


def exposition(counters: Counters, gauges: Sequence[tuple[str, int]]) -> str:
    """Return the metrics as Prometheus reads them.

    https://prometheus.io/docs/instrumenting/exposition_formats/
    """
    kinds = (("counter", counters.totals()), ("gauge", gauges))
    lines: list[str] = []
    for kind, values in kinds:
        family = ""
        for name, value in values:
            if (own := name.partition("{")[0]) != family:
                family = own
                lines.append(f"# TYPE {family} {kind}")
            lines.append(f"{name} {value / _MICROSECONDS}" if own.endswith("_seconds_total") else f"{name} {value}")
    return "\n".join(lines) + "\n"
