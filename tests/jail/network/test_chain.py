"""The end of a run, floods, and deaths of the processes behind it, through the whole chain."""

import os
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from events.completed import ExecutionCompleted
from events.program import RequestedLimits
from sandbox_runtime.jail.controls.cgroup.detect import _mounts
from sandbox_runtime.network.proxy import EgressProxy, ProxySettings
from sandbox_runtime.network.proxy.client import memory_limits
from sandbox_runtime.network.proxy.settings import HOST_NAME
from tests.guest_files import guests
from tests.jail.guest_requests import Run
from tests.jail.network.targets import Targets
from tests.jail.network.worlds import serve, stop
from tests.until import until

GET = "import urllib.request\nprint(urllib.request.urlopen('http://{host}:{port}/', timeout=20).read().decode())\n"


@dataclass
class Sink:
    """A target that reads until its peer ends. `received`: bytes of all connections; `open`: those that go on."""

    port: int
    received: int = 0
    open: set[int] = field(default_factory=set)


@pytest.fixture
def sink() -> Iterator[Sink]:
    listener = socket.create_server(("127.0.0.1", 0))
    found = Sink(listener.getsockname()[1])

    def take(listening: socket.socket) -> None:
        connection, (_, port) = listening.accept()
        connection.setblocking(True)
        found.open.add(port)

        def read(reading: socket.socket) -> None:
            data = b""
            with suppress(OSError):
                data = reading.recv(1 << 16)
            found.received += len(data)
            if not data:
                found.open.discard(port)
                raise ConnectionError

        serve(connection, read)

    serve(listener, take)
    yield found
    stop(listener)


def text(completed: ExecutionCompleted) -> str:
    return (completed.stdout.inline + completed.stderr.inline).decode()


def bytes_sent(completed: ExecutionCompleted) -> int:
    assert completed.evidence is not None
    return sum(connections.bytes_sent for connections in completed.evidence.network or ())


SEND_ON = f"""
import os, signal, socket, time
s = socket.create_connection(("{HOST_NAME}", PORT))
if os.fork() == 0:
    os.setsid()
    if os.fork():
        os._exit(0)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    while True:
        s.send(b"x" * 1000)
        time.sleep(0.001)
time.sleep(0.3)
"""


def test_after_the_end_of_a_program_nothing_that_it_left_behind_sends(run_with_network: Run, sink: Sink) -> None:
    code = SEND_ON.replace("PORT", str(sink.port))
    completed = run_with_network("python", code, allow=[(HOST_NAME, sink.port)])
    until(lambda: not sink.open)
    assert completed.result.verdict == "AC"
    assert 0 < sink.received <= bytes_sent(completed)


def test_after_the_kill_of_a_program_nothing_is_sent(run_with_network: Run, sink: Sink) -> None:
    code = SEND_ON.replace("PORT", str(sink.port)) + "time.sleep(60)\n"
    completed = run_with_network(
        "python", code, allow=[(HOST_NAME, sink.port)], limits=RequestedLimits(wall_time_secs=0.7)
    )
    until(lambda: not sink.open)
    assert completed.result.verdict == "TLE"
    assert 0 < sink.received <= bytes_sent(completed)


def test_bytes_that_a_program_sent_right_before_its_end_arrive(run_with_network: Run, sink: Sink) -> None:
    code = f"import socket\ns = socket.create_connection(('{HOST_NAME}', {sink.port}))\ns.sendall(b'x' * 50000)\n"
    completed = run_with_network("python", code, allow=[(HOST_NAME, sink.port)])
    until(lambda: not sink.open)
    assert sink.received == bytes_sent(completed) == 50_000


