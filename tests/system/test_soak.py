"""The short form of `make soak`: every answer is right, and what has expired leaves nothing behind."""

from dataclasses import replace

import pytest

from bench.answers import Tally
from bench.scale import QUICK
from bench.sections import soak

pytestmark = pytest.mark.whole

RUNS, SAMPLES = 36, 4
"""Each language and each way to fail comes at least once."""


def test_expired_runs_leave_no_row_and_their_space_is_used_again() -> None:
    tally = Tally()
    section = soak.run(replace(QUICK, soak_runs=RUNS, soak_samples=SAMPLES), tally, ())
    found = {(figure.group, figure.name): figure.value or 0 for figure in section.figures}
    answers = tally.answers()
    assert (answers.checked, answers.wrong) == (RUNS, 0), answers.examples
    assert (
        found["engine: rows before expiry", "after"] >= found["engine: rows before expiry", "before"] + RUNS / SAMPLES
    )
    # One row may come: the first minute's note of the time, which the schedule of checks keeps.
    assert found["engine: rows after expiry", "after"] <= found["engine: rows after expiry", "before"] + 1
    # Pages are filled differently each time; without reuse the file would have more than twice the size.
    assert found["engine: size", "after"] < 1.5 * found["engine: size", "after a fifth"]
