"""Patterns of paths, matched in linear time: `*` within a name, `**` for any number of folders.

A path is matched name by name, so that a walk can leave out a folder in which no pattern can match.
"""

from collections.abc import Iterable

ANY_FILE = ("**",)
"""The patterns of every file."""

type States = frozenset[tuple[int, int]]
"""Positions that are reached: (number of the pattern, number of its next part)."""


class Patterns:
    """Several patterns at once. A path matches if one of them does."""

    def __init__(self, patterns: tuple[str, ...]) -> None:
        self._parts = [tuple(pattern.split("/")) for pattern in patterns]
        self.start: States = self._with_empty_folders((number, 0) for number in range(len(self._parts)))

    def after(self, states: States, name: str) -> States:
        """Return the positions after one more name of the path. None reached: nothing below it can match."""
        reached = set[tuple[int, int]]()
        for number, at in states:
            if at == len(self._parts[number]):
                continue
            part = self._parts[number][at]
            if part == "**":
                reached |= {(number, at), (number, at + 1)}
            elif _matches(part, name):
                reached.add((number, at + 1))
        return self._with_empty_folders(reached)

    def accepts(self, states: States) -> bool:
        """Whether the path so far matches."""
        return any(at == len(self._parts[number]) for number, at in states)

    def _with_empty_folders(self, reached: Iterable[tuple[int, int]]) -> States:
        """Add the positions behind `**`, which also matches no folder at all. At the end it needs a name."""
        found = set(reached)
        for number, at in tuple(found):
            parts = self._parts[number]
            while at < len(parts) - 1 and parts[at] == "**":
                at += 1  # noqa: PLW2901 - the position moves on
                found.add((number, at))
        return frozenset(found)


def _matches(part: str, name: str) -> bool:
    """Match one name. Each text between stars is searched once, from left to right."""
    first, *others = part.split("*")
    if not others:
        return name == part
    *middle, last = others
    at, end = len(first), len(name) - len(last)
    if at > end or not (name.startswith(first) and name.endswith(last)):
        return False
    for text in middle:
        at = name.find(text, at, end)
        if at < 0:
            return False
        at += len(text)
    return True
