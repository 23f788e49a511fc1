"""`make up` where the host is not supported natively: the container, or a table with the way out."""

import os
import subprocess
from pathlib import Path

import pytest

from tests.commands import run_to_end

ROOT = Path(__file__).parents[2]
ENGINE = """#!/bin/sh
echo "$0 $*" >>"$CALLS"
case "$1 $2" in
  "info ") exit {info} ;;
  "compose version") exit {compose} ;;
  "compose up")
    echo "settings: ${{CONTAINERS_CONF_OVERRIDE:-none}}, port ${{PORT:-unset}}, timeout ${{SETUP_TIMEOUT_SECS-unset}}"
    echo "hosts: ${{RUSTBOX_HOSTS-unset}}"
    echo "started at $RUSTBOX_STARTED_AT" ;;
esac
"""


class Host:
    """A host with another distribution, and the container engines that a test gives it."""

    def __init__(self, folder: Path) -> None:
        self.commands, self._calls = folder / "commands", folder / "calls"
        self.commands.mkdir()
        for name in ("bash", "uname", "date", "dirname"):
            (self.commands / name).symlink_to(f"/usr/bin/{name}")
        (folder / "os-release").write_text('ID=fedora\nVERSION_ID=43\nPRETTY_NAME="Fedora Linux 43"\n')
        self.environment = {
            "PATH": str(self.commands),
            "OS_RELEASE": str(folder / "os-release"),
            "CALLS": str(self._calls),
            "PORT": "1",
        }

    def engine(self, name: str, *, info: int = 0, compose: int = 0) -> None:
        command = self.commands / name
        command.write_text(ENGINE.replace("#!/bin/sh", "#!/usr/bin/dash").format(info=info, compose=compose))
        command.chmod(0o755)

    def up(self) -> subprocess.CompletedProcess[str]:
        return run_to_end(["/usr/bin/bash", "infra/setup/up.sh"], env=self.environment, timeout=30)

    @property
    def calls(self) -> list[str]:
        return [Path(line).name for line in self._calls.read_text().splitlines()] if self._calls.exists() else []


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)


@pytest.mark.parametrize("name", ["docker", "podman"])
def test_an_unsupported_host_starts_the_container(host: Host, name: str) -> None:
    host.engine(name)
    done = host.up()
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("up: Fedora Linux 43 has no native setup (Debian 13 and testing, ")
    assert f"ok    container       {name} runs the service: Fedora Linux 43 is not supported natively" in done.stdout
    assert host.calls[-1] == f"{name} compose up --build"
    assert float(done.stdout.split("started at ")[1]) > 0


def test_docker_without_a_daemon_leaves_it_to_podman(host: Host) -> None:
    host.engine("docker", info=1)
    host.engine("podman")
    host.up()
    assert host.calls[-1] == "podman compose up --build"


def test_podman_gets_the_namespace_of_groups_and_the_defaults_that_its_compose_ignores(host: Host) -> None:
    host.engine("podman")
    del host.environment["PORT"]
    done = host.up()
    assert f"settings: {ROOT}/infra/image/podman.conf, port 4096, timeout \nhosts: \n" in done.stdout
    assert 'cgroupns = "host"' in (ROOT / "infra/image/podman.conf").read_text()


@pytest.mark.parametrize("broken", [{"info": 1}, {"compose": 1}])
def test_without_a_container_engine_the_table_says_how_to_get_one(host: Host, broken: dict[str, int]) -> None:
    host.engine("docker", **broken)
    done = host.up()
    assert done.returncode == 2
    assert done.stdout.startswith("up: Fedora Linux 43 has no native setup ")
    assert "FAIL  container       no Docker or Podman answers: start one" in done.stdout
    assert "natively the service runs on Debian 13 or testing, Ubuntu 24.04 or 26.04" in done.stdout
    assert not [call for call in host.calls if "compose up" in call]


def test_a_supported_host_starts_no_container(host: Host) -> None:
    host.engine("docker")
    Path(host.environment["OS_RELEASE"]).write_text("ID=debian\nVERSION_ID=13\n")
    (host.commands / "meminfo").write_text("MemTotal: 512000 kB\n")
    host.environment |= {"PATH": f"{host.commands}:{os.environ['PATH']}", "MEMINFO": str(host.commands / "meminfo")}
    done = host.up()
    assert done.returncode == 2
    assert "FAIL  memory" in done.stdout  # the native preflight stops it
    assert host.calls == []


def test_a_host_without_bash_is_named_with_the_way_out(host: Host) -> None:
    (host.commands / "bash").unlink()
    Path(host.environment["OS_RELEASE"]).write_text('ID=alpine\nPRETTY_NAME="Alpine Linux v3.22"\n')
    done = subprocess.run(
        ["/usr/bin/make", "up"], cwd=ROOT, env=host.environment, capture_output=True, text=True, timeout=30, check=False
    )
    assert done.returncode == 2
    assert done.stdout.startswith("up: Alpine Linux v3.22 has no bash: install it, and Docker or Podman")
