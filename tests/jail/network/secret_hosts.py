"""A host of a secret on the loopback, with TLS: it returns what it gets in every form, and behaves badly on request."""

import base64
import gzip
import json
import socket
import ssl
import threading
import time
import urllib.parse
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from sandbox_runtime.network.proxy.client import CODE as PROXY_CODE
from sandbox_runtime.network.relay.client import CODE as RELAY_CODE
from tests.jail.network.targets import certificate
from tests.relay_hosts import read_head

NAME = "api.test.example"
# The proxy's name service of the test: one name, which is this loopback.
_NAMES = f"""
from sandbox_runtime.network.proxy.process.target import RealAddresses
from sandbox_runtime.network.model import Failure
RealAddresses.get = lambda self, name, port, done: done(("127.0.0.1",) if name == {NAME!r} else Failure.NAME_NOT_FOUND)
"""


@dataclass
class SecretHost:
    """`heads`: of all requests. `files`: by path, for requests with the secret.

    `proxy_code`, `relay_code`: of processes that reach it and trust its certificate.
    """

    port: int
    proxy_code: str
    relay_code: str
    heads: list[bytes] = field(default_factory=list)
    files: dict[str, bytes] = field(default_factory=dict)


REFLECTIONS: dict[str, Callable[[bytes], bytes]] = {
    "headers": lambda head: head,
    "json": lambda head: json.dumps(head.decode("latin-1")).encode(),
    "percent": lambda head: urllib.parse.quote(head, safe="").encode(),
    "form": lambda head: urllib.parse.quote_plus(head).encode(),
    "hex": lambda head: head.hex().encode(),
    "base64": base64.b64encode,
    "base64url": base64.urlsafe_b64encode,
}
IN_HEADERS = {
    "cookie": "Set-Cookie: session={}; Path=/",
    "location": f"Location: https://{NAME}/?{{}}",
    "other": "X-A: {}",
}


def _reflect(stream: ssl.SSLSocket, form: str, head: bytes) -> None:
    """Return what the request had, in a form."""
    more, body = "", b""
    if form in IN_HEADERS:
        more = IN_HEADERS[form].format(urllib.parse.quote(head)) + "\r\n"
    else:
        body = REFLECTIONS[form](head)
    stream.sendall(f"HTTP/1.1 200 OK\r\n{more}Content-Length: {len(body)}\r\n\r\n".encode())
    if not head.startswith(b"HEAD"):
        stream.sendall(body)


def _serve(host: SecretHost, stream: ssl.SSLSocket) -> None:
    while head := read_head(stream):
        host.heads.append(head)
        path = head.split()[1].decode().partition("?")[0]
        if path.startswith("/reflect/"):
            _reflect(stream, path.removeprefix("/reflect/"), head)
            continue
        if path in host.files or path.endswith(("/info/refs", "/HEAD")) or "/objects/" in path:
            _send_file(stream, head, host.files.get(path))
            continue
        value = head.partition(b"uthorization: ")[2].partition(b"\r\n")[0] or head
        _misbehave(stream, path, value)
        return


def _send_file(stream: ssl.SSLSocket, head: bytes, content: bytes | None) -> None:
    if b"\r\nauthorization: Bearer " not in head:
        stream.sendall(b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n")
    elif content is None:
        stream.sendall(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
    else:
        stream.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(content) + content)


OK, CHUNKED = b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
FOUND = b"HTTP/1.1 302 Found\r\nLocation: http://evil.example/?"


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


def _compressed(value: bytes) -> bytes:
    body = gzip.compress(value)
    return OK + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(body) + body


ANSWERS: dict[str, Callable[[bytes], Iterable[bytes]]] = {
    "/slow": lambda value: [OK + b"Content-Length: %d\r\n\r\n" % len(value), *(bytes([byte]) for byte in value)],
    "/bytes": lambda value: [CHUNKED, *(_chunk(bytes([byte])) for byte in value), b"0\r\n\r\n"],
    "/endless": lambda value: [CHUNKED, *[_chunk(value)] * 4_000],
    "/gzip": lambda value: [_compressed(value)],
    "/cut": lambda value: [OK + b"Content-Length: 1000\r\n\r\n" + value],
    "/trailers": lambda value: [CHUNKED + _chunk(b"a") + b"0\r\nX-Auth: " + value + b"\r\n\r\n"],
    "/redirect": lambda value: [FOUND + value[-20:] + b"\r\nContent-Length: 0\r\n\r\n"],
    "/informational": lambda value: [
        b"HTTP/1.1 103 Early Hints\r\nLink: <" + value + b">\r\n\r\n" + OK + b"Content-Length: 0\r\n\r\n"
    ],
    "/events": lambda _: [CHUNKED, *(_chunk(b"data: %d\n\n" % number) for number in range(5)), b"0\r\n\r\n"],
}
PAUSES_SECS = {"/slow": 0.002, "/events": 0.05}
HELLO = OK + b"Content-Length: 5\r\n\r\nhello"


def _misbehave(stream: ssl.SSLSocket, path: str, value: bytes) -> None:
    for part in ANSWERS[path](value) if path in ANSWERS else [HELLO]:
        stream.sendall(part)
        time.sleep(PAUSES_SECS.get(path, 0))


@contextmanager
def secret_host(directory: Path) -> Iterator[SecretHost]:
    """Serve. `directory`: for the certificates."""
    authority, context = certificate(directory, NAME)
    (directory / "authority.pem").write_text(authority)
    trusted = f"import os; os.environ['SSL_CERT_FILE'] = {str(directory / 'authority.pem')!r}\n"
    with socket.create_server(("127.0.0.1", 0), backlog=256) as listener:
        host = SecretHost(listener.getsockname()[1], f"{_NAMES}\n{PROXY_CODE}", f"{trusted}{RELAY_CODE}")

        def serve(accepted: socket.socket) -> None:
            with suppress(OSError, ValueError), context.wrap_socket(accepted, server_side=True) as stream:
                stream.settimeout(20)
                _serve(host, stream)

        def accept() -> None:
            with suppress(OSError):
                while True:
                    accepted, _ = listener.accept()
                    threading.Thread(target=serve, args=(accepted,), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        yield host
        listener.shutdown(socket.SHUT_RDWR)
