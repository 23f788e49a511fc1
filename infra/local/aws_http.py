"""Calls of AWS on loopback: the same requests and answers as botocore's, in half of the CPU time.

botocore goes through urllib3, http.client and an email parser. It asks the handlers of its event `before-send` for an
answer first. What this one does not take (TLS, other hosts, streams) botocore sends itself, and what fails here it
repeats as it would its own: so the errors are botocore's.
"""

from __future__ import annotations

import functools
import http.client
import select
import socket
import weakref
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, cast
from urllib.parse import urlsplit

import boto3
from botocore.awsrequest import AWSResponse
from botocore.exceptions import (
    ConnectionClosedError,
    ConnectTimeoutError,
    EndpointConnectionError,
    HTTPClientError,
    ReadTimeoutError,
)

from infra.local.http_answer import read_answer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from boto3.session import Session

    from infra.local.http_answer import ReadAnswer

_LOOPBACK: Final = frozenset({"127.0.0.1", "localhost"})
_MAX_KEPT: Final = 64


class LoopbackHttp:
    """A handler of `before-send`. A kept connection is used by one thread at a time."""

    def __init__(self) -> None:
        self._kept: dict[tuple[str, int], deque[_Connection]] = {}
        weakref.finalize(self, _close_all, self._kept)  # a client that is let go of takes its connections along

    def __call__(self, request: Any, **_event: object) -> Any:
        """Answer an AWSPreparedRequest by an AWSResponse, or None: it is botocore's. Raises botocore's HTTP errors."""
        place, config = _place(request.url), request.context.get("client_config")
        sent = _written(request, place) if place is not None else None
        if place is None or sent is None or config is None:
            return None
        connection = self._take(place.address) or _connect(place.address, request.url, config.connect_timeout)
        try:
            connection.socket.settimeout(config.read_timeout)
            answer = connection.ask(sent)
        except TimeoutError as error:
            connection.close()
            raise ReadTimeoutError(endpoint_url=request.url, error=error) from None
        except (OSError, EOFError) as error:
            connection.close()
            raise ConnectionClosedError(endpoint_url=request.url, error=error, request=request) from None
        except ValueError as error:
            connection.close()
            raise HTTPClientError(error=error, request=request) from None
        except BaseException:
            connection.close()
            raise
        if answer.is_reusable and len(self._kept[place.address]) < _MAX_KEPT:
            self._kept[place.address].append(connection)
        else:
            connection.close()
        # botocore copies the headers, from whatever mapping they are.
        return AWSResponse(request.url, answer.status, cast("Any", answer.headers), _Content(answer.content))

    def _take(self, address: tuple[str, int]) -> _Connection | None:
        kept = self._kept.setdefault(address, deque())
        while kept:
            try:
                connection = kept.pop()
            except IndexError:  # another thread took the last one
                return None
            if connection.is_fresh():
                return connection
            connection.close()
        return None


def _close_all(kept: dict[tuple[str, int], deque[_Connection]]) -> None:
    for connections in kept.values():
        while connections:
            connections.pop().close()


class _Connection:
    def __init__(self, connected: socket.socket) -> None:
        self.socket = connected

    def ask(self, request: bytes) -> ReadAnswer:
        self.socket.sendall(request)
        return read_answer(self.socket)

    def is_fresh(self) -> bool:
        """Tell whether nothing came on it while it was kept, not even its end."""
        poller = select.poll()
        poller.register(self.socket, select.POLLIN | select.POLLRDHUP)
        return not poller.poll(0)

    def close(self) -> None:
        self.socket.close()


@dataclass(frozen=True, slots=True)
class _Content:
    """What botocore expects behind an answer's head."""

    content: bytes

    def stream(self) -> Iterator[bytes]:
        yield self.content


@dataclass(frozen=True, slots=True)
class _Place:
    """`host` as in the header of that name; `target`: what stands in the request line."""

    address: tuple[str, int]
    host: str
    target: str


@functools.lru_cache(256)
def _place(url: str) -> _Place | None:
    parts = urlsplit(url)
    if parts.scheme != "http" or parts.hostname not in _LOOPBACK:
        return None
    target = f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
    return _Place((parts.hostname, parts.port or http.client.HTTP_PORT), parts.netloc, target)


def _connect(address: tuple[str, int], url: str, timeout_secs: float) -> _Connection:
    try:
        connected = socket.create_connection(address, timeout_secs)
    except TimeoutError as error:
        raise ConnectTimeoutError(endpoint_url=url, error=error) from None
    except OSError as error:
        raise EndpointConnectionError(endpoint_url=url, error=error) from None
    connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return _Connection(connected)


def _written(request: Any, place: _Place) -> bytes | None:
    """Return the request's bytes, None for one that is more than a head and bytes."""
    if request.stream_output or request.method == "HEAD" or not isinstance(request.body, bytes | None):
        return None
    lines = [f"{request.method} {place.target} HTTP/1.1", "Accept-Encoding: identity"]
    if "host" not in request.headers:
        lines.append(f"Host: {place.host}")
    for name, value in request.headers.items():
        if name.lower() in {"expect", "transfer-encoding"}:
            return None
        lines.append(f"{name}: {value.decode('latin-1') if isinstance(value, bytes) else value}")
    head = "\r\n".join(lines).encode("latin-1")
    if not head.count(b"\r") == head.count(b"\n") == len(lines) - 1:  # a value that would be more than one header
        return None
    return head + b"\r\n\r\n" + (request.body or b"")


def use_loopback_http() -> None:
    """Let every client that boto3's default session makes from now on send by this.

    Their own events must not get it too, as each handler sends the request: messages would be taken by nobody.
    """
    boto3.setup_default_session()
    cast("Session", boto3.DEFAULT_SESSION).events.register("before-send", cast("Any", LoopbackHttp()))
