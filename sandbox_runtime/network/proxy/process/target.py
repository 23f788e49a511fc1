"""Find the real addresses of the names of one run, once each, and connect to one of them."""

import contextlib
import errno
import socket
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

from events.addresses import is_public
from sandbox_runtime.network.model import Failure
from sandbox_runtime.network.proxy.process.look_up import Address, LookUp, Outcome, Routes
from sandbox_runtime.network.proxy.process.sockets import WRITE, Poll, bound_buffers, reset
from sandbox_runtime.network.proxy.settings import HOST_NAME, ProxySettings

_MAX_ADDRESSES: Final = 4
_HOST_ADDRESSES: Final = ("127.0.0.1", "::1")
_FAILURES: Final = {
    errno.ECONNREFUSED: Failure.CONNECTION_REFUSED,
    errno.ECONNRESET: Failure.CONNECTION_REFUSED,
    errno.ETIMEDOUT: Failure.TIMED_OUT,
}


class RealAddresses:
    """The checked addresses of the run's names. The first look-up of a name decides for the whole run.

    So a name that turns private later changes nothing.
    """

    def __init__(self, poll: Poll, resolvers: Sequence[Address], routes: Routes, settings: ProxySettings) -> None:
        self._poll, self._resolvers, self._routes, self._settings = poll, resolvers, routes, settings
        self._found: dict[str, Outcome] = {}
        self._look_ups: dict[str, LookUp] = {}
        self._waiting: dict[str, list[Callable[[Outcome], None]]] = {}

    def get(self, name: str, port: int, done: Callable[[Outcome], None]) -> None:
        """Call `done` with the addresses to connect to, or with the failure; perhaps at once."""
        if name == HOST_NAME:
            done(self._host_addresses(port))
        elif name in self._found:
            done(self._found[name])
        elif name in self._waiting:
            self._waiting[name].append(done)
        else:
            self._waiting[name] = [done]
            self._look_ups[name] = LookUp(self._poll, self._resolvers, name, partial(self._take, name))
            self._look_ups[name].start()

    def _host_addresses(self, port: int) -> Outcome:
        if self._settings.allows_host and port not in self._settings.refused_host_ports:
            return _HOST_ADDRESSES
        return Failure.ADDRESS_REFUSED

    def _take(self, name: str, outcome: Outcome) -> None:
        self._found[name] = outcome = self._checked(outcome)
        del self._look_ups[name]
        for done in self._waiting.pop(name):
            done(outcome)

    def _checked(self, outcome: Outcome) -> Outcome:
        """Refuse a name if one of its addresses is refused: its next answer may have only that one."""
        if isinstance(outcome, Failure):
            return outcome
        if not all(is_public(address) and self._routes.is_elsewhere(address) for address in outcome):
            return Failure.ADDRESS_REFUSED
        return outcome[:_MAX_ADDRESSES]

    def tick(self, now: float) -> None:
        """Let look-ups go on that wait for an answer in vain."""
        for look_up in list(self._look_ups.values()):
            look_up.tick(now)

    def close(self) -> None:
        """Give up all look-ups, without a call of `done`."""
        for look_up in self._look_ups.values():
            look_up.close()
        self._look_ups.clear()
        self._waiting.clear()


class Connector:
    """Connects to one address after the other. Calls `done` once, after `start`, with a socket or a failure."""

    def __init__(
        self,
        poll: Poll,
        addresses: Sequence[str],
        port: int,
        give_up_at: float,
        done: Callable[[str, socket.socket | Failure], None],
    ) -> None:
        self._poll, self._left, self._port = poll, list(addresses), port
        self._give_up_at, self._done = give_up_at, done
        self._socket: socket.socket | None = None
        self._address = ""
        self._failure = Failure.UNREACHABLE
        self.deadline = give_up_at

    def start(self) -> None:
        """Try the first address."""
        self._next_address()

    def _next_address(self) -> None:
        while self._left:
            now = time.monotonic()
            self.deadline = now + max(0.0, self._give_up_at - now) / len(self._left)
            self._address = self._left.pop(0)
            try:
                self._begin()
            except OSError as error:
                self._fail(error.errno or 0)
            else:
                return
        self._done(self._address, self._failure)

    def _begin(self) -> None:
        family = socket.AF_INET6 if ":" in self._address else socket.AF_INET
        self._socket = socket.socket(family, socket.SOCK_STREAM)
        self._socket.setblocking(False)
        bound_buffers(self._socket)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with contextlib.suppress(BlockingIOError):
            self._socket.connect((self._address, self._port))
        self._poll.watch(self._socket, WRITE, self._on_connected)

    def _on_connected(self) -> None:
        connected = self._socket
        if connected is None:
            return
        code = connected.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        # On loopback a port without a listener can connect to itself.
        if not code and self._address in _HOST_ADDRESSES and connected.getsockname() == connected.getpeername():
            code = errno.ECONNREFUSED
        if code:
            self._fail(code)
            self._next_address()
        else:
            self._poll.forget(connected)
            self._socket = None
            self._done(self._address, connected)

    def _fail(self, code: int) -> None:
        self._failure = _FAILURES.get(code, Failure.UNREACHABLE)
        self.close()

    def tick(self, now: float) -> None:
        """Give up an address that does not answer."""
        if now >= self.deadline:
            self._fail(errno.ETIMEDOUT)
            self._next_address()

    def close(self) -> None:
        """Give up, without a call of `done`."""
        if self._socket is not None:
            self._poll.forget(self._socket)
            reset(self._socket)
            self._socket = None
