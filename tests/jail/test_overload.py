"""Eight slots of spinners beside honest runs: none is told that it was too slow, and sleepers still are."""

import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime

import pytest

from events.completed import ExecutionCompleted
from events.program import RequestedLimits
from sandbox_runtime.executor import execute
from sandbox_runtime.executor.report import CPU_BOUND_RATIO
from sandbox_runtime.jail import JailSpec, Limits, Outcome, Slot, SlotConfig, open_slot
from sandbox_runtime.languages import Language, binds, warm_start
from tests.jail.guest_requests import request
from tests.jail.slots import PYTHON, PYTHON_FORK, TOOLCHAINS
from tests.jail.weakened.limits import SLOWNESS
from tests.until import until

SPINNERS = 8
CPUS = 2
LIMITS = Limits(600, 600, 64 << 20, CPUS + 4, 16, 1 << 20, 1000)
SPINNER = JailSpec((PYTHON, "-c", f"import os\n[os.fork() for _ in range({CPUS - 1})]\nwhile True: pass"), LIMITS)
# It needs 40 % of its wall time, and gets a quarter while all of them spin.
WALL_SECS = SLOWNESS
HONEST = f"""
import time
while time.process_time() < {0.4 * SLOWNESS}:
    pass
"""
LOOP = "while True: pass"
SLEEPER = "import time; time.sleep(100)"


class Recorded:
    """A slot that remembers its outcomes."""

    def __init__(self, slot: Slot) -> None:
        self._slot = slot
        self.outcomes: list[Outcome] = []

    def answer(self, spec: JailSpec, *, cancel_fd: int | None = None) -> Outcome:
        self.outcomes.append(self._slot.answer(spec, cancel_fd=cancel_fd))
        return self.outcomes[-1]


@pytest.fixture(scope="module")
def two_cpus() -> Iterator[None]:
    """The same load on each of two CPUs, whatever machine this is."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, sorted(before)[:CPUS])
    yield
    os.sched_setaffinity(0, before)


@pytest.fixture(scope="module")
def slot(languages: Mapping[str, Language], two_cpus: None) -> Iterator[Slot]:
    assert two_cpus is None
    mounts, warm = binds(tuple(languages.values()), TOOLCHAINS), warm_start(languages.values())
    with open_slot(SlotConfig("honest", 30, mounts, warm=warm if PYTHON_FORK else None)) as opened:
        yield opened


@contextmanager
def spinners() -> Iterator[None]:
    cancel_fd = os.eventfd(0)
    with ExitStack() as stack:
        stack.callback(os.close, cancel_fd)
        slots = [
            stack.enter_context(open_slot(SlotConfig(f"spinner-{number}", 31 + number))) for number in range(SPINNERS)
        ]
        threads = [
            threading.Thread(target=slot.run, args=(SPINNER,), kwargs={"cancel_fd": cancel_fd}) for slot in slots
        ]
        for thread in threads:
            thread.start()
        try:
            until(lambda: all(slot._groups.cpu_usage_usec() > 50_000 for slot in slots))
            yield
        finally:
            os.eventfd_write(cancel_fd, 1)
            for thread in threads:
                thread.join()


def judged(
    jail: Recorded, python: Language, code: str, wall_secs: float = WALL_SECS, cpu_secs: float | None = None
) -> ExecutionCompleted:
    asked = request("python", code.encode(), limits=RequestedLimits(cpu_time_secs=cpu_secs, wall_time_secs=wall_secs))
    return execute(jail, asked, python, node_id="tests", started_at=datetime.now(UTC))


def test_beside_spinners_no_honest_run_is_called_too_slow(slot: Slot, languages: Mapping[str, Language]) -> None:
    jail = Recorded(slot)
    with spinners():
        found = judged(jail, languages["python"], HONEST).result
        sleeper = Recorded(slot)
        # Its first instructions wait for a CPU too: a small part of this time.
        assert judged(sleeper, languages["python"], SLEEPER, 4 * WALL_SECS).result.cause == "tle_wall_judge"
    assert found.cause == "normal_exit"
    (honest,) = jail.outcomes
    assert honest.wall_usec > WALL_SECS * 1e6, "without the measure it was TLE"


def test_beside_spinners_an_endless_loop_is_too_slow(slot: Slot, languages: Mapping[str, Language]) -> None:
    jail = Recorded(slot)
    with spinners():
        completed = judged(jail, languages["python"], LOOP, cpu_secs=WALL_SECS / 4)
    assert (completed.result.verdict, completed.result.cause) == ("TLE", "tle_cpu_judge")
    assert len(jail.outcomes) == 1
    assert completed.metrics is not None
    assert completed.metrics.cpu_wall_ratio < CPU_BOUND_RATIO
    assert completed.metrics.divergence != "sleep_or_block_bound"
