"""A program uses a secret through its relay, and no way leads to the value."""

import base64
import json
import os
import signal
import subprocess
import sys
import threading
import urllib.parse
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest

from events.completed import ExecutionCompleted
from events.network import NetworkSecret, SecretUse
from sandbox_runtime.executor import CompileCache, execute
from sandbox_runtime.jail import Slot
from sandbox_runtime.jail.controls.identity import relay_uid
from sandbox_runtime.languages import Language
from sandbox_runtime.network import NetworkError, RunNetworks
from sandbox_runtime.network.proxy import EgressProxy, ProxySettings
from sandbox_runtime.network.relay.client import Relays, SealedSecret, entry_of
from sandbox_runtime.network.relay.masking import forms_of
from sandbox_runtime.network.relay.rules import Secret
from tests.choice import whole_but
from tests.jail.guest_requests import request
from tests.jail.language_programs.table import KINDS
from tests.jail.network.secret_hosts import NAME, SecretHost, secret_host
from tests.until import until

VALUE = b"ghp_Z9x/8Vq+3Lw=7Tn"
TRIES = (Path(__file__).parents[2] / "guests" / "secrets" / "tries.py").read_text()
PLACES = {"bearer": None, "basic": None, "header": "X-Api-Key", "query": "key"}


def value_of(placement: str) -> bytes:
    return b"user:" + VALUE if placement == "basic" else VALUE


def opened(sealed: Sequence[SealedSecret], pipe_fd: int) -> None:
    """What the opener writes: here the box is the value."""
    os.write(pipe_fd, json.dumps([entry_of(each.secret, each.box) for each in sealed]).encode())


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecretHost]:
    with secret_host(tmp_path_factory.mktemp("secret-host")) as served:
        yield served


@pytest.fixture(scope="module")
def relays(host: SecretHost) -> Relays:
    return Relays(opened, 4, host.relay_code)


@pytest.fixture(scope="module")
def secret_networks(host: SecretHost, relays: Relays) -> Iterator[RunNetworks]:
    networks = RunNetworks(EgressProxy(ProxySettings(), host.proxy_code), relays)
    yield networks
    networks.close()


type RunWithSecret = Callable[..., ExecutionCompleted]


@pytest.fixture
def run_with_secret(
    slot: Slot,
    languages: Mapping[str, Language],
    compiled: CompileCache,
    secret_networks: RunNetworks,
    host: SecretHost,
) -> RunWithSecret:
    def run(
        language: str, code: str, placement: str = "bearer", args: tuple[str, ...] = (), **rules: tuple[str, ...]
    ) -> ExecutionCompleted:
        secret = NetworkSecret(
            name="github",
            host=NAME,
            port=host.port,
            placement=placement,  # type: ignore[arg-type] # one of four
            parameter=PLACES[placement],
            box=value_of(placement),
            **{name: values or None for name, values in rules.items()},
        )
        asked = request(language, code.encode(), profile="agent").changed(secrets=(secret,), args=args)
        completed = execute(
            slot,
            asked,
            languages[language],
            node_id="tests",
            started_at=datetime.now(UTC),
            compile_cache=compiled,
            networks=secret_networks,
        )
        slot.settle()
        return completed

    return run


def use_of(completed: ExecutionCompleted) -> SecretUse:
    assert completed.evidence is not None
    (use,) = completed.evidence.secrets or ()
    return use


