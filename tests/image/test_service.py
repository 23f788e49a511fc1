"""`docker compose up` in the repository: the whole service in a container, on the host's loopback only.

Needs the image `rustbox` and a Docker engine: `infra/image/test.sh` brings both.
On cgroup v2 `tests/rigs/vm/service.sh` does.
With LANGUAGES the service must offer these, else all.
"""

import os
import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from standardwebhooks.webhooks import Webhook

from infra.local.settings import API_KEY
from sandbox_runtime.languages import LANGUAGES
from tests.jail.weakened.limits import SLOWNESS
from tests.large_run import assert_large_runs
from tests.system.local_stack import ROOT, free_port
from tests.system.webhook_inbox import open_inbox
from tests.until import until

OFFERED = [name for name in os.environ.get("LANGUAGES", "").split(",") if name]
PATIENCE_SECS = 180 * SLOWNESS
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
pytestmark = pytest.mark.timeout(600 * SLOWNESS)


class Compose:
    """The project of compose.yaml under a name and a port of its own."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self.files = ["--file=compose.yaml"]
        self._log = folder / "up.log"
        self._environment = {**os.environ, "PORT": str(self.port), "RUSTBOX_HOSTS": "rustbox"}

    @property
    def _command(self) -> list[str]:
        return ["/usr/bin/docker", "compose", *self.files, f"--project-name=rustbox-{os.getpid()}"]

    def call(self, *arguments: str) -> str:
        done = subprocess.run(
            [*self._command, *arguments],
            cwd=ROOT,
            env=self._environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE_SECS,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    @contextmanager
    def up(self) -> Iterator[httpx.Client]:
        """`docker compose up` in the foreground, until Ctrl-C. Gives a client of the API."""
        with self._log.open("wb") as log:
            process = subprocess.Popen(
                [*self._command, "up", "--no-build"],
                cwd=ROOT,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        try:
            until(self._has_run, lambda: self.log, PATIENCE_SECS)
            url = f"http://127.0.0.1:{self.port}"
            with httpx.Client(base_url=url, headers={"X-API-Key": API_KEY}, timeout=40) as client:
                yield client
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(PATIENCE_SECS)

    def _has_run(self) -> bool:
        assert " failed: " not in self.log, self.log
        return "ready; Ctrl-C stops everything" in self.log

    @property
    def log(self) -> str:
        return self._log.read_text()

    def state(self, field: str) -> str:
        container = self.call("ps", "--all", "--quiet")
        done = subprocess.run(
            ["/usr/bin/docker", "inspect", f"--format={{{{.{field}}}}}", container],
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout.strip()


@pytest.fixture
def compose(tmp_path: Path) -> Iterator[Compose]:
    project = Compose(tmp_path)
    yield project
    project.call("down", "--volumes")


def _listeners(port: int) -> set[str]:
    """Addresses of this host on which the port takes connections, in hexadecimal as the kernel prints them."""
    found = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in Path(table).read_text().splitlines()[1:]:
            address, listening = line.split()[1].split(":"), line.split()[3] == "0A"
            if listening and int(address[1], 16) == port:
                found.add(address[0])
    return found


def test_compose_starts_the_whole_service_stops_it_with_ctrl_c_and_finds_its_state(compose: Compose) -> None:
    with compose.up() as client:
        patterns = re.findall(r"first run (wait|poll|webhook) +\w+ +(\w+)", compose.log)
        assert patterns == [("wait", "AC"), ("poll", "AC"), ("webhook", "AC")], compose.log
        assert re.search(r"the first answer came [0-9.]+ s after the start", compose.log), compose.log
        health: dict[str, Any] = client.get("/api/health").json()
        assert (health["status"], health["enforcement_mode"]) == ("ok", "strict")
        assert len(client.get("/api/languages").json()) == (len(OFFERED) or len(LANGUAGES))
        hosts = ("localhost", "rustbox", "rebind.example.com")
        assert [client.get("/api/health", headers={"Host": host}).status_code for host in hosts] == [200, 200, 421]
        assert _listeners(compose.port) == {"0100007F"}  # 127.0.0.1
        submitted = client.post("/api/submit", json={"language": "python", "code": "print(42)"}).json()["id"]
        result = client.get(f"/api/result/{submitted}", params={"wait": 20}).json()
        assert (result["verdict"], result["stdout"]) == ("AC", "42\n")
        assert_large_runs(client)
    assert (compose.state("State.Status"), compose.state("State.ExitCode")) == ("exited", "0")
    assert _listeners(compose.port) == set()

    with compose.up() as client:
        assert client.get(f"/api/result/{submitted}").json()["stdout"] == "42\n"


def test_on_the_hosts_network_webhooks_reach_its_loopback(compose: Compose) -> None:
    compose.files.append("--file=infra/image/compose.host-network.yaml")
    with open_inbox() as inbox, compose.up() as client:
        assert _listeners(compose.port) == {"0100007F"}
        program = {"language": "python", "code": "print(42)", "webhook_url": inbox.url, "webhook_secret": SECRET}
        assert client.post("/api/submit", json=program).status_code == 202
        delivery = until(inbox.all, patience_secs=PATIENCE_SECS)[0]
        assert Webhook(SECRET).verify(delivery.body, delivery.headers)["verdict"] == "AC"


def test_a_container_that_cannot_isolate_ends_with_the_reason() -> None:
    done = subprocess.run(
        ["/usr/bin/docker", "run", "--rm", "--user=0", "--cap-drop=ALL", "--network=none", "rustbox"],
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_SECS,
    )
    assert done.returncode == 1, done.stdout + done.stderr
    assert "this host cannot isolate: " in done.stdout
    assert "rb-runner cannot work, for the reason above" in done.stdout
