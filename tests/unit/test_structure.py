"""At most 20 modules in a folder, and 20 of the project imported by a module. import-linter holds the layers."""

import ast
from pathlib import Path

import pytest

MOST = 20
PARTS = ("functions/webhooks", "functions/event_log", "functions/checks")
ROOTS = ("functions", "sandbox_runtime", "infra", "rustbox_cli")


def modules(folder: str) -> list[Path]:
    return [path for path in sorted(Path(folder).rglob("*.py")) if path.name != "__init__.py"]


def imported(module: Path) -> set[str]:
    nodes = list(ast.walk(ast.parse(module.read_text())))
    names = {node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module is not None}
    names |= {name.name for node in nodes if isinstance(node, ast.Import) for name in node.names}
    return {name for name in names if name.partition(".")[0] in ROOTS}


@pytest.mark.parametrize("part", PARTS)
def test_no_module_imports_more_than_twenty_modules_of_the_project(part: str) -> None:
    counts = {str(module): len(imported(module)) for module in modules(part)}
    assert counts
    assert {module: count for module, count in counts.items() if count > MOST} == {}


@pytest.mark.parametrize("part", PARTS)
def test_no_folder_has_more_than_twenty_modules(part: str) -> None:
    by_folder: dict[str, int] = {}
    for module in modules(part):
        by_folder[str(module.parent)] = by_folder.get(str(module.parent), 0) + 1
    assert by_folder
    assert {folder: count for folder, count in by_folder.items() if count > MOST} == {}
