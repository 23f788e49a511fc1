"""Open the secrets of runs in a process of their own, and write them into the pipe of a run's relay.

The worker parses the messages of all tenants, so it never has a value. The process begins with the first run that has
secrets, by the worker's own command line: so it finds the same credentials. It reads messages of the worker only.
"""

import base64
import contextlib
import json
import os
import socket
import subprocess
import sys
import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from time import monotonic
from typing import Any, Final

import boto3
from botocore.config import Config

from sandbox_runtime.jail import SETUP_TIMEOUT, syscalls
from sandbox_runtime.network import NetworkError
from sandbox_runtime.network.confinement import MAX_MESSAGE_BYTES, receive_answer, send
from sandbox_runtime.network.relay.client import SealedSecret, entry_of
from sandbox_runtime.network.relay.rules import secret_from
from sandbox_runtime.transport import CONNECT_TIMEOUT_SECS, READ_TIMEOUT_SECS, TransportError, translated

_NAME: Final = "opener of secrets"
_NOT_INHERITED: Final = frozenset({"RUNNER_TOKEN"})
# A call of KMS costs money and some 10 ms. An opened value stays in this process for so long.
_KEPT_SECS: Final = 300.0
_MOST_KEPT: Final = 256


class SecretOpener:
    """The worker's side: see `OpenBoxes`. Owns the process, and starts it again after its death. Safe for threads.

    `command`: how the process starts, before the number of its control descriptor; None: as this process was started.
    """

    def __init__(self, command: Sequence[str] | None = None) -> None:
        self._command = list(command or _own_command())
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._channel: socket.socket | None = None

    def __call__(self, sealed: Sequence[SealedSecret], pipe_fd: int) -> None:
        """Write the opened secrets into the pipe. Raises NetworkError."""
        secrets = [
            {
                "secret": entry_of(each.secret, b""),
                "context": dict(each.context),
                "box": base64.b64encode(each.box).decode(),
            }
            for each in sealed
        ]
        with self._lock:
            for is_last in (False, True):
                try:
                    channel = self._channel or self._start()
                    send(channel, {"secrets": secrets}, [pipe_fd])
                    answer = receive_answer(channel, _NAME)
                    break
                except (OSError, NetworkError) as error:
                    self._end()
                    if is_last:
                        raise NetworkError("open the secrets of a run", str(error)) from error
        if "error" in answer:
            raise NetworkError("open the secrets of a run", str(answer["error"])[:200])

    def _start(self) -> socket.socket:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._channel = ours
            ours.settimeout(SETUP_TIMEOUT.secs + READ_TIMEOUT_SECS)
            self._process = subprocess.Popen(
                [*self._command, "open-secrets", str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                env={name: value for name, value in os.environ.items() if name not in _NOT_INHERITED},
                pass_fds=(theirs.fileno(),),
            )
        return ours

    def close(self) -> None:
        with self._lock:
            self._end()

    def _end(self) -> None:
        if self._channel is not None:
            self._channel.close()
            self._channel = None
        if self._process is not None:
            self._process.kill()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(SETUP_TIMEOUT.secs)
            self._process = None


def _own_command() -> list[str]:
    """Return how this process was started, without the arguments of the command line."""
    return [sys.executable, *sys.orig_argv[1 : len(sys.orig_argv) - len(sys.argv) + 1]]


# The process.


class _Values:
    """Opened values, by their boxes and contexts."""

    def __init__(self) -> None:
        with translated("connect"):
            self._client = boto3.Session().client(
                "kms",
                config=Config(
                    connect_timeout=CONNECT_TIMEOUT_SECS,
                    read_timeout=READ_TIMEOUT_SECS,
                    retries={"mode": "standard", "total_max_attempts": 2},
                ),
            )
        self._kept: OrderedDict[tuple[bytes, str], tuple[float, bytes]] = OrderedDict()

    def open(self, box: bytes, context: Mapping[str, str]) -> bytes:
        """Return the value of a box. Raises TransportError."""
        key, now = (box, json.dumps(context, sort_keys=True)), monotonic()
        while self._kept and next(iter(self._kept.values()))[0] <= now:
            self._kept.popitem(last=False)
        if key in self._kept:
            return self._kept[key][1]
        with translated("Decrypt"):
            value = bytes(self._client.decrypt(CiphertextBlob=box, EncryptionContext=dict(context))["Plaintext"])
        if len(self._kept) >= _MOST_KEPT:
            self._kept.popitem(last=False)
        self._kept[key] = now + _KEPT_SECS, value
        return value


def open_secrets(control_fd: int) -> int:
    """Open secrets until the worker closes its end. Returns the exit code."""
    syscalls.prctl("set dumpable", syscalls.PR_SET_DUMPABLE, 0)
    control = socket.socket(fileno=control_fd)
    values: _Values | None = None
    while True:
        try:
            data, fds, _, _ = socket.recv_fds(control, MAX_MESSAGE_BYTES, 1)
        except ConnectionResetError:
            return 0
        if not data:
            return 0
        answer: dict[str, Any] = {}
        try:
            values = values or _Values()
            _write(values, json.loads(data)["secrets"], fds)
        except TransportError as error:
            answer = {"error": _problem(error)}
        except OSError:
            answer = {"error": "the relay has ended"}
        finally:
            for fd in fds:
                os.close(fd)
        with contextlib.suppress(OSError):
            send(control, answer)


def _write(values: _Values, secrets: Sequence[Mapping[str, Any]], fds: Sequence[int]) -> None:
    """Raises TransportError and OSError."""
    (pipe_fd,) = fds
    opened = [
        entry_of(secret_from(each["secret"]), values.open(base64.b64decode(each["box"]), each["context"]))
        for each in secrets
    ]
    with open(pipe_fd, "wb", closefd=False) as pipe:
        pipe.write(json.dumps(opened).encode())


def _problem(error: TransportError) -> str:
    """Return a sentence without a part of the secret."""
    if error.code in {"AccessDenied", "AccessDeniedException"}:
        return "this runner may not open secrets: its role needs kms:Decrypt for the purpose network"
    if error.code == "InvalidCiphertextException":
        return "the sealed value does not belong to this project, host and rules"
    return f"KMS cannot open them ({error.code})"
