"""Every proof in docs/threat-model.md exists: programs, tests, files and resources of the template.

A folder proves nothing, for nobody could say what in it would have to fail.
"""

import re
from fnmatch import fnmatch
from pathlib import Path

import pytest

from tests.jail.hostile.catalogue import SUFFIXES, all_programs

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "threat-model.md").read_text()
CELLS = [line.strip(" |").rpartition("|")[2] for line in TEXT.splitlines() if line.startswith("|")]
PROOFS = sorted({name for cell in CELLS for name in re.findall(r"`([^`]+)`", cell)})
PATHS = sorted({name for name in re.findall(r"`([^`]+)`", TEXT) if "/" in name and not name.startswith("/")})
ATTACKS = {program.attack for program in all_programs()}
TESTS = {
    name
    for path in (ROOT / "tests").rglob("test_*.py")
    for name in re.findall(r"^def (test_\w+)\(", path.read_text(), re.MULTILINE)
}
RESOURCES = set(re.findall(r"^  (\w+):$", (ROOT / "template.yaml").read_text(), re.MULTILINE))


def exists(path: str) -> bool:
    """A file or a folder; `<language>` stands for each of them."""
    names = SUFFIXES if "<language>" in path else ("",)
    return all((ROOT / path.replace("<language>", name)).exists() for name in names)


def is_there(proof: str) -> bool:
    if proof in TESTS or proof in RESOURCES or any(fnmatch(attack, proof) for attack in ATTACKS):
        return True
    return (ROOT / proof).is_file()


@pytest.mark.parametrize("proof", PROOFS)
def test_a_proof_that_is_named_exists(proof: str) -> None:
    assert is_there(proof)


@pytest.mark.parametrize("path", PATHS)
def test_a_path_that_is_named_exists(path: str) -> None:
    assert exists(path)


def test_every_layer_has_a_proof() -> None:
    rows = [cell for cell in CELLS if cell.strip(" -") not in {"", "shown by"}]
    assert len(rows) > 12
    assert [cell for cell in rows if not re.findall(r"`[^`]+`", cell)] == []


def test_the_threat_model_is_parsed_and_missing_proofs_are_found() -> None:
    assert {"read_host_files", "memory_*", "template.yaml", "RunnerPolicy"} <= set(PROOFS)
    assert "tests/guests/hostile/<language>" in PATHS
    assert not any(map(is_there, ("read_host_file", "memoryx_*", "test_nothing", "tests/none.py", "NoPolicy", "tests")))
    assert not any(map(is_there, ("tests/jail", "tests/adapters", "tests/guests/hostile/<language>", "docs/")))
