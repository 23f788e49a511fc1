"""The card of `submission.completed` for chat services."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from functions.webhooks.cards import Card, Level

if TYPE_CHECKING:
    from collections.abc import Mapping


def completed_card(event: Mapping[str, Any]) -> Card:
    """Return the card of a finished run."""
    verdict = event["verdict"]
    level = {"AC": Level.GOOD, "IE": Level.WARNING}.get(verdict, Level.BAD)
    return Card(
        f"{verdict}: {event['language']} run",
        level,
        event["error_message"] or "",
        (
            ("Cause", event["result"]["cause"]),
            ("Exit code", _shown(event["exit_code"])),
            ("Wall time", _shown(event["wall_time_secs"], " s")),
            *((f"Metadata {name}", value) for name, value in list(event["metadata"].items())[:4]),
            ("Submission", event["id"]),
        ),
        (("stdout", event["output"]["stdout"]), ("stderr", event["output"]["stderr"])),
        event.get("result_url"),
    )


def _shown(value: object, unit: str = "") -> str:
    return "" if value is None else f"{value}{unit}"
