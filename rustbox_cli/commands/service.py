"""Commands `languages`, `health`, `files` and `mcp`."""

import json
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import click

from rustbox_cli.api import Api, Session, pass_session
from rustbox_cli.errors import CommandError, ExitCode
from rustbox_cli.options import confirm, page_options, service_command, yes_option
from rustbox_cli.output import plain, show, show_json, show_list, show_table, tell
from rustbox_cli.program_input import store

# Commands `files`.


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
@service_command
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
@service_command
def list_files(session: Session, most: int | None, as_json: bool) -> None:
    """List the project's files."""
    columns = {"ID": "id", "BYTES": "size", "TYPE": "media_type", "STATE": "state", "EXPIRES": "expires_at"}
    show_list(session.items(("files",), most, {}), columns, "There are no files.", as_json=as_json)


@files.command("delete")
@click.argument("file_id", metavar="ID")
@yes_option
@service_command
def delete_file(session: Session, file_id: str, yes: bool, as_json: bool) -> None:
    """Delete a file. Runs that are accepted still have it."""
    confirm(f"Delete {file_id}?", yes=yes)
    deleted = session.call("DELETE", ("files", file_id))
    tell(deleted, f"{plain(deleted['id'])} deleted", as_json=as_json)


# Commands `languages` and `health`.


@click.command()
@service_command
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
@service_command
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


# Command `mcp`: the tools of the service for a client that starts its servers as programs.

_PATH = "/mcp"
_AT_ONCE = 8
_MESSAGE_MAX_BYTES = 1_048_576
_VERSION_KEY = "io.modelcontextprotocol/protocolVersion"
_NAMED_BY = ("name", "uri", "taskId")
_INTERNAL_ERROR = -32603


@click.command()
@pass_session
def mcp(session: Session) -> None:
    """Serve MCP on standard input and output, for clients that start their servers as programs.

    Each message goes to /mcp of the service with your API key, and its answer comes back.

    \b
    Examples:
      claude mcp add rustbox -- rustbox mcp
      RUSTBOX_URL=https://api.example.com RUSTBOX_API_KEY=rb_live_... rustbox mcp
    """
    write = threading.Lock()

    def answer(line: bytes) -> None:
        answered = _answer(api, line)
        if answered:
            with write:
                sys.stdout.buffer.write(answered + b"\n")
                sys.stdout.buffer.flush()

    # Several at once: a client may cancel a run while it waits for it.
    with session.api() as api, ThreadPoolExecutor(_AT_ONCE) as threads:
        while line := sys.stdin.buffer.readline(_MESSAGE_MAX_BYTES + 1):
            if line.strip():
                threads.submit(answer, line)


def _answer(api: Api, line: bytes) -> bytes:
    """Relay one message. Return its answer in one line; nothing for a notification."""
    message = _read(line)
    try:
        answered = api.relay(_PATH, line, _headers(message))
        return json.dumps(_with_id(json.loads(answered), message)).encode() if answered else b""
    except (CommandError, ValueError) as error:
        if message.get("id") is None:
            return b""
        said = error.message if isinstance(error, CommandError) else "The answer is not JSON: see RUSTBOX_URL."
        failure = {"code": _INTERNAL_ERROR, "message": said}
        return json.dumps({"jsonrpc": "2.0", "id": message["id"], "error": failure}).encode()


def _read(line: bytes) -> dict[str, Any]:
    try:
        message = json.loads(line)
    except ValueError:
        return {}
    return message if isinstance(message, dict) else {}


def _headers(message: dict[str, Any]) -> dict[str, str]:
    """Repeat in headers what the revision 2026-07-28 wants to see there."""
    params = message.get("params")
    if not isinstance(params, dict):
        return {}
    meta = params.get("_meta")
    version = meta.get(_VERSION_KEY) if isinstance(meta, dict) else None
    if not isinstance(version, str):
        return {}
    headers = {"mcp-protocol-version": version, "mcp-method": str(message.get("method"))}
    names = [params[name] for name in _NAMED_BY if isinstance(params.get(name), str)]
    return headers | ({"mcp-name": names[0]} if names else {})


def _with_id(answered: Any, message: dict[str, Any]) -> Any:
    """Give an error of the service, such as a wrong key, the id of its request: the client waits for that."""
    if isinstance(answered, dict) and answered.get("id") is None and message.get("id") is not None:
        return {**answered, "id": message["id"]}
    return answered
