"""The choice of the CPU on which a run is set up, and its effect on a template, here a sleeping process."""

import os
import subprocess
from collections.abc import Iterator

import pytest

from sandbox_runtime.jail.supervisor.slot import SetUpCpus, SlotCpu

ALL = os.sched_getaffinity(0)


@pytest.fixture
def template() -> Iterator[int]:
    with subprocess.Popen(("/bin/sleep", "60")) as process:
        yield process.pid
        process.kill()


def test_runs_that_overlap_are_spread_over_the_cpus() -> None:
    cpus = SetUpCpus({3, 5, 7})
    assert sorted(cpus.take(None) for _ in range(6)) == [3, 3, 5, 5, 7, 7]
    cpus.give_back(5)
    assert cpus.take(None) == 5


def test_a_slot_stays_on_its_cpu_while_no_other_has_fewer_runs() -> None:
    cpus = SetUpCpus({3, 5})
    for last in (5, 3, 5):
        assert cpus.take(last) == last
        cpus.give_back(last)
    assert cpus.take(5) == 5
    assert cpus.take(5) == 3


def test_a_template_is_pinned_once_until_it_is_released(template: int) -> None:
    shared = SetUpCpus(ALL)
    slot = SlotCpu(shared)
    slot.pin(template)
    slot.pin(template)
    (pinned,) = os.sched_getaffinity(template)
    others = [shared.take(None) for _ in range(len(ALL) - 1)]
    assert {pinned, *others} == ALL
    slot.release()
    slot.release()
    assert shared.take(None) == pinned


def test_without_shared_cpus_the_kernel_chooses(template: int) -> None:
    slot = SlotCpu(None)
    slot.pin(template)
    slot.release()
    assert os.sched_getaffinity(template) == ALL


def test_a_cpu_that_the_host_does_not_give_leaves_the_template_as_it_is(template: int) -> None:
    slot = SlotCpu(SetUpCpus({1023}))
    slot.pin(template)
    assert os.sched_getaffinity(template) == ALL
