"""Print the output of a run while it goes on."""

from __future__ import annotations

import base64
from contextlib import suppress
from dataclasses import dataclass
from threading import Thread
from typing import TYPE_CHECKING

import click
import httpx

from rustbox_cli.errors import CommandError

if TYPE_CHECKING:
    from rustbox_cli.api import Api

_POLL_SECS = 20  # the longest poll that the service allows


@dataclass
class LiveStream:
    """How much of `stdout` or `stderr` was printed."""

    name: str
    printed_bytes: int = 0
    is_complete: bool = False

    def print(self, content: bytes) -> None:
        """Print bytes as they are."""
        target = click.get_binary_stream("stdout" if self.name == "stdout" else "stderr")
        target.write(content)
        target.flush()

    def follow(self, api: Api, submission_id: str) -> None:
        """Print until the run has ended, or the service does not answer. Raises OSError if nobody reads it."""
        with suppress(CommandError):  # the result has the rest
            while not self.is_complete:
                query = {"stream": self.name, "after": str(self.printed_bytes), "wait": str(_POLL_SECS)}
                part = api.call("GET", ("result", submission_id, "output"), query=query).body
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
