"""Commands `deliveries`."""

from __future__ import annotations

from typing import Any

import click

from rustbox_cli.options import Moment, as_json, page_options
from rustbox_cli.output import show_json, show_list, show_record, show_table
from rustbox_cli.session import Session, pass_session


@click.group()
def deliveries() -> None:
    """Show and replay webhook deliveries.

    \b
    Examples:
      rustbox deliveries list --state exhausted
      rustbox deliveries show DELIVERY_ID
      rustbox deliveries replay DELIVERY_ID
    """


@deliveries.command("list")
@click.option("--submission", "submission_id", help="Only of this submission.")
@click.option("--endpoint", "endpoint_id", help="Only to this endpoint.")
@click.option("--state", help="Only in this state, such as pending, retrying, delivered, exhausted, paused.")
@click.option("--since", type=Moment(-1), help="Only created since a time, or a duration such as 2h ago.")
@page_options
@as_json
@pass_session
def list_deliveries(
    session: Session,
    submission_id: str | None,
    endpoint_id: str | None,
    state: str | None,
    since: str | None,
    most: int | None,
    as_json: bool,
) -> None:
    """List deliveries, newest first."""
    query = {"submission_id": submission_id, "endpoint_id": endpoint_id, "state": state, "since": since}
    found = session.items(("deliveries",), most, query)
    columns = {
        "ID": "id",
        "EVENT": "type",
        "STATE": "state",
        "ATTEMPTS": "attempts_made",
        "NEXT": "next_attempt_at",
        "CREATED": "created_at",
    }
    show_list(found, columns, "There are no deliveries.", as_json=as_json)


@deliveries.command("show")
@click.argument("delivery_id")
@as_json
@pass_session
def show_delivery(session: Session, delivery_id: str, as_json: bool) -> None:
    """Show a delivery with all its attempts."""
    _show_delivery(session.call("GET", ("deliveries", delivery_id)), as_json=as_json)


@deliveries.command("replay")
@click.argument("delivery_id")
@click.option("--webhook-secret", help="For a run's own webhook: its secret, which is removed after the last attempt.")
@as_json
@pass_session
def replay_delivery(session: Session, delivery_id: str, webhook_secret: str | None, as_json: bool) -> None:
    """Send a delivery again: same webhook-id and bytes, new timestamp."""
    body = None if webhook_secret is None else {"webhook_secret": webhook_secret}
    _show_delivery(session.call("POST", ("deliveries", delivery_id, "replay"), body), as_json=as_json)


def _show_delivery(body: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        show_json(body)
        return
    show_record({name: value for name, value in body.items() if name != "attempts"})
    click.echo()
    names = ("n", "at", "status_code", "error_code", "latency_ms", "address", "head")
    rows = [[attempt[name] for name in names] for attempt in body["attempts"]]
    show_table(("N", "AT", "STATUS", "ERROR", "MS", "ADDRESS", "RESPONSE"), rows, "No attempt yet.")
