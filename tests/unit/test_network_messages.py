"""Messages between the runner and the egress proxy, and the settings that it reads."""

import json
import socket
from typing import Any

import pytest

from sandbox_runtime.network.confinement import MAX_MESSAGE_BYTES, receive_answer
from sandbox_runtime.network.model import (
    MAX_ENTRIES,
    AllowedHost,
    Failure,
    HostConnections,
    NetworkError,
    NetworkEvidence,
    Refusal,
    RefusedHost,
)
from sandbox_runtime.network.proxy import messages
from sandbox_runtime.network.proxy.process.record import Record
from sandbox_runtime.network.proxy.settings import ProxySettings, RunLimits, proxy_settings
from sandbox_runtime.settings import SettingsInvalidError

EVIDENCE = NetworkEvidence(
    connections=(HostConnections("api.example.com", 443, "93.184.216.34", 2, 10, 20, Failure.TIMED_OUT),),
    refused=(
        RefusedHost("evil.example", None, None, 3, Refusal.NOT_ALLOWED),
        RefusedHost(None, "198.19.0.9", 443, 1, Refusal.UNKNOWN_ADDRESS),
    ),
    bytes_sent=10,
    bytes_received=20,
    left_out=7,
    error=Failure.PROXY_FAILED,
    cause="ValueError in names.py, line 7",
)


def answer(**changes: Any) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(json.dumps(messages.evidence_message(EVIDENCE)))
    return found | changes


def entry(**changes: Any) -> dict[str, Any]:
    found: dict[str, Any] = answer()["connections"][0]
    return found | changes


def test_evidence_comes_back_as_it_was() -> None:
    assert messages.evidence_from(answer()) == EVIDENCE


@pytest.mark.parametrize(
    "wrong",
    [
        {"connections": None},
        {"connections": [entry()] * 65},
        {"connections": ["x"]},
        {"connections": [entry(name="a" * 254)]},
        {"connections": [entry(name="a\n")]},
        {"connections": [entry(name="é")]},
        {"connections": [entry(name=7)]},
        {"connections": [entry(port=-1)]},
        {"connections": [entry(port=True)]},
        {"connections": [entry(port=1.5)]},
        {"connections": [entry(address="evil")]},
        {"connections": [entry(first_error="<script>")]},
        {"connections": [{}]},
        {"refused": [{"name": "a", "address": None, "port": None, "times": 1, "reason": "made up"}]},
        {"bytes_sent": "10"},
        {"bytes_received": 1 << 60},
        {"left_out": -1},
        {"error": None},
        {"error": "x" * 300},
        {"cause": "line\nline"},
    ],
)
def test_wrong_evidence_of_the_proxy_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(NetworkError):
        messages.evidence_from(answer(**wrong))


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"7", b"[" * 100_000, b"\xff"])
def test_a_malformed_answer_is_refused(data: bytes) -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs:
        if data:
            theirs.send(data)
        else:
            theirs.close()
        with pytest.raises(NetworkError):
            receive_answer(ours, "egress proxy")


def test_settings_come_to_the_process_as_they_were() -> None:
    limits = RunLimits(queries=9)
    settings = ProxySettings((("10.0.0.2", 53),), allows_host=True, refused_host_ports=(4096,), limits=limits)
    first = json.loads(json.dumps(messages.settings_message(settings, 7, (3, 4))))
    assert messages.settings_from(first) == settings


def test_the_largest_evidence_fits_into_a_message() -> None:
    record = Record()
    for number in range(200):
        name = f"{number}." + "a" * 250
        record.host(name, number).fail(Failure.RUN_ENDED)
        record.refuse(Refusal.NAME_TOO_LONG, name=name, port=number)
    data = json.dumps(messages.evidence_message(record.evidence()))
    assert len(data) < MAX_MESSAGE_BYTES
    request = messages.OpenRequest.of("r" * 64, [AllowedHost("a" * 253, 65_535)] * 32, [])
    assert len(json.dumps(request.message())) < MAX_MESSAGE_BYTES


