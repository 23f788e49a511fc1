"""The cards of check events for chat services."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from functions.checks.state import DOWN, State
from functions.webhooks.cards import Card, Incident, Level
from functions.webhooks.vocabulary import EVENT_CHECK_CHANGED, EVENT_CHECK_MISSED, EVENT_CHECK_RUN

if TYPE_CHECKING:
    from collections.abc import Mapping

    from functions.webhooks.cards import CardMaker

_SHOWN_FAILURES = 3
_MINUTE_SECS, _HOUR_SECS, _DAY_SECS = 60, 3_600, 86_400


def _changed_card(event: Mapping[str, Any]) -> Card:
    state, name = State(event["state"]), event["check_name"]
    outage = "" if event["outage_secs"] is None else _duration(event["outage_secs"])
    title = f"{name} is still {state}" if event["is_reminder"] else f"{name} is {state}"
    if outage:
        title += f" again after {outage}"
    level = Level.BAD if state is State.FAILING else Level.WARNING if state in DOWN | {State.FLAKY} else Level.GOOD
    return Card(
        title,
        Level.NEUTRAL if state in {State.NEW, State.PAUSED} else level,
        event["next"],
        (
            *_failures(event["failed"]),
            ("Since", event["since"] or ""),
            ("Runbook", event.get("runbook_url") or ""),
            ("Reason", event["reason"]),
            *_run_facts(event),
        ),
        (("Changed since the last good output", event["difference"]),),
        event["result_url"],
        Incident(event["check_id"], event["check_slug"], is_over=state not in DOWN),
    )


def _run_card(event: Mapping[str, Any]) -> Card:
    levels = {"passed": Level.GOOD, "failed": Level.BAD}
    level = levels.get(event["status"], Level.WARNING)
    facts = (("Reason", event["reason"]), *_run_facts(event))
    return Card(f"{event['check_name']}: run {event['status']}", level, "", facts, (), event["result_url"])


def _missed_card(event: Mapping[str, Any]) -> Card:
    facts = (("Due", event["scheduled_at"]), ("Reason", event["reason"]), ("Check", event["check_slug"]))
    return Card(f"{event['check_name']}: a run was missed", Level.WARNING, "", facts)


def _failures(failed: list[Mapping[str, Any]]) -> list[tuple[str, str]]:
    """Return a fact for each failed assertion. The last one counts those that are left out."""
    shown = [
        (each["assertion"], f"expected {each['expected']}, got {each['actual']}") for each in failed[:_SHOWN_FAILURES]
    ]
    more = len(failed) - len(shown)
    return [*shown, *([("More failed assertions", str(more))] if more else [])]


def _run_facts(event: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [("Verdict", event["verdict"] or ""), ("Check", event["check_slug"]), ("Run", event["run_id"])]


def _duration(secs: int) -> str:
    """Return a length of time in its two largest units: `2 h 5 min`."""
    parts = [
        (secs // _DAY_SECS, "d"),
        (secs % _DAY_SECS // _HOUR_SECS, "h"),
        (secs % _HOUR_SECS // _MINUTE_SECS, "min"),
        (secs % _MINUTE_SECS, "s"),
    ]
    first = next((index for index, part in enumerate(parts) if part[0]), len(parts) - 1)
    return " ".join(f"{count} {unit}" for count, unit in parts[first : first + 2] if count) or "0 s"


CHECK_CARDS: Final[Mapping[str, CardMaker]] = {
    EVENT_CHECK_CHANGED: _changed_card,
    EVENT_CHECK_RUN: _run_card,
    EVENT_CHECK_MISSED: _missed_card,
}
