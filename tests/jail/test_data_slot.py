"""Programs in the data slot see the same as in a fresh interpreter, and have random numbers of their own."""

import logging
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from threading import Event
from typing import Any, cast

import pytest

from sandbox_runtime import prewarm
from sandbox_runtime.commands.worker_slots import open_worker_slots
from sandbox_runtime.jail import JailSpec, Outcome, Slot, StopReason, WarmStart, open_slot
from sandbox_runtime.languages import Language, binds, data_start, imports_packages, present, run_spec, warm
from sandbox_runtime.prewarm import DataSlot, PrewarmedSlot, WaitingPool
from sandbox_runtime.settings import worker_settings
from tests.choice import whole_but
from tests.jail.installed_data_packages import toolchains_with_packages
from tests.jail.slots import slot_config
from tests.jail.weakened.limits import patient
from tests.until import until

MIB = 1 << 20
PLOT = """
import matplotlib.pyplot as plt
import numpy as np
plt.plot(np.arange(10), np.arange(10) ** 2, label="squares")
plt.title("A plot")
plt.legend()
plt.savefig("plot.png")
import hashlib
print(hashlib.sha256(open("plot.png", "rb").read()).hexdigest(), plt.get_fignums(), plt.get_backend())
"""
PROGRAMS = {
    "plot": PLOT,
    "table": (
        "import pandas as pd\nt = pd.DataFrame({'g': list('aab'), 'v': [1.5, 2, 3]})\n"
        "print(t.groupby('g').v.describe())\nt.to_csv('t.csv')\nprint(pd.read_csv('t.csv').dtypes)"
    ),
    "error": "import numpy as np\nprint('before')\nnp.zeros(3) + np.zeros(4)\n",
    "warning": "import numpy as np\nprint(np.array([1.0]) / np.array([0.0]))",
    "exit code": "import numpy, sys\nsys.exit(7)",
    "threads": (
        "import numpy as np\nfrom concurrent.futures import ThreadPoolExecutor\n"
        "with ThreadPoolExecutor(4) as pool:\n    print(list(pool.map(lambda n: int(np.arange(n).sum()), range(5))))"
    ),
    "children": "import numpy, subprocess\nsubprocess.run(['python3', '-c', 'import numpy; print(numpy.__version__)'])",
    "scipy": "from scipy import linalg\nimport numpy as np\nprint(linalg.det(np.eye(3) * 2))",
    "settings": (
        "import matplotlib, numpy, os\nprint(sorted(os.environ.items()))\n"
        "print(matplotlib.matplotlib_fname(), matplotlib.get_cachedir(), numpy.get_printoptions())\n"
        "print(dict(matplotlib.rcParams))"
    ),
    "folder": "import matplotlib.pyplot\nimport os\nprint(sorted(os.listdir('.')))",
}


class Rig:
    """The language with packages, and ways to run it."""

    def __init__(self, toolchains: str) -> None:
        self.toolchains = toolchains
        self.python: Language = patient(present(toolchains)["python"])
        warm(self.python, toolchains)
        self.binds = binds((self.python,), toolchains)
        start = data_start((self.python,))
        assert start is not None
        self.start: WarmStart = start

    def spec(self, code: str) -> JailSpec:
        asked = {"cpu_time_secs": 15, "wall_time_secs": 60, "file_size_mb": 5, "max_processes": 32}
        return run_spec(self.python, code.encode(), None, limits=self.python.run_limits("judge", **asked), stdin=b"")

    def open_own(self) -> Slot:
        return open_slot(slot_config("own", 30, self.binds))

    def open_data(self, setup: str | None = None) -> Slot:
        start = self.start if setup is None else replace(self.start, setup=setup)
        return open_slot(slot_config("data", 31, self.binds, warm=start))


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Rig:
    return Rig(toolchains_with_packages(tmp_path_factory.mktemp("toolchains")))


@pytest.fixture(scope="module")
def own(rig: Rig) -> Iterator[Slot]:
    """Each program starts by exec."""
    with rig.open_own() as slot:
        yield slot


