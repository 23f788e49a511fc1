"""Whether a runner offers network is tried at its start, with the maker and the egress proxy as runs use them."""

import sys
from importlib.metadata import distribution
from pathlib import Path

import pytest

from sandbox_runtime.network import network_problem
from sandbox_runtime.network.proxy.client import CODE
from tests.commands import run_to_end

_TARGET = "import sandbox_runtime.network.proxy.process.target as target"
_CONFINEMENT = "import sandbox_runtime.network.confinement as confinement"
_FORBIDDEN = "def forbidden(*_): raise PermissionError(13, 'Permission denied')"


def groups() -> set[Path]:
    return set(Path("/sys/fs/cgroup").rglob("*egress-proxy*"))


def test_this_host_gives_runs_a_network_and_the_trial_leaves_nothing() -> None:
    before = groups()
    assert network_problem() == ""
    assert groups() <= before


def test_packages_may_be_in_a_folder_of_pythonpath() -> None:
    """As in the runner's image. The interpreter is the one below this environment, which has no packages."""
    folders = [Path(__file__).parents[3], Path(str(distribution("dnspython").locate_file("")))]
    done = run_to_end(
        [
            Path(sys.executable).resolve(),
            "-c",
            "from sandbox_runtime import network; print([network.network_problem()])",
        ],
        env={"PYTHONPATH": ":".join(map(str, folders))},
        cwd="/",
    )
    assert (done.stdout, done.stderr) == ("['']\n", "")


@pytest.mark.parametrize(
    ("refused", "expected"),
    [
        ("raise SystemExit('no such user')", "start the egress proxy: no such user: the runner needs CAP_SETUID"),
        (f"{_CONFINEMENT}\n{_FORBIDDEN}\nconfinement.become_guest = forbidden", "Permission denied: the runner needs"),
        (f"{_TARGET}\n{_FORBIDDEN}\ntarget.Connector._begin = forbidden", "no connection through the egress proxy ("),
    ],
    ids=["process", "user", "connect"],
)
def test_a_host_that_forbids_a_step_of_the_proxy_says_so(refused: str, expected: str) -> None:
    problem = network_problem(f"{refused}\n{CODE}")
    assert expected in problem
    assert "the runner" in problem
