"""What a client sees of a project's runs by hour."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Annotated, TypedDict

from pydantic import Field

from functions.clock import to_rfc3339
from functions.http.openapi.bodies import Count, Time
from functions.submissions.results.run_counts import BOUNDS_MS


class HourBody(TypedDict):
    """The runs that ended in one hour of UTC."""

    at: Time
    verdicts: Annotated[dict[str, int], Field(description="Verdict -> runs; `judged` counts judge runs.")]
    p95_ms: Annotated[int | None, Field(description="As of all hours.")]


class Overview(TypedDict):
    """The project's runs by hour, and the queues of the service. Counts come ten seconds late, or a little more."""

    hours: Annotated[list[HourBody], Field(description="25, the oldest first; the last one is not over.")]
    verdicts: Annotated[dict[str, int], Field(description="Of all these hours.")]
    p95_ms: Annotated[
        int | None,
        Field(
            description="95 of 100 runs took no longer from acceptance to end, up to the next of some bounds; null "
            "without runs, or over five minutes."
        ),
    ]
    queued: Annotated[Count, Field(description="Runs of all projects that wait or run, as SQS estimates.")]


def _verdicts(counts: Mapping[str, int]) -> dict[str, int]:
    return {
        name.removeprefix("verdict_"): int(count)
        for name, count in sorted(counts.items())
        if name.startswith("verdict_")
    }


def _p95_ms(counts: Mapping[str, int]) -> int | None:
    buckets = [counts.get(f"bucket_{number}", 0) for number in range(len(BOUNDS_MS) + 1)]
    rank, seen = -(-sum(buckets) * 95 // 100), 0
    for bound, count in zip(BOUNDS_MS, buckets, strict=False):
        seen += count
        if rank and seen >= rank:
            return bound
    return None


def overview(hours: Sequence[tuple[int, Mapping[str, int]]], queued: int) -> Overview:
    """Return the answer. `hours`: the beginning of each in epoch milliseconds, and its counts."""
    whole = Counter[str]()
    for _, counts in hours:
        whole.update({name: count for name, count in counts.items() if name.startswith(("verdict_", "bucket_"))})
    return {
        "hours": [
            {"at": to_rfc3339(at), "verdicts": _verdicts(counts), "p95_ms": _p95_ms(counts)} for at, counts in hours
        ],
        "verdicts": _verdicts(whole),
        "p95_ms": _p95_ms(whole),
        "queued": queued,
    }
