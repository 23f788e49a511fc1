"""Which case is judged next, over all orders in which cases may end."""

from itertools import permutations

import pytest

from events.judged import CaseResult
from events.vocabulary import Outcome
from sandbox_runtime.judging.case_order import CaseOrder
from tests.judge_requests import case, judging


def result(index: int, outcome: Outcome = Outcome.PASSED) -> CaseResult:
    return CaseResult(index, outcome, None, None, None)


def taken(order: CaseOrder) -> list[int]:
    found = []
    while (index := order.take()) is not None:
        found.append(index)
    return found


@pytest.mark.parametrize("ends", list(permutations(range(4))))
def test_results_come_in_the_order_of_the_cases_and_once(ends: tuple[int, ...]) -> None:
    order = CaseOrder(judging([case()] * 4))
    assert taken(order) == [0, 1, 2, 3]
    told: list[CaseResult] = []
    for count, index in enumerate(ends, 1):
        order.put(result(index))
        told += order.new_results()
        ended = set(ends[:count])
        assert [one.index for one in told] == [at for at in range(4) if ended.issuperset(range(at + 1))]
    assert order.is_over
    assert order.results == tuple(told)


def test_a_case_that_was_put_back_is_the_next_one() -> None:
    order = CaseOrder(judging([case()] * 4))
    assert [order.take(), order.take()] == [0, 1]
    order.put_back(1)
    order.put_back(0)
    assert order.left == 4
    assert taken(order) == [0, 1, 2, 3]


def test_a_failure_skips_cases_that_nobody_has_taken() -> None:
    order = CaseOrder(judging([case()] * 4, stop="first_failure"))
    assert order.take() == 0
    order.put(result(0, Outcome.WRONG_ANSWER))
    assert order.take() is None
    assert [one.outcome for one in order.new_results()] == ["wrong_answer", "skipped", "skipped", "skipped"]
    assert (order.is_over, order.left) == (True, 0)


def test_all_cases_are_skipped_when_there_is_nothing_to_run() -> None:
    order = CaseOrder(judging([case()] * 3))
    order.end_all()
    assert order.take() is None
    assert [one.outcome for one in order.results] == ["skipped"] * 3
