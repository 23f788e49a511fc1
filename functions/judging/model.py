"""The plan of a judge run, which scores and answers need of its cases and groups; its score; and stored problems."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Annotated, Any

from events.files import PlacedFile, read_files, write_files
from events.vocabulary import Outcome
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
    """The cases in their order, and the groups."""

    cases: tuple[PlannedCase, ...]
    groups: tuple[PlannedGroup, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return the plan for the row, without default values: a row with 200 plain cases stays small."""
        return {name: list(parts) for name, parts in write(self).items()}

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


# The score of a judge run: points of cases, groups and the whole.
#
# A case that passed earns its points, or those of its checker, at most its own, or a share of its own. One that
# passed in part earns those of its checker. A group weighs the shares that its cases earned of their points. It
# counts only if all groups that it requires passed.

_DECIMALS = 6
_FAILED = frozenset({Outcome.WRONG_ANSWER, Outcome.PRESENTATION_ERROR, Outcome.PARTIAL, Outcome.FAILED})
"""The contestant's failures. A case with a judge error is none: it counts neither as passed nor as failed."""


class GroupOutcome(StrEnum):
    """`skipped`: no case ran, or a group that it requires did not pass."""

    PASSED = "passed"
    PARTIAL = "partial"
    FAILED = "failed"
    SKIPPED = "skipped"
    JUDGE_ERROR = "judge_error"


@dataclass(frozen=True, slots=True)
class CaseOutcome:
    """The outcome of one case. Its checker may give points (`passed`, `partial`), or a share of them (`passed`)."""

    outcome: Outcome
    checker_points: float | None = None
    checker_share: float | None = None


@dataclass(frozen=True, slots=True)
class GroupScore:
    """The points of one group."""

    id: str
    points: float
    max_points: float
    outcome: GroupOutcome


@dataclass(frozen=True, slots=True)
class Score:
    """The score of a judge run. `case_points`: of each case. `first_failed`: the index of the first failed case."""

    passed: int
    failed: int
    skipped: int
    judge_errors: int
    score: float
    max_score: float
    first_failed: int | None
    case_points: tuple[float, ...]
    groups: tuple[GroupScore, ...]

    @property
    def all_passed(self) -> bool:
        return self.passed == len(self.case_points)


@dataclass(frozen=True, slots=True)
class _Member:
    """One case of a group: its outcome, its points, and the most points."""

    outcome: Outcome
    points: float
    max_points: float

    @property
    def share(self) -> float:
        if self.max_points:
            return self.points / self.max_points
        return float(self.outcome is Outcome.PASSED)


def score(plan: Plan, outcomes: Sequence[CaseOutcome]) -> Score:
    """Score a judge run. `outcomes` has one entry for each case of the plan, in its order."""
    members = tuple(
        _Member(one.outcome, _case_points(one, case.points), case.points)
        for case, one in zip(plan.cases, outcomes, strict=True)
    )
    grouped: dict[str, list[_Member]] = {group.id: [] for group in plan.groups}
    alone: list[_Member] = []
    for case, member in zip(plan.cases, members, strict=True):
        (alone if case.group is None else grouped[case.group]).append(member)
    groups = _score_groups(plan.groups, grouped)
    counted = [one.outcome for one in outcomes]
    return Score(
        passed=counted.count(Outcome.PASSED),
        failed=sum(outcome in _FAILED for outcome in counted),
        skipped=counted.count(Outcome.SKIPPED),
        judge_errors=counted.count(Outcome.JUDGE_ERROR),
        score=_rounded(sum(group.points for group in groups) + sum(member.points for member in alone)),
        max_score=_rounded(sum(group.max_points for group in groups) + sum(member.max_points for member in alone)),
        first_failed=next((index for index, outcome in enumerate(counted) if outcome in _FAILED), None),
        case_points=tuple(_rounded(member.points) for member in members),
        groups=groups,
    )


