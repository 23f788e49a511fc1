"""Results: their exit codes and messages, polling, the output of a run that goes on, and the files that it left."""

from __future__ import annotations

import base64
import hashlib
import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from threading import Thread
from typing import TYPE_CHECKING, Any, TypeAlias

import click
import httpx

from rustbox_cli.errors import CommandError, ExitCode
from rustbox_cli.output import plain

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rustbox_cli.api import Api

# Results: their exit codes and messages, polling, and the output of a run that goes on.

Result: TypeAlias = dict[str, Any]

_POLL_SECS = 20  # the longest poll that the service allows
_EXITS = {
    "AC": ExitCode.OK,
    "IE": ExitCode.PLATFORM_FAILURE,
    "PLE": ExitCode.PROCESS_LIMIT,
    "FSE": ExitCode.FILE_SIZE_LIMIT,
    "TLE": ExitCode.TIME_LIMIT,
    "MLE": ExitCode.MEMORY_LIMIT,
}
_SIGNALLED = 128
_WORDS = {
    "IE": "the platform failed; the program is not the cause",
    "PLE": "the program started too many processes",
    "FSE": "the program wrote too large a file",
    "TLE": "the program exceeded its time limit",
    "MLE": "the program exceeded its memory limit",
}


def exit_code(result: Result) -> int:
    """Return the exit code of `run` for a final result."""
    verdict = result["verdict"]
    if verdict in _EXITS:
        return int(_EXITS[verdict])
    if verdict == "SIG":
        return _SIGNALLED + int(result["signal"] or 0)
    if verdict != "RE":
        raise CommandError(f"The verdict {verdict!r} is unknown to this client. Update rustbox.", ExitCode.FAULT)
    if result["result"]["phase"] == "compile":
        return int(ExitCode.COMPILE_ERROR)
    return int(result["exit_code"] or 1)


def verdict_message(result: Result) -> str | None:
    """Return a message for standard error; None where the program's output is enough, as for most of AC and RE.

    A program that misses a data package fails by RE, and the service says how to install the package.
    """
    verdict, cause = result["verdict"], result["result"]["cause"]
    if verdict == "RE" and (text := result["result"].get("error_message")):
        return plain(text)
    if verdict == "SIG":
        return f"SIG ({cause}): signal {result['signal']} ended the program"
    return f"{verdict} ({cause}): {_WORDS[verdict]}" if verdict in _WORDS else None


def network_lines(result: Result) -> list[str]:
    """Return a line for each host that the program reached, and for each that it may not reach."""
    evidence = result.get("evidence") or {}
    lines = [
        f"{one['name']}:{one['port']} ({one['address'] or 'no address'}): {one['connections']} connections, "
        f"{one['bytes_sent']:,} bytes sent, {one['bytes_received']:,} received"
        + (f"; {one['first_error']}" if one["first_error"] else "")
        for one in evidence.get("network") or ()
    ]
    lines += [
        f"secret {one['name']} ({one['host']}): {one['requests']} requests, {one['refused']} refused, "
        f"last status {one['last_status'] or 'none'}" + (f"; {one['first_error']}" if one["first_error"] else "")
        for one in evidence.get("secrets") or ()
    ]
    for one in evidence.get("refused") or ():
        target = one.get("name") or one.get("address")
        port = f":{one['port']}" if "port" in one else ""
        reason = f" ({one['reason']})" if "reason" in one else ""
        lines.append(f"refused {target}{port}, {one['times']} times{reason}")
    return lines


def is_final(result: Result) -> bool:
    return "verdict" in result


def waiting_text(body: Result) -> str:
    """Return why a submission or a delivery waits, for people; nothing if it does not."""
    waiting = body.get("waiting") or {"reason": ""}
    reason, until, behind = waiting["reason"], waiting.get("until"), waiting.get("behind")
    words = {
        "queue": f"at most {behind} before it in the queue",
        "order": f"{behind} before it in the order of its endpoint",
        "slot": f"{behind} before it, and no free send slot",
        "breaker_open": f"its target gave no answer: circuit breaker open until {until}",
        "scheduled": f"next attempt at {until}",
        "endpoint_disabled": "its endpoint is disabled",
        "transform": "the transform of its endpoint " + (f"failed, and rests until {until}" if until else "runs"),
        "quota": f"no quota for the transform of its endpoint until {until}",
    }
    return plain(words.get(reason, reason))


def tell_waiting(body: Result) -> None:
    """Print on standard error why a submission has not begun."""
    if text := waiting_text(body):
        click.echo(f"rustbox: waiting, {text}", err=True)


