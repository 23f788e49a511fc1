"""Runners of another host: real processes, real TLS, and a link between two network namespaces that breaks."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.system.first_project import admin_keys, first_project
from tests.system.local_stack import ROOT, LocalStack, final_result, free_port, wait_until

pytestmark = pytest.mark.timeout(400)
_NEW_NETWORK = 0x40000000  # CLONE_NEWNET
SERVER, OTHER = "10.231.7.1", "10.231.7.2"
SLOW = "import time; time.sleep(6); print('done')"


def ip(*words: str, inside: int | None = None) -> None:
    enter = [] if inside is None else ["nsenter", "-t", str(inside), "-n"]
    subprocess.run([*enter, "ip", *words], check=True, capture_output=True)


@dataclass
class Link:
    """A network of our own, in which this thread is now, and that of the other host, in which `holder` is."""

    holder: int

    def up(self) -> None:
        ip("link", "set", "hosta", "up")

    def down(self) -> None:
        ip("link", "set", "hosta", "down")


@pytest.fixture(scope="module")
def link() -> Iterator[Link]:
    with ExitStack() as stack:
        before = stack.enter_context(Path("/proc/thread-self/ns/net").open("rb"))
        os.unshare(_NEW_NETWORK)
        stack.callback(os.setns, before.fileno(), _NEW_NETWORK)
        holder = subprocess.Popen(
            ["/usr/bin/unshare", "--net", "sh", "-c", "echo ready; exec cat"], stdin=-1, stdout=-1
        )
        stack.callback(holder.wait)
        stack.callback(holder.kill)
        assert holder.stdout is not None
        holder.stdout.readline()
        ip("link", "set", "lo", "up")
        ip("link", "add", "hosta", "type", "veth", "peer", "name", "hostb", "netns", str(holder.pid))
        ip("addr", "add", f"{SERVER}/24", "dev", "hosta")
        ip("link", "set", "hosta", "up")
        ip("link", "set", "lo", "up", inside=holder.pid)
        ip("addr", "add", f"{OTHER}/24", "dev", "hostb", inside=holder.pid)
        ip("link", "set", "hostb", "up", inside=holder.pid)
        yield Link(holder.pid)
        holder.stdout.close()
        assert holder.stdin is not None
        holder.stdin.close()


@dataclass
class Machine:
    """A stack in production that takes runners, and a client of its first project."""

    stack: LocalStack
    port: int
    admin_key: str
    client: httpx.Client
    folder: Path
    link: Link
    started: list[subprocess.Popen[bytes]] = field(default_factory=list)
    frozen: list[int] = field(default_factory=list)

    def admin(self, *arguments: str) -> str:
        command = [sys.executable, "-m", "rustbox_cli", "--url", self.stack.url, *arguments]
        environment = {"PATH": os.environ["PATH"], "RUSTBOX_ADMIN_KEY": self.admin_key}
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def token(self, name: str) -> dict[str, Any]:
        return dict(json.loads(self.admin("admin", "runner-tokens", "create", name, "--json")))

    def runner(self, name: str) -> dict[str, Any] | None:
        listed = self.read("runner-tokens")["items"]
        return next((dict(each["runner"]) for each in listed if each["name"] == name and each["runner"]), None)

    def read(self, path: str) -> dict[str, Any]:
        """Ask the service: a process of the command line for each question costs half a second of CPU time."""
        answer = self.client.get(f"/api/admin/{path}", headers={"X-Admin-Key": self.admin_key})
        return dict(answer.raise_for_status().json())

    def host(
        self, token: dict[str, Any], *, program: str = "-m infra.local runner", **variables: str
    ) -> subprocess.Popen[bytes]:
        """Start a runner on the other host, as `make runner` does."""
        secret = self.folder / f"{token['name']}.token"
        secret.write_text(token["token"])
        environment = {
            "PATH": os.environ["PATH"],
            "RUSTBOX_SERVER": f"{SERVER}:{self.port}",
            "RUSTBOX_FINGERPRINT": token["fingerprint"],
            "RUSTBOX_RUNNER_TOKEN_FILE": str(secret),
            "SLOTS": "1",
            "HEARTBEAT_SECS": "2",
            **variables,
        }
        command = ["nsenter", "-t", str(self.link.holder), "-n", sys.executable, *program.split(" ", 1)]
        if program.startswith("-m"):
            command = [*command[:-2], *program.split()]
        with (self.folder / f"{token['name']}.log").open("ab") as log:
            started = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log)
        self.started.append(started)
        return started

    def joined(self, name: str, **variables: str) -> subprocess.Popen[bytes]:
        """Start a runner with a new token, and return when it has reported."""
        process = self.host(self.token(name), **variables)
        self.until_live(name)
        return process

    def until_live(self, name: str) -> None:
        wait_until(lambda: (self.runner(name) or {}).get("state") == "live", 90, f"{name} is live", self.logs)

    def freeze_own_runner(self) -> None:
        """Let this machine's own runner take no work: it stands still until `thaw`."""
        pid = self.stack.runner_pid()
        os.kill(pid, signal.SIGSTOP)
        self.frozen.append(pid)
        time.sleep(2.5)  # its polls, of a second, are over

    def thaw(self) -> None:
        while self.frozen:
            os.kill(self.frozen.pop(), signal.SIGCONT)

    def end_runners(self) -> None:
        self.thaw()
        while self.started:
            process = self.started.pop()
            with suppress(subprocess.TimeoutExpired):
                process.terminate()
                process.wait(30)
            process.kill()
            process.wait()

    def submit(self, code: str, **fields: Any) -> str:
        response = self.client.post("/api/submit", json={"language": "python", "code": code, **fields})
        assert response.status_code == httpx.codes.ACCEPTED, response.text
        return str(response.json()["id"])

    def result(self, submission_id: str, timeout_secs: float = 150) -> dict[str, Any]:
        return final_result(self.client, submission_id, timeout_secs)

    def node_of(self, submission_id: str) -> str:
        return str(self.read(f"submissions/{submission_id}")["row"]["node_id"])

    def wait_until_running(self, submission_id: str) -> None:
        def is_running() -> bool:
            return bool(self.client.get(f"/api/result/{submission_id}").json()["status"] == "running")

        wait_until(is_running, 60, "it runs", self.logs)

    def logs(self) -> str:
        others = [path.read_text()[-3000:] for path in self.folder.glob("*.log")]
        return "\n".join([self.stack.log(), *others])

    def said(self, name: str) -> str:
        return (self.folder / f"{name}.log").read_text()


