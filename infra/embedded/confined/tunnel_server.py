"""The server's end: TLS connections of clients with a token, whose calls go to the engine's socket and nowhere else.

A connection has a thread and one call at a time, as at that socket.
"""

import socket
import ssl
import threading
from collections.abc import Callable
from contextlib import ExitStack, closing, nullcontext, suppress
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from time import monotonic
from typing import Any, BinaryIO, Final, Protocol

from infra.embedded.confined import protocol
from infra.embedded.confined.protocol import open_connection
from infra.embedded.confined.tunnel_clients import (
    MOST_CLIENTS,
    MOST_CONNECTIONS_EACH,
    Budget,
    Client,
    Clients,
    Known,
    UnknownPeers,
)
from infra.embedded.confined.tunnel_wire import (
    MOST_GREETING_BYTES,
    Greeting,
    RefusedError,
    Wire,
    read_greeting,
    refuse_versions_apart,
    tune,
)
from infra.embedded.sockets import SocketFolder

MOST_CONNECTIONS: Final = 512
MESSAGES_BYTES: Final = 128 * 1024 * 1024
FILES_BYTES: Final = 1024 * 1024 * 1024
_GREETING_SECS: Final = 10.0
_WATCH_SECS: Final = 0.5
_PAUSE_SECS: Final = 0.1
_STACK_BYTES: Final = 8 * 1024 * 1024
"""Address space, not memory. JSON that is nested as deep as Python reads it would end a process with less."""


class Admission(Protocol):
    """Knows the tokens. Raises OSError while it cannot tell."""

    def find(self, token: str) -> Known | None:
        """Return a valid token, else None."""

    def is_valid(self, known: Known) -> bool:
        """Tell whether a token that was found is still valid."""


@dataclass(frozen=True, slots=True)
class Told:
    """What a client is told at its start: the server's version, and variables that may depend on the client's name."""

    version: str
    variables: Callable[[str], dict[str, str]]


