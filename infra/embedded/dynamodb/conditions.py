"""Conditions: a syntax tree and an item to True or False."""

from __future__ import annotations

import operator
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from infra.embedded.dynamodb.expressions import parse_condition
from infra.embedded.dynamodb.values import SETS, normalise
from infra.embedded.errors import invalid

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from infra.embedded.dynamodb.expressions import Parsed, Tree
    from infra.embedded.dynamodb.values import Item, Value

_ORDERED: Final = frozenset({"S", "N", "B"})
_ORDERS: Final = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}


@dataclass(frozen=True, slots=True)
class Placeholders:
    """`names` and `values` of a request, checked against the expressions that use them."""

    names: Mapping[str, str]
    values: Mapping[str, Value]

    @staticmethod
    def of(request: Mapping[str, Any], expressions: Iterable[Parsed[Any]]) -> Placeholders:
        """Read a request's placeholders. As DynamoDB, refuse missing ones and ones that no expression uses."""
        names, values = request.get("ExpressionAttributeNames", {}), request.get("ExpressionAttributeValues", {})
        used_names, used_values = set[str](), set[str]()
        for parsed in expressions:
            used_names |= parsed.names
            used_values |= parsed.values
        for kind, given, used in (("Names", names, used_names), ("Values", values, used_values)):
            if unused := given.keys() - used:
                listed = ", ".join(sorted(unused))
                raise invalid(f"Value provided in ExpressionAttribute{kind} unused in expressions: keys: {{{listed}}}")
            if missing := used - given.keys():
                raise invalid(
                    f"Invalid expression: An expression attribute {kind[:-1].lower()} used in expression is not "
                    f"defined; attribute {kind[:-1].lower()}: {min(missing)}"
                )
        return Placeholders(names, {name: normalise(value) for name, value in values.items()})

    def name(self, path: Tree) -> str:
        """Return the attribute that a path begins with."""
        return self._name(path[1])

    def operand(self, tree: Tree, item: Item) -> Value | None:
        """Return an operand's value; None for an attribute that is not there."""
        match tree:
            case ("value", name):
                return self.values[name]
            case ("size", path):
                return _size(item.get(self.name(path)))
        value = item.get(self.name(tree))
        for written in tree[2:]:
            value = value.get("M", {}).get(self._name(written)) if value is not None else None
        return value

    def _name(self, written: str) -> str:
        return self.names[written] if written[0] == "#" else written


def holds(tree: Tree, item: Item, given: Placeholders) -> bool:  # noqa: PLR0911 - one for each kind of condition
    """Tell whether an item fulfils a condition; an item that does not exist is {}."""
    match tree:
        case ("and", left, right):
            return holds(left, item, given) and holds(right, item, given)
        case ("or", left, right):
            return holds(left, item, given) or holds(right, item, given)
        case ("not", inner):
            return not holds(inner, item, given)
        case ("compare", sign, left, right):
            return _compare(sign, given.operand(left, item), given.operand(right, item))
        case ("attribute_exists", path):
            return given.operand(path, item) is not None
        case ("attribute_not_exists", path):
            return given.operand(path, item) is None
        case ("in", left, members):
            value = given.operand(left, item)
            return value is not None and any(value == given.operand(member, item) for member in members)
        case ("between", middle, low, high):
            value = given.operand(middle, item)
            low_holds = _compare(">=", value, given.operand(low, item))
            return low_holds and _compare("<=", value, given.operand(high, item))
        case ("begins_with", left, right):
            return _begins_with(given.operand(left, item), given.operand(right, item))
    return _contains(given.operand(tree[1], item), given.operand(tree[2], item))


def check(request: Mapping[str, Any], item: Item, given: Placeholders) -> bool:
    """Tell whether an item fulfils the request's ConditionExpression, if it has one."""
    text = request.get("ConditionExpression")
    return text is None or holds(parse_condition(text).tree, item, given)


def _compare(sign: str, left: Value | None, right: Value | None) -> bool:
    if sign == "=":
        return left is not None and left == right
    if sign == "<>":
        return left != right
    if left is None or right is None:
        return False
    ((left_kind, low),), ((right_kind, high),) = left.items(), right.items()
    if left_kind != right_kind or left_kind not in _ORDERED:
        return False
    if left_kind == "N":
        low, high = Decimal(low), Decimal(high)
    return bool(_ORDERS[sign](low, high))


def _begins_with(value: Value | None, prefix: Value | None) -> bool:
    if value is None or prefix is None:
        return False
    ((kind, content),), ((prefix_kind, start),) = value.items(), prefix.items()
    if prefix_kind not in {"S", "B"}:
        raise invalid(f"Invalid expression: Incorrect operand type for begins_with; operand type: {prefix_kind}")
    return kind == prefix_kind and bool(content.startswith(start))


def _contains(value: Value | None, member: Value | None) -> bool:
    if value is None or member is None:
        return False
    ((kind, content),), ((member_kind, wanted),) = value.items(), member.items()
    if kind == "L":
        return member in content
    return member_kind == SETS.get(kind, kind if kind in {"S", "B"} else "") and wanted in content


def _size(value: Value | None) -> Value | None:
    if value is None:
        return None
    ((kind, content),) = value.items()
    if kind in {"N", "BOOL", "NULL"}:
        return None
    return {"N": str(len(content.encode() if kind == "S" else content))}
