"""The card of `judge.completed` for chat services."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from functions.webhooks.cards import Card, Level

if TYPE_CHECKING:
    from collections.abc import Mapping


def judged_card(event: Mapping[str, Any]) -> Card:
    """Return the card of a finished judge run."""
    level = Level.GOOD if event["all_passed"] else Level.BAD
    compiled = event["compile"]
    return Card(
        f"{event['passed']} of {len(event['results'])} cases passed: {event['language']} judge run",
        Level.WARNING if event["status"] == "error" else level,
        event["error_message"] or "",
        (
            ("Score", f"{event['score']} of {event['max_score']}"),
            ("First failed case", "" if event["first_failed"] is None else str(event["first_failed"])),
            *((f"Metadata {name}", value) for name, value in list(event["metadata"].items())[:4]),
            ("Judge run", event["id"]),
        ),
        (("compiler", "" if compiled is None or compiled["verdict"] == "AC" else compiled["stderr"]),),
        event.get("result_url"),
    )