class TunnelServer:
    """`listener` listens already. `engine_socket`: where calls go. `spool`: folder of files under way.

    `log` writes one line: a level, a text and fields.
    """

    def __init__(
        self,
        listener: socket.socket,
        context: ssl.SSLContext,
        admission: Admission,
        told: Told,
        engine_socket: Path,
        spool: str,
        log: Callable[..., None],
    ) -> None:
        self._listener = listener
        self._context = context
        self._admission = admission
        self._told = told
        self._socket_name = engine_socket.name
        self._folder = SocketFolder(engine_socket.parent)
        self._spool = spool
        self._log = log
        self._unknown = UnknownPeers()
        self._clients = Clients()
        self._free = threading.Semaphore(MOST_CONNECTIONS)
        self._messages, self._files = Budget(MESSAGES_BYTES), Budget(FILES_BYTES)
        self._stopping = threading.Event()
        self._refusal_logged_at = 0.0

    def start(self) -> None:
        """Accept connections from now on."""
        threading.stack_size(_STACK_BYTES)
        threading.Thread(target=self._accept, name="accept", daemon=True).start()
        threading.Thread(target=self._watch, name="watch", daemon=True).start()

    def stop(self) -> None:
        """Accept no more. Connections end with this process."""
        self._stopping.set()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        while not self._stopping.is_set():
            self._free.acquire()
            try:
                stream, address = self._listener.accept()
                with ExitStack() as opened:
                    opened.callback(stream.close)
                    duplicate = stream.dup()
                    opened.callback(duplicate.close)
                    self._unknown.add(duplicate, address[0])
                    opened.callback(self._unknown.remove, duplicate)
                    threading.Thread(
                        target=self._serve, args=(stream, duplicate, address[0]), name="connection", daemon=True
                    ).start()
                    opened.pop_all()
            except (OSError, RuntimeError):  # such as too many open files or threads: they pass
                self._free.release()
                self._stopping.wait(_PAUSE_SECS)

    def _serve(self, stream: socket.socket, duplicate: socket.socket, host: str) -> None:
        try:
            with closing(duplicate), ExitStack() as known:
                known.callback(self._unknown.remove, duplicate)
                deadline = monotonic() + _GREETING_SECS
                with closing(stream):
                    tune(stream)
                    stream.settimeout(_GREETING_SECS)
                    encrypted = self._context.wrap_socket(stream, server_side=True)
                with closing(encrypted):
                    self._greet(Wire(encrypted, self._spool), deadline, duplicate, host)
        except (OSError, EOFError, ValueError):
            return  # not a warning: any host that reaches the port can cause as many as it likes
        finally:
            self._free.release()

    def _greet(self, wire: Wire, deadline: float, duplicate: socket.socket, host: str) -> None:
        with wire.receive(MOST_GREETING_BYTES, within_secs=max(0.1, deadline - monotonic())) as (message, _):
            pass
        with ExitStack() as stack:
            try:
                greeting = read_greeting(message)
                known = self._admit(greeting)
                client, is_new = stack.enter_context(self._clients.connected(known, greeting.client, host, duplicate))
            except RefusedError as refused:
                self._log_refusal(refused, host)
                wire.send({"refused": {"code": refused.code, "problem": str(refused)}})
                return
            self._unknown.remove(duplicate)
            if is_new:
                self._log("info", "client connected", client=client.name, host=host, version=greeting.version[:32])
            wire.on_bytes = client.touch
            wire.send(
                {
                    "welcome": {
                        "version": self._told.version,
                        "name": client.name,
                        "variables": self._told.variables(client.name),
                    }
                }
            )
            self._pass_on(wire, client)

    def _log_refusal(self, refused: RefusedError, host: str) -> None:
        """Log a refusal, one a second at most: strangers can cause as many as they like."""
        if monotonic() - self._refusal_logged_at >= 1:
            self._refusal_logged_at = monotonic()
            self._log("warning", "connection refused", host=host, code=refused.code, problem=str(refused))

    def _admit(self, greeting: Greeting) -> Known:
        try:
            known = self._admission.find(greeting.token)
        except OSError:
            raise RefusedError("unavailable", "the server cannot check tokens now") from None
        if known is None:
            raise RefusedError("token", "the token is not valid, or it was revoked")
        refuse_versions_apart(self._told.version, greeting.version)
        return known

    def _pass_on(self, wire: Wire, client: Client) -> None:
        """Lead the calls of a connection to the engine, until one side ends it."""
        receive = partial(
            wire.receive,
            protocol.MOST_BYTES,
            lend=partial(self._messages.lend, client.name),
            lend_file=partial(self._files.lend, client.name),
        )
        with open_connection(self._folder, self._socket_name) as engine:
            try:
                while not client.has_ended:
                    with receive() as (request, file):
                        call = _only_call(request) | {"client": client.holder}
                        protocol.send(engine, call, file)
                        answer, content = protocol.receive(engine)
                    with content or nullcontext():
                        self._answer(wire, client, engine, call, answer, content)
            finally:
                if client.has_ended:  # a poll may have got messages for it since
                    self._release(engine, client)

    def _answer(
        self,
        wire: Wire,
        client: Client,
        engine: Connection,
        call: dict[str, Any],
        answer: dict[str, Any],
        content: BinaryIO | None,
    ) -> None:
        """Send the answer. Let others have messages in it that the client does not get."""
        messages = answer.get("answer", {}).get("Messages", ())
        try:
            with self._messages.lend(client.name, sum(len(message["Body"]) for message in messages)):
                wire.send(answer, content)
        except OSError:
            for message in messages:
                params = {
                    "QueueUrl": call["params"]["QueueUrl"],
                    "ReceiptHandle": message["ReceiptHandle"],
                    "VisibilityTimeout": 0,
                }
                protocol.send(
                    engine,
                    {"service": "sqs", "operation": "ChangeMessageVisibility", "params": params},
                )
                protocol.receive(engine)
            raise

    def _watch(self) -> None:
        while not self._stopping.wait(_WATCH_SECS):
            try:
                self._end_gone()
            except Exception as error:  # noqa: BLE001 - without this thread, no message of a lost host would return
                self._log("error", "watch failed", problem=f"{type(error).__name__}: {error}")

    def _end_gone(self) -> None:
        for client, reason in self._clients.take_gone():
            level = "warning" if client.connections else "info"
            self._log(level, "client gone", client=client.name, host=client.host, problem=reason)
            self._release_gone(client, reason)
        for client in self._clients.all():
            with suppress(OSError):
                if not self._admission.is_valid(client.known):
                    self._clients.end(client)
                    self._log("warning", "client gone", client=client.name, problem="its token was revoked")
                    self._release_gone(client, "its token was revoked")

    def _release_gone(self, client: Client, reason: str) -> None:
        with suppress(OSError, EOFError, ValueError), open_connection(self._folder, self._socket_name) as engine:
            self._release(engine, client, gone=[client.name, reason])

    def _release(self, engine: Connection, client: Client, **gone: Any) -> None:
        """Let others have the messages of a client at once."""
        with suppress(OSError, EOFError, ValueError):
            protocol.send(engine, {"client": client.holder, "release": True, **gone})
            protocol.receive(engine)


def most_engine_connections() -> int:
    """Return how many connections the engine's socket must take: those of all clients, and ours."""
    return min(MOST_CONNECTIONS, MOST_CLIENTS * MOST_CONNECTIONS_EACH) + 8


def _only_call(request: dict[str, Any]) -> dict[str, Any]:
    """Return the parts of a call, and nothing else of a message. Raises ValueError."""
    match request:
        case {"service": str(service), "operation": str(operation), "params": dict(params)}:
            return {"service": service, "operation": operation, "params": params}
    raise ValueError("no call")