@pytest.fixture(scope="module")
def forks(rig: Rig) -> Iterator[Slot]:
    """Each program is a fork of the data template."""
    with rig.open_data() as slot:
        yield slot


def prewarmed(slot: Slot, spec: JailSpec) -> Outcome:
    slot.prewarm(replace(spec, files=()))
    return slot.run(spec)


@pytest.mark.parametrize("name", whole_but(PROGRAMS, ["plot", "error", "exit code", "settings"]))
def test_a_program_prints_the_same_as_by_exec(rig: Rig, own: Slot, forks: Slot, name: str) -> None:
    spec = rig.spec(PROGRAMS[name])
    expected, found = own.run(spec), prewarmed(forks, spec)
    assert expected.stop_reason is StopReason.NONE
    assert (found.stdout, found.stderr, found.exit_code) == (expected.stdout, expected.stderr, expected.exit_code)


def test_random_numbers_differ_in_each_of_20_runs(rig: Rig, forks: Slot) -> None:
    code = "import numpy, random\nprint(numpy.random.random(), random.random(), numpy.random.default_rng().random())"
    spec = rig.spec(code)
    printed = [prewarmed(forks, spec).stdout.split() for _ in range(20)]
    for values in zip(*printed, strict=True):
        assert len(set(values)) == 20


def test_template_and_run_have_one_thread(rig: Rig, forks: Slot) -> None:
    found = prewarmed(forks, rig.spec("import numpy, os\nprint(len(os.listdir('/proc/self/task')))"))
    assert found.stdout == b"1\n"
    assert len(list(Path(f"/proc/{forks.template_pid}/task").iterdir())) == 1


def test_the_memory_of_the_template_is_not_the_programs(rig: Rig, forks: Slot) -> None:
    usage = prewarmed(forks, rig.spec("import numpy, pandas, matplotlib.pyplot")).evidence.cgroup
    assert usage is not None
    assert usage.memory_peak_bytes < 16 * MIB
    used = prewarmed(forks, rig.spec("import numpy\nnumpy.ones(300 << 17)")).evidence.cgroup
    assert used is not None
    assert used.oom_kill_events > 0, "300 MiB in a limit of 256"


@contextmanager
def shared(rig: Rig, own: Slot, opener: Callable[[], Slot]) -> Iterator[tuple[DataSlot, PrewarmedSlot]]:
    data = DataSlot(opener, partial(imports_packages, rig.start))
    data.start()
    try:
        yield data, PrewarmedSlot(own, WaitingPool((), cast("Any", None)), [data])
    finally:
        data.close()


# Its packages take seconds of CPU time to import: a template with another module shows the same of the slot.
SETUP = "import wave\nafter_fork = int"
WHERE = "import sys\nprint('wave' in sys.modules)\nif False:\n    import numpy"


def test_the_data_slot_is_opened_at_the_first_need_and_lent_to_one_run(rig: Rig, own: Slot) -> None:
    opened: list[Slot] = []

    def opener() -> Slot:
        opened.append(rig.open_data(SETUP))
        return opened[-1]

    with shared(rig, own, opener) as (data, slot):

        def answer(code: str) -> bytes:
            try:
                return slot.answer(rig.spec(code)).stdout
            finally:
                slot.settle()

        assert answer("import sys\nprint('numpy' in sys.modules)") == b"False\n"
        assert not opened, "nothing wanted it"
        assert answer(WHERE) == b"True\n", "the first one waits for it"
        until(lambda: data.borrow(rig.spec(WHERE)) is not None)
        assert answer(WHERE) == b"False\n", "another run has it"
        data.give_back()
        until(lambda: answer(WHERE) == b"True\n")
        # Its files can be read until the slot is settled.
        code = f"{WHERE}\nopen('made', 'w').write('x')"
        until(lambda: (box := slot.answer(replace(rig.spec(code), keeps_box=True)).box) and box.read("made", MIB))
        slot.settle()
        os.kill(opened[0].template_pid, signal.SIGKILL)
        assert answer(WHERE) in {b"True\n", b"False\n"}
        until(lambda: answer(WHERE) == b"True\n")
        assert len(opened) >= 2  # more if one was not ready in time, beside much other work


