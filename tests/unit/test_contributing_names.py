"""docs/contributing.md names files and symbols: each exists, so that a move or a new name changes the page too."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "contributing.md").read_text()
WALK = PAGE.split("## A first walk\n")[1].split("\n## ")[0]
TABLE = PAGE.split("## To change …, go to …\n")[1].split("\n## ")[0]
ROWS = [line for line in TABLE.splitlines() if line.startswith("| ")][1:]
PARTS = "functions|sandbox_runtime|infra|rustbox_cli|bench|tests|docs|events"
NAME = re.compile(rf"`((?:{PARTS})/[\w./]+\.\w+)(?:::([\w.]+))?`")
NAMED = sorted(set(NAME.findall(PAGE)))


@cache
def symbols(path: Path) -> frozenset[str]:
    """Return the names that a module defines, and those of its classes' bodies as `Class.name`."""
    return frozenset(_defined(ast.parse(path.read_text()).body, ""))


def _defined(body: list[ast.stmt], prefix: str) -> list[str]:
    names = list[str]()
    for node in body:
        match node:
            case ast.FunctionDef(name=name) | ast.TypeAlias(name=ast.Name(id=name)):
                names.append(prefix + name)
            case ast.ClassDef(name=name):
                names += [prefix + name, *_defined(node.body, f"{prefix}{name}.")]
            case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)):
                names.append(prefix + name)
            case _:
                pass
    return names


@pytest.mark.parametrize(("path", "symbol"), NAMED)
def test_a_named_file_and_symbol_exist(path: str, symbol: str) -> None:
    file = ROOT / path
    assert file.is_file(), f"docs/contributing.md names {path}: where is it now?"
    if symbol:
        assert symbol in symbols(file), f"docs/contributing.md names {symbol} of {path}: what is it called now?"


def test_the_walk_has_ten_files() -> None:
    assert len(NAME.findall(WALK)) == 10


def test_each_of_at_least_forty_rows_names_a_file() -> None:
    assert len(ROWS) >= 40
    assert [row for row in ROWS if not NAME.search(row)] == []


def test_a_name_that_is_gone_would_be_found() -> None:
    found = symbols(Path(__file__))
    assert {"symbols", "ROOT"} <= found
    assert "no_such_name" not in found
