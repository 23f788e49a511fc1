"""The tests that infra/vm/test.sh names exist: nobody else would see a new name before the machine has started."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SCRIPT = (ROOT / "infra" / "vm" / "test.sh").read_text()
NAMED = re.findall(r"(tests/\w+/\w+\.py)::(test_\w+)", SCRIPT)
PROGRAMS = re.findall(r"for program in ([\w ]+);", SCRIPT)


@pytest.mark.parametrize(("path", "name"), NAMED)
def test_a_named_test_exists(path: str, name: str) -> None:
    assert f"\ndef {name}(" in (ROOT / path).read_text()


@pytest.mark.parametrize("path", sorted(set(re.findall(r"tests/\w+/test_\w+\.py", SCRIPT))))
def test_a_named_file_exists(path: str) -> None:
    assert (ROOT / path).is_file()


def test_the_named_programs_exist() -> None:
    (names,) = PROGRAMS
    folder = ROOT / "tests" / "jail" / "programs" / "python"
    assert [name for name in names.split() if not (folder / f"{name}.py").is_file()] == []
