"""Commands `checks` about a file, checks as code, and about many checks: quiet times of tags, and the status page."""

from collections.abc import Iterator
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import click

from rustbox_cli.api import Api, Session
from rustbox_cli.errors import CommandError, ExitCode
from rustbox_cli.options import Duration, SuggestingGroup, as_json, confirm, service_command, yes_option
from rustbox_cli.output import CheckRun, Columns, counted, junit_xml, plain, show_json, show_list, show_record, tell
from rustbox_cli.program_input import PROJECT_SCHEMA
from rustbox_cli.project.file import read_checks

# Commands `checks` about a file: checks as code.

_POLL_SECS = 1.0
_AT_ONCE = 5
"""Runs of `test` at the same time: half of the runs that a new project may have in flight."""
_FAILED = 1
_BEGINNING = """\
# For completion in an editor:
# yaml-language-server: $schema=https://YOUR-SERVICE/api/schemas/checks.json
checks:
  - slug: answer
    name: The answer is right
    file: answer.py
    schedule: cron(30 2 * * ? *)
    timezone: UTC
    assertions:
      - {type: stdout, equals: "42"}

  # A job elsewhere that reports with pings; `rustbox checks ping-url backup` makes their address.
  # - slug: backup
  #   kind: heartbeat
  #   schedule: rate(1 day)
  #   grace_minutes: 60
"""


@click.group(cls=SuggestingGroup)
def checks() -> None:
    """Keep the project's checks in a file beside the code that they test.

    \b
    Examples:
      rustbox checks init                          # begin a file
      rustbox checks validate                      # offline
      rustbox checks plan                          # changes of the next apply; ends with 2 if there is a difference
      rustbox checks apply
      rustbox checks test --junit checks.xml       # run them all now; does not change their state
      rustbox checks trigger --tag deploy
      rustbox checks list --state failing
      rustbox checks mute totals --until 2h
    """


_file = click.argument(
    "path", metavar="[FILE]", required=False, default="checks.yaml", type=click.Path(path_type=Path, dir_okay=False)
)
_tag = click.option("--tag", help="Only checks with this tag.")


@checks.command("schema")
def print_schema() -> None:
    """Print the JSON Schema of project.yaml and checks.yaml, for editors.

    The service has that of checks.yaml at /api/schemas/checks.json, so an editor needs no copy. Begin checks.yaml with:

    \b
      # yaml-language-server: $schema=https://YOUR-SERVICE/api/schemas/checks.json
    """
    click.echo(PROJECT_SCHEMA.read_text(encoding="utf-8"), nl=False)


@checks.command("validate")
@_file
@as_json
def validate_checks(path: Path, as_json: bool) -> None:
    """Check the file without the service."""
    found = read_checks(path)
    tell(
        [check.slug for check in found],
        f"{path}: {counted(len(found), 'check')} {'is' if len(found) == 1 else 'are'} valid.",
        as_json=as_json,
    )


@checks.command("test")
@_file
@_tag
@click.option("--junit", type=click.Path(path_type=Path, dir_okay=False), help="Write JUnit XML to this file.")
@click.option("--timeout", "timeout_secs", type=Duration(), default="10m", show_default=True)
@service_command
def test_checks(
    session: Session, path: Path, tag: str | None, junit: Path | None, timeout_secs: int, as_json: bool
) -> None:
    """Run the checks of the file now and wait. The results do not change the state.

    The checks run as they are on the service. Ends with 1 if one fails.
    """
    programs = [check for check in read_checks(path) if not check.is_heartbeat]
    slugs = [check.slug for check in programs if tag is None or tag in check.settings["tags"]]
    with session.api() as api:
        runs = []
        for each in _tested(api, slugs, monotonic() + timeout_secs):
            runs.append(each)
            if not as_json:
                _report(each)
    if junit is not None:
        junit.write_bytes(junit_xml("rustbox checks", "checks", [each.junit for each in runs]))
    failed = sum(not each.has_passed for each in runs)
    tell(
        [{"slug": each.slug, **each.run} for each in runs],
        f"{len(runs) - failed} passed, {failed} failed",
        as_json=as_json,
    )
    if failed or not runs:
        click.get_current_context().exit(_FAILED)


@checks.command("init")
@_file
@as_json
def init_checks(path: Path, as_json: bool) -> None:
    """Begin a file with one check, and its program beside it."""
    program = path.with_name("answer.py")
    for each in (path, program):
        if each.exists():
            raise CommandError(f"{each} is there already.", ExitCode.REFUSED, "Name another FILE.")
    program.write_text("print(42)\n", encoding="utf-8")
    path.write_text(_BEGINNING, encoding="utf-8")
    tell(
        {"written": [str(path), str(program)]},
        f"{path} has one check. Next: rustbox checks validate {path}, then apply.",
        as_json=as_json,
    )


