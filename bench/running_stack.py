"""The local stack as a child, on a free port, with a state folder that is gone afterwards."""

import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from bench.api_client import Endpoint
from bench.processes import descendants, is_child
from tests.system.local_stack import API_KEY, LocalStack

# As `make up` runs it; the tests' stack is more eager.
_VARIABLES = {"SWEEP_SECS": "60", "HEARTBEAT_SECS": "20"}
_SIGNALS = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}


@dataclass(frozen=True, slots=True)
class RunningStack:
    """A ready stack."""

    local: LocalStack
    pid: int

    @property
    def endpoint(self) -> Endpoint:
        """The address of the API, with the key of the development project."""
        return Endpoint(self.local.port, API_KEY)

    def parts(self) -> dict[str, list[int]]:
        """Its processes. `guests`: of runs, pre-warmed ones among them, and of commands that wait."""
        runner = self.local.runner_pid()
        below = descendants(runner)[1:]
        return {
            "launcher and functions": [
                self.pid,
                *(pid for pid in descendants(self.pid) if is_child(pid, self.pid) and pid != runner),
            ],
            "runner": [runner],
            "templates": [pid for pid in below if is_child(pid, runner)],
            "guests": [pid for pid in below if not is_child(pid, runner)],
        }

    def pids(self) -> list[int]:
        """All of them."""
        return descendants(self.pid)


@contextmanager
def running_stack(**variables: str) -> Iterator[RunningStack]:
    """Start it, wait until it is ready, end it whatever happens. `variables` come on top of its environment."""
    with tempfile.TemporaryDirectory(prefix="rustbox-bench-") as place:
        local = LocalStack(Path(place) / "state", **_VARIABLES | variables)
        try:
            local.start()
            if local.process is None:
                raise RuntimeError("the stack has no process")
            yield RunningStack(local, local.process.pid)
        finally:
            _end(local)


def _end(local: LocalStack) -> None:
    """A second Ctrl-C waits until this is over: it would leave processes behind."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    try:
        if local.process is None:
            return
        if local.process.poll() is None:
            with suppress(subprocess.TimeoutExpired):
                local.stop()
        if local.process.poll() is None:
            local.kill()
        local.close()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
