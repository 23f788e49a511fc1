"""Ranges of versions as npm's semver has them: https://github.com/npm/node-semver#ranges."""

import re

type Version = tuple[int, int, int]

_MAX_CHARS = 128
_NUMBER = r"(?:\d{1,9}|[xX*])"
_PARTIAL = rf"v?({_NUMBER})(?:\.({_NUMBER}))?(?:\.({_NUMBER}))?"
_COMPARATOR = re.compile(rf"(\^|~>?|[<>]=?|=)?\s*{_PARTIAL}", re.ASCII)
_HYPHEN = re.compile(rf"\s*{_PARTIAL}\s+-\s+{_PARTIAL}\s*", re.ASCII)
_LOWEST: Version = (0, 0, 0)


def version_of(text: str) -> Version:
    """Return a whole version, such as 3.13.5."""
    major, minor, patch = map(int, text.split("."))
    return major, minor, patch


def is_in_range(version: Version, text: str) -> bool:
    """Whether a version is in a range. None is in a range that cannot be read."""
    if len(text) > _MAX_CHARS:
        return False
    return any(_is_in_all(version, part) for part in text.split("||"))


def _is_in_all(version: Version, part: str) -> bool:
    if hyphen := _HYPHEN.fullmatch(part):
        low, _ = _bounds(hyphen.groups()[:3])
        _, high = _bounds(hyphen.groups()[3:])
        return low <= version and (high is None or version < high)
    position, part = 0, part.strip()
    while position < len(part):
        found = _COMPARATOR.match(part, position)
        if found is None or not _compares(version, found[1] or "", found.groups()[1:]):
            return False
        position = found.end()
        while position < len(part) and part[position].isspace():
            position += 1
    return True


def _compares(version: Version, operator: str, parts: tuple[str | None, ...]) -> bool:
    low, high = _bounds(parts)
    if operator == "^":
        numbers = [int(part) for part in parts if part is not None and part.isdigit()]
        fixed = next((place for place, number in enumerate(numbers) if number), max(len(numbers) - 1, 0))
        high = _bounds(parts[: fixed + 1])[1]
    elif operator in {"~", "~>"}:
        high = _bounds(parts[:2])[1]
    elif operator == ">":
        return high is not None and version >= high
    elif operator == ">=":
        return version >= low
    elif operator == "<":
        return version < low
    elif operator == "<=":
        return high is None or version < high
    return low <= version and (high is None or version < high)


def _bounds(parts: tuple[str | None, ...]) -> tuple[Version, Version | None]:
    """Return the lowest version of a partial one, and the first above all of them; None: there is none above."""
    numbers: list[int] = []
    for part in parts:
        if part is None or not part.isdigit():
            break
        numbers.append(int(part))
    if not numbers:
        return _LOWEST, None
    first, second, third = (*numbers, 0, 0)[:3]
    above = [*numbers[:-1], numbers[-1] + 1]
    return (first, second, third), ((*above, 0, 0)[0], (*above, 0, 0)[1], (*above, 0, 0)[2])