def _tested(api: Api, slugs: list[str], end: float) -> Iterator[CheckRun]:
    """Run the checks, a few at a time, and return each when it ends. Raises CommandError."""
    known = {check["slug"]: check for check in api.items(("checks",), None, {})}
    missing = [slug for slug in slugs if slug not in known]
    if missing:
        raise CommandError(
            f"The service does not have {', '.join(missing)}.", ExitCode.NOT_FOUND, "Run `rustbox checks apply` first."
        )
    waiting, running = list(slugs), dict[str, str]()
    while waiting or running:
        while waiting and len(running) < _AT_ONCE:
            slug = waiting.pop(0)
            run = api.call("POST", ("checks", known[slug]["id"], "run"), body={"affects_state": False}).body
            running[slug] = run["id"]
        for slug in list(running):
            ended = _ended(api, known[slug]["id"], running[slug])
            if ended is not None:
                del running[slug]
                yield CheckRun(slug, ended, known[slug].get("runbook_url"))
        if running and monotonic() > end:
            names = ", ".join(sorted([*running, *waiting]))
            raise CommandError(f"Not finished in time: {names}.", ExitCode.BUSY, "Give a longer --timeout.")
        if running:
            sleep(_POLL_SECS)


def _ended(api: Api, check_id: str, run_id: str) -> dict[str, Any] | None:
    """Return the run if it has ended. It is among the latest of its check."""
    page = api.call("GET", ("checks", check_id, "runs"), query={"limit": "20"}).body
    run: dict[str, Any] | None = next((each for each in page["items"] if each["id"] == run_id), None)
    return None if run is None or run["status"] in {"queued", "running"} else run


def _report(each: CheckRun) -> None:
    mark = "✓" if each.has_passed else "✗"
    click.echo(f"{mark} {plain(each.slug)} {each.run['status']} ({each.run['wall_time_secs'] or 0:.2f} s)")
    for line in each.problems:
        click.echo(f"    {plain(line)}")


# Commands `checks` about many checks: quiet times of their tags, and the public status page.

_QUIET = ("quiet-times",)
_PAGE = ("status-page",)


@checks.group("quiet-times", cls=SuggestingGroup)
def quiet_times() -> None:
    """Send no state-change events for the checks with a tag at set times, such as maintenance. The checks still run.

    \b
    Examples:
      rustbox checks quiet-times add database "cron(0 2 ? * SUN *)" --minutes 120
      rustbox checks quiet-times list
      rustbox checks quiet-times remove database
    """


@quiet_times.command("list")
@service_command
def list_quiet_times(session: Session, as_json: bool) -> None:
    """List the quiet times of all tags."""
    _show_times(session.call("GET", _QUIET), as_json=as_json)


@quiet_times.command("add")
@click.argument("tag")
@click.argument("schedule")
@click.option("--minutes", type=click.IntRange(1, 10_080), required=True, help="How long each lasts.")
@click.option("--timezone", default="UTC", show_default=True, help="IANA time zone of SCHEDULE.")
@service_command
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
@service_command
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


@checks.group("status-page", cls=SuggestingGroup)
def status_page() -> None:
    """Show chosen checks on a public page. Everybody with its address sees it.

    \b
    Examples:
      rustbox checks status-page set site backup --title Example
      rustbox checks status-page show
      rustbox checks status-page delete
    """


@status_page.command("show")
@service_command
def show_page(session: Session, as_json: bool) -> None:
    """Show the address of the page, and its checks."""
    _show_page(session, session.call("GET", _PAGE), as_json=as_json)


@status_page.command("set")
@click.argument("slugs", nargs=-1, required=True)
@click.option("--title", required=True, help="Heading of the page.")
@click.option(
    "--with-output", is_flag=True, help="Also show why a check is down: its failed assertions may quote the output."
)
@service_command
def set_page(session: Session, slugs: tuple[str, ...], title: str, with_output: bool, as_json: bool) -> None:
    """Show the checks SLUGS on the page, in this order. The address stays."""
    body = {"title": title, "checks": list(slugs), "shows_output": with_output}
    _show_page(session, session.call("PUT", _PAGE, body), as_json=as_json)


@status_page.command("delete")
@yes_option
@service_command
def delete_page(session: Session, yes: bool, as_json: bool) -> None:
    """Turn the page off. A new one has another address."""
    confirm("Turn the status page off? Its address will not come back.", yes=yes)
    body = session.call("DELETE", _PAGE)
    tell(body, "The status page is off.", as_json=as_json)


def _show_page(session: Session, page: dict[str, Any], *, as_json: bool) -> None:
    shown = {**page, "url": session.url.rstrip("/") + page["url"]}
    if as_json:
        show_json(shown)
        return
    show_record({name.replace("_", " "): shown[name] for name in ("url", "title", "checks", "shows_output")})
