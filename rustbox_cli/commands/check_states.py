"""Commands `checks` about checks that the service has, by their slugs."""

from __future__ import annotations

from time import monotonic, sleep
from typing import TYPE_CHECKING

import click

from rustbox_cli.check_slugs import find_check, slug_argument
from rustbox_cli.errors import CommandError, ExitCode
from rustbox_cli.junit import CheckRun
from rustbox_cli.options import Duration, Moment, as_json, confirm, page_options, yes_option
from rustbox_cli.output import plain, show_json, show_list, show_record
from rustbox_cli.session import Session, pass_session

if TYPE_CHECKING:
    from rustbox_cli.output import Columns

_POLL_SECS = 1.0
_FAILED = 1
_RUNS_SHOWN = 10
_LEFT_OUT = ("code", "stdin", "statistics", "assertions", "last_run")


@click.command("list")
@click.option("--tag", help="Only checks with this tag.")
@click.option("--state", help="Only checks in this state, such as failing.")
@page_options
@as_json
@pass_session
def list_checks(session: Session, tag: str | None, state: str | None, most: int | None, as_json: bool) -> None:
    """List the checks of the project, newest first."""
    found = session.items(("checks",), most, {"tag": tag, "state": state})
    columns: Columns = {
        "SLUG": "slug",
        "STATE": "state",
        "SINCE": "state_since",
        "KIND": "kind",
        "SCHEDULE": "schedule",
        "NEXT": lambda one: next(iter(one["next_runs"]), None),
        "NAME": "name",
    }
    show_list(found, columns, "There are no checks. `rustbox checks init` begins a file.", as_json=as_json)


@click.command("show")
@slug_argument
@as_json
@pass_session
def show_check(session: Session, slug: str, as_json: bool) -> None:
    """Show a check and its latest runs."""
    with session.api() as api:
        check_id = find_check(api, slug)["id"]
        check = api.call("GET", ("checks", check_id)).body
        runs = list(api.items(("checks", check_id, "runs"), _RUNS_SHOWN, {}))
    if as_json:
        show_json({**check, "runs": runs})
        return
    set_ones = {name: value for name, value in check.items() if name not in _LEFT_OUT and value not in (None, [], {})}
    show_record({**set_ones, **check["statistics"]})
    columns: Columns = {
        "RUN ID": "id",
        "STATUS": "status",
        "STARTED BY": "kind",
        "SCHEDULED": "scheduled_at",
        "REASON": "reason",
    }
    click.echo()
    show_list(runs, columns, "It has not run yet.", as_json=False)


@click.command("run")
@slug_argument
@click.option("--no-wait", is_flag=True, help="Do not wait for the end of the run.")
@click.option("--timeout", "timeout_secs", type=Duration(), default="10m", show_default=True)
@as_json
@pass_session
def run_check(session: Session, slug: str, no_wait: bool, timeout_secs: int, as_json: bool) -> None:
    """Run a check now; its state follows. Ends with 1 if it fails."""
    end = monotonic() + timeout_secs
    with session.api() as api:
        check = find_check(api, slug)
        run = api.call("POST", ("checks", check["id"], "run"), body={"affects_state": True}).body
        while not no_wait and run["status"] in {"queued", "running"}:
            if monotonic() > end:
                raise CommandError(f"{slug} is not finished in time.", ExitCode.BUSY, "Give a longer --timeout.")
            sleep(_POLL_SECS)
            page = api.call("GET", ("checks", check["id"], "runs"), query={"limit": "20"}).body
            run = next((each for each in page["items"] if each["id"] == run["id"]), run)
    ended = CheckRun(slug, run, check.get("runbook_url"))
    if as_json:
        show_json(run)
    else:
        click.echo(f"{plain(slug)} {'started: run ' + plain(run['id']) if no_wait else run['status']}")
        for line in () if no_wait else ended.problems:
            click.echo(f"    {plain(line)}")
    if not no_wait and not ended.has_passed:
        click.get_current_context().exit(_FAILED)


