"""Commands `run`, `submit` and `result`."""

import uuid
from pathlib import Path
from typing import Any

import click

from rustbox_cli.api import Api, Session
from rustbox_cli.errors import EXIT_CODES_HINT, CommandError, ExitCode
from rustbox_cli.options import Pair, all_of, confirm, page_options, service_command, yes_option
from rustbox_cli.output import Columns, plain, show_json, show_list, show_record, tell, waiting
from rustbox_cli.program_input import (
    LIMITS,
    Program,
    limit_value,
    piped_input,
    program_fields,
    program_options,
    read_text,
)
from rustbox_cli.results import (
    LiveStream,
    Result,
    artifact_lines,
    exit_code,
    follow,
    is_final,
    network_lines,
    save_artifacts,
    stream_bytes,
    tell_waiting,
    verdict_message,
    wait_until_final,
    waiting_text,
)

_FIRST_WAIT_SECS = "0.1"
"""A program that ends so soon needs one request. The service shows the output of others meanwhile."""


_program_options = all_of(
    click.argument("file", metavar="FILE|FOLDER", type=Program()),
    *program_options,
    click.option("--stdin", "stdin_file", type=click.File("rb"), help="The program's input; - is standard input."),
    click.option(
        "--limit",
        "limits",
        multiple=True,
        type=Pair(),
        metavar="NAME=VALUE",
        help=f"Any of {', '.join(LIMITS)}.",
    ),
    click.option(
        "--profile", type=click.Choice(["judge", "agent"]), help="Default: judge; agent with --allow or --secret."
    ),
    click.option(
        "--allow",
        multiple=True,
        metavar="NAME[:PORT]",
        help="A host that the program may reach. Default port: 443.",
    ),
    click.option(
        "--secret",
        "secrets",
        multiple=True,
        metavar="NAME",
        help="A secret of the project. The program calls its host at the address in RUSTBOX_SECRET_NAME_URL.",
    ),
    click.option(
        "--artifacts",
        multiple=True,
        metavar="PATTERN",
        help="Keep these files of the program, such as 'out/*' or '**/*.csv'. "
        "The word `changed` keeps every file that the program creates or changes.",
    ),
    click.option("--metadata", multiple=True, type=Pair(), metavar="NAME=VALUE", help="Returned with the result."),
    click.option("--idempotency-key", help="Requests with the same key and program share one run. Default: a new key."),
)
_save_option = click.option(
    "--save", type=click.Path(file_okay=False, path_type=Path), metavar="DIR", help="Save the files of the run here."
)


@click.command(epilog=EXIT_CODES_HINT)
@_program_options
@_save_option
@click.option("--no-stream", is_flag=True, help="Print the output when the run has ended, with one request.")
@service_command
def run(session: Session, /, save: Path | None, no_stream: bool, as_json: bool, **options: Any) -> None:
    """Run FILE (- is standard input) and wait. Prints the program's output and exits with its exit code.

    The output is printed while the program runs. Ctrl-C stops it.

    A pipe into this command is the program's standard input.

    \b
    Examples:
      rustbox run solution.py
      rustbox run main.cpp --stdin input.txt --limit cpu_time_secs=1 --limit memory_mb=64
      echo 'print(input())' | rustbox run - --language python
      cat input.txt | rustbox run solution.py
      rustbox run main.py --file data.csv --file models/a.bin=a.bin:ro
      rustbox run project/ --main main.cpp --compile-arg=-O2
      rustbox run solution.py --json | jq .metrics
      rustbox run client.py --allow api.example.com --allow '*.example.org:8443'
      rustbox run plot.py --artifacts 'out/*' --save results
    """
    if save is not None and not options["artifacts"]:
        options["artifacts"] = ("changed",)
    if options["stdin_file"] is None and getattr(options["file"], "name", "") != "<stdin>":
        options["stdin_file"] = piped_input()
    with session.api() as api:
        streams = LiveStream("stdout"), LiveStream("stderr")
        if as_json or no_stream:
            result = _finish(api, options)
        else:
            result, streams = _follow(api, options)
        if as_json:
            show_json(result)
        else:
            for stream in streams:
                if not stream.is_complete:
                    stream.print(stream_bytes(api, result, stream.name)[stream.printed_bytes :])
            if (text := verdict_message(result)) is not None:
                click.echo(f"rustbox: {text}", err=True)
            for line in (*network_lines(result), *artifact_lines(result)):
                click.echo(f"rustbox: {plain(line)}", err=True)
        _save(api, result, save)
    click.get_current_context().exit(exit_code(result))


