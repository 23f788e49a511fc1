"""AWS calls of each path, by operation, with the tables' consumed capacity and their price."""

from collections.abc import Sequence

from bench.answers import Tally
from bench.counted_calls import Counted, counted_system
from bench.report import Figure, Section
from bench.rounds import Way
from bench.scale import Scale
from functions.projects.model import DEFAULT_QUOTAS, Quota

SYNCHRONOUS = "synchronous answer, no webhook"
SUBMITTED = "submitted, run to the end"
WEBHOOK = "submitted, webhook delivered at the first try"
LOGGED = "a consumer of events"
EMPTY_POLL = "an empty poll"
SECOND_ENDPOINT = "one more endpoint"
RETRY = "one retry"
JUDGED = "a judge run of 50 cases"
TRANSFORM = "one more endpoint with a transform"
IN_FLIGHT = 64
_LEAST_RUNS = 16
_NOTES = [
    "Counted in one process over the embedded engine: `bench/counted_calls.py`. No time is measured.",
    "Receives are left out, and so are reads that happen by time: queue depths, secrets, keys.",
    "64 in flight: queues are full, so `record` gets whole batches, and a call of the runner takes 5 ms, as on AWS.",
    "The project may then have 640 in flight: its quota has shards, and each run reads the version of its endpoints.",
    "The first run of a minute in each item of a quota takes one refused update more, which is not counted.",
    "`announce` gets the changes of a second together.",
    "Prices: us-east-1, on demand, 2026-11. DynamoDB 0.625 and 0.125 $ per million units, SQS 0.40, EventBridge 1.00.",
    "A price leaves out Lambda, the HTTP API and the machines of the runners.",
]
_LATENCY_SECS = 0.005
"""A call of AWS takes 3 to 10 ms. Calls that wait meanwhile share the next one."""
_WRITE_UNIT, _READ_UNIT, _SQS_CALL, _EVENT = 0.625, 0.125, 0.40, 1.00
"""Dollars per million."""


def run(_scale: Scale, tally: Tally, _peer_ways: Sequence[Way]) -> Section:
    """Start no process: the handlers run here."""
    figures: list[Figure] = []
    for in_flight in (1, IN_FLIGHT):
        for name, counted in measure(in_flight).items():
            tally.right()
            figures += _figures(f"{name}; {in_flight} in flight", counted)
    return Section(title="AWS calls", missing=None, notes=_NOTES, series=[], figures=figures)


def measure(in_flight: int) -> dict[str, Counted]:
    """Return what one run costs on each path, as a mean. Every answer is checked."""
    found: dict[str, Counted] = {}
    runs = max(in_flight, _LEAST_RUNS)
    quota = Quota(per_minute=100_000, per_day=1_000_000, in_flight=DEFAULT_QUOTAS["judge"].in_flight * in_flight)
    latency_secs = 0 if in_flight == 1 else _LATENCY_SECS
    # With one slot, a runner looks into the queue of this path once a second only.
    with counted_system(quota, slots=min(max(in_flight, 2), 8), runner_latency_secs=latency_secs) as system:

        def submitted() -> Counted:
            system.submitted(1)  # opens the window of the quota, and fills caches
            system.announce()
            system.engine.reset()
            for _ in range(runs // in_flight):
                system.submitted(in_flight)
            system.announce()  # the changes of a second together
            return system.engine.reset()

        found[SUBMITTED] = submitted().per(runs)
        if in_flight == 1:
            system.judged(1)
            system.engine.reset()
            system.judged(2)
            found[JUDGED] = system.engine.reset().per(2)
        system.synchronous(1)
        system.announce()
        system.engine.reset()
        system.synchronous(runs)
        system.announce()
        found[SYNCHRONOUS] = system.engine.reset().per(runs)
        system.poll()
        found[LOGGED] = submitted().per(runs).minus(found[SUBMITTED])
        cursor = system.poll()
        while (following := system.poll(cursor)) != cursor:
            cursor = following
        system.engine.reset()
        system.poll(cursor)
        found[EMPTY_POLL] = system.engine.reset()
        system.delete_consumer()
        system.add_endpoint()
        one = submitted()
        found[WEBHOOK] = one.per(runs)
        system.add_endpoint()
        two = submitted()
        found[SECOND_ENDPOINT] = two.minus(one).per(runs)
        system.fail_first(2, *[2 * in_flight] * (runs // in_flight))
        found[RETRY] = submitted().minus(two).per(2 * runs)
        system.receiver.always(200)
        system.add_endpoint(transform=True)
        found[TRANSFORM] = submitted().minus(two).per(runs)
    return found


def _figures(name: str, counted: Counted) -> list[Figure]:
    sqs = sum(count for operation, count in counted.calls.items() if "Message" in operation)
    dollars = (
        counted.write_units * _WRITE_UNIT + counted.read_units * _READ_UNIT + sqs * _SQS_CALL + counted.events * _EVENT
    )
    operations = ", ".join(f"{operation} {count:.2g}" for operation, count in sorted(counted.calls.items()))
    values = {
        "calls": (round(counted.total, 2), ""),
        "write units": (round(counted.write_units, 1), ""),
        "read units": (round(counted.read_units, 1), ""),
        "price of a million": (round(dollars, 2), "$"),
    }
    return [
        Figure(group=f"{name} ({operations})", name=kind, value=value, unit=unit)
        for kind, (value, unit) in values.items()
    ]