def test_an_idle_data_slot_is_closed(rig: Rig, own: Slot, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[Slot] = []

    def opener() -> Slot:
        opened.append(rig.open_data("after_fork = int"))
        return opened[-1]

    with shared(rig, own, opener) as (_, slot):
        slot.answer(rig.spec(WHERE))
        slot.settle()
        monkeypatch.setattr(prewarm, "IDLE_SECS", 0.0)
        slot.answer(rig.spec(WHERE))
        slot.settle()
        until(lambda: opened and not opened[0].healthy)


def test_a_second_data_slot_is_opened_while_the_first_has_a_run(rig: Rig, own: Slot) -> None:
    opened: list[int] = []
    wants = partial(imports_packages, rig.start)

    def opener(number: int) -> Slot:
        opened.append(number)
        return open_slot(slot_config(f"data-{number}", 31 - number, rig.binds, warm=replace(rig.start, setup=SETUP)))

    first = DataSlot(partial(opener, 0), wants)
    second = DataSlot(partial(opener, 1), wants, opening_secs=0)
    slot = PrewarmedSlot(own, WaitingPool((), cast("Any", None)), [first, second])

    def answer() -> bytes:
        try:
            return slot.answer(rig.spec(WHERE)).stdout
        finally:
            slot.settle()

    with ExitStack() as stack:
        for data in (first, second):
            data.start()
            stack.callback(data.close)
        assert [answer() for _ in range(5)] == [b"True\n"] * 5
        assert opened == [0], "one program at a time"
        until(lambda: first.borrow(rig.spec(WHERE)) is not None)
        until(lambda: answer() == b"True\n")
        assert opened == [0, 1]
        first.give_back()


def test_a_template_with_a_second_thread_is_refused(rig: Rig, own: Slot, caplog: pytest.LogCaptureFixture) -> None:
    setup = "import threading\nthreading.Thread(target=threading.Event().wait, daemon=True).start()\nafter_fork = int"
    with caplog.at_level(logging.WARNING), shared(rig, own, lambda: rig.open_data(setup)) as (data, slot):
        assert slot.answer(rig.spec(WHERE)).stdout == b"False\n"
        slot.settle()
        until(lambda: [record for record in caplog.records if "2 threads" in str(record.__dict__.get("reason"))])
        assert data.borrow(rig.spec(WHERE)) is None


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("import numpy", True),
        ("  from pandas.core import x", True),
        ("import os, sys; import matplotlib.pyplot as plt", True),
        ("import os\n\timport os, numpy as np\n", True),
        ("import mynumpy", False),
        ("print('import numpy')", False),
        ("importnumpy", False),
        ("", False),
    ],
)
def test_the_guess_reads_lines_of_imports(rig: Rig, code: str, expected: int) -> None:
    assert imports_packages(rig.start, rig.spec(code)) == expected


def test_the_guess_is_made_in_linear_time(rig: Rig) -> None:
    assert not imports_packages(rig.start, rig.spec("import " * 40_000 + "\n" + " \t" * 200_000 + "numpy"))


def test_the_slots_of_a_worker_share_a_data_slot(rig: Rig, tmp_path: Path) -> None:
    needed = ("INTERACTIVE_QUEUE_URL", "BATCH_QUEUE_URL", "COMPLETIONS_QUEUE_URL", "PAYLOADS_BUCKET")
    variables = {"SLOTS": "1", "TOOLCHAINS_DIR": rig.toolchains, "TRIALS_DIR": str(tmp_path)}
    found = worker_settings(dict.fromkeys(needed, "https://x/y") | variables)
    stop = Event()
    code = "import sys\nprint('matplotlib.pyplot' in sys.modules)\nimport numpy"
    with ExitStack() as stack:
        managed, _ = open_worker_slots(found, (), {"python": rig.python}, stack, stop)

        def answer() -> bytes:
            try:
                return managed[0].slot.answer(rig.spec(code)).stdout
            finally:
                assert managed[0].get_ready(stop)

        assert answer() == b"True\n"
