"""Commands `checks` about checks that the service has, by their slugs."""

from time import monotonic, sleep
from typing import IO, Any

import click

from rustbox_cli.api import Session
from rustbox_cli.errors import CommandError, ExitCode
from rustbox_cli.options import Duration, Moment, confirm, page_options, service_command, yes_option
from rustbox_cli.output import CheckRun, Columns, plain, show_json, show_list, show_record, tell
from rustbox_cli.project.checks import find_check, slug_argument

_POLL_SECS = 1.0
_FAILED = 1
_RUNS_SHOWN = 10
_LEFT_OUT = ("code", "stdin", "statistics", "assertions", "last_run")


@click.command("list")
@click.option("--tag", help="Only checks with this tag.")
@click.option("--state", help="Only checks in this state, such as failing.")
@page_options
@service_command
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
@service_command
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
@service_command
def run_check(session: Session, slug: str, no_wait: bool, timeout_secs: int, as_json: bool) -> None:
    """Run one check now and wait. The result counts: it can change the state of the check and send events.

    Ends with 1 if the check fails.
    """
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
    lines = [f"{plain(slug)} {'started: run ' + plain(run['id']) if no_wait else run['status']}"]
    lines += [] if no_wait else [f"    {plain(line)}" for line in ended.problems]
    tell(run, "\n".join(lines), as_json=as_json)
    if not no_wait and not ended.has_passed:
        click.get_current_context().exit(_FAILED)


def _call(session: Session, slug: str, method: str, *path: str, body: dict[str, Any] | None = None) -> Any:
    with session.api() as api:
        return api.call(method, ("checks", find_check(api, slug)["id"], *path), body=body).body


def _action(verb: str, *, done: str, about: str) -> click.Command:
    @click.command(verb, help=about)
    @slug_argument
    @service_command
    def act(session: Session, slug: str, as_json: bool) -> None:
        tell(_call(session, slug, "POST", verb), f"{plain(slug)} {done}.", as_json=as_json)

    return act


pause_check = _action("pause", done="is paused", about="Rest the schedule of a check.")
resume_check = _action("resume", done="runs on its schedule again", about="Start the schedule of a paused check again.")


@click.command("mute")
@slug_argument
@click.option("--until", type=Moment(1), help="A time, or a duration from now such as 2h.")
@click.option("--off", is_flag=True, help="Send events again.")
@service_command
def mute_check(session: Session, slug: str, until: str | None, off: bool, as_json: bool) -> None:
    """Send no events for one check until a time. The check still runs."""
    if off == (until is not None):
        raise CommandError("Give --until TIME (for example 2h) or --off.", ExitCode.USAGE)
    body = _call(session, slug, "PATCH", body={"muted_until": until})
    how = f"is muted until {plain(body['muted_until'])}" if body["muted_until"] else "sends events again"
    tell(body, f"{plain(slug)} {how}.", as_json=as_json)


@click.command("delete")
@slug_argument
@yes_option
@service_command
def delete_check(session: Session, slug: str, yes: bool, as_json: bool) -> None:
    """Delete a check and its history."""
    with session.api() as api:
        check_id = find_check(api, slug)["id"]
        confirm(f"Delete the check {plain(slug)} with its history?", yes=yes)
        body = api.call("DELETE", ("checks", check_id)).body
    tell(body, f"{plain(slug)} is deleted.", as_json=as_json)


@click.command("ping-url")
@slug_argument
@service_command
def make_ping_url(session: Session, slug: str, as_json: bool) -> None:
    """Make the address of a heartbeat's pings. The one before ends at once."""
    url = session.url.rstrip("/") + _call(session, slug, "POST", "ping-url")["url"]
    tell({"url": url}, url, as_json=as_json)


@click.command("trigger")
@click.argument("slugs", nargs=-1)
@click.option("--tag", help="All checks with this tag.")
@service_command
def trigger_checks(session: Session, slugs: tuple[str, ...], tag: str | None, as_json: bool) -> None:
    """Start several checks now, without waiting, for example after a deployment. The results count."""
    if bool(slugs) == (tag is not None):
        raise CommandError("Give the SLUGS of checks, or --tag TAG (for example deploy).", ExitCode.USAGE)
    with session.api() as api:
        if tag is None:
            found = [find_check(api, slug) for slug in slugs]
        else:
            found = [each for each in api.items(("checks",), None, {"tag": tag}) if each["kind"] == "program"]
        runs = [api.call("POST", ("checks", each["id"], "run"), body={"affects_state": True}).body for each in found]
    if not runs:
        raise CommandError(f"No check with a program has the tag {tag}. Heartbeats cannot be run.", ExitCode.NOT_FOUND)
    if as_json:
        show_json(runs)
        return
    for check, run in zip(found, runs):  # noqa: B905 - Python 3.10 has `strict`, and both are as long
        click.echo(f"{plain(check['slug'])} started: run {plain(run['id'])}")


# Commands `checks` about signed calls: how they are verified, and the last ones.

_SCHEMES = ("standard", "github", "gitlab", "stripe", "slack", "hmac")


