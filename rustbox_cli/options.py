"""Shared options and parameter types."""

import re
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from difflib import get_close_matches
from functools import wraps
from pathlib import Path
from typing import Any

import click

from rustbox_cli.api import pass_session
from rustbox_cli.errors import CommandError, ExitCode

# Suggest the command that was meant.


class SuggestingGroup(click.Group):
    """A group of commands that names the closest one when a command does not exist."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command. Raises click.UsageError with a suggestion."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            close = get_close_matches(args[0], self.list_commands(ctx), 2, 0.6)
            if close:
                error.message += f" Did you mean {' or '.join(close)}?"
            raise


_UNIT_SECS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_DURATION = re.compile(r"([0-9]{1,9})([smhdw])")
_LONGEST_SECS = 100 * 365 * 86_400

as_json = click.option("--json", "as_json", is_flag=True, help="Print the service's JSON.")
no_answers_option = click.option(
    "--no-answers",
    is_flag=True,
    help="Accept cases that have no answer file. A program passes such a case if it exits with code 0.",
)
root_option = click.option(
    "--root",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Follow links of the package to files of this folder. Default: the repository that has the package.",
)
jobs_option = click.option(
    "--jobs", type=click.IntRange(1, 64), default=4, show_default=True, help="Judge runs at a time."
)
yes_option = click.option("--yes", is_flag=True, help="Do not ask for confirmation.")


def all_of(*options: Callable[..., Any]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Return a decorator that adds these arguments and options, in this order."""

    def add(command: Callable[..., Any]) -> Callable[..., Any]:
        for option in reversed(options):
            command = option(command)
        return command

    return add


def page_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add --limit and --all to a list command, which gets `most`; None: all items."""

    @wraps(command)
    def with_most(*args: Any, limit: int, everything: bool, **options: Any) -> Any:
        return command(*args, most=None if everything else limit, **options)

    with_all = click.option("--all", "everything", is_flag=True, help="Show all items.")(with_most)
    return click.option(
        "--limit", type=click.IntRange(min=1), default=50, show_default=True, help="Maximum number of items."
    )(with_all)


def service_command(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command its session, and --json as `as_json`."""
    return as_json(pass_session(command))


class Duration(click.ParamType):
    """A duration such as `90s`, `15m`, `24h`, `30d`, `2w`."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if isinstance(value, int):
            return value
        found = _DURATION.fullmatch(value)
        secs = int(found[1]) * _UNIT_SECS[found[2]] if found else _LONGEST_SECS + 1
        if secs > _LONGEST_SECS:
            self.fail(f"{value!r} is not a duration such as 90s, 15m, 24h, 30d", param, ctx)
        return secs


class Moment(click.ParamType):
    """A time of RFC 3339, or a duration from now: into the past (`sign` -1) or the future (1)."""

    name = "time"

    def __init__(self, sign: int) -> None:
        self._sign = sign

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Convert to RFC 3339. The service validates other texts."""
        if not _DURATION.fullmatch(value):
            return str(value)
        secs = self._sign * Duration().convert(value, param, ctx)
        moment = datetime.now(timezone.utc) + timedelta(seconds=secs)
        return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Pair(click.ParamType):
    """`NAME=VALUE`."""

    name = "name=value"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, str]:
        name, separator, text = str(value).partition("=")
        if not (name and separator):
            self.fail(f"{value!r} is not NAME=VALUE", param, ctx)
        return name, text


def confirm(question: str, *, yes: bool) -> None:
    """Ask for confirmation. Raises CommandError if standard input is not a terminal."""
    if yes:
        return
    if not click.get_text_stream("stdin").isatty():
        raise CommandError(
            "This cannot be undone, and there is no terminal to confirm it.", ExitCode.USAGE, "Confirm with --yes."
        )
    click.confirm(question, abort=True, err=True)
