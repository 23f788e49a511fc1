"""Programs that import data packages, and what guests see of their folder. `install.sh --jail` installs them."""

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime

import pytest

from events.completed import ExecutionCompleted
from events.program import RequestedLimits
from sandbox_runtime.executor import execute
from sandbox_runtime.jail import Slot, open_slot
from sandbox_runtime.languages import Language, binds, package_versions, present, warm, warm_start
from tests.jail.guest_requests import request
from tests.jail.installed_data_packages import toolchains_with_packages
from tests.jail.slots import slot_config
from tests.jail.weakened.limits import patient

# fmt: off
MODULES = (
    "numpy", "pandas", "scipy.stats", "matplotlib.pyplot", "seaborn", "sklearn.linear_model", "sympy", "networkx",
    "PIL.Image", "openpyxl", "lxml.etree", "bs4", "requests", "dateutil.parser", "yaml", "tabulate",
)
# fmt: on
# The default limits of CPU time are for programs that import little.
PATIENT = RequestedLimits(cpu_time_secs=15, wall_time_secs=25, memory_mb=1024, file_size_mb=10)


@pytest.fixture(scope="module")
def toolchains(tmp_path_factory: pytest.TempPathFactory) -> str:
    return toolchains_with_packages(tmp_path_factory.mktemp("toolchains"))


@pytest.fixture(scope="module")
def languages(toolchains: str) -> Mapping[str, Language]:
    found = {name: patient(language) for name, language in present(toolchains).items() if name == "python"}
    warm(found["python"], toolchains)
    return found


@pytest.fixture(scope="module")
def slot(languages: Mapping[str, Language], toolchains: str) -> Iterator[Slot]:
    """A slot that forks its programs. test_data_slot compares programs with those that start by exec."""
    mounts, warm = binds(tuple(languages.values()), toolchains), warm_start(languages.values())
    with open_slot(slot_config("data", 0, mounts, warm=warm)) as opened:
        yield opened


@pytest.fixture
def run(slot: Slot, languages: Mapping[str, Language]) -> Callable[[str], str]:
    def run_program(code: str) -> str:
        asked = request("python", code.encode(), limits=PATIENT)
        completed = execute(slot, asked, languages["python"], node_id="tests", started_at=datetime.now(UTC))
        slot.settle()
        return _stdout(completed)

    return run_program


def _stdout(completed: ExecutionCompleted) -> str:
    assert (completed.result.verdict, completed.stderr.inline) == ("AC", b""), completed
    return completed.stdout.inline.decode()


def test_each_package_is_imported_without_a_warning_and_one_thread_is_enough(run: Callable[[str], str]) -> None:
    imports = "".join(f"import {module}\nprint({module}.__name__)\n" for module in MODULES)
    threads = "import os\nprint(os.listdir('/proc/self/task') == [str(os.getpid())])"
    assert run(f"{imports}{threads}").split() == [*MODULES, "True"]


def test_the_packages_that_are_reported_are_those_of_the_list(toolchains: str) -> None:
    assert len(package_versions(toolchains)) == len(MODULES) == 16


def test_a_table_is_computed_and_a_plot_is_drawn(run: Callable[[str], str]) -> None:
    code = """
import numpy, pandas
import matplotlib.pyplot as plt
table = pandas.DataFrame({"group": ["a", "b", "a"], "value": numpy.arange(3)})
print(table.groupby("group").value.sum().to_dict())
print(numpy.linalg.inv(numpy.eye(50) * 2).sum())
table.plot(x="group", y="value")
plt.savefig("plot.png")
print(open("plot.png", "rb").read(4))
"""
    assert run(code) == "{'a': 2, 'b': 1}\n25.0\nb'\\x89PNG'\n"


def test_modules_of_the_standard_library_come_from_the_standard_library(run: Callable[[str], str]) -> None:
    code = "import sys, importlib.util as u\nnames = sorted(sys.stdlib_module_names)\n"
    code += (
        "print([n for n in names if (s := u.find_spec(n) if n not in sys.modules else None) and s.origin"
        " and 'rustbox' in s.origin])"
    )
    assert run(code) == "[]\n"


def test_nobody_can_write_to_the_packages(run: Callable[[str], str]) -> None:
    code = """
import os, numpy
folder = os.path.dirname(os.path.dirname(numpy.__file__))
for path in (f"{folder}/planted.py", numpy.__file__):
    for attempt in (lambda: open(path, "a"), lambda: os.unlink(path), lambda: os.chmod(path, 0o777)):
        try:
            attempt()
            print("changed", path)
        except OSError:
            pass
print(folder)
"""
    assert run(code) == "/opt/rustbox/data\n"


def test_memory_policies_and_cpus_are_asked_without_a_kill(run: Callable[[str], str]) -> None:
    code = """
import ctypes, errno, os
libc = ctypes.CDLL(None, use_errno=True)
numbers = {"x86_64": (237, 239), "aarch64": (235, 236)}[os.uname().machine]  # mbind, get_mempolicy
for number in numbers:
    print(libc.syscall(number, 0, 0, 0, 0, 0, 0), errno.errorcode[ctypes.get_errno()])
print(len(os.sched_getaffinity(0)) > 0)
"""
    assert run(code) == "-1 EPERM\n-1 EPERM\nTrue\n"


SHOWS = """
import matplotlib.pyplot as plt
plt.plot([1, 2])
plt.figure()
plt.show()
plt.plot([2, 1])
plt.show()
"""


@pytest.mark.parametrize(
    ("artifacts", "expected"), [(("*.png",), ["figure-1.png", "figure-2.png", "figure-3.png"]), (None, None)]
)
def test_shown_figures_are_files_if_the_request_has_artifacts(
    slot: Slot, languages: Mapping[str, Language], artifacts: tuple[str, ...] | None, expected: list[str] | None
) -> None:
    asked = request("python", SHOWS.encode(), limits=PATIENT).changed(artifacts=artifacts)
    completed = execute(
        slot,
        asked,
        languages["python"],
        node_id="tests",
        started_at=datetime.now(UTC),
        store_artifact=lambda number, _: f"outputs/{asked.submission_id}/{asked.execution_id}/artifact-{number}",
    )
    slot.settle()
    assert _stdout(completed) == ""
    found = completed.artifacts
    assert (None if found is None else [artifact.path for artifact in found]) == expected
