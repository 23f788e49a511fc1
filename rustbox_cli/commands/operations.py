"""Commands `admin`: operate a stage. They need the administrator's key, `drain` a runner's token."""

import shlex
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import httpx

from rustbox_cli.api import Session, read_settings
from rustbox_cli.errors import CommandError, ExitCode
from rustbox_cli.options import Moment, confirm, page_options, service_command, yes_option
from rustbox_cli.output import Columns, plain, show, show_json, show_list, show_record, show_table, tell, waiting

# HTTP client of one runner: the part of its contract (docs/runner.md) that an administrator uses.

_SECS = 10
_ACCEPTED = 202
_EXITS = {401: (ExitCode.NO_PERMISSION, "The runner refused the token.", "Use the file of its RUNNER_TOKEN_FILE.")}
_OTHER = (ExitCode.FAULT, "This is not a runner, or an older one.", "Give the runner's own LISTEN_ADDRESS.")


def stop_intake(url: str, token: str, *, allow_http: bool, ca_file: Path | None) -> None:
    """Let the runner end its runs and take no more. Raises CommandError.

    `ca_file`: the only certificate authorities to trust; None: the well-known ones.
    """
    settings = read_settings(url, None, None, allow_http=allow_http)
    try:
        response = httpx.post(
            f"{settings.url}/v1/drain",
            headers={"authorization": f"Bearer {token}", "content-length": "0"},
            timeout=_SECS,
            verify=True if ca_file is None else _trusting(ca_file),
            trust_env=not settings.is_local,
        )
    except httpx.TransportError as error:
        raise CommandError(
            f"Nothing answers at {settings.url} ({type(error).__name__}).",
            ExitCode.UNREACHABLE,
            "Check the address, that the runner listens (LISTEN_ADDRESS), and for https its certificate (--ca-file).",
        ) from None
    if response.status_code != _ACCEPTED:
        code, problem, hint = _EXITS.get(response.status_code, _OTHER)
        raise CommandError(f"{problem} ({response.status_code})", code, hint)


def _trusting(ca_file: Path) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=ca_file)
    except ssl.SSLError:
        raise CommandError(f"{ca_file} is no PEM certificate.", ExitCode.USAGE, "") from None


_QUEUES = ("interactive", "batch", "network", "completions", "deliveries", "checks")

_DELETED = (
    "submissions_deleted",
    "endpoints_deleted",
    "checks_deleted",
    "check_runs_deleted",
    "problems_deleted",
    "files_deleted",
    "events_deleted",
)


def _call(session: Session, method: str, path: tuple[str, ...]) -> Any:
    with session.api() as api:
        # Each of these requests may be repeated: it continues where the last one stopped.
        return api.call(method, ("admin", *path), key="X-Admin-Key", repeatable=True).body


def _of_runner(name: str) -> Callable[[Any], Any]:
    return lambda token: token["runner"] and token["runner"][name]


@click.group()
def admin() -> None:
    """Administer a Rustbox installation. Needs the administrator's key.

    \b
    Examples:
      rustbox admin trace SUBMISSION_ID
      rustbox admin redrive completions
      rustbox admin drain https://10.0.0.5:8443 --token-file runner.token --ca-file ca.crt
      rustbox admin purge PROJECT_ID
      rustbox admin runners
      rustbox admin runner-tokens create host-b
    """


@admin.command("changes")
@click.option("--since", type=Moment(-1), help="Only changes since this time: RFC 3339, or an age such as 2h.")
@page_options
@service_command
def changes(session: Session, since: str | None, most: int | None, as_json: bool) -> None:
    """List what the administrator has changed in any project, newest first."""
    columns: Columns = {
        "AT": "timestamp",
        "ACTION": lambda event: event["data"]["action"],
        "PROJECT": lambda event: event["data"]["project_id"],
        "SUBJECT": lambda event: event["data"]["subject"],
        "FROM": lambda event: event["data"]["address"],
        "FIELDS": lambda event: sorted(event["data"]["after"] or event["data"]["before"] or ()),
    }
    found = session.items(("admin", "changes"), most, {"since": since}, "X-Admin-Key")
    show_list(found, columns, "There are no changes.", as_json=as_json)


