"""Network by name: what it adds to a run, to a request of HTTP, and to a transfer, beside the same without it."""

import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace
from datetime import UTC, datetime
from http.server import ThreadingHTTPServer

from bench.answers import Tally, WrongAnswerError, check_completed
from bench.jail_slots import languages, new_slot, request
from bench.network_neighbours import NetworkNeighbours
from bench.proxy_alone import ProxyAlone
from bench.report import Figure, Section
from bench.rounds import FLOOR, Way, interleave, series
from bench.scale import Scale
from bench.secret_requests import SizedAnswers, secret_requests
from bench.sources import Program, python_program
from events.network import AllowedHost, Network
from sandbox_runtime.executor import execute
from sandbox_runtime.jail import Slot
from sandbox_runtime.languages import Language
from sandbox_runtime.network import RunNetworks
from sandbox_runtime.network.proxy import EgressProxy, ProxySettings
from sandbox_runtime.network.proxy.settings import HOST_NAME, RunLimits

_MIB = 16
_COPIED_MIB = 64
_GETS = 20
_KEPT = 200
_BODIES = 64
_UNBOUNDED = RunLimits(connections=1 << 20, bytes_each_way=1 << 40, cpu_secs=1e6)
_NOTES = [
    "A run: print, in a fork of a warm interpreter, until the result. It connects to nothing.",
    "With network: also its namespace with listening sockets, and the evidence.",
    f"A GET: mean of {_GETS} in one program, each with a look-up and a connection, to a server of Python here.",
    f"{_MIB} MiB: one answer of that server, read by the program.",
    "Floors: the same program outside the jail, to the address itself.",
    "Without a jail: a connection, a request of 4 bytes and its answer of 100, without the look-up.",
    "Beside two runs: they compute without end, or transfer without the limits of a run.",
    "The target of these transfers is a process of this machine, so it takes CPU time that a host elsewhere does not.",
    "CPU time: of the process that copies between two connections; a plain copy reads 64 KiB and sends them.",
    f"A request on a kept connection: median of {_KEPT} in one program. The target here is called without TLS.",
    "A relay's start: until it has its secrets, whose opening by KMS is not measured. Its memory: private and dirty.",
]
# Prints the mean time of each in milliseconds.
_GET = """
import time, urllib.request
def get(path):
    return urllib.request.urlopen("http://HOST:PORT" + path, timeout=20).read()
get("/1")
begun = time.perf_counter()
for _ in range(COUNT):
    size = len(get("/PATH"))
print((time.perf_counter() - begun) * 1000 / COUNT, size)
"""


@contextmanager
def _target() -> Iterator[int]:
    with ThreadingHTTPServer(("127.0.0.1", 0), SizedAnswers) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()


class _Runs:
    """One slot with and without network."""

    def __init__(self, slot: Slot, python: Language, networks: RunNetworks, port: int) -> None:
        self._slot, self._python, self._networks, self._port = slot, python, networks, port

    def timed(self, program: Program, *, has_network: bool) -> tuple[float, str]:
        """Return the time of a run in milliseconds, and its output. Raises WrongAnswerError and JailError."""
        asked = request(program).changed(profile="agent")
        if has_network:
            asked = asked.changed(network=Network((AllowedHost(HOST_NAME, self._port),)))
        begun_ns = time.perf_counter_ns()
        completed = execute(
            self._slot, asked, self._python, node_id="bench", started_at=datetime.now(UTC), networks=self._networks
        )
        elapsed_ms = (time.perf_counter_ns() - begun_ns) / 1e6
        self._slot.settle()
        check_completed(completed, program.expected)
        return elapsed_ms, completed.stdout.inline.decode()

    def prints(self, *, has_network: bool) -> float:
        """Time a run that prints."""
        return self.timed(python_program(), has_network=has_network)[0]

    def gets(self, size: int, count: int) -> float:
        """Let a run fetch answers of `size` bytes. Returns milliseconds of each."""
        program = replace(python_program(), code=_code(HOST_NAME, self._port, size, count), stdin="")
        program = replace(program, expected=replace(program.expected, stdout=None))
        return _told(self.timed(program, has_network=True)[1], size)

    def gets_directly(self, size: int, count: int) -> float:
        """Do the same outside the jail."""
        command = [sys.executable, "-I", "-c", _code("127.0.0.1", self._port, size, count)]
        return _told(subprocess.run(command, capture_output=True, text=True, check=True).stdout, size)


