"""The languages of this deployment with Judge0's ids."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    from functions.submissions.runners.fleet import LanguageDetail

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
_NAMES = {"cpp": "C++", "javascript": "JavaScript", "typescript": "TypeScript"}


def languages(details: Iterable[LanguageDetail]) -> list[dict[str, Any]]:
    """Return the offered languages, ordered by id."""
    return sorted((_named(one) for one in details if one["name"] in IDS), key=lambda one: one["id"])


def name_of(language: str) -> str:
    """Return the name of a language."""
    return _NAMES.get(language, language.capitalize())


def _named(one: LanguageDetail) -> dict[str, Any]:
    """Return a language with the version of its toolchain, such as `Python (Python 3.13.5)`."""
    version = "".join(f" ({toolchain})" for toolchain in one["toolchains"][-1:])
    return {"id": IDS[one["name"]], "name": name_of(one["name"]) + version}
