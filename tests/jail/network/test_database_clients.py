"""Ordinary clients of databases reach a real server, and an error after its end."""

from dataclasses import dataclass, replace

import pytest

from sandbox_runtime.jail import Slot
from sandbox_runtime.jail.spec import GuestFile
from sandbox_runtime.languages import run_spec
from sandbox_runtime.languages.python import PYTHON
from sandbox_runtime.network import AllowedHost, NetworkEvidence, RunNetworks
from sandbox_runtime.network.model import Failure
from tests.jail.network.databases import PASSWORD, POSTGRESQL, REDIS, USER, Database, running
from tests.jail.network.python_packages import zipped
from tests.jail.network.targets import HOST


@dataclass(frozen=True, slots=True)
class Client:
    """A package, what it asks a database, what it prints then, and its error for a dead one."""

    package: str
    database: Database
    code: str
    answer: str
    error: str


# The box has no cache of the linker, where psycopg looks for libraries of the system.
PSYCOPG = """
import ctypes.util
ctypes.util.find_library = {"pq": "libpq.so.5", "c": "libc.so.6"}.get
import psycopg
with psycopg.connect(host=host, port=port, user=user, password=password, dbname="postgres") as connected:
    connected.execute("CREATE TABLE numbers AS SELECT generate_series(1, 20000) AS number")
    rows = connected.execute("SELECT number FROM numbers WHERE number > %s", [0]).fetchall()
    print(len(rows), sum(number for number, in rows))
"""
REDIS_PY = """
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry
once = Retry(NoBackoff(), 0)
with redis.Redis(host=host, port=port, password=password, decode_responses=True, retry=once) as connected:
    connected.set("text", "x" * 200_000)
    connected.rpush("numbers", *range(1, 20_001))
    print(len(connected.get("text")), sum(map(int, connected.lrange("numbers", 0, -1))))
"""
BEGIN = """
import sys
sys.path.insert(0, "packages.zip")
host, port, user, password = input().split()
"""
CLIENTS = (
    Client("psycopg", POSTGRESQL, PSYCOPG, "20000 200010000\n", "psycopg.OperationalError"),
    Client("redis", REDIS, REDIS_PY, "200000 200010000\n", "redis.exceptions.ConnectionError"),
)


@pytest.mark.parametrize("client", CLIENTS, ids=lambda client: client.package)
def test_a_client_of_a_database_reaches_it_and_sees_its_end(slot: Slot, networks: RunNetworks, client: Client) -> None:
    with running(client.database) as port:
        output, errors, evidence = run_client(slot, networks, client, port)
        assert (output, errors) == (client.answer, "")
        assert [(host.name, host.port, host.first_error) for host in evidence.connections] == [(HOST, port, None)]
    output, errors, evidence = run_client(slot, networks, client, port)
    assert output == ""
    assert f"\n{client.error}" in errors
    assert {host.first_error for host in evidence.connections} == {Failure.CONNECTION_REFUSED}


def run_client(slot: Slot, networks: RunNetworks, client: Client, port: int) -> tuple[str, str, NetworkEvidence]:
    code, stdin = f"{BEGIN}{client.code}".encode(), f"{HOST} {port} {USER} {PASSWORD}\n".encode()
    files = (GuestFile("packages.zip", zipped(client.package)),)
    with networks.open(client.package, [AllowedHost(HOST, port)]) as network:
        spec = run_spec(PYTHON, code, None, limits=PYTHON.run_limits("agent"), stdin=stdin, files=files)
        outcome = slot.run(replace(spec, net_namespace=network.namespace))
    return outcome.stdout.decode(), outcome.stderr.decode(), network.evidence
