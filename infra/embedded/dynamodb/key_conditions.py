"""Key conditions of Query as SQL: the partition, and a range of its sort key."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from infra.embedded.dynamodb.values import sortable
from infra.embedded.errors import invalid

if TYPE_CHECKING:
    from infra.embedded.dynamodb.conditions import Placeholders
    from infra.embedded.dynamodb.expressions import Tree
    from infra.embedded.dynamodb.tables import KeySchema, Part

_OPERATORS: Final = frozenset({"=", "<", "<=", ">", ">="})
_LAST_CHARACTER: Final = "\U0010ffff"


def read_range(tree: Tree, given: Placeholders, schema: KeySchema) -> tuple[str, tuple[Part, ...]]:
    """Return SQL with {0} for the range's column, to be appended to the partition's condition, and all values."""
    hash_value: Part | None = None
    sql = ""
    values: tuple[Part, ...] = ()
    for part in _conjunction(tree):
        match part:
            case ("compare", "=", path, operand) if _is(path, schema.hash, given) and hash_value is None:
                hash_value = _operand(schema.hash, operand, given, schema)
                continue
        if sql or schema.range is None:
            raise invalid("Query key condition not supported")
        sql, values = _range(part, given, schema, schema.range)
    if hash_value is None:
        raise invalid(f"Query condition missed key schema element: {schema.hash}")
    return sql, (hash_value, *values)


def _conjunction(tree: Tree) -> tuple[Tree, ...]:
    if tree[0] == "and":
        return (*_conjunction(tree[1]), *_conjunction(tree[2]))
    return (tree,)


def _range(part: Tree, given: Placeholders, schema: KeySchema, name: str) -> tuple[str, tuple[Part, ...]]:
    match part:
        case ("compare", operator, path, operand) if operator in _OPERATORS and _is(path, name, given):
            return f" AND {{0}} {operator} ?", (_operand(name, operand, given, schema),)
        case ("between", path, low, high) if _is(path, name, given):
            bounds = (_operand(name, low, given, schema), _operand(name, high, given, schema))
            return " AND {0} BETWEEN ? AND ?", bounds
        case ("begins_with", path, operand) if _is(path, name, given) and schema.kinds[name] == "S":
            prefix = _operand(name, operand, given, schema)
            return " AND {0} >= ? AND {0} < ?", (prefix, f"{prefix!s}{_LAST_CHARACTER}")
    raise invalid(f"Query key condition not supported; the keys are {', '.join(schema.names)}")


def _is(path: Tree, name: str, given: Placeholders) -> bool:
    return path[0] == "path" and len(path) == 2 and given.name(path) == name  # noqa: PLR2004 - no part of a map


def _operand(name: str, operand: Tree, given: Placeholders, schema: KeySchema) -> Part:
    value = given.operand(operand, {})
    if value is None or schema.kinds[name] not in value:
        raise invalid(
            f"One or more parameter values were invalid: Condition parameter type does not match type of {name}"
        )
    return sortable(schema.kinds[name], value[schema.kinds[name]])
