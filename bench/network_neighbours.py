"""Two runs beside a victim: they compute, or they flood the egress proxy, each in a slot of its own."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from typing import Self

from bench.jail_slots import new_slot, request
from bench.proxy_alone import TARGET
from bench.sources import python_program
from events.network import AllowedHost, Network
from sandbox_runtime.executor import ExecutionDrainedError, execute
from sandbox_runtime.executor.step_runs import RunStop
from sandbox_runtime.languages import Language
from sandbox_runtime.network import RunNetworks
from sandbox_runtime.network.proxy.settings import HOST_NAME

_COUNT = 2
_UNDER_WAY_SECS = 0.5
_COMPUTE = "while True: pass\n"
_FLOOD = """
import socket, threading
def flood():
    while True:
        with socket.create_connection(("HOST", PORT)) as connected:
            connected.sendall(b"4194304\\n")
            left = 4194304
            while left:
                left -= len(connected.recv(65536))
for _ in range(8):
    threading.Thread(target=flood).start()
"""


class NetworkNeighbours:
    """Enter it. The limits of `networks` must let a flood go on. The target of the floods is a process of its own."""

    def __init__(self, offered: Mapping[str, Language], networks: RunNetworks) -> None:
        self._offered, self._networks = offered, networks

    def __enter__(self) -> Self:
        self._stack = ExitStack()
        target = self._stack.enter_context(
            subprocess.Popen(
                [sys.executable, "-I", "-c", TARGET],
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,  # the end of a flood resets its connections
                text=True,
            )
        )
        self._stack.callback(target.kill)
        assert target.stdout is not None
        self._port = int(target.stdout.readline())
        self._slots = [self._stack.enter_context(new_slot(1 + number, self._offered)) for number in range(_COUNT)]
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @contextmanager
    def computing(self) -> Iterator[None]:
        """Both compute."""
        with self._running(_COMPUTE, None):
            yield

    @contextmanager
    def flooding(self) -> Iterator[None]:
        """Both transfer as many bytes as they can."""
        code = _FLOOD.replace("HOST", HOST_NAME).replace("PORT", str(self._port))
        with self._running(code, Network((AllowedHost(HOST_NAME, self._port),))):
            yield

    @contextmanager
    def _running(self, code: str, network: Network | None) -> Iterator[None]:
        program = replace(python_program(), code=code, stdin="")
        asked = request(program).changed(profile="agent", network=network)
        cancelled, cancel = os.pipe()

        def run(number: int) -> None:
            mine = asked.changed(execution_id=asked.execution_id[:-1] + str(number))
            with suppress(ExecutionDrainedError):
                execute(
                    self._slots[number],
                    mine,
                    self._offered["python"],
                    node_id="bench",
                    started_at=datetime.now(UTC),
                    stop=RunStop(cancelled),
                    networks=self._networks,
                )
            self._slots[number].settle()

        threads = [threading.Thread(target=run, args=(number,)) for number in range(_COUNT)]
        for thread in threads:
            thread.start()
        try:
            time.sleep(_UNDER_WAY_SECS)
            yield
        finally:
            os.close(cancel)  # end of file: readable
            for thread in threads:
                thread.join()
            os.close(cancelled)