@admin.command("trace")
@click.argument("submission_id")
@service_command
def trace(session: Session, submission_id: str, as_json: bool) -> None:
    """Show the life of a submission: state changes, deliveries, attempts, and the command that shows its log lines."""
    found = _call(session, "GET", ("submissions", submission_id))
    if as_json:
        show_json(found)
        return
    show_record({name: found[name] for name in ("id", "project_id", "correlation_id")} | found["row"])
    click.echo()
    show_table(
        ("AT", "WHAT", "DETAIL"), [[step[name] for name in ("at", "what", "detail")] for step in found["history"]], ""
    )
    if found["deliveries"]:
        click.echo()
        names = ("endpoint_id", "state", "attempts_made", "next_attempt_at", "lease_until", "parked")
        rows = [[delivery[name] for name in names] for delivery in found["deliveries"]]
        show_table(("ENDPOINT", "STATE", "ATTEMPTS", "NEXT", "LEASE UNTIL", "PARKED"), rows, "")
    click.echo("\nLog lines of the functions:")
    for line in _log_commands(found["logs"], is_local=session.is_local()):
        click.echo(f"  {plain(line)}")
    if found["row"]["node_id"]:
        click.echo(f"Log lines of the runner, on the host of {plain(found['row']['node_id'])}:")
        click.echo(f"  docker logs rustbox-runner 2>&1 | grep {shlex.quote(plain(found['id']))}")


def _log_commands(logs: dict[str, Any], *, is_local: bool) -> list[str]:
    if is_local:
        return ["they are in the terminal of `make up`; each has the correlation id"]
    query = shlex.quote(logs["query"])
    times = f"--start-time {logs['from_secs']} --end-time {logs['to_secs']}"
    start = f"ID=$(aws logs start-query {times} --query-string {query} --query queryId --output text)"
    return [start, "aws logs get-query-results --query-id $ID"]


@admin.command("redrive")
@click.argument("queue", type=click.Choice(_QUEUES))
@service_command
def redrive(session: Session, queue: str, as_json: bool) -> None:
    """Put failed messages (dead letters) of a queue back into that queue. Repair the cause first."""
    moved = 0
    with waiting(f"moving the dead letters of {queue}"):
        while True:
            found = _call(session, "POST", ("dead-letters", queue, "redrive"))
            moved += found["moved"]
            if not found["moved"] or not found["left"]:
                break
    body = {**found, "moved": moved}
    show(body, as_json=as_json)


@admin.command("purge")
@click.argument("project_id")
@yes_option
@service_command
def purge(session: Session, project_id: str, yes: bool, as_json: bool) -> None:
    """Delete submissions, endpoints, checks, their history and events of a disabled project.

    Backups keep them for `BackupDays`.
    """
    confirm(f"Delete every submission, endpoint and check of project {project_id}, with code and output?", yes=yes)
    deleted = dict.fromkeys(_DELETED, 0)
    with waiting(f"deleting the data of {project_id}"):
        while True:
            found = _call(session, "POST", ("projects", project_id, "purge"))
            # A service of the version before counts fewer things.
            news = {name: found.get(name, 0) for name in _DELETED}
            deleted = {name: deleted[name] + news[name] for name in _DELETED}
            # A call that deletes nothing cannot continue while submissions run.
            if found["complete"] or (found["submissions_running"] and not any(news.values())):
                break
    body = {**found, **deleted}
    show(body, as_json=as_json)
    if not found["complete"]:
        raise CommandError(
            f"{found['submissions_running']} submissions still run.",
            ExitCode.BUSY,
            "Repeat the command when they have ended.",
        )


