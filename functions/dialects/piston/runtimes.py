"""The languages of this deployment as Piston's runtimes."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, TypedDict

from functions.messages.languages import ALIASES

if TYPE_CHECKING:
    from collections.abc import Iterable

    from functions.submissions.runners.views import LanguageDetail

_NAMES = {"cpp": "c++"}
"""Piston's name of a language, where it differs from ours."""
_VERSION = re.compile(r"\d+(?:\.\d+){0,2}")
_UNKNOWN_VERSION = "0.0.0"


class Runtime(TypedDict):
    """One version of a language."""

    language: str
    version: str
    aliases: list[str]


def runtimes(details: Iterable[LanguageDetail]) -> list[Runtime]:
    """Return one runtime for each toolchain version; several during an upgrade of the fleet."""
    return [
        {"language": _NAMES.get(one["name"], one["name"]), "version": version, "aliases": _aliases(one["name"])}
        for one in details
        for version in sorted({_version(text) for text in one["toolchains"]}) or [_UNKNOWN_VERSION]
    ]


def _aliases(name: str) -> list[str]:
    names = [name, *(alias for alias, language in ALIASES.items() if language == name)]
    return [alias for alias in names if alias != _NAMES.get(name, name)]


def _version(toolchain: str) -> str:
    """Return the first version in the text of a toolchain, such as 3.13.5 of `Python 3.13.5`."""
    found = _VERSION.search(toolchain)
    parts = found[0].split(".") if found else []
    return ".".join([*parts, "0", "0", "0"][:3])
