"""A run costs no more AWS calls and write units than its budget."""

import pytest

from infra.deploy.costs import POLLED, SYNCHRONOUS, WEBHOOK
from tests.bench.sections import calls

BUDGET = {
    1: {
        calls.SYNCHRONOUS: 2.3,
        calls.SUBMITTED: 9,
        calls.WEBHOOK: 13,
        calls.SECOND_ENDPOINT: 4,
        calls.RETRY: 4,
        calls.LOGGED: 0,
        calls.EMPTY_POLL: 8,
    },
    calls.IN_FLIGHT: {
        calls.SYNCHRONOUS: 3.1,
        calls.SUBMITTED: 6,
        calls.WEBHOOK: 9,
        calls.SECOND_ENDPOINT: 3,
        calls.RETRY: 4,
        calls.LOGGED: 1,
        calls.EMPTY_POLL: 8,
    },
}
WRITE_UNITS = {
    calls.SYNCHRONOUS: 8,
    calls.SUBMITTED: 12,
    calls.WEBHOOK: 34,
    calls.SECOND_ENDPOINT: 20,
    calls.RETRY: 30,
    calls.LOGGED: 4,
    calls.EMPTY_POLL: 0,
}
"""With one run in flight."""
_SPARE = 0.4
"""The runner shares calls as its threads meet, and reports the start of a run that a busy machine holds up."""


@pytest.mark.parametrize("in_flight", sorted(BUDGET))
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
    assert write_units[calls.SUBMITTED] == WRITE_UNITS[calls.SUBMITTED]


def test_the_price_model_of_a_deployment_counts_the_same_writes() -> None:
    assert [run.writes for run in (SYNCHRONOUS, POLLED, WEBHOOK)] == [
        WRITE_UNITS[calls.SYNCHRONOUS],
        WRITE_UNITS[calls.SUBMITTED],
        WRITE_UNITS[calls.WEBHOOK],
    ]