def test_a_failed_connection_is_in_the_evidence_however_many_others_are() -> None:
    record = Record()
    for number in range(2 * MAX_ENTRIES):
        record.host(f"{number}.example.org", 443).connections += 1
    record.host("100.example.org", 443).fail(Failure.TIMED_OUT)
    shown = record.evidence().connections
    assert [entry.name for entry in shown[:3]] == ["100.example.org", "0.example.org", "1.example.org"]
    assert len(shown) == MAX_ENTRIES


@pytest.mark.parametrize("working", range(1, MAX_ENTRIES))
def test_failing_names_push_no_connection_with_bytes_out_of_the_evidence(working: int) -> None:
    record = Record()
    for number in range(MAX_ENTRIES):
        record.host(f"{number}.example.org", 443).fail(Failure.NAME_NOT_FOUND)
    for number in range(working):
        record.host(f"api-{number}.example.com", 443).bytes_received = 1
    evidence = record.evidence()
    names = {entry.name for entry in evidence.connections}
    assert {f"api-{number}.example.com" for number in range(working)} <= names
    assert (len(names), evidence.left_out) == (MAX_ENTRIES, working)


def test_connections_with_bytes_do_not_hide_that_one_failed() -> None:
    record = Record()
    for number in range(2 * MAX_ENTRIES):
        record.host(f"{number}.example.org", 443).bytes_sent = 1
    record.host("db.example.com", 5432).fail(Failure.CONNECTION_REFUSED)
    evidence = record.evidence()
    assert [entry.name for entry in evidence.connections if entry.first_error] == ["db.example.com"]
    assert (len(evidence.connections), evidence.left_out) == (MAX_ENTRIES, MAX_ENTRIES + 1)


def test_without_variables_the_settings_are_the_documented_ones() -> None:
    assert proxy_settings({}) == ProxySettings()
    assert (RunLimits().open_connections, RunLimits().connections, RunLimits().bytes_each_way) == (24, 256, 64 << 20)
    assert (RunLimits().connect_secs, RunLimits().idle_secs) == (10, 60)


def test_variables_change_the_settings() -> None:
    found = proxy_settings(
        {
            "NETWORK_RESOLVERS": "127.0.0.1:5353, 10.0.0.2,[fd00::2]:53, fd00::3",
            "STAGE": "local",
            "NETWORK_HOST_ALLOWED": "true",
            "NETWORK_HOST_REFUSED_PORTS": "4096,9000",
            "NETWORK_MB_EACH_WAY": "1",
        }
    )
    assert found.resolvers == (("127.0.0.1", 5353), ("10.0.0.2", 53), ("fd00::2", 53))
    assert (found.allows_host, found.refused_host_ports, found.limits.bytes_each_way) == (True, (4096, 9000), 1 << 20)


@pytest.mark.parametrize("stage", ["", "prod", "Local"])
def test_no_other_stage_lets_programs_reach_the_loopback(stage: str) -> None:
    with pytest.raises(SettingsInvalidError, match="is for development"):
        proxy_settings({"NETWORK_HOST_ALLOWED": "true", "STAGE": stage})


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        *(("NETWORK_RESOLVERS", value) for value in ("dns.example.com", "127.0.0.1:0", "127.0.0.1:x", "[::1]:70000")),
        *(("NETWORK_HOST_REFUSED_PORTS", value) for value in ("x", "0", "65536", "-1", "²")),
        ("NETWORK_HOST_ALLOWED", "yes"),
        ("NETWORK_OPEN_CONNECTIONS", "0"),
        ("NETWORK_IDLE_SECS", "601"),
    ],
)
def test_a_wrong_variable_is_named(variable: str, value: str) -> None:
    with pytest.raises(SettingsInvalidError) as caught:
        proxy_settings({variable: value})
    assert caught.value.variable == variable
