"""One run: its listeners, names and connections, within its limits."""

import contextlib
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from sandbox_runtime.network.model import AllowedHost, Failure, NetworkEvidence, Refusal
from sandbox_runtime.network.proxy.process.connection import Connection
from sandbox_runtime.network.proxy.process.name_service import NameService, NameTable
from sandbox_runtime.network.proxy.process.record import Record
from sandbox_runtime.network.proxy.process.sockets import READ, Poll, bound_buffers, reset, reset_on_close
from sandbox_runtime.network.proxy.process.target import Address, RealAddresses, Routes
from sandbox_runtime.network.proxy.settings import ByteCounts, ProxySettings


@dataclass(frozen=True, slots=True)
class Outside:
    """What all runs share of the host."""

    settings: ProxySettings
    resolvers: tuple[Address, ...]
    routes: Routes


class RelayEnd:
    """Hands connections to the aliases over to the relay of the run. `aliases`: alias, host and port of each."""

    def __init__(self, aliases: Sequence[tuple[str, str, int]], handover: socket.socket) -> None:
        handover.setblocking(False)
        self._handover = handover
        self.hosts = {alias: (host, port) for alias, host, port in aliases}

    def hand_over(self, alias: str, program: socket.socket) -> socket.socket | None:
        """Give the relay the program's connection. Returns the relay's end of the way to the host; None: it is gone."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        with theirs:
            for each in (ours, theirs):
                bound_buffers(each)
            ours.setblocking(False)
            try:
                socket.send_fds(self._handover, [alias.encode()], [program.fileno(), theirs.fileno()])
            except OSError:  # dead, or too slow
                ours.close()
                return None
        return ours

    def close(self) -> None:
        """Tell the relay that no connection follows."""
        self._handover.close()


class Run:
    """Owns all sockets of a run. `listeners`: with their kinds, see `model.Listener`. `byte_counts`: see `Record`.

    `relay`: None for a run without secrets.
    """

    def __init__(
        self,
        hosts: Sequence[AllowedHost],
        listeners: Sequence[tuple[str, socket.socket]],
        outside: Outside,
        byte_counts: ByteCounts | None = None,
        relay: RelayEnd | None = None,
    ) -> None:
        self._relay = relay
        self._limits = outside.settings.limits
        self._record = Record(byte_counts)
        self._names = NameTable(hosts, self._limits)
        self.poll = Poll()
        self._name_service = NameService(self.poll, self._names, self._record, self._limits)
        self._addresses = RealAddresses(self.poll, outside.resolvers, outside.routes, outside.settings)
        self._connections: set[Connection] = set()
        self._accepted = 0
        self._cpu_secs_left = self._limits.cpu_secs
        self._listeners: list[socket.socket] = []
        for kind, listener in listeners:
            self._add(kind, listener)

    def _add(self, kind: str, listener: socket.socket) -> None:
        listener.setblocking(False)
        bound_buffers(listener)
        if kind == "dns_udp":
            self._name_service.add_udp(listener)
        elif kind == "dns_tcp":
            self._name_service.add_tcp(listener)
        else:
            # Its connections inherit both.
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            reset_on_close(listener)  # else an answer that the death of this process cuts off looks complete
            self._listeners.append(listener)
            self.poll.watch(listener, READ, partial(self._accept, listener))

    def _accept(self, listener: socket.socket) -> bool:
        """Accept one connection. False: none waits."""
        try:
            program, _ = listener.accept()
        except OSError:
            return False
        program.setblocking(False)
        address, port = program.getsockname()
        name = self._names.name_of(address)
        self._accepted += 1
        if name is None:
            self._record.refuse(Refusal.UNKNOWN_ADDRESS, address=address, port=port)
        elif not self._names.allows(name, port):
            self._record.refuse(Refusal.NOT_ALLOWED, name=name, port=port)
        elif (way := self._way(program, name, port)) is not None:
            self._open(*way)
            return True
        reset(program)
        if self._accepted > self._limits.connections:
            self._stop_listening()
        return True

    def _way(self, program: socket.socket, name: str, port: int) -> tuple[socket.socket, str, int] | None:
        """Return which socket to connect with which host. An alias leads through the relay; None: it is gone."""
        target = None if self._relay is None else self._relay.hosts.get(name)
        if self._relay is None or target is None:
            return program, name, port
        host = self._record.host(*target)
        tunnel = self._relay.hand_over(name, program)
        if tunnel is None:
            host.connections += 1
            host.first_error = host.first_error or Failure.PROXY_FAILED
            return None
        program.close()  # the relay has it
        return tunnel, *target

    def _open(self, program: socket.socket, name: str, port: int) -> None:
        host = self._record.host(name, port)
        connection = Connection(program, host, self._record, self.poll, self._limits, self._connections.discard)
        if self._accepted > self._limits.connections:
            connection.fail(Failure.TOO_MANY_CONNECTIONS)
            self._stop_listening()
        elif len(self._connections) >= self._limits.open_connections:
            connection.fail(Failure.TOO_MANY_OPEN)
        else:
            self._connections.add(connection)
            connection.start(self._addresses, name, port)

    def _stop_listening(self) -> None:
        """Close the listeners: from now on the kernel refuses each connection, and the proxy does nothing."""
        for listener in self._listeners:
            self.poll.forget(listener)
            listener.close()
        self._listeners.clear()

    def spend(self, cpu_secs: float) -> None:
        """Count CPU time of this process. A run that needs too much, such as for single bytes, loses its network."""
        self._cpu_secs_left -= cpu_secs
        if self._cpu_secs_left < 0:
            for connection in list(self._connections):
                connection.fail(Failure.TOO_MUCH_WORK)
            self._stop_listening()
            self._name_service.close()

    def tick(self, now: float) -> None:
        self._name_service.tick(now)
        self._addresses.tick(now)
        for connection in list(self._connections):
            connection.tick(now)

    def end(self, *, now: bool) -> NetworkEvidence | None:
        """Accept nothing more. Returns the evidence when all connections are settled, or `now`; else None."""
        for listener in tuple(self._listeners):
            while listener in self._listeners and self._accept(listener):
                pass  # it belongs to the evidence: the program has connected, and ended at once
        self._stop_listening()
        self._name_service.close()
        if not now and not all(connection.is_settled for connection in self._connections):
            return None
        for connection in list(self._connections):
            connection.finish()
        self._close()
        return self.evidence()

    def evidence(self) -> NetworkEvidence:
        return self._record.evidence()

    def abandon(self, cause: str) -> None:
        """Close all sockets after an error of ours. The evidence stays, and names the cause."""
        self._record.error, self._record.cause = Failure.PROXY_FAILED, cause
        for connection in list(self._connections):
            with contextlib.suppress(Exception):
                connection.fail(Failure.PROXY_FAILED)
        self._close()

    def _close(self) -> None:
        self._stop_listening()
        self._name_service.close()
        self._addresses.close()
        if self._relay is not None:
            self._relay.close()
        self.poll.close()
        self._record.close()
