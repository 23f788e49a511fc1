"""Commands `checks` about signed calls: how they are verified, and the last ones."""

from __future__ import annotations

from typing import IO, TYPE_CHECKING, Any

import click

from rustbox_cli.check_slugs import find_check, slug_argument
from rustbox_cli.errors import CommandError, ExitCode
from rustbox_cli.options import as_json
from rustbox_cli.output import plain, show_json, show_list, show_record
from rustbox_cli.session import Session, pass_session

if TYPE_CHECKING:
    from rustbox_cli.output import Columns

_SCHEMES = ("standard", "github", "gitlab", "stripe", "slack", "hmac")


@click.command("secret")
@slug_argument
@click.option("--verify", type=click.Choice(_SCHEMES), help="Set how the sender signs its calls, with a new secret.")
@click.option("--rotate", is_flag=True, help="Make a new secret, with the scheme as it is.")
@click.option(
    "--secret",
    "secret_file",
    type=click.File(),
    metavar="FILE",
    help="The secret that the sender shows, needed for stripe and slack; - reads standard input.",
)
@click.option("--header", metavar="NAME", help="With hmac: the header with the signature.")
@click.option("--prefix", metavar="TEXT", help="With hmac: text before the signature, such as sha256=.")
@click.option("--encoding", type=click.Choice(["hex", "base64"]), help="With hmac: how the signature is written.")
@click.option("--timestamp-header", metavar="NAME", help="With hmac: a header with the time, which is signed too.")
@click.option("--id-header", metavar="NAME", help="With hmac: a header that names the call.")
@click.option("--event-header", metavar="NAME", help="With hmac: a header with the type of the event.")
@as_json
@pass_session
def set_secret(
    session: Session,
    /,
    slug: str,
    verify: str | None,
    rotate: bool,
    secret_file: IO[str] | None,
    as_json: bool,
    **options: str | None,
) -> None:
    """Show how calls that run a check are verified; with --verify or --rotate, replace the secret.

    A new secret is shown only now, and the one before ends at once.

    \b
    Examples:
      rustbox checks secret deploy                          # scheme and address; no secret
      rustbox checks secret deploy --verify github
      rustbox checks secret deploy --rotate
      rustbox checks secret charges --verify stripe --secret - < signing-secret
      rustbox checks secret other --verify hmac --header X-Signature --prefix sha256=
    """
    given = {name: value for name, value in options.items() if value is not None}
    if verify is not None and rotate:
        raise click.UsageError("Give --verify or --rotate.")
    if verify is None and (given or (secret_file is not None and not rotate)):
        raise click.UsageError("Say with --verify how the sender signs, or --rotate.")
    with session.api() as api:
        check_id = find_check(api, slug)["id"]
        if verify is None:
            calls = api.call("GET", ("checks", check_id, "calls")).body
            if not rotate:
                _show(session, calls, as_json=as_json)
                return
            body = _as_it_is(slug, calls["verification"])
        else:
            body = {"verify": verify, **given}
        if secret_file is not None:
            body["secret"] = secret_file.read().strip()
        made = api.call("POST", ("checks", check_id, "secret"), body=body).body
    _show(session, made, as_json=as_json)


def _as_it_is(slug: str, verification: dict[str, Any] | None) -> dict[str, Any]:
    """Return the request that keeps a scheme with its options. Raises CommandError if there is none."""
    if verification is None:
        raise CommandError(f"{slug} has no secret yet.", ExitCode.REFUSED, "Say with --verify how the sender signs.")
    return {name: value for name, value in verification.items() if value is not None}


def _show(session: Session, answer: dict[str, Any], *, as_json: bool) -> None:
    """Show the address, the scheme and a new secret."""
    address = session.url.rstrip("/") + answer["url"]
    if as_json:
        show_json({name: value for name, value in answer.items() if name != "items"} | {"url": address})
        return
    shown = {"url": address, **(answer["verification"] or {"verify": None})}
    if "secret" in answer:
        shown["secret"] = answer["secret"]
    show_record({name: value for name, value in shown.items() if value is not None or name == "verify"})


@click.command("calls")
@slug_argument
@as_json
@pass_session
def list_calls(session: Session, slug: str, as_json: bool) -> None:
    """List the last 20 genuine and the last 20 refused calls of seven days, with their outcomes."""
    with session.api() as api:
        found = api.call("GET", ("checks", find_check(api, slug)["id"], "calls")).body
    columns: Columns = {
        "AT": "at",
        "OUTCOME": "outcome",
        "TYPE": "event_type",
        "EVENT": "event_id",
        "RUN ID": "run_id",
        "BYTES": "size_bytes",
        "REASON": "reason",
    }
    nothing = f"No call of seven days. `rustbox checks secret {plain(slug)}` shows its address."
    show_list(found["items"], columns, nothing, as_json=as_json)


COMMANDS = (set_secret, list_calls)
"""What `checks` has about signed calls."""
