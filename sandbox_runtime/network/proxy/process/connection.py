"""One connection of a program: connect to its target, then copy both ways until both have ended."""

import contextlib
import socket
import time
from collections.abc import Callable
from typing import Final

from sandbox_runtime.network.model import Failure
from sandbox_runtime.network.proxy.process.record import HostRecord, Record
from sandbox_runtime.network.proxy.process.sockets import READ, WRITE, Poll, close_in_order, reset
from sandbox_runtime.network.proxy.process.target import Connector, Outcome, RealAddresses
from sandbox_runtime.network.proxy.settings import RunLimits

_CHUNK_BYTES: Final = 64 << 10
_BUFFER: Final = memoryview(bytearray(_CHUNK_BYTES))  # shared: one thread, and no bytes stay in it
_MOST_CHUNKS_AT_END: Final = 8  # more than the kernel's buffer of one socket has


class _Way:
    """One direction: bytes of `source` for `sink`. `pending`: read, and not yet taken by the kernel of the sink."""

    __slots__ = ("has_ended", "is_shut", "pending", "sink", "source")

    def __init__(self, source: socket.socket, sink: socket.socket) -> None:
        self.source, self.sink = source, sink
        self.pending = b""
        self.has_ended = self.is_shut = False

    @property
    def wants_read(self) -> bool:
        return not self.pending and not self.has_ended

    def receive(self) -> int:
        """Read a chunk into the buffer. 0 at the end of the source, -1 when nothing has come yet. Raises OSError."""
        try:
            count = self.source.recv_into(_BUFFER)
        except BlockingIOError:
            return -1
        self.has_ended = not count
        return count

    def send(self, data: memoryview | bytes) -> None:
        """Send to the sink, and keep what it does not take now. Raises OSError."""
        try:
            sent = self.sink.send(data)
        except BlockingIOError:
            sent = 0
        self.pending = b"" if sent == len(data) else bytes(data[sent:])

    def end_if_done(self) -> None:
        """Hand the end of the source on, after its last byte."""
        if self.has_ended and not self.pending and not self.is_shut:
            self.is_shut = True
            with contextlib.suppress(OSError):
                self.sink.shutdown(socket.SHUT_WR)