@click.command()
@_program_options
@service_command
def submit(session: Session, /, as_json: bool, **options: Any) -> None:
    """Submit FILE and print the submission's id, without waiting.

    \b
    Examples:
      rustbox submit solution.py
      rustbox result $(rustbox submit main.c) --watch
    """
    with session.api() as api:
        accepted = _send(api, _body(api, options), _key(options))
    tell(accepted, accepted["id"], as_json=as_json)


@click.command()
@click.argument("submission_id", metavar="ID")
@click.option("--watch", is_flag=True, help="Wait until it is finished.")
@click.option("--stream", type=click.Choice(["stdout", "stderr"]), help="Print only this stream, byte for byte.")
@_save_option
@service_command
def result(
    session: Session, submission_id: str, watch: bool, stream: str | None, save: Path | None, as_json: bool
) -> None:
    """Show a submission, finished or not. The exit code does not depend on its verdict.

    \b
    Examples:
      rustbox result 7d8f0f5e-3b1c-4c59-9a52-0f7f3b2f8a11 --watch
      rustbox result 7d8f0f5e-3b1c-4c59-9a52-0f7f3b2f8a11 --stream stdout > output
    """
    with session.api() as api:
        if watch:
            with waiting("waiting for the result"):
                found = wait_until_final(api, submission_id)
        else:
            found = api.call("GET", ("result", submission_id)).body
        _save(api, found, save)
        if stream is not None:
            LiveStream("stdout").print(api.stored_bytes(("result", submission_id, stream)))
        elif as_json:
            show_json(found)
        else:
            _show(found)


@click.command()
@click.option("--status", type=click.Choice(["pending", "running", "completed", "error"]))
@click.option("--verdict", help="Such as AC, RE or TLE.")
@click.option("-l", "--language")
@click.option("--kind", type=click.Choice(["run", "judge"]), help="Only runs, or only judge runs.")
@click.option("--since", help="Created at this time or later, such as 2026-11-24T12:00:00Z.")
@click.option("--until", help="Created before this time.")
@click.option("--metadata", metavar="NAME=VALUE", help="Only those with this metadata.")
@click.option("--text", "q", help="In id, first line or metadata. Each page reads 1,000 submissions at most.")
@page_options
@service_command
def results(session: Session, /, most: int | None, as_json: bool, **filters: str | None) -> None:
    """List the project's submissions, newest first.

    \b
    Examples:
      rustbox results --verdict TLE --language python
      rustbox results --text KeyError --since 2026-11-24T00:00:00Z
      rustbox results --all --json > results.json
    """
    columns: Columns = {
        "ID": "id",
        "STATUS": "status",
        "VERDICT": lambda one: one.get("verdict"),
        "LANGUAGE": "language",
        "CREATED": lambda one: one["timestamps"]["created_at"],
        "SOURCE": lambda one: one.get("source"),
        "LINE": lambda one: one.get("line"),
    }
    show_list(session.items(("results",), most, filters), columns, "There are no submissions.", as_json=as_json)


@click.command()
@click.argument("submission_id", metavar="ID")
@service_command
def cancel(session: Session, submission_id: str, as_json: bool) -> None:
    """Stop a submission. Its output so far is kept.

    \b
    Examples:
      rustbox cancel 7d8f0f5e-3b1c-4c59-9a52-0f7f3b2f8a11
    """
    answered = session.call("POST", ("result", submission_id, "cancel"))
    tell(answered, f"{plain(answered['id'])} {plain(answered['status'])}", as_json=as_json)
    if "message" in answered and not as_json:
        click.echo(f"rustbox: {plain(answered['message'])}", err=True)


@click.command()
@click.argument("submission_id", metavar="ID")
@yes_option
@service_command
def delete(session: Session, submission_id: str, yes: bool, as_json: bool) -> None:
    """Delete a submission: its code, input and output are gone at once.

    \b
    Examples:
      rustbox delete 7d8f0f5e-3b1c-4c59-9a52-0f7f3b2f8a11 --yes
    """
    confirm(f"Delete submission {submission_id} with its code, input and output?", yes=yes)
    deleted = session.call("DELETE", ("result", submission_id))
    tell(deleted, f"{plain(deleted['id'])} deleted", as_json=as_json)


