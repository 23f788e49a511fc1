"""Times of a warm interpreter without a jail: forked, forked into namespaces, or waiting.

The clock ends at the end of the output, which the kernel closes when the process ends; the exit status is looked at
behind it. The process that forks is `warm_interpreter`.
"""

import os
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from bench.answers import WrongAnswerError, check_text
from bench.machine import ROOT
from bench.rounds import FLOOR, Way
from bench.sources import python_print
from sandbox_runtime.languages.python import INTERPRETER

PLAIN = f"{FLOOR}fork of a warm interpreter, no namespace"
IN_NAMESPACES = f"{FLOOR}fork of a warm interpreter into five namespaces"
WAITING = f"{FLOOR}a warm process in five namespaces that waits for its source"
_SCRIPT = Path(__file__).with_name("warm_interpreter.py")
_TIMEOUT_SECS = 30
_READY_SECS = 0.02  # as a slot gets between two runs


class WarmInterpreter:
    """One process that forks. Make it with `warm_interpreter`. Calls raise WrongAnswerError and OSError."""

    def __init__(self, control: socket.socket) -> None:
        self._control = control

    def fork(self, *, in_namespaces: bool) -> float:
        """Milliseconds of a new program, from its source to the end of its output."""
        source, printed = python_print()
        word = b"namespaces" if in_namespaces else b"plain"
        read_fd, write_fd = os.pipe()
        begun_ns = time.perf_counter_ns()
        self._send(word + b"\n" + source.encode(), [write_fd])
        return self._ended(read_fd, begun_ns, printed)

    def hand_over(self) -> float:
        """The same for a process that was made, and was at rest, before the clock began."""
        source, printed = python_print()
        source_fd, source_write_fd = os.pipe()
        read_fd, write_fd = os.pipe()
        with os.fdopen(source_write_fd, "wb", 0) as file:
            self._send(b"wait", [write_fd, source_fd])
            time.sleep(_READY_SECS)
            begun_ns = time.perf_counter_ns()
            file.write(source.encode())
            return self._ended(read_fd, begun_ns, printed)

    def _send(self, message: bytes, fds: Sequence[int]) -> None:
        """The descriptors are the other side's from here on."""
        try:
            socket.send_fds(self._control, [message], fds)
        finally:
            for fd in fds:
                os.close(fd)

    def _ended(self, read_fd: int, begun_ns: int, printed: str) -> float:
        with os.fdopen(read_fd, "rb", 0) as output:
            found = output.readall()
        elapsed_ms = (time.perf_counter_ns() - begun_ns) / 1e6
        status = self._control.recv(100)
        if status != b"0":
            raise WrongAnswerError(f"its status is {status.decode() or 'missing'}")
        check_text(found, printed)
        return elapsed_ms


@contextmanager
def warm_interpreter(imports: Sequence[str]) -> Iterator[WarmInterpreter]:
    """Start one that has these modules; it is gone at the end."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours:
        with theirs:
            ours.settimeout(_TIMEOUT_SECS)
            process = subprocess.Popen(
                (INTERPRETER, "-I", "-S", str(_SCRIPT), str(ROOT), str(theirs.fileno()), ",".join(imports)),
                env={"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,  # a file of the kind that programs get
                pass_fds=(theirs.fileno(),),
                start_new_session=True,
            )
        try:
            yield WarmInterpreter(ours)
        finally:
            ours.close()
            _end(process)


@contextmanager
def interpreter_ways(imports: Sequence[str], every: int) -> Iterator[list[Way]]:
    """The three, in one process that forks."""
    with warm_interpreter(imports) as interpreter:
        yield [
            Way(PLAIN, lambda: interpreter.fork(in_namespaces=False), every),
            Way(IN_NAMESPACES, lambda: interpreter.fork(in_namespaces=True), every),
            Way(WAITING, interpreter.hand_over, every),
        ]


def _end(process: subprocess.Popen[bytes]) -> None:
    """By itself at the end of the control socket, else by force."""
    try:
        process.wait(_TIMEOUT_SECS)
    except BaseException:
        process.kill()
        raise
    finally:
        if process.stdout is not None:
            process.stdout.close()
        process.wait(_TIMEOUT_SECS)
