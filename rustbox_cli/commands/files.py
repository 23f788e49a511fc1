"""Commands `files`."""

from __future__ import annotations

from pathlib import Path

import click

from rustbox_cli.options import as_json, confirm, page_options, yes_option
from rustbox_cli.output import plain, show_json, show_list
from rustbox_cli.program_input import store
from rustbox_cli.session import Session, pass_session


@click.group()
def files() -> None:
    """Store files for runs, by their SHA-256.

    \b
    Examples:
      rustbox files put data.csv
      rustbox files list
      rustbox files delete sha256:2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae
    """


@files.command("put")
@click.argument("sources", metavar="FILE...", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False))
@as_json
@pass_session
def put_files(session: Session, sources: tuple[str, ...], as_json: bool) -> None:
    """Store files, and print their ids. A file that is stored already is not sent again, and kept for another day."""
    with session.api() as api:
        stored = [store(api, Path(source)) | {"file": source} for source in sources]
    if as_json:
        show_json(stored)
        return
    for one in stored:
        click.echo(f"{one['id']}  {plain(one['file'])}")


@files.command("list")
@page_options
@as_json
@pass_session
def list_files(session: Session, most: int | None, as_json: bool) -> None:
    """List the project's files."""
    columns = {"ID": "id", "BYTES": "size", "TYPE": "media_type", "STATE": "state", "EXPIRES": "expires_at"}
    show_list(session.items(("files",), most, {}), columns, "There are no files.", as_json=as_json)


@files.command("delete")
@click.argument("file_id", metavar="ID")
@yes_option
@as_json
@pass_session
def delete_file(session: Session, file_id: str, yes: bool, as_json: bool) -> None:
    """Delete a file. Runs that are accepted still have it."""
    confirm(f"Delete {file_id}?", yes=yes)
    deleted = session.call("DELETE", ("files", file_id))
    show_json(deleted) if as_json else click.echo(f"{plain(deleted['id'])} deleted")