def _finish(api: Api, options: dict[str, Any]) -> Result:
    """Submit and wait. An interrupt cancels the run."""
    body, key = _body(api, options), _key(options)
    with waiting("running"):
        try:
            answered = _send(api, body, key, wait="true")
            tell_waiting(answered)
            return answered if is_final(answered) else wait_until_final(api, answered["id"])
        except KeyboardInterrupt:
            raise _cancelled(api, body, key) from None


def _follow(api: Api, options: dict[str, Any]) -> tuple[Result, tuple[LiveStream, LiveStream]]:
    """Submit, and print the output until the run has ended. An interrupt cancels the run."""
    body, key = _body(api, options), _key(options)
    try:
        answered = _send(api, body, key, wait=_FIRST_WAIT_SECS)
        if is_final(answered):
            return answered, (LiveStream("stdout"), LiveStream("stderr"))
        tell_waiting(answered)
        streams = follow(api, answered["id"])
        return wait_until_final(api, answered["id"]), streams
    except KeyboardInterrupt:
        raise _cancelled(api, body, key) from None


def _cancelled(api: Api, body: dict[str, Any], key: str) -> CommandError:
    """Cancel a run whose id may not be known yet: a repeat with its key is answered with it."""
    submission_id = _send(api, body, key)["id"]
    api.call("POST", ("result", submission_id, "cancel"))
    hint = f"The run was stopped. Its output so far: rustbox result {submission_id}"
    return CommandError("Interrupted.", ExitCode.INTERRUPTED, hint)


def _body(api: Api, options: dict[str, Any]) -> dict[str, Any]:
    if options["stdin_file"] is options["file"]:
        raise click.UsageError("Standard input cannot be both the program and its input.")
    network = {name: list(options[name]) for name in ("allow", "secrets") if options[name]}
    body: dict[str, Any] = {
        "stdin": read_text(options["stdin_file"], "The input") if options["stdin_file"] else None,
        "profile": options["profile"] or ("agent" if network else None),
        "network": network or None,
        "artifacts": "changed" if options["artifacts"] == ("changed",) else list(options["artifacts"]) or None,
        "limits": {name: limit_value(name, text) for name, text in options["limits"]} or None,
        "metadata": dict(options["metadata"]) or None,
    }
    given = {name: value for name, value in body.items() if value is not None}
    return program_fields(api, options["file"], options) | given


def _key(options: dict[str, Any]) -> str:
    return options["idempotency_key"] or str(uuid.uuid4())


def _send(api: Api, body: dict[str, Any], key: str, *, wait: str | None = None) -> Result:
    query = {"wait": wait} if wait is not None else None
    return dict(api.call("POST", ("submit",), query=query, body=body, idempotency_key=key).body)


def _save(api: Api, result: Result, folder: Path | None) -> None:
    if folder is not None:
        for saved in save_artifacts(api, result, folder):
            click.echo(f"rustbox: saved {plain(str(saved))}", err=True)


def _show(found: Result) -> None:
    record: dict[str, Any] = {name: found[name] for name in ("id", "status", "language", "profile")}
    record |= {"waiting": text} if (text := waiting_text(found)) else {}
    record |= found["timestamps"]
    if is_final(found):
        metrics = found["metrics"] or {}
        record |= {
            "verdict": found["verdict"],
            "cause": found["result"]["cause"],
            "exit_code": found["exit_code"],
            "signal": found["signal"],
            "cpu_time_secs": metrics.get("cpu_time_secs"),
            "wall_time_secs": metrics.get("wall_time_secs"),
            "memory_peak_bytes": metrics.get("memory_peak_bytes"),
        }
    record |= {"metadata": found["metadata"] or None}
    show_record(record)
    if is_final(found):
        for line in (*network_lines(found), *artifact_lines(found)):
            click.echo(plain(line))
    for stream in ("stdout", "stderr"):
        if is_final(found) and (text := found["output"][stream]):
            shown = plain(text).rstrip("\n")
            click.echo(f"\n{stream}:\n{shown}")
    if is_final(found) and (message := verdict_message(found)) is not None:
        click.echo(f"\nrustbox: {message}", err=True)