def test_when_the_proxy_dies_connections_are_reset_and_the_slot_goes_on(
    run_with_network: Run, served: Targets, sink: Sink, proxy: EgressProxy
) -> None:
    """The program's first byte at the target tells that it is connected."""
    sock = f"s = socket.create_connection(('{HOST_NAME}', {sink.port}))"
    code = (
        f"import socket\n{sock}\ns.send(b'x')\ntry:\n    print(s.recv(1))\nexcept OSError as error:\n    print(error)\n"
    )
    run_with_network("python", "print()")  # the proxy lives now
    threading.Thread(target=Killer(sink, proxy).wait, daemon=True).start()
    completed = run_with_network("python", code, allow=[(HOST_NAME, sink.port)])
    assert completed.result.verdict == "AC"
    assert "reset" in text(completed)  # an end of file would look like the end of an answer
    assert completed.evidence is not None
    assert completed.evidence.collection_errors != ()
    again = run_with_network("python", GET.format(host=HOST_NAME, port=served.http))
    assert text(again) == "hello\n"


@dataclass
class Killer:
    """Kills the proxy when the sink has a byte."""

    sink: Sink
    proxy: EgressProxy

    def wait(self) -> None:
        until(lambda: self.sink.received)
        assert self.proxy.pid is not None
        os.kill(self.proxy.pid, signal.SIGKILL)


FLOODS = guests("floods")


@pytest.mark.parametrize("flood", FLOODS)
def test_after_a_flood_the_next_run_is_served(
    run_with_network: Run, served: Targets, sink: Sink, proxy: EgressProxy, flood: str
) -> None:
    before = run_with_network("python", GET.format(host=HOST_NAME, port=served.http))
    descriptors = count_descriptors(proxy)
    begin = "import socket\nfrom collections import Counter\nrefused = Counter()\n"
    begin += f"address = socket.getaddrinfo('{HOST_NAME}', PORT)[0][4][0]\n"
    code = (begin + FLOODS[flood]).replace("PORT", str(sink.port))
    flooded = run_with_network("python", code, allow=[(HOST_NAME, sink.port)])
    assert text(flooded).startswith("refused True"), flooded
    assert text(before) == text(run_with_network("python", GET.format(host=HOST_NAME, port=served.http))) == "hello\n"
    assert count_descriptors(proxy) == descriptors
    until(lambda: not sink.open)


def count_descriptors(proxy: EgressProxy) -> int:
    return len(list(Path(f"/proc/{proxy.pid}/fd").iterdir()))


def count_own_descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_a_run_leaves_no_descriptor_in_the_runner(run_with_network: Run, served: Targets) -> None:
    code = GET.format(host=HOST_NAME, port=served.http)
    run_with_network("python", code)
    before = count_own_descriptors()
    for _ in range(5):
        run_with_network("python", code)
    until(lambda: count_own_descriptors() <= before)  # the target is in this process too, and closes its own later


def test_the_memory_of_the_proxys_sockets_is_bounded(run_with_network: Run, proxy: EgressProxy) -> None:
    run_with_network("python", "print()")  # the proxy lives now
    lines = [line.split(":", 2) for line in Path(f"/proc/{proxy.pid}/cgroup").read_text().splitlines()]
    (path,) = [path.lstrip("/") for _, names, path in lines if "memory" in names.split(",") or not names][:1]
    limits = ("memory.kmem.tcp.limit_in_bytes", "memory.max")
    found = [
        base / path / limit
        for kind in ("cgroup", "cgroup2")
        for base, _ in _mounts(kind)
        for limit in limits
        if (base / path / limit).exists()
    ]
    assert {int(limit.read_text()) for limit in found} <= set(memory_limits(ProxySettings()))
    assert found != []


def test_a_run_without_network_has_no_evidence_of_it(run: Run) -> None:
    evidence = run("python", "print(1)").evidence
    assert evidence is not None
    assert (evidence.network, evidence.refused) == (None, None)


def test_the_name_server_knows_no_name_of_another_run(run_with_network: Run, served: Targets) -> None:
    code = f"import socket\ntry: print(socket.getaddrinfo('{HOST_NAME}', 80))\nexcept OSError as error: print(error)\n"
    assert "not known" in text(run_with_network("python", code, allow=[("api.example.com", 443)]))
    assert "198.18." in text(run_with_network("python", code, allow=[(HOST_NAME, served.http)]))
