"""Commands `webhooks`."""

import base64
import secrets
import uuid
from pathlib import Path
from typing import Any

import click

from rustbox_cli.api import Session
from rustbox_cli.errors import CommandError, ExitCode
from rustbox_cli.options import Duration, Moment, Pair, all_of, confirm, page_options, service_command, yes_option
from rustbox_cli.output import Columns, plain, show, show_json, show_list, show_record, show_table, waiting
from rustbox_cli.program_input import language_of
from rustbox_cli.results import waiting_text

_SECRET_BYTES = 32


def _show(body: dict[str, Any], *, as_json: bool) -> None:
    """Show an answer. The record leaves out rates and latencies, which `show` prints as a table."""
    left_out = () if as_json else ("stats", "latency")
    show({name: value for name, value in body.items() if name not in left_out}, as_json=as_json)


@click.group()
def webhooks() -> None:
    """Manage the project's webhook endpoints.

    \b
    Examples:
      rustbox webhooks create https://example.com/hooks --header x-team=blue
      rustbox webhooks test ENDPOINT_ID
      rustbox webhooks rotate ENDPOINT_ID --overlap 24h
      rustbox webhooks recover ENDPOINT_ID --since 2h
      rustbox webhooks transform ENDPOINT_ID program.py --test
    """


_changeable = all_of(
    click.option("--event", "events", multiple=True, help="Send only this event; repeatable. Default: all."),
    click.option(
        "--header", "headers", multiple=True, type=Pair(), metavar="NAME=VALUE", help="Custom header; repeatable."
    ),
    click.option("--description", help="Free text."),
    click.option("--max-concurrency", type=click.IntRange(1, 20), help="Concurrent requests."),
    click.option("--max-per-second", type=click.IntRange(0, 100), help="Requests per second; 0: no limit."),
    click.option("--max-output-bytes", type=click.IntRange(0, 262_144), help="Bytes of each output stream; 0: none."),
    click.option("--timeout-secs", type=click.IntRange(1, 15), help="Seconds that a request waits for its answer."),
    click.option(
        "--format",
        type=click.Choice(
            ["event", "cloudevents", "cloudevents_structured", "slack", "discord", "teams", "pagerduty", "email"]
        ),
        help="Format of the body: the event itself (default), CloudEvents, or a message for people.",
    ),
    click.option("--routing-key", metavar="KEY", help="Integration key of PagerDuty, for --format pagerduty."),
    click.option(
        "--kind",
        "kinds",
        multiple=True,
        type=click.Choice(["run", "judge", "check"]),
        help="Only ends of these submissions: of clients (run, judge; the default), or of checks; repeatable.",
    ),
    click.option("--verdict", "verdicts", multiple=True, help="Only runs with this verdict; repeatable."),
    click.option("--language", "languages", multiple=True, help="Only runs in this language; repeatable."),
    click.option(
        "--metadata", multiple=True, type=Pair(), metavar="NAME=VALUE", help="Only runs with this metadata; repeatable."
    ),
)


_PLAIN = (
    *("url", "description", "max_concurrency", "max_per_second", "max_output_bytes", "timeout_secs"),
    *("format", "routing_key"),
)


def _settings(options: dict[str, Any]) -> dict[str, Any]:
    """Return the given settings of an endpoint; absent ones are None, but `events` and `headers` are always there."""
    filters = {
        "verdicts": list(options["verdicts"]),
        "languages": list(options["languages"]),
        "metadata": dict(options["metadata"]),
    }
    return {
        "events": list(options["events"]),
        "headers": dict(options["headers"]),
        "kinds": list(options["kinds"]) or None,
        "filters": {name: value for name, value in filters.items() if value} or None,
        **{name: options[name] for name in _PLAIN},
        "asymmetric": options["asymmetric"],
    }


