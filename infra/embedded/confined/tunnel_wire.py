"""Frames on a TLS connection: a message of the engine's socket, and the content of its file if it has one.

A frame begins with two numbers: the bytes of the message, and those of the file plus one; 0 without a file.
Each frame must come at a rate, so that a slow peer keeps nothing for ever.
"""

import hashlib
import hmac
import os
import re
import socket
import ssl
import struct
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager, nullcontext
from dataclasses import dataclass, field
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from time import monotonic
from typing import Any, BinaryIO, Final

from infra.embedded.confined import protocol
from infra.embedded.confined.protocol import decode, encode
from infra.embedded.sockets import FolderListener

MOST_FILE_BYTES: Final = 128 * 1024 * 1024
_HEADER: Final = struct.Struct("!IQ")
_PIECE_BYTES: Final = 64 * 1024
_STALL_SECS: Final = 20.0
_RATE_BYTES: Final = 16 * 1024
"""The slowest frame, in bytes a second: the largest message takes 26 minutes then, a usual one milliseconds."""

type Lend = Callable[[int], AbstractContextManager[None]]
"""Lends so many bytes of memory. Raises TimeoutError."""


class Wire:
    """One connection, used by one thread. `on_bytes` is called whenever the peer sent or took some.

    `spool`: folder of received files. `lend`, `lend_file`: bound messages and files under way.
    All errors of connections are OSError or EOFError; ValueError for a frame that is no message.
    """

    def __init__(
        self,
        stream: ssl.SSLSocket,
        spool: str,
        *,
        on_bytes: Callable[[], None] = lambda: None,
    ) -> None:
        self._stream = stream
        self._spool = spool
        self.on_bytes = on_bytes

    def send(self, message: dict[str, Any], file: BinaryIO | None = None) -> None:
        """Send a message, and the rest of an open file."""
        content = encode(message)
        size = None if file is None else os.fstat(file.fileno()).st_size - os.lseek(file.fileno(), 0, os.SEEK_CUR)
        deadline = self._deadline(len(content) + (size or 0))
        self._send(_HEADER.pack(len(content), 0 if size is None else max(0, size) + 1) + content, deadline)
        while size is not None and size > 0 and file is not None:
            piece = os.read(file.fileno(), min(size, _PIECE_BYTES))
            if not piece:
                raise OSError("a file became shorter while it was sent")
            self._send(piece, deadline)
            size -= len(piece)

    @contextmanager
    def receive(
        self,
        most_bytes: int,
        *,
        wait_secs: float | None = None,
        within_secs: float | None = None,
        lend: Lend | None = None,
        lend_file: Lend | None = None,
    ) -> Iterator[tuple[dict[str, Any], BinaryIO | None]]:
        """Yield a message and its file, which is closed behind the block.

        `wait_secs`: until its first byte. `within_secs`: for all of it; None: as long as its rate is enough.
        `lend_file` None: no file may come.
        """
        started = monotonic()
        head = bytearray(_HEADER.size)
        self._stream.settimeout(within_secs if within_secs is not None else wait_secs)
        if not self._stream.recv_into(memoryview(head)[:1]):
            raise EOFError
        self.on_bytes()
        hard = None if within_secs is None else started + within_secs
        self._fill(memoryview(head)[1:], hard or self._deadline(_HEADER.size))
        size, more = _HEADER.unpack(head)
        if size > most_bytes or (more and lend_file is None) or more > MOST_FILE_BYTES + 1:
            raise OSError("a frame is too large")
        deadline = hard or self._deadline(size + more)
        with ExitStack() as stack:
            if lend is not None and size > _PIECE_BYTES:
                stack.enter_context(lend(size))
            content = bytearray(size)
            self._fill(memoryview(content), deadline)
            file: BinaryIO | None = None
            if more and lend_file is not None:
                stack.enter_context(lend_file(more - 1))
                file = stack.enter_context(tempfile.TemporaryFile(dir=self._spool, buffering=0))
                self._spool_file(file, more - 1, deadline)
            yield decode(bytes(content)), file

    def close(self) -> None:
        self._stream.close()

    def _spool_file(self, file: BinaryIO, size: int, deadline: float) -> None:
        piece = memoryview(bytearray(_PIECE_BYTES))
        while size:
            part = piece[: min(size, _PIECE_BYTES)]
            self._fill(part, deadline)
            file.write(part)
            size -= len(part)
        file.seek(0)

    def _deadline(self, size: int) -> float:
        return monotonic() + _STALL_SECS + size / _RATE_BYTES

    def _fill(self, view: memoryview, deadline: float) -> None:
        while view:
            self._stream.settimeout(_left_secs(deadline))
            count = self._stream.recv_into(view[:_PIECE_BYTES])
            if not count:
                raise EOFError
            self.on_bytes()
            view = view[count:]

    def _send(self, content: bytes, deadline: float) -> None:
        view = memoryview(content)
        while view:
            self._stream.settimeout(_left_secs(deadline))
            view = view[self._stream.send(view[:_PIECE_BYTES]) :]
            self.on_bytes()


