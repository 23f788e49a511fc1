"""Commands `events`, `trigger` and `listen`."""

import base64
import hashlib
import hmac
import json
import os
import platform
import re
import secrets
import time
from collections.abc import Generator, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import httpx

from rustbox_cli.api import Api, Session, pass_session
from rustbox_cli.errors import CommandError, ExitCode
from rustbox_cli.options import Moment, confirm, page_options, service_command, yes_option
from rustbox_cli.output import counted, plain, show, show_json, show_list, show_record, show_table

# Commands `events` and `trigger`.


@click.group()
def events() -> None:
    """Show the project's events, their types and their consumers.

    \b
    Examples:
      rustbox events list --undelivered --since 2h
      rustbox events show EVENT_ID
      rustbox events types
      rustbox events consumers
    """


@events.command("list")
@click.option("--event", "types", multiple=True, metavar="TYPE", help="Only events of this type; repeatable.")
@click.option("--since", type=Moment(-1), help="Only events created since this time: RFC 3339, or an age such as 2h.")
@click.option("--submission", "submission_id", help="Only of this submission.")
@click.option("--undelivered", is_flag=True, help="Only events with at least one undelivered delivery.")
@click.option("--oldest-first", is_flag=True, help="Oldest first.")
@page_options
@service_command
def list_events(
    session: Session,
    types: tuple[str, ...],
    since: str | None,
    submission_id: str | None,
    undelivered: bool,
    oldest_first: bool,
    most: int | None,
    as_json: bool,
) -> None:
    """List events, newest first."""
    query = {
        "type": ",".join(types) or None,
        "since": since,
        "submission_id": submission_id,
        "delivered": "false" if undelivered else None,
        "order": "asc" if oldest_first else None,
    }
    found = session.items(("events",), most, query)
    show_list(found, {"ID": "id", "EVENT": "type", "AT": "timestamp"}, "There are no events.", as_json=as_json)


@events.command("show")
@click.argument("event_id")
@service_command
def show_event(session: Session, event_id: str, as_json: bool) -> None:
    """Show an event with its body."""
    body = session.call("GET", ("events", event_id))
    if as_json:
        show_json(body)
        return
    show_record({name: value for name, value in body.items() if name != "data"})
    click.echo()
    show_json(body["data"])


@events.command("types")
@service_command
def list_types(session: Session, as_json: bool) -> None:
    """List the types of events; with --json also their schemas and examples."""
    body = session.call("GET", ("event-types",))
    if as_json:
        show_json(body)
        return
    show_table(("EVENT", "SENT WHEN"), [[one["type"], one["description"]] for one in body["items"]], "")


@events.command("consumers")
@service_command
def list_consumers(session: Session, as_json: bool) -> None:
    """List the consumers of the event log.

    A consumer is a named reader of the event log; the service stores its position.
    """
    body = session.call("GET", ("event-consumers",))
    if as_json:
        show_json(body)
        return
    rows = [[one[name] for name in ("name", "behind", "last_polled_at", "created_at")] for one in body["items"]]
    show_table(("NAME", "BEHIND", "POLLED", "CREATED"), rows, "There are no consumers.")


@events.command("forget")
@click.argument("consumer")
@yes_option
@service_command
def delete_consumer(session: Session, consumer: str, yes: bool, as_json: bool) -> None:
    """Delete a consumer and its position. After the last consumer is deleted, the project keeps no event log."""
    confirm(f"Delete consumer {consumer} and its position?", yes=yes)
    show(session.call("DELETE", ("event-consumers", consumer)), as_json=as_json)


@click.command("trigger")
@click.argument("event_type", metavar="TYPE")
@service_command
def trigger(session: Session, event_type: str, as_json: bool) -> None:
    """Send a sample of TYPE to `rustbox listen`. No endpoint gets it.

    \b
    Examples:
      rustbox trigger submission.completed
      rustbox events types
    """
    body = session.call("POST", ("event-samples",), {"type": event_type})
    show(body if as_json else {name: body[name] for name in ("id", "type", "timestamp")}, as_json=as_json)


