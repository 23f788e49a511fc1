"""Requests by a secret on a kept connection, beside the same without one; and what a relay costs by itself."""

import json
import os
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from bench.answers import WrongAnswerError, check_completed
from bench.jail_slots import request
from bench.proxy_alone import cpu_ns
from bench.sources import python_program
from events.network import AllowedHost, Network, NetworkSecret
from sandbox_runtime.executor import execute
from sandbox_runtime.jail import Slot
from sandbox_runtime.languages import Language
from sandbox_runtime.network import RunNetworks
from sandbox_runtime.network.proxy import EgressProxy, ProxySettings
from sandbox_runtime.network.proxy.settings import HOST_NAME, RunLimits
from sandbox_runtime.network.relay.client import Relays, SealedSecret, entry_of
from sandbox_runtime.network.relay.rules import Secret

_NAME, _VALUE = "bench", b"tok_0123456789abcdef"
_UNBOUNDED = RunLimits(connections=1 << 20, bytes_each_way=1 << 40, cpu_secs=1e6)
_SAMPLE_SECS = 0.01
# Prints the median time of a request in milliseconds, and the bytes of an answer.
_REQUESTS = """
import http.client, os, statistics, time
kept = http.client.HTTPConnection(ADDRESS, timeout=60)
def get():
    kept.request("GET", "/SIZE")
    return len(kept.getresponse().read())
get()
times = []
for _ in range(COUNT):
    begun = time.perf_counter()
    size = get()
    times.append((time.perf_counter() - begun) * 1000)
print(statistics.median(times), size)
"""


class SizedAnswers(BaseHTTPRequestHandler):
    """Answers `/n` with n bytes."""

    def do_GET(self) -> None:
        body = bytes(int(self.path[1:]))
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Be quiet."""


class _Kept(SizedAnswers):
    """Keeps the connection."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1
    disable_nagle_algorithm = True


def _opened(sealed: Sequence[SealedSecret], pipe_fd: int) -> None:
    """What the opener writes; its call of KMS, once in five minutes, is not measured."""
    os.write(pipe_fd, json.dumps([entry_of(each.secret, each.box) for each in sealed]).encode())


class SecretRequests:
    """Runs in one slot with a proxy and relays of their own. Times are in milliseconds."""

    def __init__(self, slot: Slot, python: Language, port: int) -> None:
        self._slot, self._python, self._port = slot, python, port
        self._proxy, self._relays = EgressProxy(ProxySettings(allows_host=True, limits=_UNBOUNDED)), Relays(_opened, 2)
        self.networks = RunNetworks(self._proxy, self._relays)

    def requests(self, size: int, count: int, *, has_secret: bool) -> float:
        """Let a run ask for answers of `size` bytes. Returns the median time of one. Raises WrongAnswerError."""
        address = f"{_NAME}.secrets.rustbox.internal" if has_secret else f"{HOST_NAME}:{self._port}"
        code = _REQUESTS.replace("ADDRESS", repr(address)).replace("SIZE", str(size)).replace("COUNT", str(count))
        program = replace(python_program(), code=code, stdin="")
        program = replace(program, expected=replace(program.expected, stdout=None))
        asked = request(program).changed(profile="agent")
        if has_secret:
            secret = NetworkSecret(name=_NAME, host=HOST_NAME, port=self._port, placement="bearer", box=_VALUE)
            asked = asked.changed(secrets=(secret,))
        else:
            asked = asked.changed(network=Network((AllowedHost(HOST_NAME, self._port),)))
        now = datetime.now(UTC)
        completed = execute(self._slot, asked, self._python, node_id="bench", started_at=now, networks=self.networks)
        self._slot.settle()
        check_completed(completed, program.expected)
        median_ms, _, got = completed.stdout.inline.decode().partition(" ")
        if got.strip() != str(size):
            raise WrongAnswerError(f"read {got.strip()!r} bytes, not {size}")
        return float(median_ms)

    def cpu(self, size: int, count: int, *, has_secret: bool) -> float:
        """CPU time of the proxy and of the relay for such a run."""
        before_ns = 0 if self._proxy.pid is None else cpu_ns(self._proxy.pid)
        ended, latest_ns = threading.Event(), dict[int, int]()

        def sample() -> None:
            while not ended.wait(_SAMPLE_SECS):
                for pid in self._running():
                    latest_ns[pid] = max(latest_ns.get(pid, 0), cpu_ns(pid))

        sampler = threading.Thread(target=sample)
        sampler.start()
        try:
            self.requests(size, count, has_secret=has_secret)
        finally:
            ended.set()
            sampler.join()
        assert self._proxy.pid is not None
        return (cpu_ns(self._proxy.pid) - before_ns + sum(latest_ns.values())) / 1e6

    def starts(self) -> float:
        """Time until a relay has its secrets."""
        begun_ns = time.perf_counter_ns()
        relay = self._relays.open([self._sealed])
        elapsed_ms = (time.perf_counter_ns() - begun_ns) / 1e6
        relay.close()
        return elapsed_ms

    def own_memory_mb(self) -> float:
        """Memory that a relay has for itself."""
        relay = self._relays.open([self._sealed])
        try:
            (pid,) = self._running()
            rollup = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]
        finally:
            relay.close()
        return int(dict(line.split(":", 1) for line in rollup)["Private_Dirty"].split()[0]) / 1024

    @property
    def _sealed(self) -> SealedSecret:
        return SealedSecret(Secret(_NAME, HOST_NAME, self._port, "bearer"), {}, _VALUE)

    def _running(self) -> list[int]:
        """Process ids of the relays."""
        tasks = Path(f"/proc/{self._relays.pid}/task").glob("*/children")
        return [int(pid) for task in tasks for pid in task.read_text().split()]


@contextmanager
def secret_requests(slot: Slot, python: Language) -> Iterator[SecretRequests]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Kept) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        made = SecretRequests(slot, python, server.server_port)
        try:
            yield made
        finally:
            made.networks.close()
            server.shutdown()