def _code(host: str, port: int, size: int, count: int) -> str:
    code = _GET.replace("HOST", host).replace("PORT", str(port))
    return code.replace("PATH", str(size)).replace("COUNT", str(count))


def _told(stdout: str, size: int) -> float:
    elapsed_ms, _, found = stdout.partition(" ")
    if found.strip() != str(size):
        raise WrongAnswerError(f"read {found.strip()!r} bytes, not {size}")
    return float(elapsed_ms)


def _beside(others: AbstractContextManager[None], runs: _Runs) -> float:
    with others:
        return runs.gets(100, _GETS)


def run(scale: Scale, tally: Tally, _peer_ways: Sequence[Way]) -> Section:
    """Raises JailError when no slot can be opened."""
    python = {"python": languages()["python"]}
    networks = RunNetworks(EgressProxy(ProxySettings(allows_host=True)))
    unbounded = RunNetworks(EgressProxy(ProxySettings(allows_host=True, limits=_UNBOUNDED)))
    try:
        with (
            new_slot(0, python) as slot,
            _target() as port,
            ProxyAlone() as alone,
            NetworkNeighbours(python, unbounded) as neighbours,
            secret_requests(slot, python["python"]) as secrets,
        ):
            beside = _Runs(slot, python["python"], unbounded, port)
            runs = _Runs(slot, python["python"], networks, port)
            groups = {
                "a run": [
                    Way("without network", lambda: runs.prints(has_network=False)),
                    Way("with network", lambda: runs.prints(has_network=True)),
                ],
                "a GET": [
                    Way(f"{FLOOR}direct", lambda: runs.gets_directly(100, _GETS)),
                    Way("through the proxy", lambda: runs.gets(100, _GETS)),
                ],
                f"{_MIB} MiB": [
                    Way(f"{FLOOR}direct", lambda: runs.gets_directly(_MIB << 20, 1)),
                    Way("through the proxy", lambda: runs.gets(_MIB << 20, 1)),
                ],
                "a GET without a jail": [
                    Way(f"{FLOOR}direct", lambda: alone.gets_directly(_GETS)),
                    Way("through the proxy", lambda: alone.gets(_GETS)),
                ],
                "a GET beside others": [
                    Way("alone", lambda: _beside(nullcontext(), beside)),
                    Way("beside two runs that compute", lambda: _beside(neighbours.computing(), beside)),
                    Way("beside two runs that flood the proxy", lambda: _beside(neighbours.flooding(), beside)),
                ],
                f"CPU time of {_COPIED_MIB} MiB": [
                    Way(f"{FLOOR}a plain copy", lambda: alone.copies(_COPIED_MIB << 20)),
                    Way("the proxy", lambda: alone.proxies(_COPIED_MIB << 20)),
                ],
                "a request on a kept connection": [
                    Way("without a secret", lambda: secrets.requests(100, _KEPT, has_secret=False)),
                    Way("by a secret", lambda: secrets.requests(100, _KEPT, has_secret=True)),
                ],
                f"CPU time of {_BODIES} answers of 1 MB": [
                    Way("the proxy", lambda: secrets.cpu(1_000_000, _BODIES, has_secret=False)),
                    Way("the proxy and the relay", lambda: secrets.cpu(1_000_000, _BODIES, has_secret=True)),
                ],
                "a relay": [Way("start", secrets.starts)],
            }
            found = []
            for group, ways in groups.items():
                interleave(ways, scale.print_rounds // 5 if group == "a run" else scale.language_rounds, tally)
                found += series(group, ways)
            memory = Figure(group="a relay", name="own memory", value=round(secrets.own_memory_mb(), 2), unit="MiB")
    finally:
        unbounded.close()
        networks.close()
    return Section(title="Network by name", missing=None, notes=_NOTES, series=found, figures=[memory])