def _left_secs(deadline: float) -> float:
    left = min(_STALL_SECS, deadline - monotonic())
    if left <= 0:
        raise TimeoutError("the peer is too slow")
    return left


# The first frame of a connection, and its answer.
#
# `{"protocol": 1, "version": "1.4.0", "token": …, "client": 32 hexadecimal digits}` is answered by `{"welcome":
# {"version": …, "name": …, "variables": {…}}}` or `{"refused": {"code": …, "problem": …}}`.

PROTOCOL: Final = 1
MOST_GREETING_BYTES: Final = 4096
MOST_WELCOME_BYTES: Final = 64 * 1024
FOR_GOOD: Final = frozenset({"token", "version", "certificate"})
"""Codes of refusals that the same greeting gets again."""
_CLIENT: Final = re.compile(r"[0-9a-f]{32}")


class RefusedError(Exception):
    """The server does not take this client. `code`: token, version, busy, full or unavailable.

    certificate: it is another server.
    """

    def __init__(self, code: str, problem: str) -> None:
        self.code = code
        super().__init__(problem)


@dataclass(frozen=True, slots=True)
class Greeting:
    """`client`: of one process, random. `version`: of the program."""

    version: str
    client: str
    token: str = field(repr=False)
    protocol: int = PROTOCOL

    def message(self) -> dict[str, Any]:
        names = ("protocol", "version", "token", "client")
        return {name: getattr(self, name) for name in names}


def read_greeting(message: dict[str, Any]) -> Greeting:
    """Read a frame of a client that may be anyone. Raises RefusedError, ValueError."""
    match message:
        case {"protocol": int(protocol), "version": str(version), "token": str(token), "client": str(client)}:
            if protocol != PROTOCOL:
                problem = f"the server speaks protocol {PROTOCOL}, and this client {protocol}"
                raise RefusedError("version", problem)
            if _CLIENT.fullmatch(client):
                return Greeting(version, client, token)
    raise ValueError("no greeting")


def refuse_versions_apart(server: str, client: str) -> None:
    """Raise RefusedError unless both are at most one minor version apart: messages are read by neighbours."""
    try:
        (major, minor), (other_major, other_minor) = _minor(server), _minor(client)
    except ValueError:
        raise RefusedError("version", f"the version {client[:32]!r} is none") from None
    if major != other_major or abs(minor - other_minor) > 1:
        older = "this client" if (other_major, other_minor) < (major, minor) else "the server"
        problem = (
            f"the server has version {server} and this client {client[:32]}, more than one minor version apart: "
            f"upgrade {older}"
        )
        raise RefusedError("version", problem)


def read_welcome(message: dict[str, Any]) -> dict[str, Any]:
    """Read the server's answer. Raises RefusedError, ValueError."""
    match message:
        case {"welcome": {"version": str(), "name": str(), "variables": dict()} as welcome}:
            return dict(welcome)
        case {"refused": {"code": str(code), "problem": str(problem)}}:
            raise RefusedError(code, problem)
    raise ValueError("no welcome")


def _minor(version: str) -> tuple[int, int]:
    major, minor, *_ = (int(part) for part in version.split("."))
    return major, minor


# TLS 1.3 between a host with a confined process and that of the engine.

