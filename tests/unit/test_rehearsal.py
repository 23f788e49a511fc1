"""What a template rehearses is what a run's process will do, and it leaves nothing."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from sandbox_runtime.jail import rehearsal
from sandbox_runtime.jail.terms import Terms
from tests.unit.test_jail_evidence import TERMS, missing

_LEAST_PIPE_BYTES = 8192  # pipe(7): what a user with many pipes gets


def test_a_run_with_all_controls_is_rehearsed() -> None:
    assert missing(rehearsal.measured_of_a_good_run(TERMS)) == ()


@pytest.mark.parametrize(
    ("terms", "lacking"),
    [
        (replace(TERMS, outer_filters=None), ("seccomp",)),
        (replace(TERMS, membership_marker=""), ("memory_limit", "process_limit", "cpu_limit")),
    ],
    ids=["filters not counted", "no groups"],
)
def test_hosts_that_give_less_rehearse_what_they_give(terms: Terms, lacking: tuple[str, ...]) -> None:
    assert missing(rehearsal.measured_of_a_good_run(terms), terms) == lacking
    rehearsal.rehearse(terms, None)


def test_nothing_is_left_open() -> None:
    before = sorted(Path("/proc/self/fd").iterdir())
    rehearsal.rehearse(TERMS, None)
    assert sorted(Path("/proc/self/fd").iterdir()) == before


def test_the_reports_of_a_rehearsal_fit_into_their_pipe(monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[int] = []
    write = os.write

    def counted(fd: int, data: bytes) -> int:
        written.append(len(data))
        return write(fd, data)

    monkeypatch.setattr(os, "write", counted)
    rehearsal.rehearse(TERMS, None)
    assert len(written) == rehearsal.ROUNDS
    assert sum(written) < _LEAST_PIPE_BYTES
