"""The judge of a kill run finds whatever is lost, wrong or unexplained, and takes no kill for a cause that is none."""

import json
import time
from dataclasses import replace
from typing import Any

import pytest

from tests.system.kill_run.facts import AttemptRow, Facts, Generation, Kill, Reception, Submitted
from tests.system.kill_run.history import (
    DAY_SECS,
    Called,
    Charges,
    CheckEvent,
    CheckRun,
    Checks,
    History,
    Item,
    Page,
    Told,
)
from tests.system.kill_run.judge import Judge, Judgement
from tests.system.kill_run.plan import Job, Own, Victim

NOW = 1_800_000_000.0
JOB = Job("1-0", "python", "print('1-0')", "AC", 0, "1-0\n", 0.0, waits=True, repeats=True, own=Own.WHSEC)
RESULT: dict[str, Any] = {
    "id": "s",
    "verdict": "AC",
    "exit_code": 0,
    "stdout": "1-0\n",
    "stderr": "",
    "result": {"cause": "normal_exit"},
    "created_at": "2027-01-15T08:00:00.000Z",
    "completed_at": "2027-01-15T08:00:01.000Z",
}
IE = RESULT | {"verdict": "IE", "exit_code": None, "stdout": "", "result": {"cause": "ie_supervisor_failure"}}
RECEIVED = Reception("run", "s", NOW + 1, NOW + 1, 200, json.dumps(RESULT).encode())
ATTEMPT = AttemptRow("run", "s", NOW + 1.1, 200)
AT_ENDPOINT = replace(RECEIVED, target="e")
ATTEMPT_AT_ENDPOINT = replace(ATTEMPT, target="e")
HISTORY = History(
    told=(Told("s", 200, {"status": "pending"}), Told("s", 200, RESULT)),
    pages=(Page("consumer", None, (Item("s", "submission.completed"),), "1"),),
    listed=("s",),
    charges=Charges(in_flight_limit=1, day=int(NOW // DAY_SECS), counted=1, unanswered=0),
    checks=Checks(
        (Called("call-0", "r"), Called("call-0", "r")),
        (CheckRun("r", "passed", '{"call":"call-0"}\n'),),
        (CheckEvent("e", "r"), CheckEvent("e", "r")),
    ),
)
KILLED = Generation(NOW - 60, NOW - 9)
ALIVE = Generation(NOW - 8)
GOOD = Facts(
    submitted=(Submitted(JOB, "s", NOW + 2, RESULT),),
    rows={"s": "1-0"},
    results={"s": RESULT},
    deliveries={("s", "run"): "delivered", ("s", "e"): "delivered"},
    attempts=(ATTEMPT, ATTEMPT_AT_ENDPOINT),
    receptions=(RECEIVED, AT_ENDPOINT),
    targets={"e": True, "deaf": False},
    kills=(Kill(Victim.LAUNCHER, NOW - 9),),
    generations=(KILLED, ALIVE),
    history=HISTORY,
)
EARLIER = replace(RECEIVED, received_at=NOW - 10, answered_at=NOW - 10)


def judge(**changes: Any) -> Judgement:
    return Judge(replace(GOOD, **changes)).judge()


def event(**changes: Any) -> bytes:
    return json.dumps(RESULT | changes).encode()


def ended(phrase: str) -> str:
    """A line of a launcher's log, written right after the earlier reception."""
    return f"{time.strftime('%H:%M:%S', time.localtime(NOW - 9.5))}.500 webhook   {phrase}\n"


def test_a_kill_run_without_losses_is_good() -> None:
    found = judge()
    assert found.is_good
    assert (found.delivered, found.owed, found.retries, found.duplicates) == (2, 2, 0, [])
    assert list(found.lines()) == []


def test_a_run_that_begins_when_its_result_is_final_is_counted_and_nothing_is_wrong() -> None:
    recorded = "23:59:59.900 record    Completion recorded correlation_id=c submission_id=s message_type="
    lines = {
        "23:59:59.000 runner    execution completed submission_id=s execution_id=1 run_ms=900 queue_ms=1": 0,
        "00:00:05.000 runner    execution completed submission_id=s execution_id=1 run_ms=5000 queue_ms=1": 0,
        "00:00:05.000 runner    execution completed submission_id=s execution_id=2 run_ms=1000 queue_ms=1": 1,
        "00:00:05.000 runner    judge run completed submission_id=s execution_id=2 run_ms=1000 queue_ms=1": 1,
        "00:00:05.000 runner    execution completed submission_id=t execution_id=2 run_ms=1000 queue_ms=1": 0,
    }
    for kind in ("execution", "judge"):
        for line, count in lines.items():
            found = judge(log=f"{recorded}{kind}_started\n{recorded}{kind}_completed\n{line}\n")
            assert (len(found.ran_again), found.is_good) == (count, True)
    assert judge(log=f"{recorded}execution_started\n{[*lines][2]}\n").ran_again == []


@pytest.mark.parametrize(
    "changes",
    [
        {"submitted": (Submitted(JOB, "s", NOW + 2), Submitted(replace(JOB, key="1-1"), "gone", NOW))},
        {"results": {"s": {"status": "running"}}},
        {"deliveries": {("s", "run"): "delivered"}},
        {"deliveries": {("s", "run"): "delivered", ("s", "e"): "retrying"}},
        {"deliveries": {("s", "run"): "exhausted", ("s", "e"): "delivered"}},
        {"receptions": (RECEIVED,), "attempts": (ATTEMPT,)},
        {"receptions": (RECEIVED, replace(AT_ENDPOINT, status=500))},
    ],
)
def test_a_kill_run_with_a_loss_is_not_good(changes: dict[str, Any]) -> None:
    found = judge(**changes)
    assert found.lost
    assert not found.is_good


@pytest.mark.parametrize(
    "changes",
    [
        {"results": {"s": RESULT | {"stdout": ""}}},
        {"results": {"s": RESULT | {"verdict": "RE"}}},
        {"results": {"s": RESULT | {"completed_at": "2027-01-15T08:00:02.000Z"}}},
        {"submitted": (Submitted(JOB, "s", NOW + 2, RESULT | {"stdout": "other\n"}),)},
        {"submitted": (Submitted(JOB, "s", NOW + 2), Submitted(replace(JOB, key="1-1"), "s", NOW + 2))},
        {"rows": {"s": "1-0", "s2": "1-0"}, "results": {"s": RESULT, "s2": RESULT | {"id": "s2"}}},
        {"receptions": (RECEIVED, replace(AT_ENDPOINT, problem="its signature is not good"))},
        {"receptions": (RECEIVED, replace(AT_ENDPOINT, body=event(type="other")))},
        {"receptions": (replace(RECEIVED, body=event(stdout="")), replace(AT_ENDPOINT, body=event(stdout="")))},
        {"receptions": (RECEIVED, AT_ENDPOINT, replace(RECEIVED, target="deaf"))},
        {"receptions": (RECEIVED, AT_ENDPOINT, replace(RECEIVED, webhook_id="unknown"))},
        {"deliveries": {**GOOD.deliveries, ("s", "deaf"): "delivered"}},
        {"attempts": (ATTEMPT, ATTEMPT_AT_ENDPOINT, replace(ATTEMPT, status=500))},
        {"attempts": (ATTEMPT, ATTEMPT_AT_ENDPOINT, *[replace(ATTEMPT, status=None)] * 10)},
        {"held": frozenset({"s"})},
        {"problems": ("the launcher ended by itself",)},
        {"history": replace(HISTORY, told=(Told("s", 404, {}),))},
        {"history": replace(HISTORY, told=(Told("s", 200, RESULT | {"stdout": "other\n"}),))},
        {"history": replace(HISTORY, pages=())},
        {"history": replace(HISTORY, listed=())},
        {"history": replace(HISTORY, checks=Checks((Called("call-0", "r"),), (), ()))},
        {"history": replace(HISTORY, charges=replace(HISTORY.charges, counted=2))},
    ],
)
def test_wrong_facts_are_found(changes: dict[str, Any]) -> None:
    found = judge(**changes)
    assert found.wrong
    assert not found.is_good


@pytest.mark.parametrize(("kills", "is_good"), [(5, True), (4, False)])
def test_a_run_may_be_given_up_when_kills_ended_each_of_its_tries(kills: int, is_good: bool) -> None:  # noqa: FBT001
    body = json.dumps(IE).encode()
    found = judge(
        submitted=(Submitted(JOB, "s", NOW + 2),),
        results={"s": IE},
        history=replace(HISTORY, told=()),
        receptions=(replace(RECEIVED, body=body), replace(AT_ENDPOINT, body=body)),
        kills=tuple(Kill(Victim.RUNNER, NOW + number / 10) for number in range(kills)),
    )
    assert found.gave_up == 1
    assert found.is_good is is_good


def test_an_alert_must_arrive_like_the_event_of_a_run() -> None:
    alert: dict[str, Any] = {"alerts": frozenset({"a"}), "deliveries": {**GOOD.deliveries, ("a", "deaf"): "delivered"}}
    received = replace(AT_ENDPOINT, webhook_id="a", target="deaf", body=b'{"type":"endpoint.degraded"}')
    attempt = replace(ATTEMPT_AT_ENDPOINT, event_id="a", target="deaf")
    attempts = (ATTEMPT, ATTEMPT_AT_ENDPOINT, attempt)
    assert judge(**alert, attempts=attempts, receptions=(RECEIVED, AT_ENDPOINT, received)).is_good
    assert judge(**alert, attempts=attempts).lost
    other = replace(received, body=b'{"type":"endpoint.degraded","attempts":7}')
    assert judge(**alert, attempts=attempts, receptions=(RECEIVED, AT_ENDPOINT, received, other)).wrong


@pytest.mark.parametrize(
    ("arrivals", "is_good"),
    [
        ([("s", 0, 200), ("s2", 1, 200)], True),
        ([("s", 0, 503), ("s", 1, 200), ("s2", 2, 200)], True),
        ([("s", 0, 503), ("s2", 1, 200), ("s", 2, 200)], False),
        ([("s", 0, None), ("s2", 1, 200), ("s", 2, 200)], False),
        ([("s", 0, 200), ("s2", 1, 200), ("s", 2, 200)], False),
        ([("s", 0, 200), ("s2", 0, 200)], False),
    ],
)
def test_an_ordered_endpoint_gets_one_delivery_after_the_other(
    arrivals: list[tuple[str, int, int | None]],
    is_good: bool,  # noqa: FBT001 - a parameter of the table
) -> None:
    second: dict[str, Any] = RESULT | {"id": "s2", "stdout": "1-1\n"}
    job = replace(JOB, key="1-1", code="print('1-1')", stdout="1-1\n", own=None)
    bodies = {"s": RECEIVED.body, "s2": json.dumps(second).encode()}
    received = [
        replace(
            AT_ENDPOINT,
            webhook_id=event_id,
            received_at=NOW + at,
            answered_at=NOW + at + 0.5,
            status=status,
            body=bodies[event_id],
        )
        for event_id, at, status in arrivals
    ]
    found = judge(
        submitted=(Submitted(JOB, "s", NOW + 2, RESULT), Submitted(job, "s2", NOW + 2)),
        rows={"s": "1-0", "s2": "1-1"},
        results={"s": RESULT, "s2": second},
        history=replace(
            HISTORY,
            pages=(*HISTORY.pages, Page("consumer", "1", (Item("s2", "submission.completed"),), "2")),
            listed=("s", "s2"),
            charges=replace(HISTORY.charges, counted=2),
        ),
        deliveries={**GOOD.deliveries, ("s2", "e"): "delivered"},
        receptions=(RECEIVED, *received),
        attempts=(ATTEMPT, *[AttemptRow("e", one.webhook_id, one.answered_at, one.status) for one in received]),
        ordered=frozenset({"e"}),
    )
    assert (found.lost, found.unexplained) == ([], [])
    assert found.is_good is is_good


def test_a_send_that_the_launchers_death_kept_from_being_recorded_is_explained() -> None:
    found = judge(receptions=(EARLIER, RECEIVED, AT_ENDPOINT))
    assert len(found.duplicates) == 1
    assert found.is_good


def test_a_retry_after_a_recorded_failure_is_no_duplicate() -> None:
    failed = replace(ATTEMPT, at=NOW - 9.9, status=500)
    found = judge(
        receptions=(replace(EARLIER, status=500), RECEIVED, AT_ENDPOINT),
        attempts=(failed, ATTEMPT, ATTEMPT_AT_ENDPOINT),
    )
    assert (found.retries, found.duplicates) == (1, [])
    assert found.is_good


@pytest.mark.parametrize(
    "killed",
    [
        pytest.param(Generation(NOW - 60), id="never killed"),
        pytest.param(Generation(NOW - 60, NOW + 30), id="killed long after"),
        pytest.param(replace(KILLED, ended_at=NOW - 20), id="killed before"),
        pytest.param(replace(KILLED, log=ended("Delivery attempted delivery_id=s#run attempt=1")), id="ended"),
        pytest.param(replace(KILLED, log=ended("Delivery failed inside message_id=m")), id="failed"),
    ],
)
def test_a_send_without_a_kill_that_explains_it_is_found(killed: Generation) -> None:
    found = judge(receptions=(EARLIER, RECEIVED, AT_ENDPOINT), generations=(killed,))
    assert len(found.unexplained) == 1
    assert not found.is_good


def test_a_launcher_that_sent_again_was_not_dead() -> None:
    again = replace(EARLIER, received_at=NOW - 9.5, answered_at=NOW - 9.5)
    found = judge(receptions=(EARLIER, again, RECEIVED, AT_ENDPOINT))
    assert [duplicate.reception for duplicate in found.unexplained] == [EARLIER]


def test_the_next_process_may_send_again_as_soon_as_it_lives() -> None:
    again = replace(RECEIVED, received_at=NOW - 8.4, answered_at=NOW - 8.4)
    recorded = replace(ATTEMPT, at=NOW - 8.3)
    found = judge(
        receptions=(EARLIER, again, AT_ENDPOINT),
        attempts=(recorded, ATTEMPT_AT_ENDPOINT),
        generations=(KILLED, Generation(NOW - 8.9)),
    )
    assert [duplicate.reception for duplicate in found.duplicates] == [EARLIER]
    assert found.unexplained == []


def test_an_in_flight_entry_without_a_row_is_left_to_the_quota() -> None:
    assert judge(held=frozenset({"never written"})).is_good


def test_log_of_another_delivery_says_nothing_of_this_one() -> None:
    killed = replace(KILLED, log=ended("Delivery attempted delivery_id=s#other attempt=1"))
    assert judge(receptions=(EARLIER, RECEIVED, AT_ENDPOINT), generations=(killed, ALIVE)).is_good
