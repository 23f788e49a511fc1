"""A program reaches the host that its request names, on the direct path and through the queue, and not the service."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest

from tests.jail.network.targets import ANSWER, HOST, Targets, targets
from tests.system.local_stack import LocalStack, final_result

GET = "import urllib.request\nprint(urllib.request.urlopen('http://{}:{}/', timeout=20).read().decode())\n"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Targets]:
    with targets(tmp_path_factory.mktemp("certificate")) as opened:
        yield opened


def body(code: str, *ports: int) -> dict[str, object]:
    allow = [f"{HOST}:{port}" for port in ports]
    return {"language": "python", "profile": "agent", "code": code, "network": {"allow": allow}}


@pytest.mark.parametrize("wait", ["true", "false"])
def test_a_program_reaches_its_host(client: httpx.Client, served: Targets, wait: str) -> None:
    response = client.post("/api/submit", params={"wait": wait}, json=body(GET.format(HOST, served.http), served.http))
    result = final_result(client, response.json()["id"])
    assert (result["verdict"], result["stdout"]) == ("AC", f"{ANSWER}\n")
    evidence = result["evidence"]
    (connections,) = evidence["network"]
    assert (connections["name"], connections["port"], connections["connections"]) == (HOST, served.http, 1)
    assert evidence["network_bytes"] == connections["bytes_sent"] + connections["bytes_received"]
    assert (evidence["refused"], evidence["controls_missing"]) == ([], [])


def test_no_program_reaches_a_port_of_the_service(stack: LocalStack, client: httpx.Client) -> None:
    port = httpx.URL(stack.url).port
    assert port is not None
    code = GET.format(HOST, port)
    result = final_result(client, client.post("/api/submit", json=body(code, port)).json()["id"])
    assert result["verdict"] == "RE"
    assert result["evidence"]["network"][0]["first_error"] == "address refused"
    assert client.get("/api/health").status_code == 200


class _Target(BaseHTTPRequestHandler):
    """Says what it got."""

    def do_GET(self) -> None:
        got = f"{self.headers['Authorization']} {self.path}".encode()
        self.send_response(200)
        self.send_header("content-length", str(len(got)))
        self.end_headers()
        self.wfile.write(got)
        self.server.seen.append(got)  # type: ignore[attr-defined] # of the fixture

    def log_message(self, *_: object) -> None:
        """Be quiet."""


@pytest.fixture
def echo() -> Iterator[ThreadingHTTPServer]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Target) as server:
        server.seen = []  # type: ignore[attr-defined] # requests
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


VALUE = "tok_of_a_system_test_0123456789"
USES = """
import os, urllib.request
print(urllib.request.urlopen(os.environ["RUSTBOX_SECRET_ECHO_URL"] + "/hello", timeout=20).read().decode())
print(VALUE in open("/proc/self/environ").read())
"""


@pytest.mark.parametrize("wait", ["true", "false"])
def test_a_program_uses_a_secret_that_nothing_of_the_stack_shows(
    stack: LocalStack, client: httpx.Client, echo: ThreadingHTTPServer, wait: str
) -> None:
    secret = {"value": VALUE, "host": f"{HOST}:{echo.server_port}", "as": "bearer"}
    assert client.put("/api/secrets/echo", json=secret).status_code == httpx.codes.OK
    code = USES.replace("VALUE in", f"{VALUE[:8]!r} + {VALUE[8:]!r} in")
    run = {"language": "python", "profile": "agent", "code": code, "network": {"secrets": ["echo"]}}
    result = final_result(client, client.post("/api/submit", params={"wait": wait}, json=run).json()["id"])
    assert (result["verdict"], result["stdout"]) == ("AC", f"Bearer {'*' * len(VALUE)} /hello\nFalse\n"), result
    assert echo.seen == [f"Bearer {VALUE} /hello".encode()]  # type: ignore[attr-defined] # of the fixture
    (use,) = result["evidence"]["secrets"]
    assert (use["name"], use["requests"], use["last_status"]) == ("echo", 1, httpx.codes.OK)
    assert VALUE not in str(result)
    files = [path for path in stack.state_dir.rglob("*") if path.is_file()]
    assert [path for path in files if VALUE.encode() in path.read_bytes()] == []
    assert VALUE not in stack.told()
    assert client.delete("/api/secrets/echo").status_code == httpx.codes.OK
