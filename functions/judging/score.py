"""The score of a judge run: points of cases, groups and the whole.

A case that passed earns its points, or those of its checker, at most its own, or a share of its own. One that
passed in part earns those of its checker. A group weighs the shares that its cases earned of their points. It
counts only if all groups that it requires passed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from events.vocabulary import Outcome
from functions.judging.model import Aggregate, Plan, PlannedGroup, required_groups

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
