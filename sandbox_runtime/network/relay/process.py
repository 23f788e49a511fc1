"""The relays' process: a template that holds no secret, and a relay for each run, which it forks.

The template has loaded all modules and the certificate authorities, and has given up its rights. So a relay begins in
milliseconds and shares nearly all its memory. A relay loads its filter before it reads a secret or a byte of a program.
"""

import contextlib
import gc
import json
import os
import resource
import select
import signal
import socket
import ssl
import sys
import traceback
from collections.abc import Generator, Sequence
from dataclasses import asdict
from math import ceil
from pathlib import Path
from time import monotonic
from typing import Final

from sandbox_runtime.jail.controls.seccomp import Program, helper_program
from sandbox_runtime.network.confinement import MAX_FDS, MAX_MESSAGE_BYTES, Message, confine, send
from sandbox_runtime.network.relay.exchange import Exchange, SecretUse, Wanted
from sandbox_runtime.network.relay.rules import OpenSecret, secret_from

MAX_SECRETS_BYTES: Final = 256 << 10
MAX_CONNECTIONS: Final = 64
"""Open ones of a run, above what the egress proxy allows: a program that reads no answer keeps its connection."""

_CPU_SECS: Final = 5  # of a relay; the most bytes of a run, both ways, take some 1 s
_POLICY: Final = Path(__file__).parent / "policy.txt"


class Relay:
    """The loop of one run. `control`: of the runner; `handover`: of the egress proxy, with two sockets a message."""

    def __init__(
        self,
        control: socket.socket,
        handover: socket.socket,
        secrets: Sequence[OpenSecret],
        context: ssl.SSLContext,
    ) -> None:
        self._control, self._handover, self._context = control, handover, context
        self._by_alias = {opened.secret.alias: opened for opened in secrets}
        self._uses = {opened.secret.name: SecretUse() for opened in secrets}
        self._serving: dict[Exchange, tuple[Generator[Wanted], Wanted]] = {}

    def serve(self) -> None:
        """Return when the runner asks for the end, or has closed its side."""
        self._handover.setblocking(False)
        while True:
            ready = self._wait()
            if self._control.fileno() in ready:
                if self._control.recv(MAX_MESSAGE_BYTES):
                    send(self._control, {"secrets": {name: asdict(use) for name, use in self._uses.items()}})
                return
            now = monotonic()
            for exchange, (serving, wanted) in list(self._serving.items()):
                is_time = exchange.release_at is not None and exchange.release_at <= now
                if is_time or any(waited.fileno() in ready for waited, _ in wanted):
                    self._go_on(exchange, serving)
            if self._handover.fileno() in ready and not self._accept():
                self._handover.close()

    def _wait(self) -> set[int]:
        """Wait for the next events of all sockets, and return the descriptors that have one."""
        events: dict[int, int] = {self._control.fileno(): select.POLLIN}
        if self._handover.fileno() >= 0:
            events[self._handover.fileno()] = select.POLLIN
        for _, wanted in self._serving.values():
            for waited, kinds in wanted:
                events[waited.fileno()] = kinds
        poll = select.poll()
        for fd, kinds in events.items():
            poll.register(fd, kinds)
        times = [exchange.release_at for exchange in self._serving if exchange.release_at is not None]
        wait_ms = max(0, ceil((min(times) - monotonic()) * 1_000)) if times else None
        return {fd for fd, _ in poll.poll(wait_ms)}

    def _accept(self) -> bool:
        """Take one connection of the program. False: the proxy has closed its side."""
        try:
            data, fds, _, _ = socket.recv_fds(self._handover, MAX_MESSAGE_BYTES, 2)
        except BlockingIOError:
            return True
        except OSError:
            return False
        sockets = [socket.socket(fileno=fd) for fd in fds]
        opened = self._by_alias.get(data.decode(errors="replace"))
        if opened is None or len(sockets) != 2 or len(self._serving) >= MAX_CONNECTIONS:  # noqa: PLR2004 - both ends
            for given in sockets:
                given.close()
            return bool(data)
        program, tunnel = sockets
        exchange = Exchange(program, tunnel, opened, self._context, self._uses[opened.secret.name])
        self._go_on(exchange, exchange.serve())
        return True

    def _go_on(self, exchange: Exchange, serving: Generator[Wanted]) -> None:
        try:
            self._serving[exchange] = serving, next(serving)
        except StopIteration:
            self._serving.pop(exchange, None)
        except Exception:  # noqa: BLE001 - an error of ours ends this connection and no other
            # Not its text, which may hold bytes of the secret.
            sys.stderr.write(f"relay: {traceback.extract_tb(sys.exc_info()[2])[-1].lineno}\n")
            self._serving.pop(exchange, None)


def _read_secrets(fd: int) -> list[OpenSecret]:
    """Read the secrets of a run from a pipe, up to its end. Raises OSError, KeyError, TypeError and ValueError."""
    data = b""
    while part := os.read(fd, MAX_SECRETS_BYTES):
        data += part
        if len(data) > MAX_SECRETS_BYTES:
            raise ValueError
    os.close(fd)
    return [OpenSecret.of(secret_from(entry), entry["value"].encode("latin-1")) for entry in json.loads(data)]


def _be_relay(fds: list[int], context: ssl.SSLContext, program: Program) -> None:
    """Serve one run, in a child of the template."""
    control_fd, handover_fd, secrets_fd = fds
    resource.setrlimit(resource.RLIMIT_CPU, (_CPU_SECS, _CPU_SECS))
    program.load()
    control, handover = socket.socket(fileno=control_fd), socket.socket(fileno=handover_fd)
    try:
        secrets = _read_secrets(secrets_fd)
    except (OSError, KeyError, TypeError, ValueError):
        return  # the runner sees the end
    send(control, {"ready": True})
    Relay(control, handover, secrets, context).serve()


def _serve(control: socket.socket, context: ssl.SSLContext, program: Program) -> None:
    """Fork a relay for each request of the runner, until it closes its side."""
    gc.collect()
    gc.freeze()  # a collection in a relay would write to all pages that it shares
    while True:
        try:
            data, fds, _, _ = socket.recv_fds(control, MAX_MESSAGE_BYTES, MAX_FDS)
        except ConnectionResetError:
            return
        if not data:
            return
        answer: Message = {"error": "the request has not three descriptors"}
        if len(fds) == 3:  # noqa: PLR2004 - control, handover and secrets
            try:
                pid = os.fork()
            except OSError as error:
                answer = {"error": f"no process for a relay: {error.strerror}"}
            else:
                if not pid:
                    control.close()
                    with contextlib.suppress(BaseException):
                        _be_relay(fds, context, program)
                    os._exit(0)
                answer = {"pid": pid}
        for fd in fds:
            os.close(fd)
        with contextlib.suppress(OSError):
            send(control, answer)


def client_context() -> ssl.SSLContext:
    """Return the context for all hosts: TLS 1.2 or later, verified by the host's certificate authorities."""
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    context.wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO(), server_hostname="host.example")  # loads the codec of names
    return context


def main(control_fd: int) -> None:
    """Serve until the runner closes its end."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the kernel reaps relays
    os.set_blocking(2, False)
    control = socket.socket(fileno=control_fd)
    first = json.loads(control.recv(MAX_MESSAGE_BYTES))
    context, program = client_context(), helper_program(_POLICY.read_text())
    confine(first["uid"], first["entry_fds"], None)
    send(control, {"ready": True})
    _serve(control, context, program)
    os._exit(0)
