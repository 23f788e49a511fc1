"""`python -m tests.bench.checks_at_once`: what an interactive run notices of 1,000 checks that are due at one time.

It starts a stack of its own, creates the checks with the default spread of ten minutes, and asks for a run five times
a second: first alone, then from the slot on. Its times hold on a quiet machine only.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import httpx

from tests.bench.answers import Expected, check_result
from tests.bench.api_client import ApiClient, body_of, parsed
from tests.bench.rounds import p95
from tests.bench.running_stack import running_stack
from tests.bench.sources import Program, new_number

_CREATE_SECS = 30
_PACE_SECS = 0.2
_CHECK = {"language": "python", "code": "print(sum(range(100_000)))\n", "spread_minutes": 10}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--checks", type=int, default=1_000)
    parser.add_argument("--secs", type=int, default=100, help="of each of the two parts")
    asked = parser.parse_args()
    with running_stack() as stack, stack.local.client() as client, ApiClient(stack.endpoint) as interactive:
        slot = datetime.now(UTC) + timedelta(seconds=_CREATE_SECS + asked.secs)
        slot = slot.replace(second=0, microsecond=0) + timedelta(minutes=1)
        for number in range(asked.checks):
            schedule = f"{slot.minute} {slot.hour} * * *"
            client.post(
                "/api/checks", json={**_CHECK, "name": f"check {number}", "schedule": schedule}
            ).raise_for_status()
        time.sleep(max(0.0, (slot - datetime.now(UTC)).total_seconds() - asked.secs))
        alone = _measure(interactive, lambda: datetime.now(UTC) >= slot)
        end = datetime.now(UTC) + timedelta(seconds=asked.secs)
        beside = _measure(interactive, lambda: datetime.now(UTC) >= end)
        ended = _ended(client)
    for name, times in (("alone", alone), ("beside the checks", beside)):
        shown = f"median {statistics.median(times):.2f} ms, mean {statistics.mean(times):.2f}, p95 {p95(times):.2f}"
        sys.stdout.write(f"{name}: {len(times)} runs, {shown}\n")
    sys.stdout.write(f"ratio of medians {statistics.median(beside) / statistics.median(alone):.3f}; ")
    sys.stdout.write(f"{ended} checks ended in {asked.secs} s\n")


def _measure(client: ApiClient, is_over: Callable[[], bool]) -> list[float]:
    times_ms: list[float] = []
    while not is_over():
        number = new_number()
        program = Program("python", f"print({number} + 1)\n", Expected(f"{number + 1}\n"))
        body, begun = body_of(program), time.perf_counter()
        result = parsed(client.submit(body, wait=True))
        elapsed_secs = time.perf_counter() - begun
        check_result(result, program.expected)
        times_ms.append(elapsed_secs * 1000)
        time.sleep(max(0.0, _PACE_SECS - elapsed_secs))
    return times_ms


def _ended(client: httpx.Client) -> int:
    count, query = 0, {"state": "up", "limit": "100"}
    while True:
        page = client.get("/api/checks", params=query).json()
        count += len(page["items"])
        if page["next_cursor"] is None:
            return count
        query["cursor"] = page["next_cursor"]


if __name__ == "__main__":
    main()
