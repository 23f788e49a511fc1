"""Ordinary clients of each language reach their target through the proxy, and a dead target looks dead."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from events.completed import ExecutionCompleted
from sandbox_runtime.jail import Slot
from sandbox_runtime.jail.spec import GuestFile
from sandbox_runtime.languages import run_spec
from sandbox_runtime.languages.python import PYTHON
from sandbox_runtime.network import AllowedHost, RunNetworks
from tests.choice import whole_but
from tests.jail.guest_requests import Run
from tests.jail.hostile.catalogue import SUFFIXES
from tests.jail.language_programs.table import KINDS
from tests.jail.network.python_packages import zipped
from tests.jail.network.targets import ANSWER, HOST, Targets

CLIENTS = Path(__file__).parents[2] / "guests" / "clients"
# What programs see: patterns of the whole text after "case: ". A target that refuses or hangs up looks so.
# A program that still writes when the end has come sees a broken pipe.
RESET, GONE = "[Rr]eset|RESET", "[Rr]eset|RESET|EOF|^$|[Bb]roken ?[Pp]ipe|EPIPE"
SEEN = {
    "python": {
        "bad_certificate": "CERTIFICATE_VERIFY_FAILED",
        "refused": RESET,
        "hung_up": f"{GONE}|RemoteDisconnected",
        "silent": "timed out",
        "not_allowed": "Name or service not known",
        "other_port": "Connection refused",
    },
    "c": {
        "refused": RESET,
        "hung_up": GONE,
        "silent": "temporarily unavailable",
        "not_allowed": "Name or service not known",
        "other_port": "Connection refused",
    },
    "java": {
        "bad_certificate": "SSLHandshakeException",
        "refused": f"{RESET}|EOF",
        "hung_up": f"{GONE}",
        "silent": "HttpTimeoutException",
        "not_allowed": "UnresolvedAddressException",
        "other_port": "ConnectException",
    },
    "javascript": {
        "bad_certificate": "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
        "refused": f"{RESET}|ConnectionRefused",
        "hung_up": f"{GONE}|ConnectionClosed",
        "silent": "23|TimeoutError",
        "not_allowed": "ENOTFOUND",
        "other_port": "ConnectionRefused",
        "http_by_net": ANSWER,
        "refused_by_net": RESET,
        "hung_up_by_net": GONE,
        "silent_by_net": "timeout of net",
        "not_allowed_by_net": "ENOTFOUND",
        "other_port_by_net": "ECONNREFUSED",
    },
    "go": {
        "bad_certificate": "certificate signed by unknown authority",
        "refused": RESET,
        # The connection can end before net/http writes the request to it.
        "hung_up": f"{GONE}|server closed idle connection",
        "silent": "Client.Timeout exceeded",
        "not_allowed": "no such host",
        "other_port": "connection refused",
    },
    "rust": {
        "refused": "^ConnectionReset",
        "hung_up": GONE,
        "silent": "^WouldBlock",
        "not_allowed": "Name or service not known",
        "other_port": "^ConnectionRefused",
    },
    "bash": {
        "refused": f"{RESET}|Broken pipe",  # it connects before it writes
        "hung_up": GONE,
        "silent": "timed out",
        "not_allowed": "Name or service not known",
        "other_port": "Connection refused",
    },
}
SEEN["cpp"], SEEN["typescript"], SEEN["lua"] = SEEN["c"], SEEN["javascript"], SEEN["bash"]


def outcomes(completed: ExecutionCompleted) -> dict[str, str]:
    assert completed.result.verdict == "AC", completed
    lines = completed.stdout.inline.decode().splitlines()
    return dict(line.split(": ", 1) for line in lines if ": " in line)


@pytest.mark.parametrize("language", whole_but(SUFFIXES, KINDS))
def test_a_client_reaches_its_target_and_sees_how_others_fail(
    run_with_network: Run, served: Targets, language: str
) -> None:
    code = (CLIENTS / f"client{SUFFIXES[language]}").read_text()
    cases = [
        ("http", "http", HOST, served.http),
        ("https", "https", HOST, served.https),
        ("bad_certificate", "https", HOST, served.https),
        ("refused", "http", HOST, served.refused),
        ("hung_up", "http", HOST, served.hangs_up),
        ("silent", "http", HOST, served.silent),
        ("not_allowed", "http", "other.example.com", 80),
        ("other_port", "http", HOST, 1),
    ]
    stdin = "".join(f"{' '.join(map(str, case))}\n" for case in cases)
    completed = run_with_network(language, code, stdin=stdin.encode(), environment={"CA_PEM": served.ca_pem})
    found = outcomes(completed)
    answers = {case: ANSWER for case in ("http", "https") if case == "http" or "bad_certificate" in SEEN[language]}
    assert found.keys() == answers.keys() | SEEN[language].keys()
    assert {case: text for case, text in found.items() if case in answers} == answers
    unlike = {case: found[case] for case, pattern in SEEN[language].items() if not re.search(pattern, found[case])}
    assert unlike == {}


def test_the_evidence_has_each_target_with_its_first_error(run_with_network: Run, served: Targets) -> None:
    code = (CLIENTS / "client.c").read_text()
    ports = {"http": served.http, "refused": served.refused, "silent": served.silent}
    stdin = "".join(f"{case} http {HOST} {port}\n" for case, port in ports.items()) + "not_allowed http other.test 80\n"
    evidence = run_with_network("c", code, stdin=stdin.encode()).evidence
    assert evidence is not None
    assert evidence.network is not None
    assert evidence.refused is not None
    found = {connections.port: connections for connections in evidence.network}
    assert found.keys() == set(ports.values())
    assert found[served.http].bytes_received > len(ANSWER)
    assert (found[served.http].first_error, found[served.refused].first_error) == (None, "connection refused")
    assert {(target.name, target.reason) for target in evidence.refused} == {("other.test", "not allowed")}
    assert evidence.collection_errors == ()


PACKAGES = ("requests", "urllib3", "charset_normalizer", "idna", "certifi", "httpx", "httpcore", "h11", "anyio")


@pytest.mark.parametrize("client", ["requests", "httpx"])
def test_a_client_of_python_that_is_a_package_reaches_its_target(
    slot: Slot, networks: RunNetworks, served: Targets, client: str
) -> None:
    code = f"import sys; sys.path.insert(0, 'packages.zip')\nimport {client}\n"
    code += f"print({client}.get('http://{HOST}:{served.http}/', timeout=20).text)\n"
    code += f"print({client}.get('https://{HOST}:{served.https}/', verify='ca.pem', timeout=20).text)\n"
    files = (GuestFile("packages.zip", zipped(*PACKAGES)), GuestFile("ca.pem", served.ca_pem.encode()))
    hosts = [AllowedHost(HOST, served.http), AllowedHost(HOST, served.https)]
    with networks.open(client, hosts) as network:
        spec = run_spec(PYTHON, code.encode(), None, limits=PYTHON.run_limits("agent"), stdin=b"", files=files)
        outcome = slot.run(replace(spec, net_namespace=network.namespace))
    assert (outcome.stdout.decode(), outcome.stderr) == (f"{ANSWER}\n" * 2, b"")
