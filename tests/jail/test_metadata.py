"""A guest reaches neither the metadata service nor the task's credentials, where both answer its runner."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.guest_files import guest
from tests.jail.metadata_world import SECRET

ROOT = Path(__file__).parents[2]
WORLD = Path(__file__).with_name("metadata_world.py")

PYTHON = guest("metadata/thief.py")
C = guest("metadata/thief.c")


def _in_world(*command: str) -> str:
    done = subprocess.run(
        [sys.executable, str(WORLD), *command], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize(("name", "code"), [("thief.py", PYTHON), ("thief.c", C)])
def test_a_guest_reaches_neither_metadata_nor_credentials_of_its_host(name: str, code: str, tmp_path: Path) -> None:
    program = tmp_path / name
    program.write_text(code)
    said = _in_world(sys.executable, "-m", "sandbox_runtime", "run", str(program))
    assert "refused" in said
    assert SECRET not in said


def test_the_same_program_outside_the_jail_reaches_both(tmp_path: Path) -> None:
    program = tmp_path / "thief.py"
    program.write_text(PYTHON)
    said = _in_world(sys.executable, str(program))
    assert said.count(f"{SECRET}\n") >= 4  # both addresses, both methods
    assert f"/v2/credentials/{SECRET}" in said  # and the variable that leads there
