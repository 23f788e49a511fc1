"""Query parameters of the list of checks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from functions.checks.state import State
from functions.errors import BadRequestError

if TYPE_CHECKING:
    from collections.abc import Callable

    from functions.checks.settings.model import Check
    from functions.http.parameters import Parameters


def list_filters(parameters: Parameters) -> Callable[[Check], bool]:
    """Read `tag`, `state` and `slug`; return whether a check has all of them. Raises BadRequestError."""
    tag, state, slug = parameters.get("tag"), parameters.get("state"), parameters.get("slug")
    if state is not None and state not in list(State):
        raise BadRequestError(f"state must be one of {', '.join(State)}.")

    def is_listed(check: Check) -> bool:
        settings = check.settings
        return (
            (tag is None or tag in settings.tags)
            and (state is None or check.standing.state == state)
            and (slug is None or settings.slug == slug)
        )

    return is_listed
