"""The list of partition keys has every key of the code and every index of the template."""

import ast
from collections.abc import Iterator
from pathlib import Path

from bench.partitions import PARTITIONS
from infra.sam_template import read

ROOT = Path(__file__).parents[2]
OWNERS = (
    ("functions/submissions/runners/", "RunnersTable"),
    ("functions/submissions/results/overview", "QuotasTable"),
    ("functions/submissions/", "SubmissionsTable"),
    ("functions/judging/", "SubmissionsTable"),
    ("functions/files/", "SubmissionsTable"),
    ("functions/projects/quota", "QuotasTable"),
    ("functions/projects/", "ProjectsTable"),
    ("functions/event_log/", "DeliveriesTable"),
    ("functions/webhooks/", "DeliveriesTable"),
    ("functions/project_secrets/", "DeliveriesTable"),
    ("functions/checks/", "ChecksTable"),
)
"""The table of the rows of each folder; the first that fits."""


def partition_keys(tree: ast.Module) -> Iterator[ast.expr | None]:
    """Expressions of partition keys: of rows, of `key(…)`, and what functions and constants named `pk` give."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Dict):
            yield from (
                value
                for name, value in zip(node.keys, node.values, strict=True)
                if isinstance(name, ast.Constant) and name.value == "pk"
            )
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "key" and node.args:
            yield node.args[0]
        elif isinstance(node, ast.FunctionDef) and node.name.endswith("_pk"):
            yield from (inner.value for inner in ast.walk(node) if isinstance(inner, ast.Return))
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            target = node.targets[0] if isinstance(node, ast.Assign) else node.target
            if ast.unparse(target).upper().endswith("PK"):
                yield node.value


def start_of(expression: ast.expr | None) -> str:
    """Return the text that an expression starts with; "" if it is the value of a name or a call."""
    if isinstance(expression, ast.BinOp):
        return start_of(expression.left)
    first = expression.values[0] if isinstance(expression, ast.JoinedStr) else expression
    return first.value if isinstance(first, ast.Constant) and isinstance(first.value, str) else ""


def keys_of_code() -> set[tuple[str, str]]:
    keys = set()
    for path in sorted((ROOT / "functions").rglob("*.py")):
        name = str(path.relative_to(ROOT))
        for expression in partition_keys(ast.parse(path.read_text())):
            if start := start_of(expression):
                keys.add((next(owner for folder, owner in OWNERS if name.startswith(folder)), start))
    return keys


def indexes_of_template() -> set[tuple[str, str]]:
    resources = read(ROOT / "template.yaml")["Resources"]
    return {
        (name, index["IndexName"])
        for name, resource in resources.items()
        if resource["Type"] == "AWS::DynamoDB::Table"
        for index in resource["Properties"].get("GlobalSecondaryIndexes", [])
    }


def test_every_key_and_every_index_is_in_the_list() -> None:
    assert {(each.table, each.key) for each in PARTITIONS} == keys_of_code() | indexes_of_template()
    assert len({(each.table, each.key) for each in PARTITIONS}) == len(PARTITIONS)
