from typing import Any

import pytest

from functions.checks.cards import CHECK_CARDS
from functions.checks.state import State
from functions.webhooks.cards import Card, Incident, Level, bounded

CHECK_ID = "3f0c5a3e-8d7b-4b52-9a3c-6e2d4f8b7c08"
RUN = {
    "check_id": CHECK_ID,
    "check_name": "Nightly totals",
    "check_slug": "nightly-totals",
    "run_id": "8a0c5a3e-8d7b-4b52-9a3c-6e2d4f8b7c08",
    "status": "failed",
    "scheduled_at": "2026-11-24T12:00:00.000Z",
    "reason": "",
    "verdict": "AC",
    "result_url": "https://api.example.com/api/result/1",
}
FAILED = {"assertion": "stdout equals", "expected": "42", "actual": "13", "passed": False}


def changed(**fields: Any) -> Card:
    event = {
        **RUN,
        "state": "failing",
        "previous_state": "up",
        "is_reminder": False,
        "since": "2026-11-24T12:00:00.000Z",
        "outage_secs": None,
        "failed": [FAILED],
        "difference": "-42\n+13",
        "next": "Open the run.",
        **fields,
    }
    return bounded(CHECK_CARDS["check.state.changed"](event))


def test_an_alarm_names_the_failure_the_change_the_time_and_the_next_step() -> None:
    assert changed() == Card(
        "❌ Nightly totals is failing",
        Level.BAD,
        "Open the run.",
        (
            ("stdout equals", "expected 42, got 13"),
            ("Since", "2026-11-24T12:00:00.000Z"),
            ("Verdict", "AC"),
            ("Check", "nightly-totals"),
            ("Run", "8a0c5a3e-8d7b-4b52-9a3c-6e2d4f8b7c08"),
        ),
        (("Changed since the last good output", "-42\n+13"),),
        "https://api.example.com/api/result/1",
        Incident(CHECK_ID, "nightly-totals"),
    )


def test_an_alarm_names_the_runbook() -> None:
    runbook = "https://wiki.example.com/" + "a" * 125
    assert dict(changed(runbook_url=runbook).facts)["Runbook"] == runbook


def test_many_failures_are_counted_and_the_run_is_still_named() -> None:
    facts = dict(changed(failed=[{**FAILED, "assertion": f"a{number}"} for number in range(20)]).facts)
    assert facts["More failed assertions"] == "17"
    assert facts["Run"] == RUN["run_id"]


@pytest.mark.parametrize(
    ("secs", "shown"),
    [
        (0, "0 s"),
        (59, "59 s"),
        (60, "1 min"),
        (3_725, "1 h 2 min"),
        (86_400, "1 d"),
        (86_460, "1 d"),
        (90_000, "1 d 1 h"),
    ],
)
def test_a_recovery_gives_the_length_of_the_outage(secs: int, shown: str) -> None:
    card = changed(state="up", previous_state="failing", outage_secs=secs, failed=[], difference="")
    assert (card.title, card.level) == (f"✅ Nightly totals is up again after {shown}", Level.GOOD)
    assert card.outputs == ()


def test_a_reminder_says_that_the_outage_lasts() -> None:
    assert changed(is_reminder=True).title == "❌ Nightly totals is still failing"


@pytest.mark.parametrize("state", State)
def test_every_state_has_a_card(state: State) -> None:
    assert changed(state=state.value).title.endswith(f"Nightly totals is {state}")


def test_runs_and_missed_runs_have_cards() -> None:
    run = CHECK_CARDS["check.run.completed"]({**RUN, "status": "passed"})
    assert (run.title, run.level) == ("Nightly totals: run passed", Level.GOOD)
    missed = CHECK_CARDS["check.run.missed"](
        {**RUN, "status": "missed", "reason": "The scheduler was off.", "verdict": None}
    )
    assert ("Reason", "The scheduler was off.") in missed.facts
