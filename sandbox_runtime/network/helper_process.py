"""A process that handles bytes of programs and hosts, as the runner sees it: its start, groups and control socket."""

import contextlib
import itertools
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

from sandbox_runtime.jail.controls.cgroup import SlotGroups, close_groups, open_groups
from sandbox_runtime.jail.errors import JailError
from sandbox_runtime.jail.spec import Limits
from sandbox_runtime.jail.supervisor.deadlines import SETUP_TIMEOUT
from sandbox_runtime.network.confinement import Message, receive_answer, send
from sandbox_runtime.network.model import NetworkError

_PROJECT_ROOT = Path(__file__).parents[2]
_NUMBERS = itertools.count()  # a process may die slowly: the next one has groups of its own
_ERROR_BYTES = 4_096


class HelperProcess:
    """Owns the process. Raises NetworkError.

    `name`: in messages, "egress proxy". `code`: what it executes, with CONTROL_FD, its control descriptor.
    `first`: makes the first message of the descriptors through which the process enters its groups.
    `memory_bytes`, `socket_bytes`: limits of all memory and of the sockets. cgroup v2 counts these as memory.
    """

    def __init__(
        self,
        name: str,
        code: str,
        first: Callable[[Sequence[int]], Message],
        memory_bytes: int,
        socket_bytes: int,
        most_processes: int = 1,
    ) -> None:
        self._name = name
        self._process: subprocess.Popen[bytes] | None = None
        with contextlib.ExitStack() as stack:
            try:
                limits = replace(_LIMITS, memory_bytes=memory_bytes, max_processes=most_processes)
                self._begin(code, first, limits, socket_bytes, stack)
            except (OSError, JailError, NetworkError) as error:
                raise NetworkError(f"start the {name}", self._last_errors() or str(error)) from error
            self._stack = stack.pop_all()

    def _begin(
        self,
        code: str,
        first: Callable[[Sequence[int]], Message],
        limits: Limits,
        socket_bytes: int,
        stack: contextlib.ExitStack,
    ) -> None:
        """Start. The order on `stack`: first the channel is closed, then the process has ended, then its groups go."""
        groups = open_groups(f"{self._name.replace(' ', '-')}-{next(_NUMBERS)}")
        stack.callback(_close_groups, groups)
        groups.prepare(limits)
        groups.bound_sockets(socket_bytes)
        groups.prefer()  # else each byte of a run waits for a CPU behind all busy programs
        entry_fds = [*groups.init_entry_fds, *groups.program_entry_fds]
        self._channel, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            stack.callback(self._channel.close)
            self._process = _start(code, theirs.fileno(), entry_fds)
            stack.callback(_stop, self._process)
            stack.callback(self._channel.close)  # before the wait for the process
        self._channel.settimeout(SETUP_TIMEOUT.secs)
        send(self._channel, first(entry_fds))
        self.ready = receive_answer(self._channel, self._name)

    @property
    def pid(self) -> int:
        return 0 if self._process is None else self._process.pid

    def is_alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def ask(self, request: Message, fds: Sequence[int] = ()) -> Message:
        """Send a request and return its answer."""
        self.tell(request, fds)
        return self.answer()

    def tell(self, request: Message, fds: Sequence[int] = ()) -> None:
        """Send a request. After an error no other request may follow."""
        try:
            send(self._channel, request, fds)
        except OSError as error:
            raise NetworkError(f"talk to the {self._name}", str(error)) from error

    def answer(self) -> Message:
        """Return the answer to the last request. After an error no other request may follow."""
        try:
            return receive_answer(self._channel, self._name)
        except OSError as error:
            raise NetworkError(f"talk to the {self._name}", str(error)) from error

    def _last_errors(self) -> str:
        if self._process is None or self._process.stderr is None:
            return ""
        with contextlib.suppress(OSError, ValueError):
            os.set_blocking(self._process.stderr.fileno(), False)
            lines = (self._process.stderr.read(_ERROR_BYTES) or b"").decode(errors="replace").split("\n")
            return " ".join(line for line in lines if line)[-200:]
        return ""

    def close(self) -> None:
        """End the process. Takes a bounded time."""
        self._stack.close()


_LIMITS = Limits(
    cpu_time_secs=0,
    wall_time_secs=0,
    memory_bytes=0,
    max_processes=1,
    max_open_files=0,
    max_file_bytes=0,
    output_bytes=0,
)


def _close_groups(groups: SlotGroups) -> None:
    with contextlib.suppress(JailError):  # the next runner removes them
        close_groups(groups)


def _start(code: str, control_fd: int, entry_fds: Sequence[int]) -> subprocess.Popen[bytes]:
    """Start the interpreter with a clean environment. `-I`: nothing of the user's."""
    path = f"[{str(_PROJECT_ROOT)!r}, *sys.path, *{_packages()!r}]"
    script = f"import sys; sys.path = {path}; CONTROL_FD = {control_fd}\n{code}"
    return subprocess.Popen(
        [sys.executable, "-I", "-c", script],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env={"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"},
        cwd="/",
        pass_fds=(control_fd, *entry_fds),
        start_new_session=True,
    )


def _packages() -> list[str]:
    """Return the folder that has dnspython and h11. In the image only PYTHONPATH names it, which `-I` ignores."""
    found = find_spec("dns")
    return [str(Path(found.origin).parents[1])] if found is not None and found.origin else []


def _stop(process: subprocess.Popen[bytes]) -> None:
    """Wait until the process exits at the end of file; then kill it."""
    try:
        process.wait(timeout=SETUP_TIMEOUT.secs)
    except subprocess.TimeoutExpired:
        process.kill()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=SETUP_TIMEOUT.secs)
    if process.stderr is not None:
        process.stderr.close()
