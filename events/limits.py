"""The default wall time of each language, and the ceilings of `limits` in each profile (docs/contract.md)."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from events.vocabulary import LANGUAGES, Language, Profile


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


OUTPUT_CEILING_KB = 1024
LEAST_OPEN_FILES = 16
"""The sandbox opens some files itself before a program starts."""
CPU_CEILING_SECS = 15
MEMORY_CEILING_MB = 1024
FILE_SIZE_CEILING_MB = 100
OPEN_FILES_CEILING = 1024
STACK_CEILING_MB = 1024
WALL_CEILING_SECS = MappingProxyType({Profile.JUDGE: 25, Profile.AGENT: 30})

HIGHEST_CEILINGS = MappingProxyType(
    {
        "cpu_time_secs": 60,
        "wall_time_secs": 120,
        "memory_mb": 4096,
        "max_processes": 1024,
        "output_kb": 8192,
    }
)
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
    row = LANGUAGES[language]
    return Ceilings(
        cpu_time_secs=CPU_CEILING_SECS,
        wall_time_secs=WALL_CEILING_SECS[profile],
        memory_mb=MEMORY_CEILING_MB,
        max_processes=row.judge_processes if profile is Profile.JUDGE else row.agent_processes,
        output_kb=OUTPUT_CEILING_KB,
        file_size_mb=FILE_SIZE_CEILING_MB,
        open_files=OPEN_FILES_CEILING,
        stack_mb=STACK_CEILING_MB,
    )


def default_wall_secs(language: Language, profile: Profile) -> int:
    """Return the wall time of the run step if the client sets none."""
    return LANGUAGES[language].judge_wall_secs if profile is Profile.JUDGE else WALL_CEILING_SECS[profile]
