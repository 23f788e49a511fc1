"""Commands `events` and `trigger`."""

from __future__ import annotations

import click

from rustbox_cli.options import Moment, as_json, confirm, page_options, yes_option
from rustbox_cli.output import show, show_json, show_list, show_record, show_table
from rustbox_cli.session import Session, pass_session


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
@click.option("--since", type=Moment(-1), help="Only since a time, or a duration such as 2h ago.")
@click.option("--submission", "submission_id", help="Only of this submission.")
@click.option("--undelivered", is_flag=True, help="Only with a delivery that is not delivered.")
@click.option("--oldest-first", is_flag=True, help="Oldest first.")
@page_options
@as_json
@pass_session
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
@as_json
@pass_session
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
@as_json
@pass_session
def list_types(session: Session, as_json: bool) -> None:
    """List the types of events; with --json also their schemas and examples."""
    body = session.call("GET", ("event-types",))
    if as_json:
        show_json(body)
        return
    show_table(("EVENT", "SENT WHEN"), [[one["type"], one["description"]] for one in body["items"]], "")


@events.command("consumers")
@as_json
@pass_session
def list_consumers(session: Session, as_json: bool) -> None:
    """List the consumers of the event log."""
    body = session.call("GET", ("event-consumers",))
    if as_json:
        show_json(body)
        return
    rows = [[one[name] for name in ("name", "behind", "last_polled_at", "created_at")] for one in body["items"]]
    show_table(("NAME", "BEHIND", "POLLED", "CREATED"), rows, "There are no consumers.")


@events.command("forget")
@click.argument("consumer")
@yes_option
@as_json
@pass_session
def delete_consumer(session: Session, consumer: str, yes: bool, as_json: bool) -> None:
    """Delete a consumer and its position. Without a consumer, the project keeps no event log."""
    confirm(f"Delete consumer {consumer} and its position?", yes=yes)
    show(session.call("DELETE", ("event-consumers", consumer)), as_json=as_json)


@click.command("trigger")
@click.argument("event_type", metavar="TYPE")
@as_json
@pass_session
def trigger(session: Session, event_type: str, as_json: bool) -> None:
    """Send a sample of TYPE to `rustbox listen`. No endpoint gets it.

    \b
    Examples:
      rustbox trigger submission.completed
      rustbox events types
    """
    body = session.call("POST", ("event-samples",), {"type": event_type})
    show(body if as_json else {name: body[name] for name in ("id", "type", "timestamp")}, as_json=as_json)
