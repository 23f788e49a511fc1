"""A short kill run: submissions with webhooks of every kind while the stack's parts are killed; nothing is lost.

`make kill-run` is the long one. Steps of the handlers at which the first launchers die by themselves are chosen: the
first one makes a duplicate for sure, so that the count of them cannot be empty.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from bench.processes import descendants
from tests.choice import IS_QUICK
from tests.system.kill_run.file_runs import file_runs
from tests.system.kill_run.grouped_calls import QUIET_SECS as GROUPED_SECS
from tests.system.kill_run.grouped_calls import grouped_calls_run
from tests.system.kill_run.plan import Victim, make_plan
from tests.system.kill_run.run import ACCEPT_SECS, QUIET_SECS, REQUIRED_SECS, VARIABLES, kill_run
from tests.system.kill_run.signed_calls import signed_calls_run
from tests.system.kill_run.watched_runs import watched_runs
from tests.system.local_stack import ROOT, LocalStack, find_runner, traces, wait_for

SEED = 259
FILES_SEED = 24
"""Kills a runner, then a process with functions. `tests/system/test_files.py` kills everything during uploads."""
SECS = 20 if IS_QUICK else 50
FAILPOINTS = ("webhook.after_send", "announce.after_bus", "complete.after_write", "webhook.after_record")


@pytest.mark.timeout(SECS + REQUIRED_SECS + ACCEPT_SECS + QUIET_SECS + 120)
def test_kills_of_every_part_and_of_everything_lose_nothing(own_stack: Callable[..., LocalStack]) -> None:
    told: list[str] = []
    report = kill_run(own_stack(**VARIABLES), make_plan(SEED, SECS, 60, FAILPOINTS), SEED, told.append)
    story = "\n".join([*told, *report.judgement.lines(), report.summary])
    assert report.is_good, story
    assert report.submissions >= 60, story
    assert {kill.victim for kill in report.kills} == {*Victim}, story
    assert "webhook.after_send" in {kill.failpoint for kill in report.kills}, story
    assert report.judgement.duplicates, story


@pytest.mark.whole
@pytest.mark.timeout(QUIET_SECS + 300)
def test_each_signed_call_sent_three_times_has_one_run_and_one_delivery(own_stack: Callable[..., LocalStack]) -> None:
    report = signed_calls_run(own_stack(**VARIABLES), events=200, kills=5, seed=SEED)
    assert report.problems == [], report.summary
    assert (report.calls, report.kills.total()) == (600, 5), report.summary


# Six minutes: a full group looks for ends that were lost every two minutes.
@pytest.mark.whole
@pytest.mark.timeout(GROUPED_SECS + 300)
def test_each_grouped_call_runs_or_is_superseded_and_no_key_has_too_many(own_stack: Callable[..., LocalStack]) -> None:
    report = grouped_calls_run(own_stack(**VARIABLES), calls=300, keys=20, kills=4, seed=SEED)
    assert report.problems == [], report.summary
    assert (report.runs.total(), report.kills.total()) == (300, 4), report.summary
    assert {*report.runs} >= {"passed", "superseded"}, report.summary


@pytest.mark.whole
@pytest.mark.timeout(GROUPED_SECS + 1_800)
def test_ten_thousand_grouped_calls_survive_twenty_kills(own_stack: Callable[..., LocalStack]) -> None:
    report = grouped_calls_run(own_stack(**VARIABLES), calls=10_000, keys=100, kills=20, seed=SEED)
    assert report.problems == [], report.summary
    assert (report.runs.total(), report.kills.total()) == (10_000, 20), report.summary


@pytest.mark.whole
@pytest.mark.timeout(QUIET_SECS + 300)
def test_no_file_or_artifact_is_lost_or_half(own_stack: Callable[..., LocalStack]) -> None:
    report = file_runs(own_stack(**VARIABLES), rounds=4, kills=2, seed=FILES_SEED)
    assert report.problems == [], report.summary
    assert (report.rounds, report.kills["runner"]) == (4, 1), report.summary


@pytest.mark.whole
@pytest.mark.timeout(QUIET_SECS + 300)
def test_watched_and_cancelled_runs_end_once_and_show_one_execution(own_stack: Callable[..., LocalStack]) -> None:
    report = watched_runs(own_stack(**VARIABLES), runs=24, kills=5, seed=SEED)
    assert report.problems == [], report.summary
    assert (report.runs.total(), report.kills.total()) == (24, 5), report.summary


def working_runner(kill_run: int, folder: Path) -> int | None:
    """Return the runner's pid; None before one works, and while another takes the place of a killed one."""
    if not any(folder.glob("*/state/runner/alive")):
        return None
    # The launcher comes first. A process that the runner starts may look like another runner for a moment.
    return next(filter(None, map(find_runner, descendants(kill_run))), None)


@pytest.mark.whole
def test_a_signal_ends_a_kill_run_and_everything_of_it(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.system.kill_run", "--submissions", "10"],
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(tmp_path)},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        runner = wait_for(lambda: working_runner(process.pid, tmp_path), 60, "a runner works")
        process.send_signal(signal.SIGTERM)
        assert process.wait(90) == 128 + signal.SIGTERM
        assert traces(tmp_path, {runner}) == {"processes": 0, "mounts": 0, "groups": 0}
        assert list(tmp_path.iterdir()) == []
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate(timeout=60)
