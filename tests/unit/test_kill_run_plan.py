"""The plan of a kill run follows from its seed, and a kill hits nobody but its victim."""

import os
import signal
import subprocess
import sys
from collections import Counter

import pytest

from tests.system.kill_run.killer import kill_child
from tests.system.kill_run.plan import FAILPOINTS, REQUIRED, Victim, make_plan


def test_a_seed_repeats_its_plan_and_another_makes_another() -> None:
    assert make_plan(1, 120, 300) == make_plan(1, 120, 300)
    assert make_plan(1, 120, 300) != make_plan(2, 120, 300)


def test_a_plan_kills_every_kind_at_every_step_and_has_every_kind_of_job() -> None:
    for seed in range(20):
        plan = make_plan(seed, 120, 300)
        counts = Counter((kill.victim, kill.settled) for kill in plan.kills[:200])
        assert min(counts[victim, True] for victim in Victim) >= 3
        assert sum(counts[victim, False] for victim in Victim) >= 1
        assert {*plan.failpoints} == {*FAILPOINTS}
        assert len({job.key for job in plan.jobs}) == 300
        assert len({(job.waits, job.repeats, job.own) for job in plan.jobs}) == 12


def test_every_plan_begins_with_a_kill_of_every_kind_in_the_same_order() -> None:
    plans = [make_plan(seed, secs, 60) for seed in range(20) for secs in (1, 120)]
    assert {tuple((kill.victim, kill.signal) for kill in plan.required) for plan in plans} == {REQUIRED}
    assert {victim for victim, number in REQUIRED if number is signal.SIGKILL} == {*Victim}
    assert all(kill.settled for plan in plans for kill in plan.required)


def test_the_first_launcher_that_is_started_again_has_the_required_failpoint() -> None:
    plan = make_plan(1, 50, 60, ("webhook.after_send", "announce.after_bus"))
    assert plan.required[0].victim is Victim.LAUNCHER
    assert plan.required_failpoint == plan.failpoints[0] == "webhook.after_send"
    assert make_plan(1, 50, 60).required_failpoint is None


def test_every_signal_comes_to_every_kind_but_only_sigkill_to_everything() -> None:
    plan = make_plan(1, 1000, 300)
    counts = Counter((kill.victim, kill.signal) for kill in plan.kills)
    assert {number for victim, number in counts if victim is Victim.EVERYTHING} == {signal.SIGKILL}
    for victim in {*Victim} - {Victim.EVERYTHING}:
        numbers = {number: count for (kind, number), count in counts.items() if kind is victim}
        assert {*numbers} == {signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP}
        assert max(numbers, key=numbers.__getitem__) is signal.SIGKILL


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_only_a_child_of_the_named_parent_is_killed(number: signal.Signals) -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        assert not kill_child(child.pid, os.getppid())
        assert child.poll() is None
        assert kill_child(child.pid, os.getpid(), number)
        assert child.wait(60) == -number
    assert not kill_child(child.pid, os.getpid())