@webhooks.command("list")
@click.option("--state", help="Only in this state: active, degraded or disabled.")
@click.option("--since", type=Moment(-1), help="Only those created since this time: RFC 3339, or an age such as 2h.")
@page_options
@service_command
def list_webhooks(session: Session, state: str | None, since: str | None, most: int | None, as_json: bool) -> None:
    """List endpoints, newest first."""
    found = session.items(("webhooks",), most, {"state": state, "since": since})
    columns: Columns = {
        "ID": "id",
        "URL": "url",
        "HEALTH": "health",
        "ENABLED": "enabled",
        "EVENTS": "events",
        "DESCRIPTION": "description",
        "SUCCESS, 24 H": lambda one: one["stats"]["last_day"]["success_rate"],
    }
    show_list(found, columns, "There are no endpoints.", as_json=as_json)


@webhooks.command("create")
@click.argument("url")
@_changeable
@click.option("--payload", type=click.Choice(["full", "thin"]), help="The event (default), or only its ids.")
@click.option("--asymmetric", is_flag=True, help="Also sign with an ed25519 key pair.")
@click.option("--ordered", is_flag=True, help="One delivery at a time; the next waits until the first is final.")
@click.option("--disabled", is_flag=True, help="Create it disabled: its deliveries pause.")
@service_command
def create_webhook(session: Session, /, as_json: bool, **options: Any) -> None:
    """Create an endpoint for URL. Its signing secret is shown only now."""
    body = _settings(options) | {
        "payload": options["payload"],
        "ordered": options["ordered"],
        "enabled": not options["disabled"],
    }
    with session.api() as api:  # the key makes a repeat after a lost answer safe
        made = api.call("POST", ("webhooks",), body=body, idempotency_key=str(uuid.uuid4())).body
    _show(made, as_json=as_json)


@webhooks.command("show")
@click.argument("endpoint_id")
@service_command
def show_webhook(session: Session, endpoint_id: str, as_json: bool) -> None:
    """Show an endpoint, its health, success rate and latency."""
    body = session.call("GET", ("webhooks", endpoint_id))
    _show(body, as_json=as_json)
    if as_json:
        return
    click.echo()
    rows = []
    for window, rate in body["stats"].items():
        latency = body["latency"][window]
        rates = [rate[name] for name in ("attempts", "failures", "success_rate")]
        rows.append([window.replace("_", " "), *rates, latency["p50_ms"], latency["p95_ms"]])
    show_table(("", "ATTEMPTS", "FAILURES", "SUCCESS RATE", "P50 MS", "P95 MS"), rows, "")


@webhooks.command("update")
@click.argument("endpoint_id")
@click.option("--url", help="New URL.")
@_changeable
@click.option("--all-events", is_flag=True, help="Send all events.")
@click.option("--no-headers", is_flag=True, help="Remove all custom headers.")
@click.option("--asymmetric/--no-asymmetric", default=None, help="Also sign with a new ed25519 key pair, or stop.")
@click.option("--all-runs", is_flag=True, help="Remove the filters by verdict, language and metadata.")
@service_command
def update_webhook(session: Session, /, endpoint_id: str, as_json: bool, **options: Any) -> None:
    """Change an endpoint. Omitted options stay; given events, headers and filters of runs replace all old ones."""
    given = _settings(options)
    if (given["events"] and options["all_events"]) or (given["headers"] and options["no_headers"]):
        raise click.UsageError("Give --event or --all-events, and --header or --no-headers.")
    if given["filters"] and options["all_runs"]:
        raise click.UsageError("Give --all-runs, or --verdict, --language and --metadata.")
    given["events"] = given["events"] or ([] if options["all_events"] else None)
    given["headers"] = given["headers"] or ({} if options["no_headers"] else None)
    given["filters"] = given["filters"] or ({} if options["all_runs"] else None)
    change = {name: value for name, value in given.items() if value is not None}
    if not change:
        raise click.UsageError("Nothing to change. Give at least one option; see --help.")
    _show(session.call("PATCH", ("webhooks", endpoint_id), change), as_json=as_json)


@webhooks.command("rotate")
@click.argument("endpoint_id")
@click.option("--overlap", "overlap_secs", type=Duration(), default="24h", show_default=True)
@service_command
def rotate_webhook(session: Session, endpoint_id: str, overlap_secs: int, as_json: bool) -> None:
    """Replace an endpoint's secret and show the new one, only now. The old one also signs for --overlap."""
    # The client creates the secret, so that a retry after a lost response does not rotate twice.
    secret = "whsec_" + base64.b64encode(secrets.token_bytes(_SECRET_BYTES)).decode()
    body = {"overlap_secs": overlap_secs, "secret": secret}
    with session.api() as api:
        rotated = api.call("POST", ("webhooks", endpoint_id, "rotate"), body=body, repeatable=True).body
    _show(rotated, as_json=as_json)


