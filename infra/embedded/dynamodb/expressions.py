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

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from infra.embedded.errors import invalid, unknown

if TYPE_CHECKING:
    from collections.abc import Callable

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
    """Parse a condition, key condition or filter."""
    return _parse(text, _Parser.condition)


@lru_cache(_CACHED)
def parse_update(text: str) -> Parsed[dict[str, tuple[Any, ...]]]:
    """Parse an update."""
    return _parse(text, _Parser.update)


@lru_cache(_CACHED)
def parse_projection(text: str) -> Parsed[tuple[Tree, ...]]:
    """Parse a projection: paths."""
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
