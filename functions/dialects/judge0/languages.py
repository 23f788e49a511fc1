"""The languages of this deployment with Judge0's ids."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypedDict

if TYPE_CHECKING:
    from collections.abc import Iterable

    from functions.submissions.runners.views import LanguageDetail

IDS = {
    "bash": 46,
    "c": 50,
    "cpp": 52,
    "go": 60,
    "java": 62,
    "javascript": 63,
    "python": 71,
    "rust": 73,
    "typescript": 74,
}
"""Its id of each of our languages. One that it does not have is not offered here."""
_NAMES = {"c": "C", "cpp": "C++", "javascript": "JavaScript", "typescript": "TypeScript"}


class NamedLanguage(TypedDict):
    """A language in lists."""

    id: int
    name: str


def languages(details: Iterable[LanguageDetail]) -> list[NamedLanguage]:
    """Return the offered languages, ordered by id, with the version of their toolchain."""
    found: list[NamedLanguage] = [
        {"id": IDS[one["name"]], "name": name_of(one["name"], one["toolchains"][-1] if one["toolchains"] else "")}
        for one in details
        if one["name"] in IDS
    ]
    return sorted(found, key=lambda one: one["id"])


def name_of(language: str, toolchain: str = "") -> str:
    """Return the name of a language, such as `Python (Python 3.13.5)`."""
    name = _NAMES.get(language, language.capitalize())
    return f"{name} ({toolchain})" if toolchain else name
