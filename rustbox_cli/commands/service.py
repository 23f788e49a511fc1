"""Commands `languages` and `health`."""

from __future__ import annotations

import click

from rustbox_cli.errors import ExitCode
from rustbox_cli.options import as_json
from rustbox_cli.output import show, show_json, show_table
from rustbox_cli.session import Session, pass_session


@click.command()
@as_json
@pass_session
def languages(session: Session, as_json: bool) -> None:
    """List the languages that the service offers, with their toolchains.

    \b
    Examples:
      rustbox languages
    """
    with session.api() as api:
        found = api.call("GET", ("languages",), query={"detail": "true"}).body
    if as_json:
        show_json(found)
        return
    rows = [(language["name"], language["toolchains"]) for language in found]
    show_table(("LANGUAGE", "TOOLCHAINS"), rows, "No runner offers a language at the moment.")


@click.command()
@as_json
@pass_session
def health(session: Session, as_json: bool) -> None:
    """Show the health of the service. Exits with 69 if no runner is live.

    \b
    Examples:
      rustbox health && rustbox run solution.py
    """
    report = session.call("GET", ("health",))
    show(report, as_json=as_json)
    if not report["workers"]:
        click.echo("rustbox: no runner is live, so nothing runs at the moment", err=True)
        click.get_current_context().exit(ExitCode.UNREACHABLE)