@contextmanager
def opened_machine(link: Link, make: Callable[..., LocalStack], folder: Path, **variables: str) -> Iterator[Machine]:
    port = free_port()
    stack = make(
        RUSTBOX_PUBLIC_URL="https://rustbox.example",
        RUSTBOX_METRICS_PORT=str(free_port()),
        RUSTBOX_RUNNER_LISTEN=f"{SERVER}:{port}",
        SLOTS="1",
        **variables,
    )
    stack.command = "serve"
    stack.start()
    (admin_key,) = admin_keys(stack)
    with stack.client(first_project(stack, admin_key)) as client:
        yield Machine(stack, port, admin_key, client, folder, link)


@pytest.fixture(scope="module")
def one_machine(
    link: Link, small_stack: Callable[..., LocalStack], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Machine]:
    """Give one to most tests. No message of a dead runner becomes visible by itself: the server gives it back."""
    variables = {"RUSTBOX_PARAM_SubmissionVisibilitySecs": "600"}
    with opened_machine(link, small_stack, tmp_path_factory.mktemp("remote"), **variables) as made:
        yield made


@pytest.fixture
def machine(one_machine: Machine) -> Iterator[Machine]:
    """Give the machine of all tests. The runners of a test end with it."""
    yield one_machine
    one_machine.end_runners()


@pytest.fixture
def own_machine(link: Link, own_stack: Callable[..., LocalStack], tmp_path: Path) -> Iterator[Machine]:
    with opened_machine(link, own_stack, tmp_path) as made:
        yield made
        made.end_runners()


def test_a_runner_of_another_host_works_and_its_death_costs_a_repeat(machine: Machine) -> None:
    process = machine.joined("host-b")
    assert "host-b" in machine.admin("admin", "runners")
    command = Path(f"/proc/{process.pid}/cmdline").read_bytes() + Path(f"/proc/{process.pid}/environ").read_bytes()
    assert (machine.folder / "host-b.token").read_bytes() not in command
    machine.freeze_own_runner()
    first = machine.submit("print('x' * 300_000, end='')")
    assert machine.result(first)["verdict"] == "AC"
    assert machine.node_of(first) == "host-b"
    second = machine.submit(SLOW)
    machine.wait_until_running(second)
    process.kill()
    process.wait()
    machine.thaw()
    assert machine.result(second)["stdout"] == "done\n"
    assert machine.node_of(second) == "local"
    left = machine.runner("host-b") or {}
    assert (left["state"], left["problem"]) == ("unable", "its connections are closed")

    machine.host(_known(machine, "host-b"))
    machine.until_live("host-b")


SECRET_VALUE = "tok_of_a_remote_runner_0123456789"
USES_A_SECRET = """
import os, urllib.error, urllib.request
try:
    urllib.request.urlopen(os.environ["RUSTBOX_SECRET_FAR_URL"] + "/hello", timeout=60)
except urllib.error.HTTPError as error:
    print(error.code)
"""


