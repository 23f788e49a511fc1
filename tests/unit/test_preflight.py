"""The check of a host before anything is installed: one line for each need, and a way out in each line that fails."""

import os
import socket
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DEBIAN_13 = 'ID=debian\nVERSION_ID=13\nPRETTY_NAME="Debian GNU/Linux 13 (trixie)"\n'
CONTROLLERS = "#subsys_name\thierarchy\tnum_cgroups\tenabled\ncpu\t1\t1\t1\npids\t2\t1\t1\nmemory\t3\t1\t{memory}\n"


@pytest.fixture
def host(tmp_path: Path) -> dict[str, str]:
    """A host that has everything; the rest of the environment is this one's."""
    (tmp_path / "os-release").write_text(DEBIAN_13)
    (tmp_path / "cgroups").write_text(CONTROLLERS.format(memory=1))
    (tmp_path / "meminfo").write_text("MemTotal:       4000000 kB\n")
    return {
        "OS_RELEASE": str(tmp_path / "os-release"),
        "CGROUPS": str(tmp_path / "cgroups"),
        "MEMINFO": str(tmp_path / "meminfo"),
    }


def checked(host: dict[str, str], *arguments: str) -> tuple[int, str, list[str]]:
    """Return exit code, output, and the lines that fail."""
    done = subprocess.run(
        ["/bin/bash", "infra/setup/preflight.sh", *arguments],
        cwd=ROOT,
        env=os.environ | host,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    return done.returncode, done.stdout, [line for line in done.stdout.splitlines() if line.startswith("  FAIL")]


def test_good_host_passes_and_says_what_it_has(host: dict[str, str]) -> None:
    code, output, failed = checked(host)
    assert (code, failed) == (0, [])
    assert "ok    distribution    Debian GNU/Linux 13 (trixie)" in output
    assert "ok    control groups  memory, pids, cpu" in output


def test_good_host_is_not_mentioned_again(host: dict[str, str]) -> None:
    assert checked(host, "--quiet") == (0, "", [])


@pytest.mark.parametrize(
    "release",
    [
        'ID=debian\nVERSION_ID=12\nPRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\n',
        'ID=ubuntu\nVERSION_ID="24.04"\nPRETTY_NAME="Ubuntu 24.04.3 LTS"\n',
        'ID=debian\nPRETTY_NAME="Debian GNU/Linux forky/sid"\n',
    ],
)
def test_other_distribution_is_named_with_the_one_that_is_needed(host: dict[str, str], release: str) -> None:
    Path(host["OS_RELEASE"]).write_text(release)
    code, output, (line,) = checked(host, "--quiet")
    assert code == 2
    assert release.split('"')[-2] in line
    assert "Debian 13" in line
    assert "ok    memory" in output  # the whole table


def test_kernel_without_the_memory_controller_fails(host: dict[str, str]) -> None:
    Path(host["CGROUPS"]).write_text(CONTROLLERS.format(memory=0))
    code, _, (line,) = checked(host)
    assert code == 2
    assert "no memory: enable it on the kernel's command line" in line


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
