"""A check of the service by its slug."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

import click

from rustbox_cli.errors import CommandError, ExitCode
from rustbox_cli.output import plain

if TYPE_CHECKING:
    from rustbox_cli.api import Api

slug_argument = click.argument("slug")


def find_check(api: Api, slug: str) -> dict[str, Any]:
    """Return the check with a slug. Raises CommandError, with the slug that was meant."""
    found: dict[str, Any] | None = next(iter(api.items(("checks",), 1, {"slug": slug})), None)
    if found is not None:
        return found
    known = [each["slug"] for each in api.items(("checks",), None, {})]
    close = get_close_matches(slug, known, 1)
    hint = f"Did you mean {plain(close[0])}?" if close else "`rustbox checks list` shows all."
    raise CommandError(f"The project has no check {slug}.", ExitCode.NOT_FOUND, hint)