# The command `listen`: forwards a project's events to a program on this machine, or prints them.

# Signatures of Standard Webhooks, and the secret that `rustbox listen` keeps.

_PREFIX = "whsec_"
_SECRET_BYTES = 32


def sign(secret: str, webhook_id: str, timestamp_secs: int, body: bytes) -> str:
    """Return the `webhook-signature` of a body."""
    key = base64.b64decode(secret.removeprefix(_PREFIX))
    content = f"{webhook_id}.{timestamp_secs}.".encode() + body
    return "v1," + base64.b64encode(hmac.new(key, content, hashlib.sha256).digest()).decode()


def kept_secret() -> tuple[str, Path]:
    """Return the secret of this user, made on the first call, and its file. Raises CommandError."""
    path = Path(click.get_app_dir("rustbox")) / "listen_secret"
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        made = _PREFIX + base64.b64encode(secrets.token_bytes(_SECRET_BYTES)).decode()
        # Written aside and linked: two first calls get one secret, and none reads half of it.
        aside = path.with_name(f".{path.name}.{os.getpid()}")
        aside.write_text(made + "\n", encoding="ascii")
        aside.chmod(0o600)
        try:
            os.link(aside, path)
        except FileExistsError:
            pass
        finally:
            aside.unlink()
        secret = path.read_text(encoding="ascii").strip()
        base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
    except (OSError, ValueError) as error:
        raise CommandError(
            f"The signing secret cannot be kept in {path} ({error}).",
            ExitCode.CONFIGURATION,
            "Make the folder writable, or delete the file.",
        ) from None
    return secret, path


_WAIT_SECS = 20
_PAGE = 20
"""Events of a poll. After a kill, at most so many come again."""
_TARGET_SECS = 15
"""As long as the service itself waits for an endpoint."""
_FIRST_PAUSE_SECS = 1.0
_LONGEST_PAUSE_SECS = 15.0
_PASSING = frozenset({ExitCode.UNREACHABLE, ExitCode.BUSY, ExitCode.FAULT})
"""Errors of the service that end: a restart, a quota, a fault."""


@dataclass(frozen=True)
class Target:
    """A local program that gets events as an endpoint does."""

    url: str
    secret: str
    client: httpx.Client

    def post(self, item: Mapping[str, Any]) -> httpx.Response:
        """Send one event. Raises httpx.TransportError."""
        body = json.dumps(item["data"], ensure_ascii=False, separators=(",", ":")).encode(errors="replace")
        timestamp = int(time.time())
        headers = {
            "content-type": "application/json",
            "user-agent": "rustbox-webhook/1",
            "webhook-id": item["id"],
            "webhook-timestamp": str(timestamp),
            "webhook-signature": sign(self.secret, item["id"], timestamp, body),
        }
        return self.client.post(self.url, content=body, headers=headers)


@click.command("listen")
@click.option("--forward-to", metavar="URL", help="Send events there, signed as the service signs them.")
@click.option("--print-only", is_flag=True, help="Print events as JSON, one a line; send nothing.")
@click.option("--show-secret", is_flag=True, help="Print the signing secret and end.")
@click.option("--event", "types", multiple=True, metavar="TYPE", help="Only events of this type; repeatable.")
@click.option("--consumer", metavar="NAME", help="Name of the position that the service keeps. Default: listen-HOST.")
@click.option(
    "--from",
    "start",
    type=click.Choice(["latest", "earliest"]),
    default="latest",
    show_default=True,
    help="Where a new consumer begins.",
)
@pass_session
def listen(
    session: Session,
    forward_to: str | None,
    print_only: bool,
    show_secret: bool,
    types: tuple[str, ...],
    consumer: str | None,
    start: str,
) -> None:
    """Receive the project's events on this machine. No public address is needed.

    Replays of deliveries, test sends and samples (`rustbox trigger`) come too. After an interruption, it goes on where
    it stopped; the event in hand may come twice. If nothing answers at the URL, it waits and sends again, in order.

    \b
    Examples:
      rustbox listen --forward-to http://localhost:3000/hook
      rustbox listen --print-only --event submission.completed
    """
    if show_secret:
        click.echo(kept_secret()[0])
        return
    if print_only == (forward_to is not None):
        raise click.UsageError("Give --forward-to URL, or --print-only.")
    name = consumer or re.sub(r"[^A-Za-z0-9._-]", "-", f"listen-{platform.node()}")[:64]
    query = {"consumer": name, "from": start, "include": "replays,tests", "limit": str(_PAGE)}
    query |= {"type": ",".join(types)} if types else {}
    with (
        session.api() as api,
        httpx.Client(timeout=_TARGET_SECS, trust_env=False) as client,
        closing(_events(api, query)) as items,
    ):
        if forward_to is None:
            for item in items:
                click.echo(json.dumps(item["data"]))
            return
        target = Target(_url(forward_to), _announced_secret(), client)
        click.echo(f"Forwarding to {forward_to} as consumer {name}. Ctrl+C ends.", err=True)
        for item in items:
            _forward(target, item)


