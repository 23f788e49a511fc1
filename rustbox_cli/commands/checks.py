"""Commands `checks` about a file: checks as code."""

from __future__ import annotations

from pathlib import Path
from time import monotonic, sleep
from typing import TYPE_CHECKING, Any

import click

from rustbox_cli.check_file import SCHEMA_FILE, read_checks
from rustbox_cli.check_plan import Change, apply_change, is_different, make_plan
from rustbox_cli.errors import CommandError, ExitCode
from rustbox_cli.options import Duration, SuggestingGroup, as_json
from rustbox_cli.output import CheckRun, junit_xml, plain, show_json
from rustbox_cli.session import Session, pass_session

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rustbox_cli.api import Api

_POLL_SECS = 1.0
_AT_ONCE = 5
"""Runs of `test` at the same time: half of the runs that a new project may have in flight."""
_DIFFERENT = 2
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
      rustbox checks test --junit checks.xml       # run them all now; their state stays
      rustbox checks trigger --tag deploy
      rustbox checks list --state failing
      rustbox checks mute totals --until 2h
    """


_file = click.argument(
    "path", metavar="[FILE]", required=False, default="checks.yaml", type=click.Path(path_type=Path, dir_okay=False)
)
_tag = click.option("--tag", help="Only checks with this tag.")
_prune = click.option("--prune", is_flag=True, help="Also remove the project's checks that are not in the file.")
_send_env = click.option(
    "--send-env", is_flag=True, help="Send the values of all variables again: the service does not show them."
)


@checks.command("schema")
def print_schema() -> None:
    """Print the JSON Schema of checks.yaml, for editors.

    The service has it at /api/schemas/checks.json, so an editor needs no copy. Begin checks.yaml with:

    \b
      # yaml-language-server: $schema=https://YOUR-SERVICE/api/schemas/checks.json
    """
    click.echo(SCHEMA_FILE.read_text(encoding="utf-8"), nl=False)


@checks.command("validate")
@_file
@as_json
def validate_checks(path: Path, as_json: bool) -> None:
    """Check the file without the service."""
    found = read_checks(path)
    if as_json:
        show_json([check.slug for check in found])
    else:
        click.echo(f"{path}: {len(found)} checks are valid.")


@checks.command("plan")
@_file
@_prune
@_send_env
@as_json
@pass_session
def plan_checks(session: Session, path: Path, prune: bool, send_env: bool, as_json: bool) -> None:
    """Show the changes of the next apply. Ends with 2 if there is a difference."""
    wanted = read_checks(path)
    with session.api() as api:
        changes = make_plan(api, wanted, prune=prune, send_variables=send_env)
    if as_json:
        show_json([_json_of(change) for change in changes])
    else:
        for change in changes:
            click.echo(change.text)
        click.echo(_summary(changes), err=True)
        if any(check.variables for check in wanted) and not send_env:
            click.echo(
                "Values of env are not compared: the service does not show them. --send-env sends them.", err=True
            )
    if is_different(changes):
        click.get_current_context().exit(_DIFFERENT)


@checks.command("apply")
@_file
@_prune
@_send_env
@as_json
@pass_session
def apply_checks(session: Session, path: Path, prune: bool, send_env: bool, as_json: bool) -> None:
    """Create and change the project's checks as in the file.

    The slug identifies a check: with a new name it keeps its history. Repeating the command changes nothing.
    """
    wanted = read_checks(path)
    with session.api() as api:
        planned = make_plan(api, wanted, prune=prune, send_variables=send_env)
        changes = [change for change in planned if change.action != "keep"]
        for change in changes:
            try:
                apply_change(api, change)
            except CommandError as error:
                raise CommandError(f"{change.slug}: {error.message}", ExitCode(error.exit_code)) from None
            if not as_json:
                click.echo(change.text.partition("\n")[0])
    if as_json:
        show_json([_json_of(change) for change in changes])
    elif not changes:
        click.echo(_summary(changes), err=True)


@checks.command("test")
@_file
@_tag
@click.option("--junit", type=click.Path(path_type=Path, dir_okay=False), help="Write JUnit XML to this file.")
@click.option("--timeout", "timeout_secs", type=Duration(), default="10m", show_default=True)
@as_json
@pass_session
def test_checks(
    session: Session, path: Path, tag: str | None, junit: Path | None, timeout_secs: int, as_json: bool
) -> None:
    """Run the checks of the file now, as they are on the service. Their state stays. Ends with 1 if one fails."""
    programs = [check for check in read_checks(path) if not check.is_heartbeat]
    slugs = [check.slug for check in programs if tag is None or tag in check.settings["tags"]]
    with session.api() as api:
        runs = []
        for each in _tested(api, slugs, monotonic() + timeout_secs):
            runs.append(each)
            if not as_json:
                _report(each)
    if junit is not None:
        junit.write_bytes(junit_xml(runs))
    failed = sum(not each.has_passed for each in runs)
    if as_json:
        show_json([{"slug": each.slug, **each.run} for each in runs])
    else:
        click.echo(f"{len(runs) - failed} passed, {failed} failed")
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
    if as_json:
        show_json({"written": [str(path), str(program)]})
        return
    click.echo(f"{path} has one check. Next: rustbox checks validate {path}, then apply.")


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


def _json_of(change: Change) -> dict[str, Any]:
    return {"action": change.action, "slug": change.slug, "lines": list(change.lines)}


def _summary(changes: list[Change]) -> str:
    actions = [change.action for change in changes]
    counts = [(action, actions.count(action)) for action in ("create", "update", "remove") if action in actions]
    return ", ".join(f"{count} to {action}" for action, count in counts) or "Nothing to change."
