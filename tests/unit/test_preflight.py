"""The check of a host before anything is installed: one line for each need, and a way out in each line that fails."""

import os
import socket
from pathlib import Path

import pytest

from tests.commands import run_to_end

ROOT = Path(__file__).parents[2]
DEBIAN_13 = 'ID=debian\nVERSION_ID=13\nPRETTY_NAME="Debian GNU/Linux 13 (trixie)"\n'
CONTROLLERS = "#subsys_name\thierarchy\tnum_cgroups\tenabled\ncpu\t1\t1\t1\npids\t2\t1\t1\nmemory\t3\t1\t{memory}\n"


@pytest.fixture
def host(tmp_path: Path) -> dict[str, str]:
    """A host that has everything; the rest of the environment is this one's."""
    (tmp_path / "os-release").write_text(DEBIAN_13)
    (tmp_path / "cgroups").write_text(CONTROLLERS.format(memory=1))
    (tmp_path / "meminfo").write_text("MemTotal:       4000000 kB\n")
    (tmp_path / "core_pattern").write_text("core\n")
    return {
        "OS_RELEASE": str(tmp_path / "os-release"),
        "CGROUPS": str(tmp_path / "cgroups"),
        "CGROUP_CONTROLLERS": str(tmp_path / "cgroup.controllers"),  # there with version 2 only
        "MEMINFO": str(tmp_path / "meminfo"),
        "CORE_PATTERN": str(tmp_path / "core_pattern"),
    }


def checked(host: dict[str, str], *arguments: str) -> tuple[int, str, list[str]]:
    """Return exit code, output, and the lines that fail."""
    done = run_to_end(["/bin/bash", "infra/setup/preflight.sh", *arguments], env=os.environ | host, timeout=30)
    return done.returncode, done.stdout, [line for line in done.stdout.splitlines() if line.startswith("  FAIL")]


def test_a_good_host_passes_and_lists_its_controls(host: dict[str, str]) -> None:
    code, output, failed = checked(host)
    assert (code, failed) == (0, [])
    assert "ok    distribution    Debian GNU/Linux 13 (trixie)" in output
    assert "ok    control groups  memory, pids, cpu" in output


def test_good_host_is_not_mentioned_again(host: dict[str, str]) -> None:
    assert checked(host, "--quiet") == (0, "", [])


def release(identity: str, version: str, name: str) -> str:
    return f'ID={identity}\n{version}\nPRETTY_NAME="{name}"\n'


@pytest.mark.parametrize(
    ("version", "name"),
    [("VERSION_CODENAME=forky", "Debian GNU/Linux forky/sid"), ("VERSION_ID=14", "Debian GNU/Linux 14 (forky)")],
)
def test_next_debian_passes(host: dict[str, str], version: str, name: str) -> None:
    Path(host["OS_RELEASE"]).write_text(release("debian", version, name))
    code, output, _ = checked(host)
    assert code == 0
    assert f"ok    distribution    {name}\n" in output


@pytest.mark.parametrize("version", ["24.04", "26.04"])
def test_distribution_that_was_never_tried_passes_and_says_so(host: dict[str, str], version: str) -> None:
    Path(host["OS_RELEASE"]).write_text(release("ubuntu", f'VERSION_ID="{version}"', f"Ubuntu {version} LTS"))
    code, output, _ = checked(host)
    assert code == 0
    assert f"ok    distribution    Ubuntu {version} LTS, which we have not tested" in output


@pytest.mark.parametrize(
    ("identity", "version", "name"),
    [
        ("debian", "VERSION_ID=12", "Debian GNU/Linux 12 (bookworm)"),
        ("ubuntu", 'VERSION_ID="22.04"', "Ubuntu 22.04.5 LTS"),
        ("alpine", "VERSION_ID=3.22.1", "Alpine Linux v3.22"),
    ],
)
def test_other_distribution_is_named_with_those_that_work(
    host: dict[str, str], identity: str, version: str, name: str
) -> None:
    Path(host["OS_RELEASE"]).write_text(release(identity, version, name))
    code, output, (line,) = checked(host, "--quiet")
    assert code == 2
    assert name in line
    assert "needs Debian 13 or testing, or Ubuntu 24.04 or 26.04" in line
    assert "docker compose up" in line
    assert "ok    memory" in output  # the whole table


def test_wanted_interpreter_that_does_not_fit_fails(host: dict[str, str]) -> None:
    code, _, (line,) = checked(host | {"RUSTBOX_PYTHON": "/usr/bin/python3.11"})
    assert code == 2
    assert "RUSTBOX_PYTHON must name CPython 3.12, 3.13 or 3.14 with venv" in line


def test_kernel_without_the_memory_controller_fails(host: dict[str, str]) -> None:
    Path(host["CGROUPS"]).write_text(CONTROLLERS.format(memory=0))
    code, _, (line,) = checked(host)
    assert code == 2
    assert "no memory: enable it on the kernel's command line" in line


@pytest.mark.parametrize(("controllers", "failures"), [("cpuset cpu io memory pids\n", 0), ("cpuset cpu io pids\n", 1)])
def test_kernel_with_version_2_only_lists_its_controllers_elsewhere(
    host: dict[str, str], controllers: str, failures: int
) -> None:
    Path(host["CGROUPS"]).write_text("#subsys_name\thierarchy\tnum_cgroups\tenabled\ncpu\t0\t1\t1\npids\t0\t1\t1\n")
    Path(host["CGROUP_CONTROLLERS"]).write_text(controllers)
    assert len(checked(host)[2]) == failures


@pytest.mark.parametrize("pattern", ["|/usr/share/apport/apport -p%p", "@/run/coredump.socket"])
def test_core_pattern_that_leaves_the_sandbox_is_noted_with_the_way_out(host: dict[str, str], pattern: str) -> None:
    Path(host["CORE_PATTERN"]).write_text(pattern + "\n")
    code, output, failed = checked(host)
    assert (code, failed) == (0, [])
    assert f"note  core dumps      crashes of programs go to {pattern}: sysctl -w kernel.core_pattern=core" in output


def test_little_memory_fails(host: dict[str, str]) -> None:
    Path(host["MEMINFO"]).write_text("MemTotal:        512000 kB\n")
    code, _, (line,) = checked(host)
    assert code == 2
    assert "500 MB: compilers and sandboxes need 1500 MB" in line


def test_port_of_another_program_fails_before_the_start(host: dict[str, str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        _, _, failed = checked(host | {"PORT": port}, "--run")
        assert [line for line in failed if f"port            {port}: another program listens there" in line]
    assert not [line for line in checked(host | {"PORT": port}, "--run")[2] if "port" in line]


def test_unknown_argument_is_refused(host: dict[str, str]) -> None:
    assert checked(host, "--nonsense")[0] == 2