def _act(session: Session, slug: str, verb: str, done: str, *, as_json: bool) -> None:
    with session.api() as api:
        body = api.call("POST", ("checks", find_check(api, slug)["id"], verb)).body
    if as_json:
        show_json(body)
    else:
        click.echo(f"{plain(slug)} {done}.")


@click.command("pause")
@slug_argument
@as_json
@pass_session
def pause_check(session: Session, slug: str, as_json: bool) -> None:
    """Rest the schedule of a check."""
    _act(session, slug, "pause", "is paused", as_json=as_json)


@click.command("resume")
@slug_argument
@as_json
@pass_session
def resume_check(session: Session, slug: str, as_json: bool) -> None:
    """Start the schedule of a paused check again."""
    _act(session, slug, "resume", "goes on", as_json=as_json)


@click.command("mute")
@slug_argument
@click.option("--until", type=Moment(1), help="A time, or a duration from now such as 2h.")
@click.option("--off", is_flag=True, help="Send events again.")
@as_json
@pass_session
def mute_check(session: Session, slug: str, until: str | None, off: bool, as_json: bool) -> None:
    """Send no events of a check until a time; it runs all the same."""
    if off == (until is not None):
        raise CommandError("Say how long.", ExitCode.USAGE, "For example --until 2h, or --off to end it.")
    with session.api() as api:
        check_id = find_check(api, slug)["id"]
        body = api.call("PATCH", ("checks", check_id), body={"muted_until": until}).body
    if as_json:
        show_json(body)
    else:
        muted = body["muted_until"]
        click.echo(f"{plain(slug)} is muted until {plain(muted)}." if muted else f"{plain(slug)} sends events again.")


@click.command("delete")
@slug_argument
@yes_option
@as_json
@pass_session
def delete_check(session: Session, slug: str, yes: bool, as_json: bool) -> None:
    """Delete a check and its history."""
    with session.api() as api:
        check_id = find_check(api, slug)["id"]
        confirm(f"Delete the check {plain(slug)} with its history?", yes=yes)
        body = api.call("DELETE", ("checks", check_id)).body
    if as_json:
        show_json(body)
    else:
        click.echo(f"{plain(slug)} is deleted.")


@click.command("ping-url")
@slug_argument
@as_json
@pass_session
def make_ping_url(session: Session, slug: str, as_json: bool) -> None:
    """Make the address of a heartbeat's pings. The one before ends at once."""
    with session.api() as api:
        body = api.call("POST", ("checks", find_check(api, slug)["id"], "ping-url")).body
    url = session.url.rstrip("/") + body["url"]
    if as_json:
        show_json({"url": url})
    else:
        click.echo(url)


@click.command("trigger")
@click.argument("slugs", nargs=-1)
@click.option("--tag", help="All checks with this tag.")
@as_json
@pass_session
def trigger_checks(session: Session, slugs: tuple[str, ...], tag: str | None, as_json: bool) -> None:
    """Run checks of the project, for example after a deployment. Their state follows."""
    if bool(slugs) == (tag is not None):
        raise CommandError("Name checks, or a tag.", ExitCode.USAGE, "For example --tag deploy.")
    with session.api() as api:
        if tag is None:
            found = [find_check(api, slug) for slug in slugs]
        else:
            found = [each for each in api.items(("checks",), None, {"tag": tag}) if each["kind"] == "program"]
        runs = [api.call("POST", ("checks", each["id"], "run"), body={"affects_state": True}).body for each in found]
    if not runs:
        raise CommandError(f"No check has the tag {tag}.", ExitCode.NOT_FOUND)
    if as_json:
        show_json(runs)
        return
    for check, run in zip(found, runs):  # noqa: B905 - Python 3.10 has `strict`, and both are as long
        click.echo(f"{plain(check['slug'])} started: run {plain(run['id'])}")


COMMANDS = (
    list_checks,
    show_check,
    run_check,
    pause_check,
    resume_check,
    mute_check,
    delete_check,
    make_ping_url,
    trigger_checks,
)
"""What `checks` has beside the commands of the file."""
