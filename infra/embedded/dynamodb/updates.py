"""Updates: a syntax tree and an item to the next item. All right sides see the item as it was."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from infra.embedded.dynamodb.values import SETS, add, sorted_set
from infra.embedded.errors import MismatchError, invalid

if TYPE_CHECKING:
    from infra.embedded.dynamodb.conditions import Placeholders
    from infra.embedded.dynamodb.expressions import Tree
    from infra.embedded.dynamodb.values import Item, Value

_WRONG_TYPE: Final = "An operand in the update expression has an incorrect data type"


def apply(clauses: dict[str, tuple[Any, ...]], item: Item, given: Placeholders, key_names: tuple[str, ...]) -> Item:
    """Return the next item."""
    targets = [
        given.name(entry if word == "REMOVE" else entry[0]) for word, entries in clauses.items() for entry in entries
    ]
    if len(set(targets)) != len(targets):
        twice = next(name for name in targets if targets.count(name) > 1)
        raise invalid(
            "Invalid UpdateExpression: Two document paths overlap with each other; must remove or rewrite one of "
            f"these paths; path one: [{twice}], path two: [{twice}]"
        )
    for name in targets:
        if name in key_names:
            problem = f"Cannot update attribute {name}. This attribute is part of the key"
            raise invalid(f"One or more parameter values were invalid: {problem}")
    changed = dict(item)
    for target, right in clauses.get("SET", ()):
        changed[given.name(target)] = _right_side(right, item, given)
    for target in clauses.get("REMOVE", ()):
        changed.pop(given.name(target), None)
    for target, operand in clauses.get("ADD", ()):
        name = given.name(target)
        changed[name] = _added(item.get(name), given.values[operand[1]])
    for target, operand in clauses.get("DELETE", ()):
        _delete(changed, given.name(target), given.values[operand[1]])
    return changed


def _right_side(tree: Tree, item: Item, given: Placeholders) -> Value:
    match tree:
        case (("+" | "-") as sign, left, right):
            values = (_right_side(left, item, given), _right_side(right, item, given))
            if any("N" not in value for value in values):
                raise MismatchError(_WRONG_TYPE)
            return {"N": add(values[0]["N"], values[1]["N"], 1 if sign == "+" else -1)}
        case ("if_not_exists", path, otherwise):
            value = given.operand(path, item)
            return value if value is not None else _right_side(otherwise, item, given)
    value = given.operand(tree, item)
    if value is None:
        raise MismatchError("The provided expression refers to an attribute that does not exist in the item")
    return value


def _added(old: Value | None, more: Value) -> Value:
    ((kind, content),) = more.items()
    if kind != "N" and kind not in SETS:
        raise invalid(
            f"Invalid UpdateExpression: Incorrect operand type for operator or function; operator: ADD, {kind}"
        )
    if old is None:
        return more
    if kind not in old:
        raise MismatchError(_WRONG_TYPE)
    if kind == "N":
        return {"N": add(old["N"], content)}
    return {kind: sorted_set(SETS[kind], list({*old[kind], *content}))}


def _delete(item: Item, name: str, members: Value) -> None:
    ((kind, content),) = members.items()
    if kind not in SETS:
        raise invalid(
            f"Invalid UpdateExpression: Incorrect operand type for operator or function; operator: DELETE, {kind}"
        )
    old = item.get(name)
    if old is None:
        return
    if kind not in old:
        raise MismatchError(_WRONG_TYPE)
    left = [member for member in old[kind] if member not in content]
    if left:
        item[name] = {kind: left}
    else:
        del item[name]