@pytest.mark.parametrize("placement", whole_but(PLACES, ["bearer"]))
def test_no_try_finds_a_form_of_the_value_or_reaches_another_host(
    run_with_secret: RunWithSecret, host: SecretHost, placement: str
) -> None:
    host.heads.clear()
    completed = run_with_secret("python", TRIES, placement, (str(host.port),))
    assert completed.result.verdict == "AC", completed.stderr.inline[-2000:]
    lines = dict(line.rsplit(" ", 1) for line in completed.stdout.inline.decode().splitlines())
    assert int(lines["tries"]) == 174
    got = {name: bytes.fromhex(text) for name, text in lines.items() if name != "tries"}
    forms = {*forms_of(value_of(placement)), *forms_of(VALUE)}
    assert not [name for name, data in got.items() if any(form in data for form in forms)]
    # The host had it each time, so that there was something to find.
    used = VALUE if placement != "basic" else base64.b64encode(value_of(placement))
    written = urllib.parse.quote(used, safe="").encode() if placement == "query" else used
    assert len(host.heads) > 100
    assert all(written in head for head in host.heads)
    assert got["base64 none"].count(b"*") > 10
    assert b"github.secrets.rustbox.internal" in got["environment"]
    for form in forms:
        assert form not in completed.serialise().encode()
    assert completed.evidence is not None
    assert {(one.name, one.port) for one in completed.evidence.network or ()} == {(NAME, host.port)}
    refused = {one.name for one in completed.evidence.refused or ()}
    assert {"other.secrets.rustbox.internal", "secrets.rustbox.internal"} <= refused


CLIENTS = {
    "python": """import os, urllib.request
print(urllib.request.urlopen(os.environ['RUSTBOX_SECRET_GITHUB_URL'] + '/hi').read().decode())""",
    "javascript": "const r = await fetch(process.env.RUSTBOX_SECRET_GITHUB_URL + '/hi'); console.log(await r.text());",
    "typescript": "const r = await fetch(process.env.RUSTBOX_SECRET_GITHUB_URL! + '/hi'); console.log(await r.text());",
    "go": """package main
import ("fmt"; "io"; "net/http"; "os")
func main() {
	r, err := http.Get(os.Getenv("RUSTBOX_SECRET_GITHUB_URL") + "/hi")
	if err != nil { panic(err) }
	b, _ := io.ReadAll(r.Body)
	fmt.Println(string(b))
}""",
    "java": """import java.net.URI; import java.net.http.*;
class Main { public static void main(String[] a) throws Exception {
  var uri = URI.create(System.getenv("RUSTBOX_SECRET_GITHUB_URL") + "/hi");
  var r = HttpClient.newHttpClient().send(HttpRequest.newBuilder(uri).build(), HttpResponse.BodyHandlers.ofString());
  System.out.println(r.body()); } }""",
    "bash": """exec 3<>/dev/tcp/${RUSTBOX_SECRET_GITHUB_URL#http://}/80
printf 'GET /hi HTTP/1.1\\r\\nHost: a\\r\\nConnection: close\\r\\n\\r\\n' >&3
while IFS= read -r line <&3; do last=$line; done
echo "$line\"""",
    "c": """#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/socket.h>
int main(void) {
  struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found;
  if (getaddrinfo(strstr(getenv("RUSTBOX_SECRET_GITHUB_URL"), "//") + 2, "80", &hints, &found)) return 1;
  int s = socket(found->ai_family, found->ai_socktype, 0);
  if (connect(s, found->ai_addr, found->ai_addrlen)) return 2;
  const char *ask = "GET /hi HTTP/1.1\\r\\nHost: a\\r\\nConnection: close\\r\\n\\r\\n";
  write(s, ask, strlen(ask));
  char answer[4096]; int got = 0, n;
  while ((n = read(s, answer + got, sizeof answer - got - 1)) > 0) got += n;
  answer[got] = 0;
  puts(strstr(answer, "\\r\\n\\r\\n") + 4);
}""",
    "rust": """use std::io::{Read, Write};
fn main() {
    let url = std::env::var("RUSTBOX_SECRET_GITHUB_URL").unwrap();
    let mut s = std::net::TcpStream::connect((url.trim_start_matches("http://"), 80)).unwrap();
    s.write_all(b"GET /hi HTTP/1.1\\r\\nHost: a\\r\\nConnection: close\\r\\n\\r\\n").unwrap();
    let mut answer = String::new();
    s.read_to_string(&mut answer).unwrap();
    println!("{}", answer.split("\\r\\n\\r\\n").nth(1).unwrap());
}""",
}
CLIENTS["cpp"] = CLIENTS["c"]


