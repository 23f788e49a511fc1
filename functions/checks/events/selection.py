"""Which calls run a check: those with one of its `events`, and with the values of its `match`. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from functions.checks.assertions.kinds import is_equal, parse_path, value_at

if TYPE_CHECKING:
    from functions.checks.settings.check_settings import CheckSettings


def reason_to_ignore(settings: CheckSettings, event_type: str, document: Any) -> str | None:
    """Return why a call runs nothing; None if it runs the check. `document`: MISSING for a body that is not JSON."""
    if settings.events and not any(_names(event, event_type) for event in settings.events):
        return f"{event_type or 'a call without a type'} is not among events"
    for path, value in settings.match.items():
        if not is_equal(value_at(document, parse_path(path)), value):
            return f"{path} has another value than in match"
    return None


def _names(event: str, event_type: str) -> bool:
    """Whether an entry of `events` names a type: `pull_request` names `pull_request.opened` too."""
    return event_type == event or event_type.startswith(f"{event}.")
