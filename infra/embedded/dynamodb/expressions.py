"""Expressions: text to syntax trees, parsed once for each text.

Operands  ("path", name, …)  ("value", name)  ("size", path)
Conditions  ("or" | "and", a, b)  ("not", a)  ("compare", operator, a, b)  ("in", a, (b, …))  ("between", a, low, high)
            ("attribute_exists" | "attribute_not_exists", path)  ("begins_with" | "contains", a, b)
Updates  {"SET": ((path, right side), …), "REMOVE": (path, …), "ADD" | "DELETE": ((path, value), …)}
Right sides  an operand, ("if_not_exists", path, operand), ("+" | "-", a, b)

Operands may reach into maps: `a.b`. Updates change whole attributes, and projections show whole attributes.
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.OperatorsAndFunctions.html
"""

from __future__ import annotations

import operator
import re
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from infra.embedded.dynamodb.items import SETS, normalise, sortable
from infra.embedded.errors import invalid, unknown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from infra.embedded.dynamodb.items import Item, Value
    from infra.embedded.dynamodb.tables import KeySchema, Part


type Tree = tuple[Any, ...]

_TOKEN: Final = re.compile(r"\s*(?:([#:]?[A-Za-z_][A-Za-z0-9_]*|[#:]?[A-Za-z0-9_]+)|(<=|>=|<>|[=<>(),+\-.\[\]]))")
_COMPARATORS: Final = frozenset({"=", "<>", "<", "<=", ">", ">="})
_FUNCTIONS: Final = {"attribute_exists": 1, "attribute_not_exists": 1, "begins_with": 2, "contains": 2}
_CACHED: Final = 1024
_MOST_BYTES: Final = 4096


@dataclass(frozen=True, slots=True)
class Parsed[T]:
    """`names` and `values`: the placeholders that the text uses."""

    tree: T
    names: frozenset[str]
    values: frozenset[str]


@lru_cache(_CACHED)
def parse_condition(text: str) -> Parsed[Tree]:
    return _parse(text, _Parser.condition)


@lru_cache(_CACHED)
def parse_update(text: str) -> Parsed[dict[str, tuple[Any, ...]]]:
    return _parse(text, _Parser.update)


@lru_cache(_CACHED)
def parse_projection(text: str) -> Parsed[tuple[Tree, ...]]:
    return _parse(text, lambda parser: parser.listed(parser.path))


def _parse[T](text: str, rule: Callable[[_Parser], T]) -> Parsed[T]:
    if len(text) > _MOST_BYTES:
        raise invalid(f"Invalid expression: Expression size has exceeded the maximum allowed size; {len(text)} bytes")
    parser = _Parser(text)
    tree = rule(parser)
    if parser.next:
        raise parser.error()
    tokens = parser.tokens
    names = frozenset(token for token in tokens if token[:1] == "#")
    return Parsed(tree, names, frozenset(token for token in tokens if token[:1] == ":"))


