"""A request imports no module of ours: Lambda has a whole CPU at the cold start, and less for a request."""

import ast
from pathlib import Path

FUNCTIONS = Path(__file__).parents[2] / "functions"
RARE = {
    ("feed/api.py", "functions.feed.catalogue"): "imports the models of all events, which few requests need",
    ("handlers/result.py", "functions.handlers"): "imports the models of the whole API, same",
}
"""Imports inside functions, with their reasons."""


def imports_of(path: Path) -> set[str]:
    """The modules of ours that functions of a module import."""
    functions = (node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.FunctionDef))
    names = set()
    for node in (inner for function in functions for inner in ast.walk(function)):
        if isinstance(node, ast.ImportFrom):
            names.add(node.module or "")
        elif isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
    return {name for name in names if name.split(".")[0] in {"events", "functions"}}


def test_only_what_few_requests_need_is_imported_by_a_request() -> None:
    found = {(str(path.relative_to(FUNCTIONS)), name) for path in FUNCTIONS.rglob("*.py") for name in imports_of(path)}
    assert found == set(RARE)
