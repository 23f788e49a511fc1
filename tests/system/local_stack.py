"""The real local stack as a child process of a test, with a port and a state folder of its own."""

import os
import secrets
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import boto3
import httpx

from functions.projects.model import Project, Quota
from functions.projects.store import ProjectStore
from infra.embedded import services
from infra.embedded.engine import Engine, open_engine
from infra.embedded.hook import Hook
from infra.local.embedded_aws import FOLDER
from tests.submission_factory import GENEROUS

ROOT = Path(__file__).resolve().parents[2]
API_KEY = "rb_live_local_development_only"
ADMIN_KEY = "admin_local_development_only"
NAMED_HOST = "box.example.com"
"""A name of this machine that the stack of the session allows. Its browser alone resolves it."""
START_SECS = 180
STOP_SECS = 60
_PATIENCE_SECS = 60  # other stages run beside this one
# Most conditions send a request, which costs the stack CPU time: a long wait sends few.
_SHORTEST_PAUSE_SECS, _LONGEST_PAUSE_SECS = 0.02, 0.2
# The stack speaks no TLS. Loading the authorities takes 7 ms a client.
_NO_AUTHORITIES = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


class LocalStack:
    """`python -m infra.local up`, or another `command`. `variables` come on top of the environment."""

    command = "up"
    _trials: ClassVar[dict[str, dict[str, str]]] = {}
    """The notes of the trials that languages passed in an earlier stack, by offered languages: no other tries them."""

    def __init__(self, state_dir: Path, **variables: str) -> None:
        self.state_dir = state_dir
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log_path = state_dir.parent / f"{state_dir.name}.log"
        self._variables = {
            "RUSTBOX_FIRST_RUN": "0",
            "RUSTBOX_LOG": "all",
            "SWEEP_SECS": "1",
            "WEBHOOK_RETRY_SECS": "0,1,1,1,2,2,2,2,2,2",
            "HEARTBEAT_SECS": "5",
            **variables,
        }
        self.process: subprocess.Popen[bytes] | None = None
        self._engine: Engine | None = None

    def launch(self, **variables: str) -> subprocess.Popen[bytes]:
        """Start the launcher and return at once."""
        environment = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        environment |= {"PORT": str(self.port), "RUSTBOX_STATE_DIR": str(self.state_dir), **self._variables}
        notes = self.state_dir / "runner"
        for name, text in self._trials.get(self._languages, {}).items():
            notes.mkdir(parents=True, exist_ok=True)
            (notes / name).write_text(text, encoding="ascii")
        with self.log_path.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "infra.local", self.command],
                cwd=ROOT,
                env=environment | variables,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        return self.process

    def start(self, **variables: str) -> None:
        """Start and return when a runner is ready."""
        process = self.launch(**variables)
        wait_until(lambda: process.poll() is not None or self.is_ready(), START_SECS, "the stack is ready", self.log)
        assert process.poll() is None, self.log()
        notes = (self.state_dir / "runner").glob("trials*")
        self._trials[self._languages] = {note.name: note.read_text(encoding="ascii") for note in notes}

    @property
    def _languages(self) -> str:
        return self._variables.get("RUSTBOX_PARAM_OfferedLanguages", "")

    def is_ready(self) -> bool:
        """Tell whether the API answers and a runner's heartbeat is young."""
        try:
            with self.client(None, timeout_secs=5) as client:
                return client.get("/api/health/ready").status_code == httpx.codes.OK
        except httpx.TransportError:
            return False

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Signal the launcher and return its exit code."""
        assert self.process is not None
        self.process.send_signal(number)
        return self.process.wait(STOP_SECS)

    def kill(self) -> None:
        """SIGKILL the launcher alone."""
        assert self.process is not None
        self.process.kill()
        self.process.wait(STOP_SECS)

    def close(self) -> None:
        """End whatever of it still runs. With a killed launcher all has ended."""
        if self.process is not None and self.process.poll() is None:
            self.stop()
        if self._engine is not None:
            self._engine.close()
            self._engine = None

    def client(self, api_key: str | None = API_KEY, *, timeout_secs: float = 40) -> httpx.Client:
        """Return a client; without a key if `api_key` is None."""
        headers = {} if api_key is None else {"X-API-Key": api_key}
        return httpx.Client(
            base_url=self.url, headers=headers, timeout=timeout_secs, trust_env=False, verify=_NO_AUTHORITIES
        )

    def runner_pid(self) -> int:
        """Return the pid of the runner, as soon as there is one."""
        assert self.process is not None
        return wait_for(partial(find_runner, self.process.pid), 60, "a runner", self.log)

    def aws(self, service: str) -> Any:
        """Return a client of the stack's engine, which this process opens beside the launcher."""
        if self._engine is None:
            self._engine = open_engine(self.state_dir / FOLDER, synchronous="NORMAL", prepare=False)
        session = boto3.Session(aws_access_key_id="test", aws_secret_access_key="test", region_name="us-east-1")
        Hook(partial(services.call, self._engine)).attach(session)
        return session.client(service)  # type: ignore[call-overload]  # the stubs want a literal name

    def add_project(
        self, project_id: str, profiles: tuple[str, ...] = ("judge", "agent"), quotas: Mapping[str, Quota] = GENEROUS
    ) -> str:
        """Create another project and return its API key."""
        projects = ProjectStore("rustbox-local-ProjectsTable", self.aws("dynamodb"))
        projects.create_project(Project(project_id, project_id, profiles, quotas))
        return projects.issue_key(project_id)

    def told(self) -> str:
        """Return the whole output of the launcher, for assertions: many requests fill the end of it."""
        return self.log_path.read_text(encoding="utf-8", errors="replace")

    def log(self) -> str:
        """Return the end of the launcher's output, to explain a failure."""
        lines = self.told().splitlines()
        return "\n".join([line for line in lines if "/api/health/ready 503" not in line][-80:])