@admin.command("drain")
@click.argument("runner_url")
@click.option(
    "--token-file",
    required=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="File with the runner's token.",
)
@click.option(
    "--ca-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Certificate authority of the runner, if it is your own.",
)
@service_command
def drain(session: Session, runner_url: str, token_file: Path, ca_file: Path | None, as_json: bool) -> None:
    """Drain one runner: it finishes its current runs and accepts no new ones.

    The process stays alive, so a restart policy does not restart it. Stop or restart it yourself when the host is
    ready. RUNNER_URL is the runner's own address, not that of a load balancer.
    """
    token = token_file.read_text(encoding="utf-8").strip()
    stop_intake(runner_url, token, allow_http=session.allow_http, ca_file=ca_file)
    said = "The runner finishes its current runs and accepts no new ones."
    tell({"runner": runner_url, "status": "draining"}, said, as_json=as_json)


@admin.command("runners")
@service_command
def list_runners(session: Session, as_json: bool) -> None:
    """List the runners that reported in the last 24 h."""
    columns = {
        "NAME": "node_id",
        "STATE": "state",
        "SLOTS": "slots",
        "BUSY": "slots_busy",
        "VERSION": "version",
        "REPORTED": "reported_at",
        "PROBLEM": "problem",
    }
    found = _call(session, "GET", ("runners",))["items"]
    show_list(found, columns, "No runner has reported in the last 24 h.", as_json=as_json)


@admin.group("runner-tokens")
def runner_tokens() -> None:
    """Let runners of other hosts join a service on one machine: a token for each.

    \b
    Examples:
      rustbox admin runner-tokens create host-b
      rustbox admin runner-tokens list
      rustbox admin runner-tokens revoke host-b
    """


@runner_tokens.command("create")
@click.argument("name")
@service_command
def create_runner_token(session: Session, name: str, as_json: bool) -> None:
    """Create a token for the runner NAME, and show the commands for its host. The token is shown only now."""
    body = session.call("POST", ("admin", "runner-tokens"), {"name": name}, "X-Admin-Key")
    if as_json:
        show_json(body)
        return
    host, _, port = body["listener"].rpartition(":")
    server = f"ADDRESS_OF_THIS_MACHINE:{port}" if host in {"0.0.0.0", "[::]"} else body["listener"]  # noqa: S104
    pin = f" RUSTBOX_FINGERPRINT={plain(body['fingerprint'])}" if body["fingerprint"] else ""
    click.echo(plain(body["token"]))  # on one line of its own, however narrow the terminal is
    click.echo("\nOn the runner's host, put the token into a file that only root reads. Then, in a checkout:")
    click.echo(f"  sudo make runner RUSTBOX_SERVER={plain(server)}{pin} RUSTBOX_RUNNER_TOKEN_FILE=FILE")


@runner_tokens.command("list")
@service_command
def list_runner_tokens(session: Session, as_json: bool) -> None:
    """List the tokens by name, without the tokens themselves, and the runner that uses each."""
    columns: Columns = {
        "NAME": "name",
        "CREATED": "created_at",
        "REVOKED": "revoked_at",
        "RUNNER": _of_runner("state"),
        "SLOTS": _of_runner("slots"),
        "VERSION": _of_runner("version"),
        "REPORTED": _of_runner("reported_at"),
    }
    found = _call(session, "GET", ("runner-tokens",))["items"]
    show_list(found, columns, "There are no tokens.", as_json=as_json)


@runner_tokens.command("revoke")
@click.argument("name")
@yes_option
@service_command
def revoke_runner_token(session: Session, name: str, yes: bool, as_json: bool) -> None:
    """Revoke a token permanently. Its runner is disconnected within seconds, and its runs start again elsewhere."""
    confirm(f"Revoke the token {name} permanently?", yes=yes)
    body = _call(session, "DELETE", ("runner-tokens", name))
    show({field: body[field] for field in ("name", "created_at", "revoked_at")}, as_json=as_json)
