"""The score of a judge run, over all combinations of outcomes, aggregates and requirements."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.vocabulary import Outcome
from functions.judging.model import Aggregate, Plan, PlannedCase, PlannedGroup, required_groups
from functions.judging.score import CaseOutcome, GroupOutcome, score

FAILURES = {Outcome.WRONG_ANSWER, Outcome.PRESENTATION_ERROR, Outcome.PARTIAL, Outcome.FAILED}
TRIPLES = list(itertools.product(Outcome, repeat=3))


def of(*outcomes: Outcome, points: float = 4) -> list[CaseOutcome]:
    """Outcomes; a partial one has these points."""
    return [CaseOutcome(outcome, points if outcome is Outcome.PARTIAL else None) for outcome in outcomes]


def earned(outcome: Outcome) -> float:
    """The points of a case of ten points in these tests."""
    return {Outcome.PASSED: 10, Outcome.PARTIAL: 4}.get(outcome, 0)


@pytest.mark.parametrize("outcomes", TRIPLES)
def test_counts_and_points_of_cases_without_groups(outcomes: tuple[Outcome, ...]) -> None:
    found = score(Plan((PlannedCase(points=10),) * 3), of(*outcomes))
    assert found.passed == outcomes.count(Outcome.PASSED)
    assert found.failed == sum(outcome in FAILURES for outcome in outcomes)
    assert found.skipped == outcomes.count(Outcome.SKIPPED)
    assert found.judge_errors == outcomes.count(Outcome.JUDGE_ERROR)
    assert found.passed + found.failed + found.skipped + found.judge_errors == 3
    assert found.all_passed == (set(outcomes) == {Outcome.PASSED})
    assert (found.score, found.max_score) == (sum(map(earned, outcomes)), 30)
    first = [index for index, outcome in enumerate(outcomes) if outcome in FAILURES]
    assert found.first_failed == (first[0] if first else None)


@pytest.mark.parametrize("aggregate", Aggregate)
@pytest.mark.parametrize("outcomes", TRIPLES)
def test_a_group_weighs_its_cases(outcomes: tuple[Outcome, ...], aggregate: Aggregate) -> None:
    cases = tuple(PlannedCase(group="g", points=10) for _ in outcomes)
    found = score(Plan(cases, (PlannedGroup("g", 60, aggregate),)), of(*outcomes))
    (group,) = found.groups
    points = [earned(outcome) for outcome in outcomes]
    expected = {
        Aggregate.PASS_FAIL: 60 if set(outcomes) == {Outcome.PASSED} else 0,
        Aggregate.SUM: 60 * sum(points) / 30,
        Aggregate.MIN: 60 * min(points) / 10,
    }[aggregate]
    assert (group.points, group.max_points) == (expected, 60)
    assert (found.score, found.max_score) == (expected, 60)
    if Outcome.JUDGE_ERROR in outcomes:
        assert group.outcome is GroupOutcome.JUDGE_ERROR
    elif set(outcomes) == {Outcome.PASSED}:
        assert group.outcome is GroupOutcome.PASSED
    elif set(outcomes) == {Outcome.SKIPPED}:
        assert group.outcome is GroupOutcome.SKIPPED
    else:
        assert group.outcome is (GroupOutcome.PARTIAL if expected else GroupOutcome.FAILED)


@pytest.mark.parametrize("outcomes", TRIPLES)
def test_a_group_counts_only_if_the_groups_that_it_requires_passed(outcomes: tuple[Outcome, ...]) -> None:
    """C requires b, and b requires a; the plan lists c first."""
    cases = tuple(PlannedCase(group=name, points=10) for name in "abc")
    groups = (PlannedGroup("c", requires=("b",)), PlannedGroup("b", requires=("a",)), PlannedGroup("a"))
    found = {group.id: group for group in score(Plan(cases, groups), of(*outcomes)).groups}
    assert list(found) == ["c", "b", "a"]
    passed = [outcome is Outcome.PASSED for outcome in outcomes]
    for name, index in (("a", 0), ("b", 1), ("c", 2)):
        assert found[name].points == (10 if all(passed[: index + 1]) else 0)
        if not all(passed[:index]):
            assert found[name].outcome is GroupOutcome.SKIPPED


@pytest.mark.parametrize(("points", "share"), [(None, 1), (4, 0.4), (0, 0), (99, 1)])
def test_an_accepted_case_has_the_points_of_its_checker_and_counts_as_passed(
    points: float | None, share: float
) -> None:
    cases = tuple(PlannedCase(group=name, points=10) for name in "abc")
    groups = (
        PlannedGroup("a", 60, Aggregate.MIN),
        PlannedGroup("b", 60, Aggregate.SUM, ("a",)),
        PlannedGroup("c", 60, Aggregate.PASS_FAIL, ("b",)),
    )
    found = score(Plan(cases, groups), [CaseOutcome(Outcome.PASSED, points)] * 3)
    assert [group.points for group in found.groups] == [60 * share, 60 * share, 60]
    assert {group.outcome for group in found.groups} == {GroupOutcome.PASSED}
    assert found.all_passed


def test_a_checker_may_say_a_share_of_the_points() -> None:
    cases = tuple(PlannedCase(group=name, points=points) for name, points in (("a", 10), ("a", 30), ("b", 20)))
    groups = (PlannedGroup("a", 40, Aggregate.SUM), PlannedGroup("b", 20, Aggregate.MIN, ("a",)))
    found = score(Plan(cases, groups), [CaseOutcome(Outcome.PASSED, checker_share=share) for share in (0.5, 1, 0.25)])
    assert (found.case_points, found.score) == ((5, 30, 5), 40)
    assert found.all_passed
    assert score(Plan(cases[:1], groups[:1]), [CaseOutcome(Outcome.WRONG_ANSWER, checker_share=1)]).score == 0


def test_points_of_a_checker_are_at_most_those_of_the_case() -> None:
    plan = Plan((PlannedCase(points=3), PlannedCase(points=0), PlannedCase(points=2.5)))
    assert score(plan, of(Outcome.PARTIAL, Outcome.PARTIAL, Outcome.PARTIAL)).case_points == (3, 0, 2.5)
    assert score(plan, [CaseOutcome(Outcome.PARTIAL)] * 3).score == 0


def test_a_group_of_cases_without_points_counts_by_passed_cases() -> None:
    cases = (PlannedCase(group="g", points=0),) * 2
    for aggregate, expected in ((Aggregate.SUM, 5), (Aggregate.MIN, 0), (Aggregate.PASS_FAIL, 0)):
        plan = Plan(cases, (PlannedGroup("g", 10, aggregate),))
        assert score(plan, of(Outcome.PASSED, Outcome.WRONG_ANSWER)).score == expected
        assert score(plan, of(Outcome.PASSED, Outcome.PASSED)).score == 10


@given(st.dictionaries(st.sampled_from("abcdef"), st.lists(st.sampled_from("abcdef"), max_size=3)))
def test_required_groups_come_first_or_there_is_a_cycle(raw: dict[str, list[str]]) -> None:
    requires = {name: [other for other in others if other in raw] for name, others in raw.items()}
    ordered = required_groups(requires)
    if ordered is None:

        def reaches(start: str, seen: frozenset[str]) -> bool:
            return any(other in seen or reaches(other, seen | {other}) for other in requires[start])

        assert any(reaches(name, frozenset({name})) for name in requires)
    else:
        assert sorted(ordered) == sorted(requires)
        assert all(ordered.index(other) < ordered.index(name) for name in requires for other in requires[name])


def test_a_plan_is_the_same_after_its_row() -> None:
    plan = Plan((PlannedCase(), PlannedCase("x", "g", 2.5)), (PlannedGroup("g", 3, Aggregate.MIN, ()),))
    assert Plan.of_json(plan.to_json()) == plan
    assert plan.to_json()["cases"] == [{}, {"id": "x", "group": "g", "points": 2.5}]
