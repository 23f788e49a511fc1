"""Commands `secrets`: values that programs use in requests without seeing them."""

import sys
from typing import Any

import click

from rustbox_cli.api import Session
from rustbox_cli.errors import CommandError, ExitCode
from rustbox_cli.options import confirm, service_command, yes_option
from rustbox_cli.output import Columns, plain, show, show_list, tell

_MAX_VALUE_CHARS = 2_048


@click.group()
def secrets() -> None:
    """Manage secrets that programs use in requests without seeing them.

    \b
    Examples:
      rustbox secrets set github --host api.github.com --as bearer < token
      rustbox secrets set maps --host maps.example.com --as query:key --method GET < token
      rustbox run report.py --secret github
      rustbox secrets delete github
    """


def _place(_context: click.Context, _parameter: click.Parameter, text: str) -> Any:
    kind, colon, name = text.partition(":")
    if text in {"bearer", "basic"}:
        return text
    if kind in {"header", "query"} and colon and name:
        return {kind: name}
    raise click.BadParameter("Give bearer, basic, header:NAME or query:NAME.")


@secrets.command("set")
@click.argument("name")
@click.option("--host", required=True, help="The only host that gets it: name[:port], port 443 by default.")
@click.option(
    "--as",
    "place",
    default="bearer",
    show_default=True,
    callback=_place,
    help="bearer, basic (of user:password), header:NAME or query:NAME.",
)
@click.option("--method", "methods", multiple=True, help="A method that programs may use. Default: all.")
@click.option("--path", "paths", multiple=True, help="A path that programs may use, with all below it. Default: all.")
@service_command
def set_secret(
    session: Session, name: str, host: str, place: Any, methods: tuple[str, ...], paths: tuple[str, ...], as_json: bool
) -> None:
    """Make or replace the secret NAME. Its value is standard input, without the line break at its end."""
    if sys.stdin.isatty():
        value = str(click.prompt("Value", hide_input=True, err=True))
    else:
        value = sys.stdin.read(_MAX_VALUE_CHARS + 2).removesuffix("\n").removesuffix("\r")
    if not value:
        raise CommandError("The value is empty. Give it on standard input.", ExitCode.USAGE)
    body = {"value": value, "host": host, "as": place, "methods": list(methods), "paths": list(paths)}
    show(session.call("PUT", ("secrets", name), body), as_json=as_json)


@secrets.command("list")
@service_command
def list_secrets(session: Session, as_json: bool) -> None:
    """List the project's secrets, without their values."""
    columns: Columns = {
        "NAME": "name",
        "HOST": "host",
        "AS": lambda secret: _shown_place(secret["as"]),
        "METHODS": lambda secret: ", ".join(secret["methods"]) or "all",
        "PATHS": lambda secret: ", ".join(secret["paths"]) or "all",
        "LAST USED": "last_used_at",
    }
    show_list(session.items(("secrets",), None, {}), columns, "There are no secrets.", as_json=as_json)


def _shown_place(place: Any) -> str:
    return place if isinstance(place, str) else ":".join(next(iter(place.items())))


@secrets.command("show")
@click.argument("name")
@service_command
def show_secret(session: Session, name: str, as_json: bool) -> None:
    """Show a secret, without its value."""
    show(session.call("GET", ("secrets", name)), as_json=as_json)


@secrets.command("delete")
@click.argument("name")
@yes_option
@service_command
def delete_secret(session: Session, name: str, yes: bool, as_json: bool) -> None:
    """Delete a secret. Runs that were accepted before keep it."""
    confirm(f"Delete the secret {name}?", yes=yes)
    deleted = session.call("DELETE", ("secrets", name))
    tell(deleted, f"{plain(deleted['name'])} deleted", as_json=as_json)
