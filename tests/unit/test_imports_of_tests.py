"""Test modules share code through modules of their own: none imports another one, or a conftest."""

import ast
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]


def imported(path: Path) -> set[str]:
    """Return the last parts of the modules of our tests that a module imports."""
    found = [node for node in ast.walk(ast.parse(path.read_bytes())) if isinstance(node, ast.ImportFrom)]
    own = [node for node in found if node.module is not None and node.module.split(".")[0] == "tests"]
    names = {alias.name for node in own for alias in node.names}
    return names | {str(node.module).rpartition(".")[2] for node in own}


def test_no_module_imports_a_test_module_or_a_conftest() -> None:
    wrong = {
        str(path.relative_to(TESTS)): sorted(
            name for name in imported(path) if name == "conftest" or name.startswith("test_")
        )
        for path in TESTS.rglob("*.py")
        if "guests" not in path.parts
    }
    assert {path: names for path, names in wrong.items() if names} == {}
