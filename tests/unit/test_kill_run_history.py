"""The history of a kill run is refused when a client was told something wrong."""

import json
from dataclasses import replace
from typing import Any

import pytest

from tests.submission_factory import EVENTS
from tests.system.kill_run.history import (
    DAY_SECS,
    Called,
    Charges,
    CheckEvent,
    CheckRun,
    Checks,
    Item,
    Page,
    Told,
    shown,
    wrong_answers,
    wrong_charges,
    wrong_checks,
    wrong_list,
    wrong_polls,
)

FINAL = {"id": "s", "status": "completed", "verdict": "AC", "stdout": "1\n", "completed_at": "2027-01-15T08:00:01.000Z"}
A, B, C = (Item(event_id, "submission.completed") for event_id in "abc")
ALERT = Item("alert", "endpoint.degraded")
CHARGES = Charges(in_flight_limit=2, day=0, counted=3, unanswered=0)
ACCEPTED_AT = {"a": 1.0, "b": 2.0, "c": 5.0}
LIVES = {"a": (0.9, 4.0), "b": (1.9, 3.0), "c": (4.9, 6.0)}


def told(*states: str | dict[str, Any] | int) -> list[Told]:
    """Answers of polls in turn: a state, a result, or a status code."""
    return [
        Told("s", 404, {})
        if isinstance(state, int)
        else Told("s", 200, {"status": state} if isinstance(state, str) else state)
        for state in states
    ]


def page(sent: str | None, items: list[Item], cursor: str, consumer: str = "one", missed: int = 0) -> Page:
    return Page(consumer, sent, tuple(items), cursor, missed)


def test_a_submission_may_wait_run_and_end() -> None:
    assert list(wrong_answers(told("pending", "running", "running", FINAL, FINAL))) == []
    assert list(wrong_answers(told("pending", FINAL))) == []


@pytest.mark.parametrize(
    "answers",
    [
        told("pending", 404),
        told("running", "pending"),
        told(FINAL, "running"),
        told(FINAL, FINAL | {"stdout": "2\n"}),
        told(FINAL, FINAL | {"completed_at": "2027-01-15T08:00:02.000Z"}),
    ],
)
def test_a_submission_that_is_forgotten_goes_back_or_ends_twice_is_found(answers: list[Told]) -> None:
    assert list(wrong_answers(answers))


READ = [page(None, [], "0"), page("0", [A, B], "2"), page("2", [C], "3"), page("3", [], "3")]


def test_consumers_may_read_pages_of_any_size_and_repeat_what_they_did_not_commit() -> None:
    forgetful = [
        page(None, [], "0", "two"),
        page(None, [A], "1", "two"),
        page(None, [A, B], "2", "two"),
        page("2", [C], "3", "two"),
        page(None, [C, ALERT], "4", "two"),
        page("1", [B], "2", "two"),
        page("4", [], "4", "two"),
    ]
    assert list(wrong_polls([*READ, *forgetful], "abc")) == []


@pytest.mark.parametrize(
    "pages",
    [
        pytest.param([page(None, [A, B], "2"), page("2", [], "2")], id="the last one is missing"),
        pytest.param([page(None, [A], "1"), page("1", [C], "3")], id="a gap"),
        pytest.param([page(None, [A, B], "2"), page("2", [B, C], "4")], id="a committed one comes again"),
        pytest.param([page(None, [A, B], "2"), page("2", [C], "3"), page(None, [A], "1")], id="a commit is forgotten"),
        pytest.param([page(None, [A], "1"), page(None, [B, C], "3")], id="one that was not committed is skipped"),
        pytest.param([page(None, [A, B], "2"), page(None, [B, A, C], "3")], id="another order"),
        pytest.param([page(None, [A, B, C, Item("d", A.type)], "4")], id="an event that nobody submitted"),
        pytest.param([page(None, [A, B, C], "3", missed=1)], id="missed"),
        pytest.param([*READ, page(None, [B, A, C], "3", "two")], id="consumers with different orders"),
    ],
)
def test_polls_with_a_gap_a_repeat_or_another_order_are_found(pages: list[Page]) -> None:
    assert list(wrong_polls(pages, "abc"))


