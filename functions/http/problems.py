"""Collect the problems of one request, and refuse it with all of them."""

import re
from collections.abc import Iterable
from typing import Final

from functions.errors import (
    MAX_PROBLEMS,
    BadRequestError,
    FieldProblem,
    ForbiddenError,
    InvalidFieldsError,
    ServiceError,
)

_ERRORS: Final[dict[str, type[ServiceError]]] = {"bad_request": BadRequestError, "forbidden": ForbiddenError}
_INDEX = re.compile(r"\.(\d+)(?=\.|$)")


class Problems:
    """The problems of one request, in the order in which they were found; the first one decides the error.

    `has_brackets`: places are `cases[3].stdin`, not `cases.3.stdin`.
    """

    def __init__(self, *, has_brackets: bool = False) -> None:
        self._has_brackets = has_brackets
        self._found: list[FieldProblem] = []
        self._refused: list[str] = []

    def __bool__(self) -> bool:
        """Whether there are any."""
        return bool(self._found)

    def add_refused(self, problems: Iterable[FieldProblem]) -> None:
        """Add the problems that a model found, once for each field. From now on, these fields have stand-ins."""
        named = [problem.field for problem in self._found]
        new = [problem for problem in problems if not any(_overlap(problem.field, each) for each in named)]
        self._found += new
        self._refused += [problem.field for problem in new]

    def add(self, problems: Iterable[FieldProblem | None]) -> None:
        """Add problems, but none of a field that has a stand-in, or that depends on one. None is no problem."""
        for problem in problems:
            if len(self._found) >= MAX_PROBLEMS:
                break
            if problem is None or any(_contains(refused, problem.field) for refused in self._refused):
                continue
            if not any(map(self.is_refused, problem.of)):
                self._found.append(problem)

    def is_refused(self, field: str) -> bool:
        """Whether a model has refused the field, a part of it, or the whole that it is a part of."""
        return any(_overlap(refused, field) for refused in self._refused)

    def refuse(self) -> None:
        """Raise the error of the first problem, with all of them. Without any, do nothing."""
        if not self._found:
            return
        first = self._found[0]
        problems = tuple(map(self._shown, self._found)) if self._has_brackets else tuple(self._found)
        if first.code in _ERRORS:
            raise _ERRORS[first.code](first.message, problems=problems)
        raise InvalidFieldsError(problems)

    @staticmethod
    def _shown(problem: FieldProblem) -> FieldProblem:
        return FieldProblem(_INDEX.sub(r"[\1]", problem.field), problem.message)


def _contains(outer: str, inner: str) -> bool:
    return inner == outer or inner.startswith(f"{outer}.")


def _overlap(one: str, other: str) -> bool:
    return _contains(one, other) or _contains(other, one)
