"""Ranges of versions as npm's semver has them: https://github.com/npm/node-semver#ranges."""

import re

type Version = tuple[int, ...]
"""Of three numbers."""

_MAX_CHARS = 128
_NUMBER = r"(\d{1,9}|[xX*])"
_COMPARATOR = re.compile(rf"(\^|~>?|[<>]=?|=)?v?{_NUMBER}(?:\.{_NUMBER})?(?:\.{_NUMBER})?", re.ASCII)
_BLANKS = re.compile(r"(?<=[\^~<>=])\s+")
_HYPHEN = re.compile(r"\s*(\S+)\s+-\s+(\S+)\s*")
_LOWEST, _ABOVE_ALL = (0, 0, 0), (10**9, 0, 0)


def version_of(text: str) -> Version:
    """Return a whole version, such as 3.13.5."""
    return tuple(map(int, text.split(".")))


def is_in_range(version: Version, text: str) -> bool:
    """Whether a version is in a range. None is in a range that cannot be read."""
    return len(text) <= _MAX_CHARS and any(_is_in_all(version, part) for part in text.split("||"))


def _is_in_all(version: Version, part: str) -> bool:
    if hyphen := _HYPHEN.fullmatch(part):
        part = f">={hyphen[1]} <={hyphen[2]}"
    found = [_COMPARATOR.fullmatch(word) for word in _BLANKS.sub("", part).split()]
    return all(one is not None and _compares(version, one[1] or "", one.groups()[1:]) for one in found)


def _compares(version: Version, operator: str, parts: tuple[str | None, ...]) -> bool:
    numbers: list[int] = []
    for part in parts:
        if part is None or not part.isdigit():
            break
        numbers.append(int(part))
    low, above = (*numbers, 0, 0, 0)[:3], _above(numbers)
    if operator == "^":
        fixed = next((place for place, number in enumerate(numbers) if number), len(numbers) - 1)
        above = _above(numbers[: fixed + 1])
    elif operator in {"~", "~>"}:
        above = _above(numbers[:2])
    elif operator in {">", ">="}:
        low, above = (above if operator == ">" else low), _ABOVE_ALL
    elif operator in {"<", "<="}:
        low, above = _LOWEST, (low if operator == "<" else above)
    return low <= version < above


def _above(numbers: list[int]) -> Version:
    """Return the first version above all that begin with these numbers."""
    return (*numbers[:-1], numbers[-1] + 1, 0, 0)[:3] if numbers else _ABOVE_ALL