@pytest.mark.parametrize("language", whole_but(CLIENTS, KINDS))
def test_a_client_of_each_language_uses_the_secret_by_plain_http(
    run_with_secret: RunWithSecret, host: SecretHost, language: str
) -> None:
    host.heads.clear()
    completed = run_with_secret(language, CLIENTS[language])
    assert completed.result.verdict == "AC", (completed.result, completed.stderr.inline)
    assert completed.stdout.inline.strip() == b"hello"
    assert [head.lower().count(b"bearer " + VALUE.lower()) for head in host.heads] == [1]
    assert use_of(completed) == SecretUse("github", NAME, 1, 0, 200, None)


def test_rules_hold_and_the_evidence_counts_what_they_refused(run_with_secret: RunWithSecret, host: SecretHost) -> None:
    host.heads.clear()
    code = """
import http.client
c = http.client.HTTPConnection("github.secrets.rustbox.internal")
for method, path in (("GET", "/a/b"), ("POST", "/a/b"), ("GET", "/b"), ("GET", "/a")):
    c.request(method, path)
    print(c.getresponse().status)
    c.close()
"""
    completed = run_with_secret("python", code, methods=("GET",), paths=("/a",))
    assert completed.stdout.inline.split() == [b"200", b"403", b"403", b"200"]
    assert len(host.heads) == 2
    assert (use_of(completed).requests, use_of(completed).refused) == (2, 2)


def test_a_stream_of_events_arrives_piece_by_piece(run_with_secret: RunWithSecret) -> None:
    code = """
import time, urllib.request
began, seen = time.monotonic(), []
with urllib.request.urlopen("http://github.secrets.rustbox.internal/events") as answer:
    for line in answer:
        if line.strip():
            seen.append((line, time.monotonic()))
print(len(seen), seen[-1][1] - seen[0][1] > 0.1)
"""
    assert run_with_secret("python", code).stdout.inline.split() == [b"5", b"True"]


def test_a_request_before_the_end_of_its_program_is_sent(run_with_secret: RunWithSecret, host: SecretHost) -> None:
    host.heads.clear()
    code = """
import os, socket
s = socket.create_connection(("github.secrets.rustbox.internal", 80))
s.sendall(b"GET /last HTTP/1.1\\r\\nHost: a\\r\\n\\r\\n")
os._exit(0)
"""
    completed = run_with_secret("python", code)
    assert [head.split()[1] for head in host.heads] == [b"/last"]
    assert use_of(completed).requests == 1


def test_all_attempts_of_a_run_have_one_key(run_with_secret: RunWithSecret) -> None:
    completed = run_with_secret("python", "import os; print(os.environ['RUSTBOX_IDEMPOTENCY_KEY'])")
    assert completed.stdout.inline.decode().strip() == completed.submission_id


def run_in(namespace: int, *command: str) -> str:
    """Run a command of this host in the network of a run."""
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", ENTER, str(namespace), *command],
        capture_output=True,
        text=True,
        timeout=120,
        pass_fds=(namespace,),
        env={"PATH": "/usr/bin:/bin", "HOME": "/nonexistent", "GIT_TERMINAL_PROMPT": "0"},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


ENTER = "import os, sys; os.setns(int(sys.argv[1]), os.CLONE_NEWNET); os.execvp(sys.argv[2], sys.argv[2:])"
ALIAS = "github.secrets.rustbox.internal"
PLACE = f"{ALIAS}:80:198.18.0.1"  # what the run's name service says


