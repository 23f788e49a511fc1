"""Commands `plan`, `apply` and `export`: a whole project as a file. `checks` has the first two for its checks."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from rustbox_cli.api import Session
from rustbox_cli.options import all_of, service_command
from rustbox_cli.output import counted, plain, show_json, tell
from rustbox_cli.project.checks import Change
from rustbox_cli.project.export import write_project
from rustbox_cli.project.file import WantedProject, read_project
from rustbox_cli.project.plan import Options, Plan, make_plan

_DIFFERENT = 2
_HIDDEN_VALUES = "Values of env are not compared: the service does not show them. --send-env sends them."
_path = click.Path(path_type=Path, dir_okay=False)
_project = click.option(
    "--project", "project_id", metavar="ID", help="Also the project's own settings. Needs the administrator's key."
)
_options = all_of(
    click.option(
        "--prune", is_flag=True, help="Remove what the project has and the file's parts do not, with its history."
    ),
    click.option(
        "--send-env", is_flag=True, help="Send the values of all variables again: the service does not show them."
    ),
    _project,
)


def _file(default: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    return click.argument("path", metavar="[FILE]", required=False, default=default, type=_path)


def _plan_command(default: str) -> click.Command:
    @click.command("plan")
    @_file(default)
    @_options
    @click.option("--verbose", is_flag=True, help="List what the project has and the file does not.")
    @service_command
    def plan(session: Session, path: Path, verbose: bool, as_json: bool, **options: Any) -> None:
        """Show the changes of the next apply, and what the service would refuse. Ends with 2 if there is a difference.

        \b
        Examples:
          rustbox plan
          rustbox plan --prune --project PROJECT_ID
        """
        wanted = read_project(path)
        with session.api() as api:
            planned = make_plan(api, wanted, Options(**options))
        if as_json:
            show_json([_json_of(change) for change in planned.changes])
        else:
            for change in planned.changes if verbose else planned.due:
                click.echo(change.text)
            if planned.kept and not verbose:
                click.echo(f"  keep {_counts(planned.kept)}: not in the file; --prune removes, --verbose lists")
            click.echo(_summary(planned), err=True)
            if not options["send_env"] and planned.has_hidden_values:
                click.echo(_HIDDEN_VALUES, err=True)
            _tell_left_alone(wanted, options)
        planned.refuse()
        if planned.due:
            click.get_current_context().exit(_DIFFERENT)

    return plan


def _apply_command(default: str) -> click.Command:
    @click.command("apply")
    @_file(default)
    @_options
    @service_command
    def apply(session: Session, path: Path, as_json: bool, **options: Any) -> None:
        """Create and change what the file has. Nothing is done if the service would refuse a part of it.

        Slugs identify checks, descriptions identify endpoints. Repeating the command changes nothing.

        \b
        Examples:
          rustbox apply
          rustbox apply --send-env        # after a change of a secret
        """
        wanted = read_project(path)
        with session.api() as api:
            planned = make_plan(api, wanted, Options(**options))
            planned.apply(lambda change: None if as_json else click.echo(change.text.partition("\n")[0]))
        if as_json:
            show_json([_json_of(change) for change in planned.due])
        else:
            if not planned.due:
                click.echo(_summary(planned), err=True)
            _tell_left_alone(wanted, options)

    return apply


@click.command("export")
@click.argument("path", metavar="[FILE]", required=False, default="project.yaml", type=_path)
@_project
@service_command
def export(session: Session, path: Path, project_id: str | None, as_json: bool) -> None:
    """Write what the project has as a file, and the programs of its checks into a folder beside it.

    Secrets are written as $NAME: the service does not show them. It shows no part of a problem's cases either, so keep
    the folder of your problems.

    \b
    Examples:
      rustbox export
      rustbox export copy/project.yaml --project PROJECT_ID
    """
    with session.api() as api:
        written = write_project(api, path, project_id)
    for note in written.notes:
        click.echo(f"rustbox: {plain(note)}", err=True)
    body = {"written": [str(each) for each in written.paths], "variables": written.variables, "notes": written.notes}
    needs = f" Variables: {', '.join(written.variables)}." if written.variables else ""
    tell(body, f"{path} is written, with {counted(len(written.paths) - 1, 'program')}.{needs}", as_json=as_json)


plan = _plan_command("project.yaml")
apply = _apply_command("project.yaml")
COMMANDS_OF_CHECKS = (_plan_command("checks.yaml"), _apply_command("checks.yaml"))


def _json_of(change: Change) -> dict[str, Any]:
    slug = {"slug": change.name} if change.kind == "check" else {}
    return {"action": change.action, "kind": change.kind, "name": change.name, **slug, "lines": list(change.lines)}


def _summary(planned: Plan) -> str:
    actions = [change.action for change in planned.due]
    counts = [(action, actions.count(action)) for action in ("create", "update", "remove") if action in actions]
    return ", ".join(f"{count} to {action}" for action, count in counts) or "Nothing to change."


def _counts(kept: list[Change]) -> str:
    return ", ".join(counted(number, kind) for kind, number in Counter(change.kind for change in kept).items())


def _tell_left_alone(wanted: WantedProject, options: dict[str, Any]) -> None:
    if wanted.project is not None and options["project_id"] is None:
        click.echo("The part project is left alone: --project ID compares it.", err=True)
