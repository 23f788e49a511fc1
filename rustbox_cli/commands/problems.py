"""Commands `problems`."""

from __future__ import annotations

import re
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console

from rustbox_cli.options import as_json, confirm, no_answers_option, page_options, yes_option
from rustbox_cli.output import plain, show, show_json, show_list, show_warnings
from rustbox_cli.problems.case_folder import MAX_STORED_CASES, read_case_folder
from rustbox_cli.problems.stored import stored_cases
from rustbox_cli.session import Session, pass_session

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)
_MIB = 1024 * 1024


@click.group()
def problems() -> None:
    """Keep problems on the service, so that test data is sent once.

    \b
    Examples:
      rustbox problems push ~/problems/hello
      rustbox judge solution.cpp --problem hello
      rustbox problems list
      rustbox problems delete hello
    """


@problems.command("push")
@click.argument("folder", metavar="DIR", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--id", "problem_id", metavar="ID", help="Default: the name of the folder.")
@click.option(
    "--checker", type=click.Choice(["lines", "exact", "tokens"]), help="Default: that of a package, or lines."
)
@click.option("--without-groups", is_flag=True, help="One point a case, also if a package has groups and scores.")
@no_answers_option
@as_json
@pass_session
def push_problem(
    session: Session,
    /,
    as_json: bool,
    folder: Path,
    problem_id: str | None,
    checker: str | None,
    without_groups: bool,
    no_answers: bool,
) -> None:
    """Store a folder with 1.in and 1.ans (or 1.out), or a problem package of Kattis, ICPC, DOMjudge or BAPCtools.

    Files that the service has are not sent again. Equal content has the same version.
    """
    name = problem_id or folder.resolve().name
    if not _ID.fullmatch(name):
        raise click.UsageError(f"{plain(name)!r} is no id: letters, digits, dots, hyphens, underscores. Give --id.")
    found = read_case_folder(
        folder,
        reads_checker=checker is None,
        reads_groups=not without_groups,
        needs_answers=not no_answers,
        read=lambda path: path,
        most_cases=MAX_STORED_CASES,
    )
    with session.api() as api:
        with _progress() as tell:
            cases, sent = stored_cases(api, found.cases, tell)
        body = {
            "id": name,
            "cases": cases,
            "checker": {"kind": checker} if checker else found.checker,
            "groups": found.groups or None,
            "stop": found.stop,
            "limits": found.limits or None,
        }
        given = {field: value for field, value in body.items() if value is not None}
        answer = api.call("POST", ("problems",), body=given, repeatable=True).body
    show_warnings(answer)
    if as_json:
        show_json({**answer, "files_sent": sent})
        return
    size = answer["size_bytes"] / _MIB
    click.echo(f"{plain(answer['id'])}@{answer['version']}: {answer['cases']} cases, {size:.1f} MiB, {sent} files sent")


@problems.command("list")
@page_options
@as_json
@pass_session
def list_problems(session: Session, most: int | None, as_json: bool) -> None:
    """List the project's problems."""
    columns = {"ID": "id", "VERSION": "version", "CASES": "cases", "BYTES": "size_bytes", "PUSHED": "pushed_at"}
    show_list(session.items(("problems",), most, {}), columns, "There are no problems.", as_json=as_json)


@problems.command("show")
@click.argument("name", metavar="ID[@VERSION]")
@as_json
@pass_session
def show_problem(session: Session, name: str, as_json: bool) -> None:
    """Show a problem, without its cases."""
    show(session.call("GET", ("problems", name)), as_json=as_json)


@problems.command("delete")
@click.argument("name", metavar="ID[@VERSION]")
@yes_option
@as_json
@pass_session
def delete_problem(session: Session, name: str, yes: bool, as_json: bool) -> None:
    """Delete a problem with all of its versions, or one version. Judge runs that began keep their cases."""
    confirm(f"Delete {plain(name)}?", yes=yes)
    deleted = session.call("DELETE", ("problems", name))
    show_json(deleted) if as_json else click.echo(f"{plain(name)} deleted")


@contextmanager
def _progress() -> Iterator[Callable[[int, int], None]]:
    """Yield a function that shows how many files the service has, if standard error is a terminal."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda _stored, _total: None
        return
    with console.status("storing files") as status:
        yield lambda stored, total: status.update(f"storing files: {stored} of {total}")
