"""A program reaches the host that its request names, on the direct path and through the queue, and not the service."""

from collections.abc import Iterator

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
