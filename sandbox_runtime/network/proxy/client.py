"""The runner's side of the egress proxy: it starts the process, talks to it, and starts it again after its death."""

import contextlib
import itertools
import logging
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

from sandbox_runtime.jail.controls.cgroup import SlotGroups, close_groups, open_groups
from sandbox_runtime.jail.controls.identity import proxy_uid
from sandbox_runtime.jail.errors import JailError
from sandbox_runtime.jail.spec import Limits
from sandbox_runtime.jail.supervisor.deadlines import SETUP_TIMEOUT
from sandbox_runtime.network.model import AllowedHost, Listener, NetworkError, NetworkEvidence
from sandbox_runtime.network.proxy import messages
from sandbox_runtime.network.proxy.settings import ProxySettings, new_memory, read_counts

# One process of the egress proxy, with its groups and its control socket.

CODE = "from sandbox_runtime.network.proxy.process.server import main; main(CONTROL_FD)"
_PROJECT_ROOT = Path(__file__).parents[3]
_NUMBERS = itertools.count()  # a process may die slowly: the next one has groups of its own
_OWN_BYTES = 64 << 20
# The four buffers of a connection, and what the process keeps of each direction. All runs share one limit. If it were
# below the sum of theirs, runs that fill their buffers would take the memory of those that look up a name.
_SOCKET_BYTES, _PENDING_BYTES = 1 << 20, 128 << 10
_CONNECTIONS_OF_NAME_SERVICE = 4
_ERROR_BYTES = 4_096


class ProxyProcess:
    """Owns the process. Raises NetworkError. `code`: what it executes, with CONTROL_FD, its control descriptor."""

    def __init__(self, settings: ProxySettings, code: str) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        with contextlib.ExitStack() as stack:
            try:
                self._begin(settings, code, stack)
            except (OSError, JailError, NetworkError) as error:
                raise NetworkError("start the egress proxy", self._last_errors() or str(error)) from error
            self._stack = stack.pop_all()

    def _begin(self, settings: ProxySettings, code: str, stack: contextlib.ExitStack) -> None:
        """Start. The order on `stack`: first the channel is closed, then the process has ended, then its groups go."""
        groups = open_groups(f"egress-proxy-{next(_NUMBERS)}")
        stack.callback(_close_groups, groups)
        memory_bytes, socket_bytes = memory_limits(settings)
        groups.prepare(replace(_LIMITS, memory_bytes=memory_bytes))
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
        messages.send(self._channel, messages.settings_message(settings, proxy_uid(), entry_fds))
        self.ready = messages.receive_answer(self._channel)

    @property
    def pid(self) -> int:
        return 0 if self._process is None else self._process.pid

    def is_alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def ask(self, request: messages.Message, fds: Sequence[int] = ()) -> messages.Message:
        """Send a request and return its answer. After an error no other request may follow."""
        try:
            messages.send(self._channel, request, fds)
            return messages.receive_answer(self._channel)
        except OSError as error:
            raise NetworkError("talk to the egress proxy", str(error)) from error

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


def memory_limits(settings: ProxySettings) -> tuple[int, int]:
    """Return the limits of all memory and of the sockets. cgroup v2 counts these as memory."""
    connections = settings.runs * (settings.limits.open_connections + _CONNECTIONS_OF_NAME_SERVICE)
    socket_bytes = connections * _SOCKET_BYTES
    return _OWN_BYTES + socket_bytes + connections * _PENDING_BYTES, socket_bytes


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
    """Return the folder that has dnspython. In the image only PYTHONPATH names it, which `-I` ignores."""
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


# How long the end of a run waits for connections that are being made: their outcome belongs to the evidence.
_SETTLE_SECS, _SETTLE_POLL_SECS = 1.0, 0.005
_LOST = "the egress proxy ended during the run"

_LOG = logging.getLogger(__name__)


class EgressProxy:
    """Owns the process. All methods may be called by several threads.

    `code`: what the process executes; only tests change it. CONTROL_FD is the number of its control descriptor.
    """

    def __init__(self, settings: ProxySettings, code: str = CODE) -> None:
        self._settings, self._code = settings, code
        self._lock = threading.Lock()
        self._process: ProxyProcess | None = None
        self._byte_counts: dict[str, int] = {}  # descriptors, by run

    @property
    def pid(self) -> int | None:
        process = self._process
        return None if process is None else process.pid

    def open_run(self, run_id: str, hosts: Sequence[AllowedHost], listeners: Sequence[Listener]) -> None:
        """Serve the listeners of a run. The caller keeps its descriptors and may close them. Raises NetworkError."""
        request = messages.OpenRequest.of(run_id, hosts, listeners).message()
        try:
            counts = new_memory()
        except OSError as error:
            raise NetworkError("open the network of a run", str(error)) from error
        with ExitStack() as stack:
            stack.callback(os.close, counts)
            with self._lock:
                if self._process is None or not self._process.is_alive():
                    self._end()
                    self._process = ProxyProcess(self._settings, self._code)
                answer = self._ask(request, [counts, *(listener.fd for listener in listeners)])
            if "error" in answer:
                raise NetworkError("open the network of a run", str(answer["error"])[:200])
            self._byte_counts[run_id] = counts
            stack.pop_all()

    def close_run(self, run_id: str) -> NetworkEvidence:
        """Close all sockets of a run, and tell what happened. Never raises: the evidence then has an error.

        A connection that is being made gets a second to succeed or to fail, and data on its way is sent.
        """
        counts = self._byte_counts.pop(run_id, None)
        try:
            evidence = self._closed(run_id)
            if evidence is None:
                sent, received = (0, 0) if counts is None else read_counts(counts)
                evidence = NetworkEvidence(bytes_sent=sent, bytes_received=received, error=_LOST)
            if evidence.error:
                problem = f"{evidence.error}: {evidence.cause}" if evidence.cause else evidence.error
                _LOG.error("egress proxy failed a run", extra={"execution_id": run_id, "problem": problem})
            return evidence
        finally:
            if counts is not None:
                os.close(counts)

    def _closed(self, run_id: str) -> NetworkEvidence | None:
        """Close a run. None: the process has died, or does not come to an end with it."""
        give_up_at = time.monotonic() + _SETTLE_SECS
        while True:
            is_last = time.monotonic() >= give_up_at
            try:
                with self._lock:
                    answer = self._ask({"kind": "close", "run": run_id, "now": is_last})
                if "pending" not in answer:
                    return messages.evidence_from(answer)
            except NetworkError:
                return None
            if is_last:
                return None
            time.sleep(_SETTLE_POLL_SECS)

    def close(self) -> None:
        with self._lock:
            self._end()

    def _ask(self, request: messages.Message, fds: Sequence[int] = ()) -> messages.Message:
        if self._process is None:
            raise NetworkError("talk to the egress proxy", _LOST)
        try:
            return self._process.ask(request, fds)
        except NetworkError:
            self._end()
            raise

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.close()
