"""The languages of this deployment as Piston's runtimes."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from events.vocabulary import ALIASES, Language, canonical
from functions.dialects.piston.versions import is_in_range, version_of

if TYPE_CHECKING:
    from functions.submissions.runners.fleet import Fleet

_VERSION = re.compile(r"\d+(?:\.\d+){0,2}")


class Runtime(NamedTuple):
    """One version of a language, such as 3.13.5; 0.0.0 until a runner has reported its toolchains."""

    language: Language
    version: str

    @property
    def name(self) -> str:
        """Piston's name of the language."""
        return "c++" if self.language is Language.CPP else self.language.value

    @property
    def aliases(self) -> list[str]:
        """Its other names."""
        names = [self.language.value, *(alias for alias, other in ALIASES.items() if other is self.language)]
        return [name for name in names if name != self.name]


def runtimes(fleet: Fleet) -> list[Runtime]:
    """Return one runtime for each toolchain version; several during an upgrade of the fleet."""
    return [one for language in fleet.languages() for one in _runtimes_of(fleet, language)]


def find(fleet: Fleet, name: str, versions: str) -> Runtime | None:
    """Return the latest runtime of a language, by any of its names, in a range of versions."""
    language = canonical(name)
    if language is None or language not in fleet.languages():
        return None
    fitting = [one for one in _runtimes_of(fleet, language) if is_in_range(version_of(one.version), versions)]
    return max(fitting, key=lambda one: version_of(one.version), default=None)


def _runtimes_of(fleet: Fleet, language: Language) -> list[Runtime]:
    versions = sorted({_version(text) for text in fleet.toolchain_versions(language)})
    return [Runtime(language, version) for version in versions or ["0.0.0"]]


def _version(toolchain: str) -> str:
    """Return the first version in the text of a toolchain, such as 3.13.5 of `Python 3.13.5`."""
    found = _VERSION.search(toolchain)
    numbers = map(int, found[0].split(".")) if found else ()
    return ".".join(map(str, [*numbers, 0, 0, 0][:3]))