HANDSHAKE_SECS: Final = 10.0
_CONNECT_SECS: Final = 10.0
_CERTIFICATE: Final = re.compile("-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)
_PIN: Final = re.compile(r"sha256:[0-9a-f]{64}")


class UntrustedError(Exception):
    """The server is not the one that this host trusts. Nothing was sent to it."""


@dataclass(frozen=True, slots=True)
class Server:
    """Where the server is and how it is known.

    `pin`: the fingerprint of its certificate. Else `ca_file` has the authorities to trust; None: the well-known ones.
    """

    host: str
    port: int
    pin: str | None = None
    ca_file: str | None = None


def is_pin(text: str) -> bool:
    """Tell whether a text is a fingerprint, as `fingerprint` writes it."""
    return _PIN.fullmatch(text) is not None


def fingerprint(certificate_pem: str) -> str:
    """Return the fingerprint of the first certificate of a PEM text. Raises ValueError."""
    first = _CERTIFICATE.search(certificate_pem)
    if first is None:
        raise ValueError("no certificate")
    return _fingerprint(ssl.PEM_cert_to_DER_cert(first[0]))


def server_context(certificate_file: str, key_file: str) -> ssl.SSLContext:
    """Return the server's side. Raises OSError: a file cannot be read, is not PEM, or the key is another one's."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.num_tickets = 0
    context.load_cert_chain(certificate_file, key_file, password="")  # without one, OpenSSL would ask the terminal
    return context


def connect(server: Server) -> ssl.SSLSocket:
    """Connect, and return the connection when the server is the right one. Raises OSError, UntrustedError."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    if server.pin is not None:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    elif server.ca_file is None:
        context.load_default_certs()
    else:
        context.load_verify_locations(server.ca_file)
    stream = socket.create_connection((server.host, server.port), _CONNECT_SECS)
    try:
        tune(stream)
        stream.settimeout(HANDSHAKE_SECS)
        encrypted = context.wrap_socket(stream, server_hostname=server.host)
    except ssl.SSLCertVerificationError as error:
        stream.close()
        raise UntrustedError(f"its certificate is not trusted: {error.verify_message}") from error
    except BaseException:
        stream.close()
        raise
    if server.pin is not None:
        shown = _fingerprint(encrypted.getpeercert(binary_form=True) or b"")
        if not hmac.compare_digest(shown, server.pin):
            encrypted.close()
            raise UntrustedError(f"its certificate has the fingerprint {shown}, not {server.pin}")
    return encrypted


def tune(stream: socket.socket) -> None:
    """Send small frames at once, and notice within 20 s that the peer's host is gone."""
    stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    stream.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in ((socket.TCP_KEEPIDLE, 5), (socket.TCP_KEEPINTVL, 5), (socket.TCP_KEEPCNT, 3)):
        stream.setsockopt(socket.IPPROTO_TCP, option, value)
    stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 20_000)


def _fingerprint(der: bytes) -> str:
    return f"sha256:{hashlib.sha256(der).hexdigest()}"


# The client's end: a socket like that of the engine, on another host. Each of its connections has one through TLS.

_MOST_CONNECTIONS: Final = 64
_GREETING_SECS: Final = 15.0
_ANSWER_SECS: Final = 60.0


class TunnelClient(FolderListener):
    """`path`: of the socket, in a folder that exists. `on_refused` is called when the server takes us no more.

    Start it to take connections of the confined process.
    """

    def __init__(
        self, path: Path, server: Server, greeting: Greeting, on_refused: Callable[[RefusedError], None]
    ) -> None:
        super().__init__(path, _MOST_CONNECTIONS, self._lead_on)
        self._spool = str(path.parent)
        self._server = server
        self._greeting = greeting
        self._on_refused = on_refused

    def greet(self) -> dict[str, Any]:
        """Connect once. Return the server's version, our name and variables.

        Raises OSError, EOFError, ValueError, UntrustedError, RefusedError.
        """
        wire, welcome = self._connect()
        wire.close()
        return welcome

    def _connect(self) -> tuple[Wire, dict[str, Any]]:
        stream = connect(self._server)
        wire = Wire(stream, self._spool)
        try:
            wire.send(self._greeting.message())
            with wire.receive(MOST_WELCOME_BYTES, within_secs=_GREETING_SECS) as (message, _):
                return wire, read_welcome(message)
        except BaseException:
            wire.close()
            raise

    def _lead_on(self, accepted: socket.socket) -> None:
        try:
            with Connection(accepted.detach()) as near:
                wire, _ = self._connect()
                with closing(wire):
                    self._pass_on(near, wire)
        except RefusedError as refused:
            self._on_refused(refused)
        except UntrustedError as error:
            self._on_refused(RefusedError("certificate", str(error)))
        except (OSError, EOFError, ValueError):
            return  # the confined process sees a closed connection, and tries again

    def _pass_on(self, near: Connection, wire: Wire) -> None:
        receive = partial(wire.receive, protocol.MOST_BYTES, wait_secs=_ANSWER_SECS, lend_file=lambda _: nullcontext())
        while True:
            request, file = protocol.receive(near)
            with file or nullcontext():
                wire.send(request, file)
            with receive() as (answer, content):
                protocol.send(near, answer, content)
