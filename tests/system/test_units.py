"""The systemd units: systemd accepts every line, and they run the commands of the Makefile."""

import configparser
import re
import subprocess
from pathlib import Path

import pytest

from tests.system.local_stack import ROOT

SYSTEMD_ANALYZE = Path("/usr/bin/systemd-analyze")
HOME = "/opt/rustbox"
UNITS = sorted((ROOT / "infra").rglob("*.service"))


def verify(text: str, folder: Path) -> str:
    """Return what systemd says about a unit; it only warns of a line that it ignores. `HOME` is this tree here."""
    assert SYSTEMD_ANALYZE.exists(), "run `make system`: the tests of units need the package systemd"
    unit = folder / "tested.service"
    unit.write_text(text.replace(HOME, str(ROOT)))
    done = subprocess.run(
        [SYSTEMD_ANALYZE, "verify", "--man=no", unit], capture_output=True, text=True, timeout=60, check=False
    )
    return done.stdout + done.stderr


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_systemd_accepts_every_line_of_a_unit(unit: Path, tmp_path: Path) -> None:
    assert verify(unit.read_text(), tmp_path) == ""


def test_a_line_that_systemd_ignores_and_a_missing_command_are_found(tmp_path: Path) -> None:
    text = next(unit for unit in UNITS if unit.name == "rustbox-remote-runner.service").read_text()
    assert "Unknown key 'KilMode'" in verify(text.replace("KillMode", "KilMode"), tmp_path)
    assert "is not executable" in verify(text.replace(f"{HOME}/.venv/bin/python", f"{HOME}/none"), tmp_path)


@pytest.mark.parametrize(("name", "target"), [("rustbox", "serve"), ("rustbox-remote-runner", "runner")])
def test_a_unit_of_one_machine_runs_the_command_of_its_target(name: str, target: str) -> None:
    parser = configparser.ConfigParser(interpolation=None, strict=True)
    parser.optionxform = str  # type: ignore[assignment, method-assign]  # systemd's names have capitals
    parser.read(ROOT / "infra" / "one_machine" / f"{name}.service")
    makefile = (ROOT / "Makefile").read_text()
    (command,) = re.findall(rf"^{target}:.*\n(?:\t.*\n)*\t@exec (.*)$", makefile, re.MULTILINE)
    assert parser["Service"]["ExecStart"] == f"{parser['Service']['WorkingDirectory']}/{command}"
    assert parser["Service"]["WorkingDirectory"] == HOME
    page = (ROOT / "docs" / "one-machine.md").read_text()
    assert parser["Service"]["EnvironmentFile"] in page
    assert f"infra/one_machine/{name}.service" in page