def test_curl_and_git_clone_work_unmodified(
    secret_networks: RunNetworks, host: SecretHost, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = os.urandom(20 << 20)
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@example.com", "-c", "init.defaultBranch=main"]
    source = tmp_path / "source"
    for command in (["init", "-q"], ["commit", "-q", "--allow-empty", "-m", "one"], ["update-server-info"]):
        source.mkdir(exist_ok=True)
        subprocess.run([*git, "-C", str(source), *command], check=True)
    served = {
        f"/repo/{path.relative_to(source / '.git')}": path for path in (source / ".git").rglob("*") if path.is_file()
    }
    files = {name: path.read_bytes() for name, path in served.items()} | {"/large": content}
    monkeypatch.setattr(host, "files", files)
    sealed = SealedSecret(Secret("github", NAME, host.port, "bearer"), {}, VALUE)
    with secret_networks.open("a-run", (), (sealed,)) as network:
        large = str(tmp_path / "large")
        code = run_in(
            network.namespace,
            *("curl", "-sS", "--resolve", PLACE, "-o", large, "-w", "%{http_code}", f"http://{ALIAS}/large"),
        )
        clone = str(tmp_path / "clone")
        run_in(
            network.namespace,
            *("git", "-c", f"http.curloptResolve={PLACE}", "clone", "-q", f"http://{ALIAS}/repo", clone),
        )
    assert (code, Path(large).read_bytes() == content) == ("200", True)
    log = subprocess.run([*git, "-C", clone, "log", "--format=%s"], capture_output=True, text=True, check=True)
    assert log.stdout == "one\n"
    (use,) = network.evidence.secrets
    assert (use.refused, use.error) == (0, "")


def test_two_runs_at_once_have_their_own_secrets_only(secret_networks: RunNetworks, host: SecretHost) -> None:
    host.heads.clear()
    names = {"github": b"value-of-the-first-run", "stripe": b"value-of-the-second-run"}
    with ExitStack() as stack:
        runs = {
            name: stack.enter_context(
                secret_networks.open(name, (), (SealedSecret(Secret(name, NAME, host.port, "bearer"), {}, value),))
            )
            for name, value in names.items()
        }
        for name, run in runs.items():
            for alias in names:
                place = f"{alias}.secrets.rustbox.internal"
                run_in(
                    run.namespace,
                    *(
                        "curl",
                        "-sS",
                        "--resolve",
                        f"{place}:80:198.18.0.1",
                        "-H",
                        f"X-Run: {name}",
                        f"http://{place}/hi",
                    ),
                )
    for head in host.heads:
        name = head.partition(b"X-Run: ")[2].partition(b"\r\n")[0].decode()
        assert [value in head for value in names.values()] == [name == each for each in names]
    assert len(host.heads) == 4


def test_a_proxy_that_dies_during_a_request_is_in_the_evidence(
    run_with_secret: RunWithSecret, host: SecretHost, secret_networks: RunNetworks
) -> None:
    code = """
import socket, time
s = socket.create_connection(("github.secrets.rustbox.internal", 80))
s.sendall(b"GET /slow HTTP/1.1\\r\\nHost: a\\r\\n\\r\\n")
s.recv(10)
print("began", flush=True)
time.sleep(3)
try:
    while s.recv(1000):
        pass
    print("ended")
except OSError:
    print("reset")
"""
    proxy = secret_networks._proxy
    assert isinstance(proxy, EgressProxy)
    host.heads.clear()

    def kill() -> None:
        until(lambda: host.heads)
        os.kill(proxy.pid or 0, signal.SIGKILL)

    killer = threading.Thread(target=kill)
    killer.start()
    completed = run_with_secret("python", code)
    killer.join()
    assert completed.evidence is not None
    assert "the egress proxy ended during the run" in completed.evidence.collection_errors
    assert {one.first_error for one in completed.evidence.network or ()} == {"proxy failed"}
    assert VALUE not in completed.serialise().encode()
    assert run_with_secret("python", CLIENTS["python"]).stdout.inline.strip() == b"hello"


def children_of(pid: int) -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        with suppress(OSError, IndexError, ValueError):
            if int((entry / "stat").read_text().rpartition(")")[2].split()[1]) == pid:
                found.append(int(entry.name))
    return found


WAITS = """
import socket, sys
s = socket.create_connection(("github.secrets.rustbox.internal", 80))
s.sendall(b"GET /hi HTTP/1.1\\r\\nHost: a\\r\\n\\r\\n")
print(s.recv(100)[:12], flush=True)
s.settimeout(20)
try:
    print(repr(s.recv(100)))
except OSError as error:
    print(type(error).__name__)
"""


def test_a_relay_is_confined_and_has_little_memory_of_its_own(
    secret_networks: RunNetworks, relays: Relays, host: SecretHost
) -> None:
    sealed = SealedSecret(Secret("github", NAME, host.port, "bearer"), {}, VALUE)
    with secret_networks.open("a-run", (), (sealed,)):
        assert relays.pid is not None
        (relay,) = children_of(relays.pid)
        status = dict(line.split(":", 1) for line in Path(f"/proc/{relay}/status").read_text().splitlines())
        assert set(status["Uid"].split()) == {str(relay_uid())}
        assert {int(status[f"Cap{kind}"], 16) for kind in ("Inh", "Prm", "Eff", "Bnd", "Amb")} == {0}
        assert (status["NoNewPrivs"].strip(), status["Seccomp"].strip()) == ("1", "2")
        limits = [line.split() for line in Path(f"/proc/{relay}/limits").read_text().splitlines()]
        assert ["Max", "core", "file", "size", "0", "0", "bytes"] in limits
        rollup = dict(line.split(":", 1) for line in Path(f"/proc/{relay}/smaps_rollup").read_text().splitlines()[1:])
        assert int(rollup["Private_Dirty"].split()[0]) <= 6 << 10
        assert b"AWS" not in Path(f"/proc/{relay}/environ").read_bytes()
    until(lambda: not children_of(relays.pid or 0))


def test_a_relay_that_dies_is_in_the_evidence_and_the_next_run_has_another(
    run_with_secret: RunWithSecret, secret_networks: RunNetworks, relays: Relays, host: SecretHost
) -> None:
    sealed = SealedSecret(Secret("github", NAME, host.port, "bearer"), {}, VALUE)
    network = secret_networks.open("a-run", (), (sealed,))
    with network:
        (relay,) = children_of(relays.pid or 0)
        os.kill(relay, signal.SIGKILL)
    assert network.evidence.error == "the relay of secrets ended during the run"
    assert [secret.error for secret in network.evidence.secrets] == ["relay failed"]
    assert run_with_secret("python", CLIENTS["python"]).stdout.inline.strip() == b"hello"


def test_a_template_that_dies_is_started_again(run_with_secret: RunWithSecret, relays: Relays) -> None:
    assert run_with_secret("python", CLIENTS["python"]).stdout.inline.strip() == b"hello"
    template = relays.pid
    assert template
    os.kill(template, signal.SIGKILL)
    until(lambda: " Z " in Path(f"/proc/{template}/stat").read_text())
    with suppress(NetworkError):  # it may die while it is asked
        run_with_secret("python", CLIENTS["python"])
    assert run_with_secret("python", CLIENTS["python"]).stdout.inline.strip() == b"hello"
    assert relays.pid != template


def test_a_secret_that_cannot_be_opened_starts_no_program(host: SecretHost) -> None:
    def fail(_sealed: Sequence[SealedSecret], _pipe_fd: int) -> None:
        raise NetworkError("open the secrets of a run", "KMS cannot open them (AccessDenied)")

    networks = RunNetworks(EgressProxy(ProxySettings(), host.proxy_code), Relays(fail, 1, host.relay_code))
    try:
        sealed = SealedSecret(Secret("github", NAME, host.port, "bearer"), {}, VALUE)
        with pytest.raises(NetworkError, match="AccessDenied"):
            networks.open("a-run", (), (sealed,))
    finally:
        networks.close()


def test_a_runner_without_an_opener_refuses_a_run_with_secrets(host: SecretHost) -> None:
    networks = RunNetworks(EgressProxy(ProxySettings(), host.proxy_code))
    try:
        with pytest.raises(NetworkError, match="no right to open"):
            networks.open("a-run", (), (SealedSecret(Secret("github", NAME, host.port, "bearer"), {}, VALUE),))
    finally:
        networks.close()
