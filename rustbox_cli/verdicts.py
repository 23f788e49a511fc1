"""Results: what they mean for the exit code, and how they are waited for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rustbox_cli.errors import CommandError, ExitCode

if TYPE_CHECKING:
    from rustbox_cli.api import Api

type Result = dict[str, Any]

_POLL_SECS = 20  # the service holds a poll no longer
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
    "IE": "the platform failed, the program is not to blame",
    "PLE": "the program started too many processes",
    "FSE": "the program wrote too large a file",
    "TLE": "the program used up its time",
    "MLE": "the program used up its memory",
}


def exit_code(result: Result) -> int:
    """How `run` ends for a final result."""
    verdict = result["verdict"]
    if verdict in _EXITS:
        return int(_EXITS[verdict])
    if verdict == "SIG":
        return _SIGNALLED + int(result["signal"] or 0)
    if verdict != "RE":
        raise CommandError(f"The verdict {verdict!r} is new to this client.", ExitCode.FAULT)
    if result["result"]["phase"] == "compile":
        return int(ExitCode.COMPILE_ERROR)
    return int(result["exit_code"] or 1)


def verdict_message(result: Result) -> str | None:
    """What the program's own output does not tell; None where it says all: AC and RE."""
    verdict, cause = result["verdict"], result["result"]["cause"]
    if verdict == "SIG":
        return f"SIG ({cause}): signal {result['signal']} ended the program"
    return f"{verdict} ({cause}): {_WORDS[verdict]}" if verdict in _WORDS else None


def is_final(result: Result) -> bool:
    """Whether there is a verdict: the key alone says so."""
    return "verdict" in result


def wait_until_final(api: Api, submission_id: str) -> Result:
    """Poll until it is final; the service ends every submission some time."""
    while True:
        result: Result = api.call("GET", ("result", submission_id), query={"wait": str(_POLL_SECS)}).body
        if is_final(result):
            return result


def stream_bytes(api: Api, result: Result, stream: str) -> bytes:
    """Exactly what the program wrote to `stdout` or `stderr`, as far as it was kept."""
    output = result["output"]
    # JSON holds text: what is not UTF-8 was replaced in it, and what is too large was cut.
    if "\ufffd" in output[stream] or output.get("truncated_in_response"):
        return api.call("GET", ("result", result["id"], stream)).raw
    return str(output[stream]).encode()
