"""Commands `projects` and `keys`. They need the administrator's key."""

from collections.abc import Callable, Sequence
from typing import Any

import click

from rustbox_cli.api import Session
from rustbox_cli.options import Moment, confirm, page_options, service_command, yes_option
from rustbox_cli.output import Columns, show, show_list

_PROFILES = click.Choice(["judge", "agent"])
_QUOTA = ("per_minute", "per_day", "in_flight")
_RIGHTS = ("run", "read", "webhooks", "checks", "files", "secrets")


def _call(session: Session, method: str, path: tuple[str, ...], body: Any = None) -> Any:
    return session.call(method, ("projects", *path), body, "X-Admin-Key")


def _show(body: dict[str, Any], *, as_json: bool) -> None:
    """Show an answer. The record has each quota on its own line."""
    quotas = {f"quota {profile}": quota for profile, quota in body.get("quotas", {}).items()}
    show(body if as_json else {name: body[name] for name in body if name != "quotas"} | quotas, as_json=as_json)


def _quota_of(profile: str) -> Callable[[Any], str]:
    return lambda project: "/".join(str(project["quotas"][profile][name]) for name in _QUOTA)


@click.group()
def projects() -> None:
    """Manage projects and their quotas. Needs the administrator's key.

    \b
    Examples:
      rustbox projects create "Spring course" --profile judge
      rustbox projects quota PROJECT_ID --profile judge --per-minute 600 --in-flight 50
      rustbox projects quota PROJECT_ID --files-mb 4096
      rustbox projects network PROJECT_ID --allow api.example.com --allow '*.example.org'
      rustbox projects disable PROJECT_ID
    """


@projects.command("list")
@page_options
@service_command
def list_projects(session: Session, most: int | None, as_json: bool) -> None:
    """List projects, newest first."""
    columns: Columns = {
        "ID": "id",
        "NAME": "name",
        "ENABLED": "enabled",
        "PROFILES": "profiles",
        "JUDGE MIN/DAY/FLIGHT": _quota_of("judge"),
        "AGENT MIN/DAY/FLIGHT": _quota_of("agent"),
        "NETWORK": lambda project: project.get("network", {}).get("access"),
        "CREATED": "created_at",
    }
    found = session.items(("projects",), most, {}, "X-Admin-Key")
    show_list(found, columns, "There are no projects.", as_json=as_json)


@projects.command("create")
@click.argument("name")
@click.option("--profile", "profiles", multiple=True, type=_PROFILES, help="Default: both.")
@service_command
def create_project(session: Session, name: str, profiles: tuple[str, ...], as_json: bool) -> None:
    """Create a project called NAME. Create its key with `rustbox keys issue`."""
    body = {"name": name} | ({"profiles": list(profiles)} if profiles else {})
    _show(_call(session, "POST", (), body), as_json=as_json)


@projects.command("show")
@click.argument("project_id")
@service_command
def show_project(session: Session, project_id: str, as_json: bool) -> None:
    """Show a project."""
    _show(_call(session, "GET", (project_id,)), as_json=as_json)


@projects.command("rename")
@click.argument("project_id")
@click.argument("name")
@service_command
def rename_project(session: Session, project_id: str, name: str, as_json: bool) -> None:
    """Rename a project."""
    _show(_call(session, "PATCH", (project_id,), {"name": name}), as_json=as_json)


def _add_switch(name: str, *, enabled: bool, about: str) -> None:
    @projects.command(name, help=about)
    @click.argument("project_id")
    @service_command
    def switch(session: Session, project_id: str, as_json: bool) -> None:
        _show(_call(session, "PATCH", (project_id,), {"enabled": enabled}), as_json=as_json)


_add_switch(
    "disable",
    enabled=False,
    about="Disable a project: its keys stop working within three seconds. Accepted submissions still run.",
)
_add_switch("enable", enabled=True, about="Enable a project: its keys work again.")


@projects.command("quota")
@click.argument("project_id")
@click.option("--profile", type=_PROFILES, default="judge", show_default=True)
@click.option("--per-minute", type=int, help="Submissions per minute.")
@click.option("--per-day", type=int, help="Submissions per day (UTC).")
@click.option("--in-flight", type=int, help="Submissions in flight.")
@click.option("--files-mb", type=int, help="MiB of all stored files, of both profiles together.")
@click.option("--default", "to_default", is_flag=True, help="Reset to the default of the profile.")
@service_command
def change_quota(
    session: Session,
    project_id: str,
    profile: str,
    per_minute: int | None,
    per_day: int | None,
    in_flight: int | None,
    files_mb: int | None,
    to_default: bool,
    as_json: bool,
) -> None:
    """Change a project's quota: of runs for one profile, and of stored files. Omitted limits stay."""
    given = {"per_minute": per_minute, "per_day": per_day, "in_flight": in_flight}
    change = {name: number for name, number in given.items() if number is not None}
    body: dict[str, Any] = {} if files_mb is None else {"files_mb": files_mb}
    if bool(change or body) == to_default:
        raise click.UsageError("Give --per-minute, --per-day, --in-flight or --files-mb, or --default alone.")
    if change or to_default:
        body["quotas"] = {profile: change or None}
    _show(_call(session, "PATCH", (project_id,), body), as_json=as_json)


