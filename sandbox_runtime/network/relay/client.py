"""The runner's side of the relays: it starts a relay for a run with secrets, and reads what the run did with them.

The runner parses messages of all tenants. So it never has a secret: the opener writes the values into a pipe, whose
other end the relay alone has.
"""

import os
import socket
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from sandbox_runtime.jail.controls.identity import relay_uid
from sandbox_runtime.jail.supervisor.deadlines import SETUP_TIMEOUT
from sandbox_runtime.network.confinement import receive_answer, send
from sandbox_runtime.network.helper_process import HelperProcess
from sandbox_runtime.network.model import NetworkError, SecretEvidence
from sandbox_runtime.network.relay.rules import Secret

CODE: Final = "from sandbox_runtime.network.relay.process import main; main(CONTROL_FD)"
_NAME: Final = "relay of secrets"
# The template with its modules and authorities; then for each relay its own pages, and the buffers of 64 connections.
_TEMPLATE_BYTES: Final = 96 << 20
_RELAY_BYTES: Final = 32 << 20
_SOCKET_BYTES: Final = 1 << 20  # its sockets belong to the egress proxy, or are local
_MAX_ERROR_CHARS: Final = 200


@dataclass(frozen=True, slots=True)
class SealedSecret:
    """A secret of a run as its message has it. `box`: its value, sealed by KMS with the encryption `context`."""

    secret: Secret
    context: Mapping[str, str]
    box: bytes = field(repr=False)


type OpenBoxes = Callable[[Sequence[SealedSecret], int], None]
"""Writes the secrets with their values into the descriptor of a pipe, as `entry_of` says. Raises NetworkError."""


def entry_of(secret: Secret, value: bytes) -> dict[str, Any]:
    """Return a secret with its value as the relay reads it from the pipe: a JSON list of such entries."""
    return {**asdict(secret), "value": value.decode("latin-1")}


class RunRelay:
    """The relay of one run. `handover`: the egress proxy's end, on which it passes the sockets of the program."""

    def __init__(self, control: socket.socket, handover: socket.socket, secrets: Sequence[Secret]) -> None:
        self._control, self.handover, self._secrets = control, handover, secrets

    def close(self) -> tuple[tuple[SecretEvidence, ...], str]:
        """End the relay. Returns what the run did with each secret, and why that is incomplete, or ""."""
        self.handover.close()
        with self._control:
            try:
                send(self._control, {"kind": "end"})
                answer = receive_answer(self._control, _NAME)
                return tuple(_evidence(secret, answer["secrets"][secret.name]) for secret in self._secrets), ""
            except (OSError, NetworkError, KeyError, TypeError, ValueError):
                unknown = (
                    SecretEvidence(secret.name, secret.host, 0, 0, 0, "relay failed") for secret in self._secrets
                )
                return tuple(unknown), "the relay of secrets ended during the run"


def _evidence(secret: Secret, found: Mapping[str, Any]) -> SecretEvidence:
    """Check the counts of a relay, which handles bytes of programs and hosts. Raises KeyError and ValueError."""
    numbers = [found[name] for name in ("requests", "refused", "last_status")]
    error = found["error"]
    if not all(type(number) is int and 0 <= number < 1 << 53 for number in numbers):
        raise ValueError
    if not (isinstance(error, str) and error.isascii() and error.isprintable()):
        raise ValueError
    return SecretEvidence(secret.name, secret.host, numbers[0], numbers[1], numbers[2], error[:_MAX_ERROR_CHARS])


class Relays:
    """Owns the template process, which starts with the first run that has secrets. Safe for threads.

    `open_boxes`: see `OpenBoxes`. `runs`: the most at once. `code`: only tests change it.
    """

    def __init__(self, open_boxes: OpenBoxes, runs: int, code: str = CODE) -> None:
        self._open_boxes, self._runs, self._code = open_boxes, runs, code
        self._lock = threading.Lock()
        self._template: HelperProcess | None = None

    @property
    def pid(self) -> int | None:
        """Of the template."""
        template = self._template
        return None if template is None else template.pid

    def open(self, sealed: Sequence[SealedSecret]) -> RunRelay:
        """Start the relay of a run, with its secrets. Raises NetworkError."""
        with ExitStack() as stack:
            try:
                control, control_end = _pair(stack)
                handover, handover_end = _pair(stack)
                reading, writing = os.pipe2(os.O_CLOEXEC)
            except OSError as error:
                raise NetworkError(f"start a {_NAME}", error.strerror or "") from error
            pipe = stack.enter_context(open(writing, "wb", buffering=0))  # noqa: PTH123 - a descriptor
            with ExitStack() as ends:
                ends.callback(control_end.close)
                ends.callback(handover_end.close)
                ends.callback(os.close, reading)
                self._fork([control_end.fileno(), handover_end.fileno(), reading])
            self._open_boxes(sealed, pipe.fileno())
            pipe.close()
            control.settimeout(SETUP_TIMEOUT.secs)
            try:
                receive_answer(control, _NAME)
            except OSError as error:
                raise NetworkError(f"start a {_NAME}", error.strerror or "no answer in time") from error
            stack.pop_all()
        return RunRelay(control, handover, [each.secret for each in sealed])

    def _fork(self, fds: Sequence[int]) -> None:
        with self._lock:
            if self._template is None or not self._template.is_alive():
                self._end()
                self._template = HelperProcess(
                    _NAME,
                    self._code,
                    lambda entry_fds: {"uid": relay_uid(), "entry_fds": list(entry_fds)},
                    _TEMPLATE_BYTES + self._runs * _RELAY_BYTES,
                    _SOCKET_BYTES,
                    1 + 2 * self._runs,
                )
            try:
                answer = self._template.ask({"kind": "open"}, fds)
            except NetworkError:
                self._end()
                raise
        if "error" in answer:
            raise NetworkError(f"start a {_NAME}", str(answer["error"])[:_MAX_ERROR_CHARS])

    def close(self) -> None:
        with self._lock:
            self._end()

    def _end(self) -> None:
        template, self._template = self._template, None
        if template is not None:
            template.close()


def _pair(stack: ExitStack) -> tuple[socket.socket, socket.socket]:
    """Make two connected sockets. The first is closed with the stack. Raises OSError."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    stack.callback(ours.close)
    return ours, theirs
