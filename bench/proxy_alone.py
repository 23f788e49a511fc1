"""The egress proxy without a jail: its CPU time for a transfer, beside that of a plain copy, and the time of a GET."""

import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Self

from sandbox_runtime.network.model import AllowedHost
from sandbox_runtime.network.proxy import EgressProxy, ProxySettings, RunLimits
from sandbox_runtime.network.proxy.settings import HOST_NAME
from tests.jail.egress.guest import GuestRun

_CHUNK_BYTES = 1 << 16
_ALL_THREADS = 2  # clock_getcpuclockid(3): CPUCLOCK_SCHED of a process
# Each prints its port. The target sends as many bytes as its line asks for.
TARGET = """
import socket, threading
def serve(connected):
    with connected, connected.makefile("rb") as lines:
        for line in lines:
            count, chunk = int(line), bytes(1 << 16)
            for _ in range(count >> 16):
                connected.sendall(chunk)
            connected.sendall(bytes(count & 0xFFFF))
listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)
while True:
    threading.Thread(target=serve, args=listener.accept()[:1], daemon=True).start()
"""
_PLAIN_COPY = """
import socket, sys, threading
def copy(source, sink, buffer):
    view = memoryview(buffer)
    while count := source.recv_into(buffer):
        sink.sendall(view[:count])
    sink.shutdown(socket.SHUT_WR)
listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)
while True:
    program, target = listener.accept()[0], socket.create_connection(("127.0.0.1", int(sys.argv[1])))
    threading.Thread(target=copy, args=(program, target, bytearray(1 << 16)), daemon=True).start()
    copy(target, program, bytearray(1 << 16))
"""


class ProxyAlone:
    """Enter it. Times are in milliseconds."""

    def __enter__(self) -> Self:
        self._stack = ExitStack()
        self._target = self._start(TARGET)
        self._copy = self._start(_PLAIN_COPY, str(self._target[1]))
        self._proxy = EgressProxy(ProxySettings(allows_host=True, limits=replace(RunLimits(), bytes_each_way=1 << 40)))
        self._stack.callback(self._proxy.close)
        self._own = self._stack.enter_context(Path("/proc/self/ns/net").open("rb"))
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _start(self, code: str, *arguments: str) -> tuple[int, int]:
        """Return process id and port."""
        command = [sys.executable, "-I", "-c", code, *arguments]
        process = self._stack.enter_context(subprocess.Popen(command, stdout=subprocess.PIPE, text=True))
        self._stack.callback(process.kill)
        assert process.stdout is not None
        return process.pid, int(process.stdout.readline())

    def copies(self, size: int) -> float:
        """CPU time of a plain copy."""
        with socket.create_connection(("127.0.0.1", self._copy[1])) as connected:
            return _cpu_ms_of(self._copy[0], connected, size)

    def proxies(self, size: int) -> float:
        """CPU time of the proxy."""
        with self._run() as run, run.connect(HOST_NAME, self._target[1]) as connected:
            assert self._proxy.pid is not None
            return _cpu_ms_of(self._proxy.pid, connected, size)

    def gets_directly(self, count: int) -> float:
        """Mean time of a connection, a request and its answer, to the target itself."""
        return _mean_ms(count, lambda: socket.create_connection(("127.0.0.1", self._target[1])))

    def gets(self, count: int) -> float:
        """Mean time of the same through the proxy, without the look-up."""
        with self._run() as run:
            address = run.look_up(HOST_NAME)
            return _mean_ms(count, lambda: run.connect_to(address, self._target[1]))

    @contextmanager
    def _run(self) -> Iterator[GuestRun]:
        with GuestRun(self._proxy, self._own.fileno(), [AllowedHost(HOST_NAME, self._target[1])]) as run:
            yield run


def _cpu_ms_of(pid: int, connected: socket.socket, size: int) -> float:
    before = cpu_ns(pid)
    _fetch(connected, size)
    return (cpu_ns(pid) - before) / 1e6


def _mean_ms(count: int, connect: Callable[[], socket.socket]) -> float:
    begun = time.perf_counter()
    for _ in range(count):
        with connect() as connected:
            _fetch(connected, 100)
    return (time.perf_counter() - begun) * 1000 / count


def _fetch(connected: socket.socket, size: int) -> None:
    connected.sendall(f"{size}\n".encode())
    while size:
        size -= len(connected.recv(min(size, _CHUNK_BYTES)))


def cpu_ns(pid: int) -> int:
    """Time on a CPU of all threads of a process, ended ones too."""
    return time.clock_gettime_ns(~pid << 3 | _ALL_THREADS)
