"""Languages, and the ceilings of `limits` in each profile.

The numbers come from docs/contract.md. The runner has its own copy, because both are deployed at different times.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum


class Language(StrEnum):
    """Canonical names, in listing order."""

    PYTHON = "python"
    C = "c"
    CPP = "cpp"
    JAVA = "java"
    JAVASCRIPT = "javascript"
    TYPESCRIPT = "typescript"
    GO = "go"
    RUST = "rust"
    BASH = "bash"


class Profile(StrEnum):
    """The purpose of a run: short judged programs, or longer programs of an agent."""

    JUDGE = "judge"
    AGENT = "agent"


ALIASES = {
    "py": Language.PYTHON,
    "c++": Language.CPP,
    "cxx": Language.CPP,
    "cc": Language.CPP,
    "js": Language.JAVASCRIPT,
    "ts": Language.TYPESCRIPT,
    "rs": Language.RUST,
    "sh": Language.BASH,
}


@dataclass(frozen=True, slots=True)
class Ceilings:
    """The highest value of each key of `limits`."""

    cpu_time_secs: int
    wall_time_secs: int
    memory_mb: int
    max_processes: int
    output_kb: int
    file_size_mb: int
    open_files: int
    stack_mb: int


@dataclass(frozen=True, slots=True)
class _Row:
    """Values of one language: the default wall time and the process ceiling of each profile."""

    judge_wall_secs: int
    judge_processes: int
    agent_processes: int


_ROWS = {
    Language.PYTHON: _Row(judge_wall_secs=7, judge_processes=10, agent_processes=64),
    Language.C: _Row(judge_wall_secs=10, judge_processes=8, agent_processes=32),
    Language.CPP: _Row(judge_wall_secs=10, judge_processes=8, agent_processes=32),
    Language.JAVA: _Row(judge_wall_secs=10, judge_processes=1024, agent_processes=512),
    Language.JAVASCRIPT: _Row(judge_wall_secs=12, judge_processes=16, agent_processes=64),
    Language.TYPESCRIPT: _Row(judge_wall_secs=12, judge_processes=16, agent_processes=64),
    Language.GO: _Row(judge_wall_secs=10, judge_processes=1024, agent_processes=512),
    Language.RUST: _Row(judge_wall_secs=15, judge_processes=64, agent_processes=64),
    Language.BASH: _Row(judge_wall_secs=10, judge_processes=32, agent_processes=64),
}

OUTPUT_CEILING_KB = 1024
LEAST_OPEN_FILES = 16
"""The sandbox opens some files itself before a program starts."""
_CPU_CEILING_SECS = 15
_MEMORY_CEILING_MB = 1024
_FILE_SIZE_CEILING_MB = 100
_OPEN_FILES_CEILING = 1024
_STACK_CEILING_MB = 1024
_WALL_CEILING_SECS = {Profile.JUDGE: 25, Profile.AGENT: 30}


def canonical(name: str) -> Language | None:
    """Return the language of a name or alias, in any case; None if it is unknown."""
    folded = name.casefold()
    alias = ALIASES.get(folded)
    if alias is not None:
        return alias
    try:
        return Language(folded)
    except ValueError:
        return None


HIGHEST_CEILINGS = {
    "cpu_time_secs": 60,
    "wall_time_secs": 120,
    "memory_mb": 4096,
    "max_processes": 1024,
    "output_kb": 8192,
}
"""The highest values to which an operator may raise ceilings. A runner grants them."""

type RaisedCeilings = Mapping[Profile, Mapping[str, int]]
"""The ceilings that an operator has raised."""


def raised_ceilings(entries: Iterable[str]) -> RaisedCeilings:
    """Read entries such as `judge.memory_mb=4096`. Raises ValueError, with a sentence."""
    found: dict[Profile, dict[str, int]] = {profile: {} for profile in Profile}
    for entry in entries:
        place, _, text = entry.partition("=")
        profile, _, name = place.partition(".")
        if profile not in Profile or name not in HIGHEST_CEILINGS:
            names = ", ".join(HIGHEST_CEILINGS)
            raise ValueError(f"{entry!r} must be PROFILE.NAME=VALUE: judge or agent, and one of {names}")
        if not (text.isascii() and text.isdecimal() and int(text) <= HIGHEST_CEILINGS[name]):
            raise ValueError(f"{entry!r} must have a whole number up to {HIGHEST_CEILINGS[name]}")
        found[Profile(profile)][name] = int(text)
    return found


def ceilings(language: Language, profile: Profile, raised: RaisedCeilings | None = None) -> Ceilings:
    """Return the ceilings of `limits`. A ceiling is never below its standard value."""
    standard = _standard_ceilings(language, profile)
    more = (raised or {}).get(profile, {})
    return replace(standard, **{name: max(value, getattr(standard, name)) for name, value in more.items()})


def _standard_ceilings(language: Language, profile: Profile) -> Ceilings:
    row = _ROWS[language]
    return Ceilings(
        cpu_time_secs=_CPU_CEILING_SECS,
        wall_time_secs=_WALL_CEILING_SECS[profile],
        memory_mb=_MEMORY_CEILING_MB,
        max_processes=row.judge_processes if profile is Profile.JUDGE else row.agent_processes,
        output_kb=OUTPUT_CEILING_KB,
        file_size_mb=_FILE_SIZE_CEILING_MB,
        open_files=_OPEN_FILES_CEILING,
        stack_mb=_STACK_CEILING_MB,
    )


def default_wall_secs(language: Language, profile: Profile) -> int:
    """Return the wall time of the run step if the client sets none."""
    return _ROWS[language].judge_wall_secs if profile is Profile.JUDGE else _WALL_CEILING_SECS[profile]
