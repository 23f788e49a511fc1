"""The sizes of all measurements. Every count is a limit: no loop waits for a condition."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """`*_secs` end a part early when the machine is slow; what was not reached is not reported."""

    print_rounds: int
    language_rounds: int
    jail_loop_runs: int
    stack_rounds: int
    load_requests: int
    load_secs: float
    soak_runs: int
    soak_samples: int
    soak_secs: float
    deliveries: int
    delivery_secs: float
    inbound_calls: int
    cold_starts: int
    rows: int


FULL = Scale(
    print_rounds=1000,
    language_rounds=30,
    jail_loop_runs=2000,
    stack_rounds=300,
    load_requests=1500,
    load_secs=90,
    soak_runs=10_000,
    soak_samples=50,
    soak_secs=3600,
    deliveries=10_000,
    delivery_secs=600,
    inbound_calls=300,
    cold_starts=30,
    rows=1_000_000,
)
QUICK = Scale(
    print_rounds=20,
    language_rounds=2,
    jail_loop_runs=40,
    stack_rounds=8,
    load_requests=32,
    load_secs=20,
    soak_runs=68,
    soak_samples=6,
    soak_secs=120,
    deliveries=400,
    delivery_secs=60,
    inbound_calls=10,
    cold_starts=4,
    rows=20_000,
)