class _Parser:
    def __init__(self, text: str) -> None:
        self._text = text
        self.tokens: list[str] = []
        position, end = 0, len(text.rstrip())
        while position < end:
            found = _TOKEN.match(text, position)
            if found is None:
                raise invalid(f"Invalid expression: Syntax error; near: {text[position : position + 20]!r}")
            self.tokens.append(found[1] or found[2])
            position = found.end()
        self.tokens.append("")
        self._at = 0

    @property
    def next(self) -> str:
        return self.tokens[self._at]

    def error(self) -> Exception:
        return invalid(f"Invalid expression: Syntax error; token: {self.next!r} in {self._text!r}")

    def _take(self) -> str:
        self._at += 1
        return self.tokens[self._at - 1]

    def _accept(self, *words: str) -> bool:
        if self.next.upper() not in words:
            return False
        self._at += 1
        return True

    def _expect(self, word: str) -> None:
        if not self._accept(word):
            raise self.error()

    def listed[T](self, rule: Callable[[], T]) -> tuple[T, ...]:
        found = [rule()]
        while self._accept(","):
            found.append(rule())
        return tuple(found)

    def condition(self) -> Tree:
        left = self._conjunction()
        while self._accept("OR"):
            left = ("or", left, self._conjunction())
        return left

    def _conjunction(self) -> Tree:
        left = self._negation()
        while self._accept("AND"):
            left = ("and", left, self._negation())
        return left

    def _negation(self) -> Tree:
        if self._accept("NOT"):
            return ("not", self._negation())
        if self._accept("("):
            inner = self.condition()
            self._expect(")")
            return inner
        if self.tokens[self._at + 1 : self._at + 2] == ["("] and self.next != "size":
            return self._function()
        return self._comparison()

    def _function(self) -> Tree:
        name = self._take()
        if name not in _FUNCTIONS:
            raise unknown(f"the function {name} in a condition")
        self._expect("(")
        arguments = self.listed(self._operand)
        self._expect(")")
        if len(arguments) != _FUNCTIONS[name]:
            raise invalid(
                f"Invalid expression: Incorrect number of operands for operator or function; operator: {name}"
            )
        return (name, *arguments)

    def _comparison(self) -> Tree:
        left = self._operand()
        if self.next in _COMPARATORS:
            return ("compare", self._take(), left, self._operand())
        if self._accept("IN"):
            self._expect("(")
            members = self.listed(self._operand)
            self._expect(")")
            return ("in", left, members)
        if self._accept("BETWEEN"):
            low = self._operand()
            self._expect("AND")
            return ("between", left, low, self._operand())
        raise self.error()

    def _operand(self) -> Tree:
        if self.next.startswith(":"):
            return ("value", self._take())
        if self.next == "size" and self.tokens[self._at + 1] == "(":
            self._at += 2
            inner = self.path()
            self._expect(")")
            return ("size", inner)
        names = [self._name()]
        while self._accept("."):
            names.append(self._name())
        if self.next == "[":
            raise unknown(f"paths into lists: {names[-1]}[ in {self._text!r}")
        return ("path", *names)

    def path(self) -> Tree:
        name = self._name()
        if self.next in {".", "["}:
            raise unknown(f"writes and projections of parts of an attribute: {name}{self.next} in {self._text!r}")
        return ("path", name)

    def _name(self) -> str:
        if not (self.next.startswith("#") or self.next.isidentifier()):
            raise self.error()
        return self._take()

    def update(self) -> dict[str, tuple[Any, ...]]:
        clauses: dict[str, tuple[Any, ...]] = {}
        rules: dict[str, Callable[[], Tree]] = {
            "SET": self._assignment,
            "REMOVE": self.path,
            "ADD": self._path_and_value,
            "DELETE": self._path_and_value,
        }
        while self.next:
            word = self._take().upper()
            if word not in rules or word in clauses:
                self._at -= 1
                raise self.error()
            clauses[word] = self.listed(rules[word])
        if not clauses:
            raise invalid("Invalid UpdateExpression: The expression can not be empty;")
        return clauses

    def _assignment(self) -> Tree:
        target = self.path()
        self._expect("=")
        left = self._term()
        if self.next in {"+", "-"}:
            left = (self._take(), left, self._term())
        return (target, left)

    def _term(self) -> Tree:
        if self.tokens[self._at + 1 : self._at + 2] != ["("]:
            return self._operand()
        name = self._take()
        if name != "if_not_exists":
            raise unknown(f"the function {name} in an update")
        self._expect("(")
        path = self.path()
        self._expect(",")
        otherwise = self._operand()
        self._expect(")")
        return ("if_not_exists", path, otherwise)

    def _path_and_value(self) -> Tree:
        target = self.path()
        if not self.next.startswith(":"):
            raise self.error()
        return (target, ("value", self._take()))


# Conditions: a syntax tree and an item to True or False.

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


# Key conditions of Query as SQL: the partition, and a range of its sort key.

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
