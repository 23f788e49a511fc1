"""Runs are set up on one CPU, and their programs may use all CPUs of the runner."""

import os
from collections.abc import Iterator

import pytest

from sandbox_runtime.jail import SetUpCpus, Slot, open_slot
from sandbox_runtime.languages import warm_start
from sandbox_runtime.languages.python import PYTHON
from tests.jail.prewarmed import PREWARMED, good, python
from tests.jail.slots import slot_config

ALL = sorted(os.sched_getaffinity(0))
SHOW = "import os\nprint(sorted(os.sched_getaffinity(0)))"


@pytest.fixture(params=["fork", "exec"])
def slot(request: pytest.FixtureRequest) -> Iterator[Slot]:
    warm = warm_start([PYTHON]) if request.param == "fork" else None
    with open_slot(slot_config("set-up-cpus", 43, warm=warm, set_up_cpus=SetUpCpus(ALL))) as opened:
        yield opened


def test_a_program_may_use_all_cpus_while_its_template_stays_on_one(slot: Slot) -> None:
    for _ in range(3):
        assert good(slot.run(python(SHOW))) == f"{ALL}\n".encode()
        assert len(os.sched_getaffinity(slot.template_pid)) == 1


def test_a_prewarmed_program_may_use_all_cpus(slot: Slot) -> None:
    slot.prewarm(PREWARMED)
    assert good(slot.run(python(SHOW))) == f"{ALL}\n".encode()


def test_slots_that_work_at_the_same_time_use_different_cpus() -> None:
    shared = SetUpCpus(ALL)
    with (
        open_slot(slot_config("set-up-first", 43, set_up_cpus=shared)) as first,
        open_slot(slot_config("set-up-second", 44, set_up_cpus=shared)) as second,
    ):
        for slot in (first, second):
            assert good(slot.answer(python("print(1)"))) == b"1\n"
        used = [os.sched_getaffinity(slot.template_pid) for slot in (first, second)]
        assert len(used[0] | used[1]) == min(2, len(ALL))