@projects.command("network")
@click.argument("project_id")
@click.argument("access", type=click.Choice(["none", "listed", "public"]), required=False)
@click.option(
    "--allow",
    multiple=True,
    metavar="NAME[:PORT]",
    help="Hosts that its programs may reach. Implies `listed`. Default port: 443.",
)
@click.option("--mb-per-day", type=int, help="MiB in both directions, of all its runs in a day (UTC).")
@service_command
def change_network(
    session: Session,
    project_id: str,
    access: str | None,
    allow: tuple[str, ...],
    mb_per_day: int | None,
    as_json: bool,
) -> None:
    """Change which hosts a project's programs may reach: none, those that are listed, or any public one."""
    access = access or ("listed" if allow else None)
    given = {"access": access, "allow": list(allow) or None, "mb_per_day": mb_per_day}
    change = {name: value for name, value in given.items() if value is not None}
    if not change:
        raise click.UsageError("Give none, listed or public, --allow, or --mb-per-day.")
    _show(_call(session, "PATCH", (project_id,), {"network": change}), as_json=as_json)


def _shown_rights(rights: Sequence[str]) -> str:
    return "all" if set(_RIGHTS) <= set(rights) else ", ".join(rights)


@click.group()
def keys() -> None:
    """Manage API keys of a project. Needs the administrator's key.

    \b
    Examples:
      rustbox keys issue PROJECT_ID --expires 90d
      rustbox keys issue PROJECT_ID --name "Page of the course" --right run
      rustbox keys list PROJECT_ID
      rustbox keys revoke PROJECT_ID KEY_ID
    """


@keys.command("list")
@click.argument("project_id")
@page_options
@service_command
def list_keys(session: Session, project_id: str, most: int | None, as_json: bool) -> None:
    """List the keys of a project, newest first, without the secret part."""
    columns: Columns = {
        "KEY ID": "key_id",
        "PREFIX": "prefix",
        "NAME": lambda key: key.get("name"),  # a service of an earlier version has neither
        "RIGHTS": lambda key: _shown_rights(key.get("rights", _RIGHTS)),
        "CREATED": "created_at",
        "LAST USED": "last_used_at",
        "EXPIRES": "expires_at",
        "REVOKED": "revoked_at",
    }
    found = session.items(("projects", project_id, "keys"), most, {}, "X-Admin-Key")
    show_list(found, columns, "There are no keys.", as_json=as_json)


@keys.command("issue")
@click.argument("project_id")
@click.option("--expires", "expires_at", type=Moment(1), help="A time, or a duration such as 90d. Default: never.")
@click.option("--name", help="For you: lists show it.")
@click.option("--right", "rights", multiple=True, type=click.Choice(_RIGHTS), help="What it may do. Default: all.")
@service_command
def issue_key(
    session: Session, project_id: str, expires_at: str | None, name: str | None, rights: tuple[str, ...], as_json: bool
) -> None:
    """Create a key. It is shown only now.

    A key with the right run starts programs, and reads, follows and cancels each by its id: a browser may have it.
    """
    given = {"expires_at": expires_at, "name": name, "rights": list(rights)}
    body = {field: value for field, value in given.items() if value}
    _show(_call(session, "POST", (project_id, "keys"), body), as_json=as_json)


@keys.command("expire")
@click.argument("project_id")
@click.argument("key_id")
@click.option("--at", "expires_at", type=Moment(1), help="A time, or a duration such as 24h. Default: now.")
@click.option("--never", is_flag=True, help="Remove the time: the key does not stop working.")
@service_command
def expire_key(
    session: Session, project_id: str, key_id: str, expires_at: str | None, never: bool, as_json: bool
) -> None:
    """Set when a key stops working, or remove that time. Without an option, the key stops within three seconds."""
    if never and expires_at:
        raise click.UsageError("Give --at or --never, not both.")
    moment = None if never else expires_at or Moment(1).convert("0s", None, None)
    _show(_call(session, "PATCH", (project_id, "keys", key_id), {"expires_at": moment}), as_json=as_json)


@keys.command("revoke")
@click.argument("project_id")
@click.argument("key_id")
@yes_option
@service_command
def revoke_key(session: Session, project_id: str, key_id: str, yes: bool, as_json: bool) -> None:
    """Revoke a key permanently. It stops working within three seconds."""
    confirm(f"Revoke key {key_id} permanently?", yes=yes)
    _show(_call(session, "DELETE", (project_id, "keys", key_id)), as_json=as_json)