@webhooks.command("test")
@click.argument("endpoint_id")
@service_command
def test_webhook(session: Session, endpoint_id: str, as_json: bool) -> None:
    """Send `webhook.test` now, and show request and response. Exits with 65 unless the response is a 2xx."""
    body = session.call("POST", ("webhooks", endpoint_id, "test"))
    if as_json:
        show_json(body)
    else:
        request, response = body["request"], body["response"]
        show_record(
            {"delivered": body["delivered"], "url": request["url"]}
            | {name: response[name] for name in ("status_code", "error_code", "latency_ms", "address")}
        )
        headers = "".join(f"\n{plain(name)}: {plain(value)}" for name, value in request["headers"].items())
        click.echo(f"\nsent:\n{request['method']} {plain(request['url'])}{headers}\n\n{plain(request['body'])}")
        click.echo(f"\nsigned:\n{plain(body['signed_content'])}\n\nresponse:\n{plain(response['head'])}")
    if not body["delivered"]:
        click.get_current_context().exit(65)


@webhooks.command("transform")
@click.argument("endpoint_id", required=False)
@click.argument("program", required=False, type=click.Path(path_type=Path, dir_okay=False))
@click.option("--language", help="Language of PROGRAM. Default: that of its file name.")
@click.option("--test", "is_test", is_flag=True, help="Run it on an event, and show the body. Sends nothing.")
@click.option("--event", "event_id", help="For --test: the id of a stored event.")
@click.option("--type", "event_type", help="For --test: a sample of this type. Default: submission.completed.")
@click.option("--remove", "is_removed", is_flag=True, help="Send the event itself again.")
@click.option("--template", help="Print a program to begin with: slack, discord, teams or pagerduty.")
@service_command
def transform_webhook(session: Session, /, endpoint_id: str | None, as_json: bool, **options: Any) -> None:
    """Let PROGRAM write the body of each delivery to an endpoint, or test it. Without PROGRAM, test the stored one.

    It reads the event from standard input, and prints {"body": …, "headers": …}, {"skip": true} or the body.

    \b
    Examples:
      rustbox webhooks transform --template slack > slack.py
      rustbox webhooks transform ENDPOINT_ID slack.py --test --type check.state.changed
      rustbox webhooks transform ENDPOINT_ID slack.py
    """
    path, template = options["program"], options["template"]
    if template is not None:
        found = {each["name"]: each["code"] for each in session.items(("webhooks", "transform", "templates"), None, {})}
        if template not in found:
            raise click.UsageError(f"There is no such template. Known: {', '.join(found)}.")
        click.echo(found[template], nl=False)
        return
    is_removed, is_test = options["is_removed"], options["is_test"]
    if endpoint_id is None or (is_removed if path is not None else is_removed == is_test):
        raise click.UsageError("Give ENDPOINT_ID with PROGRAM, --test or --remove; see --help.")
    program = None if path is None else _program(path, options["language"])
    if not is_test:
        _show(session.call("PATCH", ("webhooks", endpoint_id), {"transform": program or {}}), as_json=as_json)
        return
    body = {"transform": program, "event_id": options["event_id"], "type": options["event_type"]}
    tested = session.call("POST", ("webhooks", endpoint_id, "transform", "test"), body)
    if as_json:
        show_json(tested)
    else:
        show_record({name: tested[name] for name in ("verdict", "skip", "error")})
        headers = "".join(f"{plain(name)}: {plain(value)}\n" for name, value in tested["headers"].items())
        click.echo(f"\n{headers}\n{plain(tested['body'] or '')}" if tested["body"] is not None else "")
        click.echo(plain(tested["stderr"]), err=True)
    if tested["error"] is not None:
        click.get_current_context().exit(65)