def _case_points(one: CaseOutcome, max_points: float) -> float:
    if one.outcome is Outcome.PASSED and one.checker_share is not None:
        return max_points * one.checker_share
    if one.outcome is Outcome.PASSED:
        return max_points if one.checker_points is None else min(max_points, one.checker_points)
    if one.outcome is Outcome.PARTIAL:
        return min(max_points, one.checker_points or 0)
    return 0


def _score_groups(groups: Sequence[PlannedGroup], grouped: Mapping[str, Sequence[_Member]]) -> tuple[GroupScore, ...]:
    """Score the groups, required ones first; return them in the order of the plan."""
    by_id = {group.id: group for group in groups}
    scored: dict[str, GroupScore] = {}
    for group_id in required_groups({group.id: group.requires for group in groups}) or ():
        group, members = by_id[group_id], grouped[group_id]
        total = sum(member.max_points for member in members) if group.points is None else group.points
        if any(scored[required].outcome is not GroupOutcome.PASSED for required in group.requires):
            scored[group_id] = GroupScore(group_id, 0, _rounded(total), GroupOutcome.SKIPPED)
            continue
        points = _rounded(total * _group_share(group.aggregate, members))
        scored[group_id] = GroupScore(group_id, points, _rounded(total), _group_outcome(members, points))
    return tuple(scored[group.id] for group in groups)


def _group_share(aggregate: Aggregate, members: Sequence[_Member]) -> float:
    if aggregate is Aggregate.PASS_FAIL:
        return float(all(member.outcome is Outcome.PASSED for member in members))
    if aggregate is Aggregate.MIN:
        return min(member.share for member in members)
    most = sum(member.max_points for member in members)
    if most:
        return sum(member.points for member in members) / most
    return sum(member.share for member in members) / len(members)


def _group_outcome(members: Sequence[_Member], points: float) -> GroupOutcome:
    outcomes = {member.outcome for member in members}
    if Outcome.JUDGE_ERROR in outcomes:
        return GroupOutcome.JUDGE_ERROR
    if outcomes == {Outcome.PASSED}:
        return GroupOutcome.PASSED
    if outcomes == {Outcome.SKIPPED}:
        return GroupOutcome.SKIPPED
    return GroupOutcome.PARTIAL if points else GroupOutcome.FAILED


def _rounded(points: float) -> float:
    """Return points as clients see them: whole numbers without a decimal point, six decimals at most."""
    shown = round(points, _DECIMALS)
    return int(shown) if shown == int(shown) else shown


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
    """A problem. `version`, `cases` and `size_bytes`: of the version that was pushed last, at `pushed_at`."""

    project_id: Annotated[str, IN_KEY]
    problem_id: Annotated[str, IN_KEY]
    version: str
    cases: int
    size_bytes: int
    created_at: str
    pushed_at: str
    versions: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class ProblemContent:
    """What a judge run of a version needs beside its cases: a body yields it, and the row of a version holds it.

    `plan`: see `Plan`. `limits` hold for all cases, `case_limits` for those of an index (as text). `files`: those of
    the program. `checker_languages`: of its checker programs. `warnings`: for its push and for judge runs of it.
    """

    plan: Annotated[Mapping[str, Any], JSON] = field(default_factory=dict)
    limits: Annotated[Mapping[str, int | float], JSON] = field(default_factory=dict)
    case_limits: Annotated[Mapping[str, Mapping[str, int | float]], JSON] = field(default_factory=dict)
    files: Annotated[tuple[PlacedFile, ...], As(write_files, read_files), OMIT_DEFAULT] = field(default=(), repr=False)
    checker_languages: Annotated[tuple[str, ...], OMIT_DEFAULT] = ()
    warnings: Annotated[tuple[str, ...], OMIT_DEFAULT] = ()


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


def holder_of(problem_id: str, version: str) -> str:
    """Return the name by which a version holds its files."""
    return f"{HOLDER}{problem_id}@{version}"
