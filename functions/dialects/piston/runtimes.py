"""The languages of this deployment as Piston's runtimes."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from functions.dialects.piston.versions import is_in_range, version_of
from functions.messages.languages import ALIASES, Language

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from functions.submissions.runners.views import LanguageDetail

_NAMES = {Language.CPP: "c++"}
"""Piston's name of a language, where it differs from ours."""
_VERSION = re.compile(r"\d+(?:\.\d+){0,2}")
_UNKNOWN_VERSION = "0.0.0"
"""Until a runner has reported its toolchains."""


class Runtime(NamedTuple):
    """One version of a language. `detail`: the language as GET /api/languages shows it."""

    language: str
    version: str
    aliases: list[str]
    detail: LanguageDetail


def runtimes(details: Iterable[LanguageDetail]) -> list[Runtime]:
    """Return one runtime for each toolchain version; several during an upgrade of the fleet."""
    return [
        Runtime(_name(one["name"]), version, _aliases(one["name"]), one)
        for one in details
        for version in sorted({_version(text) for text in one["toolchains"]}) or [_UNKNOWN_VERSION]
    ]


def find(known: Sequence[Runtime], name: str, versions: str) -> Runtime | None:
    """Return the latest runtime of a language, by any of its names, in a range of versions."""
    fitting = [
        one for one in known if name in {one.language, *one.aliases} and is_in_range(version_of(one.version), versions)
    ]
    return max(fitting, key=lambda one: version_of(one.version), default=None)


def _name(language: str) -> str:
    return _NAMES.get(Language(language), language)


def _aliases(language: str) -> list[str]:
    names = [language, *(alias for alias, other in ALIASES.items() if other == language)]
    return [alias for alias in names if alias != _name(language)]


def _version(toolchain: str) -> str:
    """Return the first version in the text of a toolchain, such as 3.13.5 of `Python 3.13.5`."""
    found = _VERSION.search(toolchain)
    parts = found[0].split(".") if found else []
    return ".".join([*(str(int(part)) for part in parts), "0", "0", "0"][:3])