def _events(api: Api, query: dict[str, str]) -> Generator[Mapping[str, Any], None, None]:
    """Yield events for ever. The next poll commits those that the caller has come back from."""
    cursor: str | None = None
    done: str | None = None
    try:
        wait_secs = 0  # the first poll makes the consumer: events count from then on
        while True:
            body = _poll(api, query | {"wait": str(wait_secs)} | ({"cursor": cursor} if cursor else {}))
            wait_secs = _WAIT_SECS
            if body["missed"]:
                click.echo(f"rustbox: {counted(body['missed'], 'event')} expired before they were read.", err=True)
            for item in body["items"]:
                yield item
                done = item["cursor"]
            cursor = done = body["cursor"]
    finally:
        if done is not None:  # interrupted: handled events do not come again
            with suppress(CommandError):
                _poll(api, query | {"cursor": done, "limit": "1"}, may_wait=False)


def _poll(api: Api, query: Mapping[str, str], *, may_wait: bool = True) -> Any:
    """Poll once; while the service is away, wait for it. Raises CommandError."""
    pause_secs = _FIRST_PAUSE_SECS
    while True:
        try:
            return api.call("GET", ("events", "poll"), query=query).body
        except CommandError as error:
            if error.exit_code not in _PASSING or not may_wait:
                raise
            problem = error.message
        click.echo(f"rustbox: {problem} Trying again in {pause_secs:.0f} s.", err=True)
        time.sleep(pause_secs)
        pause_secs = min(pause_secs * 2, _LONGEST_PAUSE_SECS)


def _forward(target: Target, item: Mapping[str, Any]) -> None:
    """Send one event and print the answer. Repeats it until the target answers."""
    pause_secs = _FIRST_PAUSE_SECS
    while True:
        begun = time.monotonic()
        try:
            outcome = str(target.post(item).status_code)
        except httpx.TimeoutException:
            outcome = "timeout"
        except httpx.TransportError as error:
            _show(item, f"no answer ({type(error).__name__}); again in {pause_secs:.0f} s", begun)
            time.sleep(pause_secs)
            pause_secs = min(pause_secs * 2, _LONGEST_PAUSE_SECS)
            continue
        _show(item, outcome, begun)
        return


def _show(item: Mapping[str, Any], outcome: str, begun: float) -> None:
    marks = {"event": "", "replay": " (replay)", "test": " (test)"}
    took_ms = (time.monotonic() - begun) * 1000
    mark = marks.get(item["reason"], "")
    click.echo(plain(f"{time.strftime('%H:%M:%S')}  {item['type']}{mark}  {item['id']}  {outcome}  {took_ms:.0f} ms"))


def _announced_secret() -> str:
    secret, path = kept_secret()
    click.echo(f"Signing secret: {secret} (kept in {path})", err=True)
    return secret


def _url(text: str) -> str:
    try:
        url = httpx.URL(text)
    except httpx.InvalidURL:
        url = httpx.URL("")
    if url.scheme not in {"http", "https"} or not url.host:
        raise click.UsageError(f"{text!r} is not a URL such as http://localhost:3000/hook.")
    return text
