"""Batches of stream records and their function: retries, partial failures, bisection, and when to give up."""

from __future__ import annotations

import json
import time
import traceback
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterator

    from infra.local.console import Console
    from infra.local.invoker import Invoker
    from infra.local.stack import StreamMapping

_MOST_EVENT_BYTES: Final = 6 * 1024 * 1024
_FIRST_RETRY_SECS: Final = 0.2
_LONGEST_RETRY_SECS: Final = 30.0

type Record = dict[str, Any]


class Batches:
    """Hands records of a shard to the function, as often as the mapping says."""

    def __init__(self, mapping: StreamMapping, invoker: Invoker, console: Console, stopping: threading.Event) -> None:
        self._mapping = mapping
        self._invoker = invoker
        self._console = console
        self._stopping = stopping

    def process(self, records: list[Record]) -> Iterator[str]:
        """Yield sequence numbers: the records up to each one are done or given up. A stop ends it early."""
        waiting, retries, failures = [records] if records else [], 0, 0
        while waiting and not self._stopping.is_set():
            batch = waiting.pop(0)
            if len(batch) > 1 and len(json.dumps(batch)) > _MOST_EVENT_BYTES:
                waiting[:0] = _halves(batch)
                continue
            done = self._invoke(batch)
            if done:
                yield _sequence(batch[done - 1])
                retries = failures = 0
            rest = batch[done or 0 :]
            if not rest:
                continue
            failures += 1
            if done is None and self._mapping.bisects and len(rest) > 1:
                waiting[:0] = _halves(rest)  # no retry, as on Lambda
            elif self._is_given_up(rest, retries):
                yield _sequence(rest[-1])
                retries = failures = 0
                continue
            else:
                retries += 1
                waiting.insert(0, rest)
            self._stopping.wait(min(_LONGEST_RETRY_SECS, _FIRST_RETRY_SECS * 2 ** (failures - 1)))

    def _is_given_up(self, rest: list[Record], retries: int) -> bool:
        mapping = self._mapping
        age_secs = time.time() - rest[-1]["dynamodb"]["ApproximateCreationDateTime"]
        is_old = mapping.most_age_secs is not None and age_secs > mapping.most_age_secs
        if not is_old and (mapping.most_retries is None or retries < mapping.most_retries):
            return False
        text = f"{mapping.name}: gave up {len(rest)} records from {_sequence(rest[0])} after {retries} retries"
        self._console.line("stream", text, "error")
        return True

    def _invoke(self, batch: list[Record]) -> int | None:
        """Return how many records are done before the first failed one; None if the whole invocation failed."""
        function = self._mapping.function
        try:
            result = self._invoker.invoke(function, {"Records": batch})
        except Exception:  # noqa: BLE001 - the entry point: what Lambda reports as a function error
            for text in traceback.format_exc().splitlines():
                self._console.line("stream", f"{function}: {text}", "error")
            return None
        failed = (result or {}).get("batchItemFailures") if self._mapping.reports_failures else None
        if not failed:
            return len(batch)
        places = {_sequence(record): place for place, record in enumerate(batch)}
        found = [places.get(item.get("itemIdentifier")) for item in failed]
        self._console.line("stream", f"{function}: {len(failed)} of {len(batch)} failed", "warning")
        return None if None in found else min(place for place in found if place is not None)


def _sequence(record: Record) -> str:
    return str(record["dynamodb"]["SequenceNumber"])


def _halves(records: list[Record]) -> list[list[Record]]:
    middle = len(records) // 2
    return [records[:middle], records[middle:]]
