"""No folder has more modules, and no module imports more modules of the project, than a reader keeps in mind."""

import ast
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MOST_IN_A_FOLDER = 20
MOST_IMPORTS = 25
"""Of a module, which has a whole act. With modules of one verb it was 20."""
PACKAGES = {"functions", "sandbox_runtime", "infra", "rustbox_cli"}
PARTS = ["functions", "sandbox_runtime", "infra", "rustbox_cli"]


def modules(part: str) -> list[Path]:
    return sorted(path for path in (ROOT / part).rglob("*.py") if path.name != "__init__.py")


def imported(path: Path) -> set[str]:
    """Return the modules of the project that a module imports, also late and for types only. `events` has words."""
    return {name for node in ast.walk(ast.parse(path.read_text())) for name in _names(node)}


def _names(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names if alias.name.split(".")[0] in PACKAGES)
    elif isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] in PACKAGES:
        for alias in node.names:
            inner = ROOT.joinpath(*node.module.split("."), alias.name)
            is_module = inner.is_dir() or inner.with_suffix(".py").is_file()
            yield f"{node.module}.{alias.name}" if is_module else node.module


@pytest.mark.parametrize("part", PARTS)
def test_no_folder_has_too_many_modules(part: str) -> None:
    found = Counter(str(path.parent.relative_to(ROOT)) for path in modules(part))
    assert {folder: count for folder, count in found.items() if count > MOST_IN_A_FOLDER} == {}


@pytest.mark.parametrize("part", PARTS)
def test_no_module_imports_too_many(part: str) -> None:
    found = {str(path.relative_to(ROOT)): len(imported(path)) for path in modules(part)}
    assert max(found.values()) > MOST_IMPORTS // 2  # else the count would see no imports
    assert {path: count for path, count in found.items() if count > MOST_IMPORTS} == {}