def test_a_run_with_a_secret_has_its_relay_on_another_host(machine: Machine) -> None:
    """The relay starts only with the opened value. Its host cannot be reached: this network has no way out."""
    project = machine.client.get("/api/key").json()["project_id"]
    with httpx.Client(base_url=machine.stack.url, headers={"X-Admin-Key": machine.admin_key}) as admin:
        network = {"network": {"access": "listed", "allow": ["api.example.com"]}}
        assert admin.patch(f"/api/projects/{project}", json=network).status_code == httpx.codes.OK
    secret = {"value": SECRET_VALUE, "host": "api.example.com", "as": "bearer"}

    def is_set() -> bool:
        return machine.client.put("/api/secrets/far", json=secret).status_code == httpx.codes.OK

    wait_until(is_set, 10, "the host is allowed", machine.logs)
    machine.joined("host-c", NETWORK_RESOLVERS=SERVER)
    machine.freeze_own_runner()
    run = machine.submit(USES_A_SECRET, profile="agent", network={"secrets": ["far"]})
    result = machine.result(run)
    assert (result["verdict"], result["stdout"]) == ("AC", f"{httpx.codes.BAD_GATEWAY}\n"), result
    assert machine.node_of(run) == "host-c"
    (use,) = result["evidence"]["secrets"]
    assert (use["name"], use["host"], use["last_status"]) == ("far", "api.example.com", None)
    assert SECRET_VALUE not in str(result) + machine.logs()


def _known(machine: Machine, name: str) -> dict[str, Any]:
    pin = re.findall("certificate (sha256:[0-9a-f]+)", machine.stack.told())[0]
    return {"name": name, "token": (machine.folder / f"{name}.token").read_text(), "fingerprint": pin}


# The test above loses its runner too, and tests/embedded/test_tunnel.py the connection.
@pytest.mark.whole
def test_a_lost_link_costs_a_repeat_and_the_runner_comes_back(own_machine: Machine) -> None:
    machine = own_machine
    machine.joined("host-b")
    machine.freeze_own_runner()
    lost = machine.submit(SLOW)
    machine.wait_until_running(lost)
    machine.link.down()
    machine.thaw()
    assert machine.result(lost)["stdout"] == "done\n"
    assert machine.node_of(lost) == "local"
    machine.link.up()
    machine.freeze_own_runner()
    later = machine.submit("print('again')")
    assert machine.result(later)["stdout"] == "again\n"
    assert machine.node_of(later) == "host-b"
    assert machine.node_of(lost) == "local"  # its late completion changed nothing


def test_a_revoked_runner_ends_and_others_are_refused_with_a_reason(machine: Machine) -> None:
    token = machine.token("host-d")
    process = machine.host(token)
    machine.until_live("host-d")
    wrong = machine.host({**token, "name": "pin", "fingerprint": "sha256:" + "0" * 64})
    assert wrong.wait(60) == 1
    assert "got no token: its certificate has the fingerprint" in machine.said("pin")
    other = machine.host({**token, "name": "forged", "token": f"rbrunner_host-d_{'0' * 64}"})
    assert other.wait(60) == 1
    assert "the token is not valid" in machine.said("forged")
    newer = (
        "import sandbox_runtime as s; s.RUNNER_VERSION = '0.9.0'; "
        "from infra.local.__main__ import main; main(['runner'])"
    )
    skewed = machine.host({**machine.token("newer"), "name": "newer"}, program=f"-c {newer}")
    skewed.wait(60)
    assert "more than one minor version apart: upgrade the server" in machine.said("newer")
    machine.admin("admin", "runner-tokens", "revoke", "host-d", "--yes")
    assert process.wait(60) == 1
    assert "the server refuses this runner: the token is not valid, or it was revoked" in machine.said("host-d")
    assert (
        machine.client.post("/api/submit?wait=true", json={"language": "python", "code": "print(1)"}).json()["stdout"]
        == "1\n"
    )


class SlowLink:
    """A port of this host that passes bytes on, late and few at a time. The kernel here has no netem."""

    def __init__(self, target: tuple[str, int], bytes_per_sec: int, delay_secs: float) -> None:
        self._target, self._rate, self._delay_secs = target, bytes_per_sec, delay_secs
        self._listener = socket.create_server((SERVER, 0))
        self.port = self._listener.getsockname()[1]
        self._sockets = [self._listener]
        self._threads: list[threading.Thread] = []
        self._start(self._accept)

    def _start(self, run: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=run, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                self._sockets.append(near)
                far = socket.create_connection(self._target)
                self._sockets.append(far)
                self._start(self._pass_on, near, far)
                self._start(self._pass_on, far, near)

    def _pass_on(self, source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while piece := source.recv(8192):
                time.sleep(self._delay_secs + len(piece) / self._rate)
                sink.sendall(piece)
            sink.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        for opened in (self._listener, *self._sockets):
            with suppress(OSError):
                opened.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(30)
        for opened in self._sockets:
            opened.close()


@pytest.mark.whole
def test_a_slow_link_delays_results_and_loses_none(own_machine: Machine) -> None:
    machine = own_machine
    with closing(SlowLink((SERVER, machine.port), bytes_per_sec=100_000, delay_secs=0.1)) as slow:
        machine.joined("far", RUSTBOX_SERVER=f"{SERVER}:{slow.port}")
        machine.freeze_own_runner()
        ids = [machine.submit(f"print('{number}' * 250_000, end='')") for number in range(2)]
        assert [machine.result(each)["verdict"] for each in ids] == ["AC", "AC"]
        assert {machine.node_of(each) for each in ids} == {"far"}
