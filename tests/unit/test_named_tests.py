"""The tests and programs that the scripts of infra and tests/rigs name exist: those scripts run rarely."""

import re
import subprocess
from pathlib import Path

import pytest

from tests.jail.hostile.catalogue import CONTROLS, all_programs

ROOT = Path(__file__).parents[2]
SCRIPT = (ROOT / "tests" / "rigs" / "vm" / "test.sh").read_text()
SERVICE = (ROOT / "tests" / "rigs" / "vm" / "service_tests.sh").read_text()
IMAGE = (ROOT / "infra" / "image" / "test.sh").read_text()
NAMED = re.findall(r"(tests/\w+/\w+\.py)::(test_\w+)", SCRIPT + IMAGE)
LISTED = re.findall(r"tests/jail/test_[\w{},]*\.py", IMAGE)
PROGRAMS = re.findall(r"for program in ([\w ]+);", SCRIPT)


@pytest.mark.parametrize(("path", "name"), NAMED)
def test_a_named_test_exists(path: str, name: str) -> None:
    assert f"\ndef {name}(" in (ROOT / path).read_text()


@pytest.mark.parametrize("path", sorted(set(re.findall(r"tests/\w+/test_\w+\.py", SCRIPT))))
def test_a_named_file_exists(path: str) -> None:
    assert (ROOT / path).is_file()


def test_all_files_of_the_lists_of_the_image_exist() -> None:
    listed = subprocess.run(
        ["/bin/bash", "-c", f"ls {' '.join(LISTED)}"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert listed.stderr == ""


def test_the_named_programs_exist() -> None:
    (names,) = PROGRAMS
    folder = ROOT / "tests" / "guests" / "hostile" / "python"
    assert [name for name in names.split() if not (folder / f"{name}.py").is_file()] == []


def _in_the_image(array: str, suffix: str) -> set[str]:
    """Names of the programs in an array of the script."""
    (names,) = re.findall(rf"\n{array}=\(([\w\s]+)\)", SERVICE)
    return {f"{name}{suffix}" for name in names.split()}


def test_the_programs_in_the_image_exist_and_attack_each_control_in_c() -> None:
    in_c = [program for program in all_programs() if program.language == "c"]
    chosen = _in_the_image("against_each_control", ".c")
    assert chosen <= {program.path.name for program in in_c}
    assert {program.control for program in in_c if program.path.name in chosen} >= CONTROLS
    in_python = {program.path.name for program in all_programs() if program.language == "python"}
    assert _in_the_image("against_groups", ".py") <= in_python