def _program(path: Path, language: str | None) -> dict[str, str]:
    """Return a transform as the service takes it."""
    try:
        code = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise CommandError(f"{path} cannot be read: {error}", ExitCode.USAGE) from None
    language = language or language_of(path.name)
    if language is None:
        raise click.UsageError("The name of the file says no language. Give --language.")
    return {"language": language, "code": code}


def _add_switch(name: str, *, enabled: bool, about: str) -> None:
    @webhooks.command(name, help=about)
    @click.argument("endpoint_id")
    @service_command
    def switch(session: Session, endpoint_id: str, as_json: bool) -> None:
        _show(session.call("PATCH", ("webhooks", endpoint_id), {"enabled": enabled}), as_json=as_json)


_add_switch(
    "enable",
    enabled=True,
    about="Enable an endpoint and reset its failures. Send paused deliveries with `rustbox webhooks recover`.",
)
_add_switch("disable", enabled=False, about="Disable an endpoint; its deliveries pause.")


@webhooks.command("delete")
@click.argument("endpoint_id")
@yes_option
@service_command
def delete_webhook(session: Session, endpoint_id: str, yes: bool, as_json: bool) -> None:
    """Delete an endpoint and cancel its remaining deliveries."""
    confirm(f"Delete endpoint {endpoint_id} and cancel its remaining deliveries?", yes=yes)
    _show(session.call("DELETE", ("webhooks", endpoint_id)), as_json=as_json)


@webhooks.command("recover")
@click.argument("endpoint_id")
@click.option(
    "--since",
    type=Moment(-1),
    required=True,
    help="Only deliveries created since this time: RFC 3339, or an age such as 2h; at most 14d.",
)
@click.option("--retrying", is_flag=True, help="Also resend deliveries that are waiting for a retry.")
@service_command
def recover_webhook(session: Session, endpoint_id: str, since: str, retrying: bool, as_json: bool) -> None:
    """Send failed, blocked and paused deliveries again, since a time."""
    also = {"retrying": True} if retrying else {}
    recovered, complete = 0, False
    with session.api() as api, waiting(f"sending deliveries of {endpoint_id} again"):
        while not complete:  # one call works for at most 20 seconds
            body = api.call("POST", ("webhooks", endpoint_id, "recover"), body={"since": since} | also).body
            recovered += body["recovered"]
            complete, since = body["complete"], body["continue_since"] or since
    _show({"recovered": recovered, "complete": True}, as_json=as_json)


# Commands `deliveries`.


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
@click.option(
    "--since", type=Moment(-1), help="Only deliveries created since this time: RFC 3339, or an age such as 2h."
)
@page_options
@service_command
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
@service_command
def show_delivery(session: Session, delivery_id: str, as_json: bool) -> None:
    """Show a delivery with all its attempts."""
    _show_delivery(session.call("GET", ("deliveries", delivery_id)), as_json=as_json)


@deliveries.command("replay")
@click.argument("delivery_id")
@click.option("--webhook-secret", help="For a run's own webhook: its secret, which is removed after the last attempt.")
@click.option("--transform-again", is_flag=True, help="Let the endpoint's transform write another body.")
@service_command
def replay_delivery(
    session: Session, delivery_id: str, webhook_secret: str | None, transform_again: bool, as_json: bool
) -> None:
    """Send a delivery again: same webhook-id and bytes, new timestamp."""
    asked = {"webhook_secret": webhook_secret, "transform": "again" if transform_again else None}
    body = {name: value for name, value in asked.items() if value is not None} or None
    _show_delivery(session.call("POST", ("deliveries", delivery_id, "replay"), body), as_json=as_json)


def _show_delivery(body: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        show_json(body)
        return
    shown = {name: value for name, value in body.items() if name not in {"attempts", "transform_failure"}}
    if failure := body.get("transform_failure"):
        shown["transform"] = f"{failure['verdict']}: {failure['error']}"
    show_record(shown | ({"waiting": waiting_text(body)} if "waiting" in body else {}))
    click.echo()
    names = ("n", "at", "status_code", "error_code", "latency_ms", "address", "head")
    rows = [[attempt[name] for name in names] for attempt in body["attempts"]]
    show_table(("N", "AT", "STATUS", "ERROR", "MS", "ADDRESS", "RESPONSE"), rows, "No attempt yet.")
