"""The plan of a judge run, which scores and answers need of its cases and groups, and stored problems."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Annotated, Any

import msgspec

from events.files import PlacedFile, write_files
from events.vocabulary import Language
from functions.aws.dynamodb.row_codec import IN_KEY, JSON, OMIT_DEFAULT, As, read, write

DEFAULT_POINTS = 1.0
"""Points of a case whose request names none."""


class Visibility(StrEnum):
    """How much of a case the answer shows: each level hides what the one before hides, and more."""

    FULL = "full"
    NO_EXPECTED = "no_expected"
    VERDICT = "verdict"
    HIDDEN = "hidden"


class Aggregate(StrEnum):
    """How the points of a group follow from its cases."""

    PASS_FAIL = "pass_fail"  # noqa: S105 - not a password
    SUM = "sum"
    MIN = "min"


@dataclass(frozen=True, slots=True)
class PlannedCase:
    """One case, without its input, its expected output and its checker."""

    id: str | None = None
    group: str | None = None
    points: Annotated[float, OMIT_DEFAULT] = DEFAULT_POINTS
    visibility: Annotated[Visibility, OMIT_DEFAULT] = Visibility.FULL


@dataclass(frozen=True, slots=True)
class PlannedGroup:
    """One group. `points` None: those of its cases together."""

    id: str
    points: float | None = None
    aggregate: Annotated[Aggregate, OMIT_DEFAULT] = Aggregate.PASS_FAIL
    requires: Annotated[tuple[str, ...], OMIT_DEFAULT] = ()


@dataclass(frozen=True, slots=True)
class Plan:
    """The cases in their order, and the groups. `passes`: how often the program runs on one case at most."""

    cases: tuple[PlannedCase, ...]
    groups: tuple[PlannedGroup, ...] = ()
    passes: Annotated[int, OMIT_DEFAULT] = 1

    def to_json(self) -> dict[str, Any]:
        """Return the plan for the row, without default values: a row with 200 plain cases stays small."""
        return {name: part if isinstance(part, int) else list(part) for name, part in write(self).items()}

    @staticmethod
    def of_json(stored: Mapping[str, Any]) -> "Plan":
        return read(Plan, stored)


def required_groups(requires: Mapping[str, Sequence[str]]) -> tuple[str, ...] | None:
    """Order groups so that each comes after those it requires. None if some require each other in a cycle.

    `requires`: the required groups of each group; all must be keys.
    """
    left = {group: set(required) for group, required in requires.items()}
    ordered: list[str] = []
    while ready := [group for group, required in left.items() if not required]:
        ordered += ready
        for group in ready:
            del left[group]
        for required in left.values():
            required.difference_update(ready)
    return None if left else tuple(ordered)


def repeated(names: Sequence[str]) -> tuple[str, ...]:
    """Return the names that occur more than once."""
    return tuple(name for name, count in Counter(names).items() if count > 1)


# Problems of a project and their versions.

ID_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"
VERSION_CHARS = 16
HOLDER = "problem "
"""Start of the name by which a version holds its files."""

_REFERENCE = re.compile(rf"([A-Za-z0-9][A-Za-z0-9._-]{{0,63}})(?:@([0-9a-f]{{{VERSION_CHARS}}}))?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Reference:
    """A problem as a client names it. `version` None: the one that was pushed last."""

    problem_id: str
    version: str | None


def read_reference(text: str) -> Reference | None:
    """Read `id` or `id@version`; None for any other text."""
    found = _REFERENCE.fullmatch(text)
    return None if found is None else Reference(found.group(1), found.group(2))


@dataclass(frozen=True, slots=True)
class Problem:
    """A problem. `version`, `cases` and `size_bytes`: of the version that was pushed last, at `pushed_at`.

    `version_times`: `created_at#version`. Versions that were pushed before the row had it have none.
    """

    project_id: Annotated[str, IN_KEY]
    problem_id: Annotated[str, IN_KEY]
    version: str
    cases: int
    size_bytes: int
    created_at: str
    pushed_at: str
    versions: frozenset[str] = frozenset()
    version_times: frozenset[str] = frozenset()

    @property
    def ordered_versions(self) -> list[str]:
        """All versions, the oldest first."""
        times = {version: time for time, _, version in (text.partition("#") for text in self.version_times)}
        return sorted(self.versions, key=lambda version: (times.get(version, ""), version))


class ProblemFile(PlacedFile, frozen=True):
    """A file for the program as a problem has it. `language`: only programs in it have the file; None: all have it."""

    language: Language | None = None


def read_problem_files(text: bytes | None) -> tuple[PlacedFile, ...]:
    """Return files of JSON, as `read_files` does."""
    return msgspec.json.decode(text, type=tuple[ProblemFile, ...]) if text else ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ProblemContent:
    """What a judge run of a version needs beside its cases: a body yields it, and the row of a version holds it.

    `plan`: see `Plan`. `limits` hold for all cases, `case_limits` for those of an index (as text). `files`: those of
    the program. `languages`: of programs; empty: all. `checker_languages`: of its checker programs. `warnings`: for its
    push and for judge runs of it.
    """

    plan: Annotated[Mapping[str, Any], JSON] = field(default_factory=dict)
    limits: Annotated[Mapping[str, int | float], JSON] = field(default_factory=dict)
    case_limits: Annotated[Mapping[str, Mapping[str, int | float]], JSON] = field(default_factory=dict)
    files: Annotated[tuple[PlacedFile, ...], As(write_files, read_problem_files), OMIT_DEFAULT] = field(
        default=(), repr=False
    )
    languages: Annotated[tuple[str, ...], OMIT_DEFAULT] = ()
    checker_languages: Annotated[tuple[str, ...], OMIT_DEFAULT] = ()
    warnings: Annotated[tuple[str, ...], OMIT_DEFAULT] = ()

    def files_for(self, language: Language) -> tuple[PlacedFile, ...]:
        """Return the files of a program in this language, as a message has them."""
        names = PlacedFile.__struct_fields__
        own = (file for file in self.files if getattr(file, "language", None) in (None, language))
        return tuple(PlacedFile(**{name: getattr(file, name) for name in names}) for file in own)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProblemVersion(ProblemContent):
    """One version, which never changes. `version`: of the hash of its content.

    `object_key`, `object_size`, `object_sha256`: the object with its cases, which runners read.
    `used_at_ms`: when a run used it, to an hour. `removable_at_ms`: it is deleted, and no accepted run needs its files
    from then on.
    """

    project_id: Annotated[str, IN_KEY]
    problem_id: Annotated[str, IN_KEY]
    version: Annotated[str, IN_KEY]
    cases: int
    size_bytes: int
    created_at: str
    object_key: str
    object_size: int
    object_sha256: str
    used_at_ms: int | None = None
    removable_at_ms: int | None = None

    @property
    def name(self) -> str:
        """`id@version`."""
        return f"{self.problem_id}@{self.version}"

    @property
    def in_sets(self) -> dict[str, frozenset[str]]:
        """Its elements in the sets of its problem's row."""
        time = f"{self.created_at}#{self.version}"
        return {"versions": frozenset({self.version}), "version_times": frozenset({time})}


def holder_of(problem_id: str, version: str) -> str:
    """Return the name by which a version holds its files."""
    return f"{HOLDER}{problem_id}@{version}"