@click.command("secret")
@slug_argument
@click.option("--verify", type=click.Choice(_SCHEMES), help="Set how the sender signs its calls, with a new secret.")
@click.option("--rotate", is_flag=True, help="Make a new secret, with the scheme as it is.")
@click.option(
    "--secret",
    "secret_file",
    type=click.File(),
    metavar="FILE",
    help="The secret that the sender shows, needed for stripe and slack; - reads standard input.",
)
@click.option("--header", metavar="NAME", help="With hmac: the header with the signature.")
@click.option("--prefix", metavar="TEXT", help="With hmac: text before the signature, such as sha256=.")
@click.option("--encoding", type=click.Choice(["hex", "base64"]), help="With hmac: how the signature is written.")
@click.option("--timestamp-header", metavar="NAME", help="With hmac: a header with the time, which is signed too.")
@click.option("--id-header", metavar="NAME", help="With hmac: a header that names the call.")
@click.option("--event-header", metavar="NAME", help="With hmac: a header with the type of the event.")
@service_command
def set_secret(
    session: Session,
    /,
    slug: str,
    verify: str | None,
    rotate: bool,
    secret_file: IO[str] | None,
    as_json: bool,
    **options: str | None,
) -> None:
    """Let another service run a check with a signed HTTP request.

    The first use creates the signing secret and prints it once. Later uses print only the address and the signature
    scheme. `--verify` and `--rotate` replace the secret and print the new one once; the old secret stops working at
    once.

    \b
    Examples:
      rustbox checks secret deploy                          # creates the secret; later prints address and scheme
      rustbox checks secret deploy --verify github
      rustbox checks secret deploy --rotate
      rustbox checks secret charges --verify stripe --secret - < signing-secret
      rustbox checks secret other --verify hmac --header X-Signature --prefix sha256=
    """
    given = {name: value for name, value in options.items() if value is not None}
    if verify is not None and rotate:
        raise click.UsageError("Give --verify or --rotate.")
    if verify is None and (given or (secret_file is not None and not rotate)):
        raise click.UsageError("Say with --verify how the sender signs, or --rotate.")
    with session.api() as api:
        check_id = find_check(api, slug)["id"]
        if verify is None:
            calls = api.call("GET", ("checks", check_id, "calls")).body
            if calls["verification"] is not None and not rotate:
                _show(session, calls, as_json=as_json)
                return
            body = {name: value for name, value in (calls["verification"] or {}).items() if value is not None}
        else:
            body = {"verify": verify, **given}
        if secret_file is not None:
            body["secret"] = secret_file.read().strip()
        made = api.call("POST", ("checks", check_id, "secret"), body=body).body
    _show(session, made, as_json=as_json)


def _show(session: Session, answer: dict[str, Any], *, as_json: bool) -> None:
    """Show the address, the scheme and a new secret."""
    address = session.url.rstrip("/") + answer["url"]
    if as_json:
        show_json({name: value for name, value in answer.items() if name != "items"} | {"url": address})
        return
    shown = {"url": address, **answer["verification"], "secret": answer.get("secret")}
    show_record({name: value for name, value in shown.items() if value is not None})


@click.command("calls")
@slug_argument
@click.option(
    "--again", metavar="CALL", help="Run the check again for this request. Its outcome must be `ran` or `ignored`."
)
@service_command
def list_calls(session: Session, slug: str, again: str | None, as_json: bool) -> None:
    """List signed requests of the last seven days: up to 20 with a valid signature, and up to 20 refused."""
    if again is not None:
        run = _call(session, slug, "POST", "calls", again, "run")
        tell(run, f"{plain(slug)} started: run {plain(run['id'])}", as_json=as_json)
        return
    found = _call(session, slug, "GET", "calls")
    columns: Columns = {
        "CALL": "id",
        "OUTCOME": "outcome",
        "TYPE": "event_type",
        "EVENT": "event_id",
        "RUN ID": "run_id",
        "BYTES": "size_bytes",
        "REASON": "reason",
    }
    nothing = f"No request in the last seven days. `rustbox checks secret {plain(slug)}` shows the address."
    show_list(found["items"], columns, nothing, as_json=as_json)


@click.command("groups")
@slug_argument
@page_options
@service_command
def list_groups(session: Session, slug: str, most: int | None, as_json: bool) -> None:
    """List the keys of a check whose calls wait or run, with its setting `group`. `show` lists superseded runs too."""
    with session.api() as api:
        found = list(api.items(("checks", find_check(api, slug)["id"], "groups"), most, {}))
    columns: Columns = {
        "KEY": lambda one: one["key"] or "(none)",
        "WAITING": lambda one: len(one["waiting"]),
        "SINCE": "waiting_since",
        "LEAVES": "leaves_at",
        "UNFINISHED": lambda one: len(one["unfinished"]),
    }
    show_list(found, columns, "No call waits or runs.", as_json=as_json)


COMMANDS = (
    list_checks,
    show_check,
    list_groups,
    run_check,
    pause_check,
    resume_check,
    mute_check,
    delete_check,
    make_ping_url,
    trigger_checks,
    set_secret,
    list_calls,
)
"""What `checks` has beside the commands of the file."""