def wait_until_final(api: Api, submission_id: str) -> Result:
    """Poll until the result is final. The service ends every submission."""
    while True:
        result: Result = api.call("GET", ("result", submission_id), query={"wait": str(_POLL_SECS)}).body
        if is_final(result):
            return result
        tell_waiting(result)


def stream_bytes(api: Api, result: Result, stream: str) -> bytes:
    """Return the exact stored bytes of `stdout` or `stderr`."""
    output = result["output"]
    # In JSON, invalid UTF-8 is replaced and large output is truncated.
    if "\ufffd" in output[stream] or output.get("truncated_in_response"):
        return api.stored_bytes(("result", result["id"], stream))
    return str(output[stream]).encode()


@dataclass
class LiveStream:
    """How much of `stdout` or `stderr` was printed."""

    name: str
    printed_bytes: int = 0
    is_complete: bool = False
    execution: str | None = None

    def print(self, content: bytes) -> None:
        target = click.get_binary_stream("stdout" if self.name == "stdout" else "stderr")
        target.write(content)
        target.flush()

    def follow(self, api: Api, submission_id: str) -> None:
        """Print until the run has ended, or the service does not answer. Raises OSError if nobody reads it."""
        with suppress(CommandError):  # the result has the rest
            while not self.is_complete:
                query = {"stream": self.name, "after": str(self.printed_bytes), "wait": str(_POLL_SECS)}
                part = api.call("GET", ("result", submission_id, "output"), query=query).body
                execution = part.get("execution", self.execution)
                if self.execution not in (None, execution):
                    click.echo(f"rustbox: the run began again; its {self.name} follows from the start", err=True)
                    self.execution, self.printed_bytes = execution, 0
                    continue
                self.execution = execution
                is_text = part.get("encoding") != "base64"
                self.print(part["output"].encode() if is_text else base64.b64decode(part["output"]))
                self.printed_bytes, self.is_complete = part["next"], part["final"]


def follow(api: Api, submission_id: str) -> tuple[LiveStream, LiveStream]:
    """Print both streams until the run has ended. An older service shows nothing before that."""
    stdout, stderr = LiveStream("stdout"), LiveStream("stderr")

    def follow_stderr() -> None:
        with suppress(OSError, RuntimeError, httpx.HTTPError):  # an interrupt closes the client
            stderr.follow(api, submission_id)

    beside = Thread(target=follow_stderr, daemon=True)
    beside.start()
    stdout.follow(api, submission_id)
    beside.join()
    return stdout, stderr


# Files that a program left: list them, and save them below a folder.

_FROM_DEVICES = frozenset("\\:") if os.name == "nt" else frozenset[str]()


def artifact_lines(result: dict[str, Any]) -> Iterator[str]:
    """Yield a line for each file, kept or not."""
    for file in result.get("artifacts", ()):
        yield f"artifact {plain(file['path'])}, {file['size']:,} bytes"
    for file in result.get("artifacts_skipped", ()):
        yield f"not kept: {plain(file['path']) or 'other files'} ({plain(file['reason'])})"


def save_artifacts(api: Api, result: dict[str, Any], folder: Path) -> Iterator[Path]:
    """Write all files of a result below a folder, and yield their paths. Raises CommandError."""
    for file in result.get("artifacts", ()):
        target = _target(folder, file["path"])
        content = api.stored_bytes(("result", result["id"], "artifacts", *file["path"].split("/")))
        if hashlib.sha256(content).hexdigest() != file["sha256"]:
            raise CommandError(f"{plain(file['path'])} has another SHA-256 than its result says.", ExitCode.FAULT)
        try:
            if not target.parent.resolve().is_relative_to(folder.resolve()):  # a link of this folder leads elsewhere
                raise CommandError(f"{target} is outside of {folder}.", ExitCode.REFUSED)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.unlink(missing_ok=True)  # never through a link of this name
            target.write_bytes(content)
        except OSError as error:
            raise CommandError(f"{target} cannot be written: {error.strerror}.", ExitCode.FAULT) from None
        yield target


def _target(folder: Path, path: str) -> Path:
    """Return where to save a file. The service promises relative paths; nothing is written outside anyway."""
    parts = PurePosixPath(path).parts
    if path.startswith("/") or not parts or ".." in parts or not _FROM_DEVICES.isdisjoint(path):
        raise CommandError(f"{plain(path)!r} is no path below a folder.", ExitCode.FAULT)
    return folder.joinpath(*parts)
