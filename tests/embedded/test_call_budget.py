"""A run costs no more AWS calls and write units than its budget."""

import pytest

from bench.sections import calls
from infra.deploy.costs import POLLED, SYNCHRONOUS, WEBHOOK
from tests.choice import whole_but

BUDGET = {
    1: {
        calls.SYNCHRONOUS: 2.3,
        calls.SUBMITTED: 9,
        calls.WEBHOOK: 10.9,
        calls.SECOND_ENDPOINT: 1.8,
        calls.RETRY: 5,
        calls.TRANSFORM: 4.1,
        calls.LOGGED: 0,
        calls.EMPTY_POLL: 8,
        calls.JUDGED: 11.5,
    },
    calls.IN_FLIGHT: {
        calls.SYNCHRONOUS: 3.1,
        calls.SUBMITTED: 6,
        calls.WEBHOOK: 8,
        calls.SECOND_ENDPOINT: 1.8,
        calls.RETRY: 8,  # of the 64 that fail together, all but the first need a lease and a slot at once
        calls.TRANSFORM: 4.1,
        calls.LOGGED: 1,
        calls.EMPTY_POLL: 8,
    },
}
WRITE_UNITS = {
    calls.SYNCHRONOUS: 8,
    calls.SUBMITTED: 12,
    calls.WEBHOOK: 23,
    calls.SECOND_ENDPOINT: 9,
    calls.RETRY: 27,
    calls.TRANSFORM: 20,
    calls.LOGGED: 4,
    calls.EMPTY_POLL: 0,
    calls.JUDGED: 23,
}
"""With one run in flight."""
GUARDED_UNITS = 50
"""Of a delivery that failed once, when each one took a lease and a slot."""
_SPARE = 0.5
"""The runner shares calls as its threads meet, and reports the start of a run that a busy machine holds up."""


@pytest.mark.parametrize("in_flight", whole_but(sorted(BUDGET), [1]))
def test_each_path_keeps_its_budget(in_flight: int) -> None:
    counted = calls.measure(in_flight)
    assert {
        name: dict(one.calls) for name, one in counted.items() if one.total > BUDGET[in_flight][name] + _SPARE
    } == {}
    # Rounded: the start of a run that a busy machine holds up is written too.
    write_units = {name: round(one.write_units) for name, one in counted.items()}
    if in_flight == 1:
        assert write_units == WRITE_UNITS
    # Shards keep the items of a quota small, however many runs are in flight.
    for name in (calls.SUBMITTED, calls.WEBHOOK, calls.SECOND_ENDPOINT):
        assert write_units[name] == WRITE_UNITS[name]
    assert write_units[calls.SECOND_ENDPOINT] + write_units[calls.RETRY] <= GUARDED_UNITS


def test_the_price_model_of_a_deployment_counts_the_same_writes() -> None:
    assert [run.writes for run in (SYNCHRONOUS, POLLED, WEBHOOK)] == [
        WRITE_UNITS[calls.SYNCHRONOUS],
        WRITE_UNITS[calls.SUBMITTED],
        WRITE_UNITS[calls.WEBHOOK],
    ]
