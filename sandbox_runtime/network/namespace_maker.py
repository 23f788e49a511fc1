"""Make a network namespace with listening sockets for each run with network.

`NamespaceMaker` is the client in the runner, which has one for all its slots. The maker itself, `namespace_process`, is
one single-threaded process with a clean environment, which the runner starts by exec. For each run a child of it
unshares a user and a net namespace, raises `lo`, adds the route, opens the sockets, and hands all of them over. The
child has all capabilities there, and none over the host. So the runner needs no new capability. The template enters the
namespace with setns(2): see `JailSpec.net_namespace`.
"""

import contextlib
import json
import os
import socket
import subprocess
import sys
from array import array
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

from sandbox_runtime.jail import SETUP_TIMEOUT
from sandbox_runtime.network.model import Listener, NetworkError, NetworkTable
from sandbox_runtime.network.namespace_process import MOST_DESCRIPTORS, orders

_PROJECT_ROOT = Path(__file__).parents[2]
_CODE = (
    "import sys; sys.path.insert(0, sys.argv[1]); "
    "from sandbox_runtime.network.namespace_process import main; main(int(sys.argv[2]))"
)
_ANSWER_BYTES = 4096


@dataclass(frozen=True, slots=True)
class MadeNamespace:
    """Owns the descriptors of a net namespace and of the listening sockets in it."""

    fd: int
    listeners: tuple[Listener, ...]

    def close_listeners(self) -> None:
        """Close our copies, once the proxy has its own."""
        for listener in self.listeners:
            os.close(listener.fd)

    def close(self) -> None:
        """Close the namespace. It ends with its last process and socket."""
        os.close(self.fd)


class NamespaceMaker:
    """Owns the process, and starts it again after it died. Safe for threads. All methods raise NetworkError."""

    _code = _CODE  # tests override it

    def __init__(self) -> None:
        self._lock = Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._channel: socket.socket | None = None

    def make(self, table: NetworkTable) -> MadeNamespace:
        """Make a namespace with the listening sockets of a run."""
        ordered = orders(table)
        with self._lock:
            try:
                answer, fds = self._ask(json.dumps(ordered).encode())
            except OSError as error:
                self._end()
                raise NetworkError("make the namespace", error.strerror or "no answer in time") from error
        if len(fds) != 1 + len(ordered):
            for fd in fds:
                os.close(fd)
            raise _failure(answer)
        namespace, *sockets = fds
        listeners = zip(sockets, ordered, strict=True)
        return MadeNamespace(namespace, tuple(Listener(fd, kind, port) for fd, (kind, _, port) in listeners))

    def _ask(self, order: bytes) -> tuple[bytes, list[int]]:
        """Send an order and wait for its answer. One retry in a new process: the old one may have died unnoticed."""
        for is_last in (False, True):
            channel = self._channel or self._start()
            try:
                channel.send(order)
                answer, fds = _receive(channel)
            except (BrokenPipeError, ConnectionResetError):
                answer, fds = b"", []
            if answer:
                return answer, fds
            self._end()
            if is_last:
                break
        return b"", []

    def _start(self) -> socket.socket:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._channel = ours
        ours.settimeout(SETUP_TIMEOUT.secs)
        with theirs:
            self._process = subprocess.Popen(
                # Not the environment of the runner, and none of its descriptors.
                [sys.executable, "-I", "-S", "-c", self._code, str(_PROJECT_ROOT), str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env={},
                cwd="/",
                pass_fds=(theirs.fileno(),),
                start_new_session=True,
            )
        return ours

    def _end(self) -> None:
        if self._channel is not None:
            self._channel.close()
            self._channel = None
        if self._process is not None:
            self._process.kill()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(SETUP_TIMEOUT.secs)
            self._process = None

    def close(self) -> None:
        with self._lock:
            self._end()


def _receive(channel: socket.socket) -> tuple[bytes, list[int]]:
    """Receive an answer with its descriptors, which no other process may inherit: `recv_fds` ignores that flag."""
    fds = array("i")
    space = socket.CMSG_SPACE(MOST_DESCRIPTORS * fds.itemsize)
    answer, ancillary, _, _ = channel.recvmsg(_ANSWER_BYTES, space, socket.MSG_CMSG_CLOEXEC)
    for _, _, data in ancillary:
        fds.frombytes(data[: len(data) - len(data) % fds.itemsize])
    return answer, fds.tolist()


def _failure(answer: bytes) -> NetworkError:
    try:
        found = json.loads(answer)
        return NetworkError(found["step"], os.strerror(found["errno"]))
    except (ValueError, KeyError, TypeError):
        return NetworkError("make the namespace", "its maker ended")