def find_runner(launcher: int) -> int | None:
    """Return the pid of a launcher's runner, None while there is none."""
    with suppress(OSError):
        for pid in Path(f"/proc/{launcher}/task/{launcher}/children").read_text(encoding="ascii").split():
            with suppress(OSError):
                if Path(f"/proc/{pid}/cmdline").read_bytes().endswith(b"\0worker\0"):
                    return int(pid)
    return None


def traces(state_dir: Path, runners: Collection[int]) -> dict[str, int]:
    """Count what a stack that had these runners must not leave behind: processes, mounts, control groups."""
    processes = [
        entry
        for entry in Path("/proc").iterdir()
        if entry.name.isdigit() and str(state_dir).encode() in _environment_of(entry)
    ]
    groups = [
        group for pid in runners for group in Path("/sys/fs/cgroup").rglob(f"rustbox-*-{pid}-*") if group.is_dir()
    ]
    return {
        "processes": len(processes),
        "mounts": Path("/proc/self/mountinfo").read_text(encoding="utf-8").count("rustbox"),
        "groups": len(groups),
    }


def _environment_of(entry: Path) -> bytes:
    try:
        return (entry / "environ").read_bytes()
    except OSError:
        return b""


def free_port() -> int:
    """Below the range of outgoing connections, so that none of them takes it before its server starts."""
    for port in secrets.SystemRandom().sample(range(20_000, 32_000), 100):
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise AssertionError("no free port")


def wait_until(
    condition: Callable[[], bool],
    timeout_secs: float,
    what: str,
    explain: Callable[[], str] = lambda: "",
    longest_pause_secs: float = _LONGEST_PAUSE_SECS,
) -> None:
    """Wait for an outcome that must come, at least a minute: how long it takes is no part of any assertion."""
    wait_for(lambda: condition() or None, timeout_secs, what, explain, longest_pause_secs)


def wait_for[T](
    find: Callable[[], T | None],
    timeout_secs: float,
    what: str,
    explain: Callable[[], str] = lambda: "",
    longest_pause_secs: float = _LONGEST_PAUSE_SECS,
) -> T:
    """Return what `find` finds, as soon as it is not None. Waits as `wait_until` does."""
    timeout_secs = max(timeout_secs, _PATIENCE_SECS)
    deadline = time.monotonic() + timeout_secs
    pause_secs = _SHORTEST_PAUSE_SECS
    while (found := find()) is None:
        assert time.monotonic() < deadline, f"not within {timeout_secs} s: {what}\n{explain()}"
        time.sleep(pause_secs)
        pause_secs = min(pause_secs * 1.2, longest_pause_secs)
    return found


def final_result(client: httpx.Client, submission_id: str, timeout_secs: float = 60) -> dict[str, Any]:
    """Poll until the submission is final and return its result. Each poll waits in the service, which costs less."""
    found: dict[str, Any] = {}

    def is_final() -> bool:
        response = client.get(f"/api/result/{submission_id}", params={"wait": "5"})
        assert response.status_code == httpx.codes.OK, response.text
        found.update(response.json())
        return "verdict" in found

    wait_until(is_final, timeout_secs, f"{submission_id} is final")
    return found


def run(client: httpx.Client, code: str, language: str = "python", **fields: Any) -> dict[str, Any]:
    """Submit, wait, and return the result object."""
    response = client.post("/api/submit", params={"wait": "true"}, json={"language": language, "code": code, **fields})
    assert response.status_code == httpx.codes.OK, response.text
    body: dict[str, Any] = response.json()
    return body