def test_the_list_has_each_submission_once() -> None:
    assert list(wrong_list("ba", "ab")) == []
    for listed in ("a", "aab", "abc"):
        assert list(wrong_list(listed, "ab"))


def test_submissions_within_the_quota_are_counted_once() -> None:
    assert list(wrong_charges(CHARGES, ACCEPTED_AT, LIVES)) == []
    assert list(wrong_charges(replace(CHARGES, counted=4, unanswered=1), ACCEPTED_AT, LIVES)) == []
    after_midnight = {name: (created + DAY_SECS - 4, ended + DAY_SECS - 4) for name, (created, ended) in LIVES.items()}
    assert list(wrong_charges(replace(CHARGES, day=1, counted=1), {}, after_midnight)) == []


@pytest.mark.parametrize(
    ("charges", "lives"),
    [
        (replace(CHARGES, counted=2), LIVES),
        (replace(CHARGES, counted=4), LIVES),
        (replace(CHARGES, counted=5, unanswered=1), LIVES),
        (CHARGES, LIVES | {"a": (0.9, 7.0), "b": (1.9, 6.0)}),
    ],
)
def test_submissions_that_are_counted_wrongly_or_exceed_the_quota_are_found(
    charges: Charges, lives: dict[str, tuple[float, float]]
) -> None:
    assert list(wrong_charges(charges, ACCEPTED_AT, lives))


def test_a_judge_run_is_shown_with_the_fields_of_a_run() -> None:
    mixed, failed = (
        json.loads((EVENTS / "webhook" / f"judge_completed.v1.{name}.json").read_text(encoding="utf-8"))
        for name in ("mixed", "platform_failure")
    )
    assert [shown(event)["verdict"] for event in (mixed, mixed | {"all_passed": True}, failed)] == ["RE", "AC", "IE"]
    assert shown(mixed)["completed_at"] == mixed["timestamps"]["completed_at"]
    assert shown(mixed)["stdout"] == "".join(case["stdout"] or "" for case in mixed["results"])
    unfinished = {"id": "s", "status": "running", "finished": 1}
    assert shown(unfinished) == unfinished


CALLS = (Called("call-0", "r"), Called("call-0", "r"), Called("call-1", "s"))
RUNS = (CheckRun("r", "passed", '{"call":"call-0"}\n'), CheckRun("s", "flaky", '{"call":"call-1"}\n'))
EVENTS_OF_RUNS = (CheckEvent("e", "r"), CheckEvent("f", "s"), CheckEvent("e", "r"))
CHECKS = Checks(CALLS, RUNS, EVENTS_OF_RUNS)


def test_each_call_of_a_check_has_one_run_with_one_event() -> None:
    assert list(wrong_checks(CHECKS)) == []


@pytest.mark.parametrize(
    "checks",
    [
        pytest.param(replace(CHECKS, calls=(*CALLS, Called("call-1", "t"))), id="a repeat started another run"),
        pytest.param(replace(CHECKS, runs=RUNS[:1]), id="no run"),
        pytest.param(replace(CHECKS, runs=(*RUNS, CheckRun("t", "passed", ""))), id="a run that nobody asked for"),
        pytest.param(replace(CHECKS, runs=(RUNS[0], replace(RUNS[1], status="running"))), id="a run without an end"),
        pytest.param(replace(CHECKS, runs=(RUNS[0], replace(RUNS[1], stdout=RUNS[0].stdout))), id="another output"),
        pytest.param(replace(CHECKS, events=EVENTS_OF_RUNS[:1]), id="no event"),
        pytest.param(replace(CHECKS, events=(*EVENTS_OF_RUNS, CheckEvent("g", "s"))), id="two events"),
        pytest.param(replace(CHECKS, events=(*EVENTS_OF_RUNS, CheckEvent("e", ""))), id="an invalid signature"),
    ],
)
def test_calls_of_a_check_that_ran_twice_or_not_at_all_are_found(checks: Checks) -> None:
    assert list(wrong_checks(checks))
