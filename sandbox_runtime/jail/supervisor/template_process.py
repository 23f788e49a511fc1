"""Start the template process of a slot, exchange messages with it, and end it."""

import contextlib
import errno
import json
import os
import socket
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from sandbox_runtime.jail.errors import JailError
from sandbox_runtime.jail.protocol.slot_terms import Terms
from sandbox_runtime.jail.protocol.wire import receive, send
from sandbox_runtime.jail.python_fork import template_command
from sandbox_runtime.jail.supervisor.deadlines import SETUP_TIMEOUT
from sandbox_runtime.jail.supervisor.run_io import sealed_file

_PROJECT_ROOT = Path(__file__).parents[3]
_ERROR_BYTES = 4096
# A `WarmStart.setup` imports for seconds, and on a busy host for minutes. No client waits for it.
_IMPORT_SECS = 300.0


class TemplateProcess:
    """Owns the process and the control socket. Raises JailError.

    `code`: Python code that the process executes; it can use the names ROOT, TERMS and PATH.
    `make_terms`: gets the number of the control descriptor.
    """

    def __init__(self, code: str, make_terms: Callable[[int], Terms]) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._errors = -1
        try:
            self.channel, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        except OSError as error:
            raise JailError("start template", errno=error.errno or 0) from error
        self.channel.settimeout(SETUP_TIMEOUT.secs)
        try:
            with theirs:
                terms = make_terms(theirs.fileno())
                send(self.channel, f"ROOT, TERMS = {str(_PROJECT_ROOT)!r}, {terms.serialise()!r}\n{code}".encode())
                self._start(terms, theirs)
        except OSError as error:
            self.close()
            raise JailError("start template", errno=error.errno or 0) from error
        except BaseException:
            self.close()
            raise

    def _start(self, terms: Terms, theirs: socket.socket) -> None:
        with tempfile.TemporaryDirectory() as directory, contextlib.ExitStack() as stack:
            command, environment = template_command(terms.warm, terms.control_fd, Path(directory), str(_PROJECT_ROOT))
            # The same kinds of files as a guest's streams, because an interpreter checks them when it starts.
            stdin = sealed_file("stdin", b"")
            stack.callback(os.close, stdin)
            self._errors, output = os.pipe2(os.O_CLOEXEC)
            stack.callback(os.close, output)
            self._process = subprocess.Popen(
                command,
                stdin=stdin,
                stdout=output,
                stderr=output,
                env=environment,
                cwd=directory,
                pass_fds=(terms.control_fd,),
                start_new_session=True,
            )
            theirs.close()  # only the template holds this end now: if it dies, we see the end of file
            if terms.warm is not None and terms.warm.setup:
                self.channel.settimeout(max(SETUP_TIMEOUT.secs, _IMPORT_SECS))
            self.expect("open")  # it has entered its root
            self.channel.settimeout(SETUP_TIMEOUT.secs)

    @property
    def pid(self) -> int:
        """Process id."""
        if self._process is None:
            raise JailError("talk to the template", hint="it was never started")
        return self._process.pid

    def send(self, message: bytes, fds: Sequence[int]) -> None:
        """Send one message to the template. Raises JailError."""
        try:
            send(self.channel, message, fds)
        except JailError as error:
            if error.errno != errno.EPIPE:
                raise
            raise self._ended("gone") from error

    def expect(self, kind: str, descriptors: int = 0) -> tuple[dict[str, Any], list[int]]:
        """Receive the template's next message, which must be of this kind with so many descriptors."""
        message, fds = receive(self.channel)
        report: dict[str, Any] = json.loads(message) if message else {"kind": "gone"}
        if report["kind"] == kind and len(fds) == descriptors:
            return report, fds
        for fd in fds:
            os.close(fd)
        if report["kind"] == "failed":
            raise JailError(report["step"], report["target"], report["errno"], report["hint"])
        raise self._ended(report["kind"])

    def _ended(self, kind: str) -> JailError:
        return JailError("talk to the template", kind, hint=f"the template ended{self._last_errors()}")

    def _last_errors(self) -> str:
        os.set_blocking(self._errors, False)
        with contextlib.suppress(BlockingIOError):
            lines = os.read(self._errors, _ERROR_BYTES).decode(errors="replace").split("\n")
            return ": " + "".join(line for line in lines if line)[-200:]
        return ""

    def close(self) -> None:
        """End the process and its run. Takes a bounded time."""
        # Another thread may be waiting on this descriptor. It must see the end before the number can be reused.
        with contextlib.suppress(OSError):
            self.channel.shutdown(socket.SHUT_RDWR)
        if self._process is not None:
            _end(self._process)
        self.channel.close()
        if self._errors >= 0:
            os.close(self._errors)
            self._errors = -1


def _end(process: subprocess.Popen[bytes]) -> None:
    """Wait until the process exits at end of file; kill it after SETUP_TIMEOUT. Gives up if SIGKILL does not end it."""
    try:
        process.wait(timeout=SETUP_TIMEOUT.secs)
    except subprocess.TimeoutExpired:
        process.kill()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=SETUP_TIMEOUT.secs)
