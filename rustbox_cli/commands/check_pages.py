"""Commands `checks` about many checks: quiet times of their tags, and the public status page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from rustbox_cli.errors import CommandError, ExitCode
from rustbox_cli.options import SuggestingGroup, as_json, confirm, yes_option
from rustbox_cli.output import show_json, show_list, show_record
from rustbox_cli.session import Session, pass_session

if TYPE_CHECKING:
    from rustbox_cli.output import Columns

_QUIET = ("quiet-times",)
_PAGE = ("status-page",)


@click.group("quiet-times", cls=SuggestingGroup)
def quiet_times() -> None:
    """Withhold changes of the state of all checks with a tag, at set times.

    \b
    Examples:
      rustbox checks quiet-times add database "cron(0 2 ? * SUN *)" --minutes 120
      rustbox checks quiet-times list
      rustbox checks quiet-times remove database
    """


@quiet_times.command("list")
@as_json
@pass_session
def list_quiet_times(session: Session, as_json: bool) -> None:
    """List the quiet times of all tags."""
    _show_times(session.call("GET", _QUIET), as_json=as_json)


@quiet_times.command("add")
@click.argument("tag")
@click.argument("schedule")
@click.option("--minutes", type=click.IntRange(1, 10_080), required=True, help="How long each lasts.")
@click.option("--timezone", default="UTC", show_default=True, help="IANA time zone of SCHEDULE.")
@as_json
@pass_session
def add_quiet_time(session: Session, tag: str, schedule: str, minutes: int, timezone: str, as_json: bool) -> None:
    """Add quiet times of TAG, which begin at the times of SCHEDULE, a cron expression. Repeating it is safe."""
    one = {"schedule": schedule, "minutes": minutes, "timezone": timezone}
    with session.api() as api:
        tags = api.call("GET", _QUIET).body["tags"]
        tags[tag] = [*(each for each in tags.get(tag, ()) if each != one), one]
        changed = api.call("PUT", _QUIET, body={"tags": tags}).body
    _show_times(changed, as_json=as_json)


@quiet_times.command("remove")
@click.argument("tag")
@click.option("--schedule", help="Only those that begin at the times of this expression.")
@as_json
@pass_session
def remove_quiet_times(session: Session, tag: str, schedule: str | None, as_json: bool) -> None:
    """Remove the quiet times of TAG."""
    with session.api() as api:
        tags = api.call("GET", _QUIET).body["tags"]
        kept = [each for each in tags.get(tag, ()) if schedule not in (None, each["schedule"])]
        if len(kept) == len(tags.get(tag, ())):
            raise CommandError(
                f"The tag {tag} has no such quiet time.", ExitCode.NOT_FOUND, "`quiet-times list` shows all."
            )
        others = {name: times for name, times in tags.items() if name != tag}
        changed = api.call("PUT", _QUIET, body={"tags": {**others, **({tag: kept} if kept else {})}}).body
    _show_times(changed, as_json=as_json)


def _show_times(body: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        show_json(body)
        return
    rows = [{"tag": tag, **each} for tag, times in body["tags"].items() for each in times]
    columns: Columns = {"TAG": "tag", "SCHEDULE": "schedule", "MINUTES": "minutes", "TIME ZONE": "timezone"}
    show_list(rows, columns, "No tag has quiet times.", as_json=False)


@click.group("status-page", cls=SuggestingGroup)
def status_page() -> None:
    """Show chosen checks on a public page. Everybody with its address sees it.

    \b
    Examples:
      rustbox checks status-page set site backup --title Example
      rustbox checks status-page show
      rustbox checks status-page delete
    """


@status_page.command("show")
@as_json
@pass_session
def show_page(session: Session, as_json: bool) -> None:
    """Show the address of the page, and its checks."""
    _show_page(session, session.call("GET", _PAGE), as_json=as_json)


@status_page.command("set")
@click.argument("slugs", nargs=-1, required=True)
@click.option("--title", required=True, help="Heading of the page.")
@click.option(
    "--with-output", is_flag=True, help="Also show why a check is down: its failed assertions may quote the output."
)
@as_json
@pass_session
def set_page(session: Session, slugs: tuple[str, ...], title: str, with_output: bool, as_json: bool) -> None:
    """Show the checks SLUGS on the page, in this order. The address stays."""
    body = {"title": title, "checks": list(slugs), "shows_output": with_output}
    _show_page(session, session.call("PUT", _PAGE, body), as_json=as_json)


@status_page.command("delete")
@yes_option
@as_json
@pass_session
def delete_page(session: Session, yes: bool, as_json: bool) -> None:
    """Turn the page off. A new one has another address."""
    confirm("Turn the status page off? Its address will not come back.", yes=yes)
    body = session.call("DELETE", _PAGE)
    if as_json:
        show_json(body)
    else:
        click.echo("The status page is off.")


def _show_page(session: Session, page: dict[str, Any], *, as_json: bool) -> None:
    shown = {**page, "url": session.url.rstrip("/") + page["url"]}
    if as_json:
        show_json(shown)
        return
    show_record({name.replace("_", " "): shown[name] for name in ("url", "title", "checks", "shows_output")})


COMMANDS = (quiet_times, status_page)
"""What `checks` has about many checks."""