class Connection:
    """Owns the program's socket, and the target's. `on_close` is called once."""

    def __init__(
        self,
        program: socket.socket,
        host: HostRecord,
        record: Record,
        poll: Poll,
        limits: RunLimits,
        on_close: Callable[["Connection"], None],
    ) -> None:
        self._program, self._target = program, program
        self._host, self._record, self._poll, self._limits = host, record, poll, limits
        self._on_close = on_close
        self._connector: Connector | None = None
        self._sent: _Way | None = None
        self._received: _Way | None = None
        self._is_closed = False
        self._events = 0, 0
        self._failure: Failure | None = None
        self._deadline = time.monotonic() + limits.connect_secs
        host.connections += 1

    def start(self, addresses: RealAddresses, name: str, port: int) -> None:
        """Find the target's addresses and connect."""
        addresses.get(name, port, lambda outcome: self._connect(outcome, port))

    def _connect(self, outcome: Outcome, port: int) -> None:
        if self._is_closed:
            return
        if isinstance(outcome, Failure):
            self.fail(outcome)
            return
        self._connector = Connector(self._poll, outcome, port, self._deadline, self._take_target)
        self._connector.start()

    def _take_target(self, address: str, target: socket.socket | Failure) -> None:
        self._connector = None
        self._host.address = address
        if isinstance(target, Failure):
            self.fail(target)
            return
        self._target = target
        self._sent, self._received = _Way(self._program, target), _Way(target, self._program)
        self._deadline = time.monotonic() + self._limits.idle_secs
        self._go_on()

    def _on_program(self) -> None:
        self._step(self._sent, self._received)

    def _on_target(self) -> None:
        self._step(self._received, self._sent)

    def _step(self, reading: _Way | None, writing: _Way | None) -> None:
        """Handle an event of a socket: it is the source of one way and the sink of the other."""
        if writing is not None and writing.pending:
            self._move(writing)
        if not self._is_closed and reading is not None and reading.wants_read:
            self._move(reading)
        if not self._is_closed:
            self._go_on()

    def _move(self, way: _Way) -> int:
        """Send the pending bytes, or read a chunk and send it. Returns the bytes read, -1 when none have come yet."""
        try:
            if way.pending:
                way.send(way.pending)
                count = 0
            else:
                count = way.receive()
        except OSError:
            self._lose(way.source if not way.pending else way.sink, way)
            return -1
        if count > 0:
            self._count(way, count)
            if self._is_closed:
                return -1
            try:
                way.send(_BUFFER[:count])
            except OSError:
                self._lose(way.sink, way)
                return -1
        if count >= 0:
            self._deadline = time.monotonic() + self._limits.idle_secs
        way.end_if_done()
        return count

    def _count(self, way: _Way, count: int) -> None:
        if way is self._sent:
            self._host.bytes_sent += count
            self._record.add_bytes(sent=count)
            total = self._record.bytes_sent
        else:
            self._host.bytes_received += count
            self._record.add_bytes(received=count)
            total = self._record.bytes_received
        if total > self._limits.bytes_each_way:
            self.fail(Failure.TOO_MANY_BYTES)

    def _lose(self, lost: socket.socket, way: _Way) -> None:
        """Handle an error of a socket: the program has closed or reset its end, or the target has."""
        if lost is self._program:
            self.close()
        elif way is self._sent and self._received is not None and not self._received.has_ended:
            # The target may have answered before it closed, and the program must see that answer.
            self._failure = Failure.CONNECTION_RESET
            way.pending, way.has_ended, way.is_shut = b"", True, True
        else:
            self.fail(Failure.CONNECTION_RESET)

    def _go_on(self) -> None:
        """Wait for the next events, or close after both ends."""
        sent, received = self._sent, self._received
        if sent is None or received is None:
            return
        if sent.is_shut and received.is_shut:
            if self._failure is None:
                self.close(with_reset=False)
            else:
                self.fail(self._failure)
            return
        events = _events(sent, received), _events(received, sent)
        if events != self._events:
            self._events = events
            self._poll.watch(self._program, events[0], self._on_program)
            self._poll.watch(self._target, events[1], self._on_target)

    @property
    def is_settled(self) -> bool:
        """Whether the target has all bytes that the program sent."""
        return self._is_closed or (self._sent is not None and self._sent.is_shut)

    def tick(self, now: float) -> None:
        if self._connector is not None:
            self._connector.tick(now)
        elif now >= self._deadline:
            self.fail(Failure.IDLE if self._sent is not None else Failure.TIMED_OUT)

    def finish(self) -> None:
        """The run has ended: send what the kernel has of the program's bytes, and close."""
        if self._sent is None and not self._is_closed:
            self.fail(Failure.RUN_ENDED)
        for _ in range(_MOST_CHUNKS_AT_END):
            if self._is_closed or self._sent is None or self._sent.is_shut or self._move(self._sent) < 0:
                break
        self.close(with_reset=not self.is_settled)

    def fail(self, failure: Failure) -> None:
        """Reset the connection, and say why in the evidence."""
        self._host.fail(failure)
        self.close()

    def close(self, *, with_reset: bool = True) -> None:
        """Close both sockets. Repeating the call is safe."""
        if self._is_closed:
            return
        self._is_closed = True
        if self._connector is not None:
            self._connector.close()
        for owned in {self._program, self._target}:
            self._poll.forget(owned)
            if with_reset:
                reset(owned)
            else:
                close_in_order(owned)
        self._on_close(self)


def _events(reading: _Way, writing: _Way) -> int:
    return (READ if reading.wants_read else 0) | (WRITE if writing.pending else 0)
