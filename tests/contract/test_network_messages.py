"""The hosts that a run may reach, and the evidence of its network."""

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from events import MessageInvalidError
from events.network import allowed_host, name_problem
from events.requested import ExecutionRequested, JudgeRequested, addressee, parse_request
from events.runner import parse_completions_message
from tests.choice import examples
from tests.submission_factory import golden

NAMES = (
    *("api.example.com", "*.example.org", "a.b", "xn--bcher-kva.example", "a-b.example", "1.example", "*.a.b"),
    *("host.rustbox.internal", "a" * 63 + ".example", ".".join(["a" * 60] * 4) + ".abc"),
    *("", "*", "*.", "*.com", "com", "localhost", "a.*.example", "a*.example", "*.*.example.org", "API.example.com"),
    *("a..example", ".example.com", "a.example.", "-a.example", "a-.example", "a_b.example", "_tcp.example.com"),
    *("127.0.0.1", "127.1", "2130706433", "0x7f.1", "0x7f000001", "example.0x7f", "017700000001", "1.2.3.4"),
    *("::1", "[::1]", "fe80::1", "a b.example", "a.example\n", "a.example\0", "bücher.example", "a/b.example"),
    *("a@b.example", "a.example:443", "a" * 64 + ".example", ".".join(["a" * 60] * 4) + ".abcdefghijk"),
)


def _is_taken(name: str) -> bool:
    hosts = {"allow": [{"name": name, "port": 443}]}
    try:
        parse_request(json.dumps(golden("execution_requested/v2.network") | {"network": hosts}))
    except MessageInvalidError:
        return False
    return True


@pytest.mark.parametrize("name", NAMES)
def test_a_request_takes_the_names_that_a_client_may_send(name: str) -> None:
    assert (name_problem(name) is None) == _is_taken(name)


LABELS = st.text("ab0-_*.AÉ%:", max_size=8) | st.sampled_from(["a" * 63, "a" * 64, "xn--a", "0x7f", "127", "com"])


@settings(max_examples=examples(300), deadline=None)
@given(st.lists(LABELS, max_size=5).map(".".join) | st.text(max_size=20))
def test_a_client_and_a_message_agree_about_any_name(name: str) -> None:
    assert (name_problem(name) is None) == _is_taken(name)
    with suppress(ValueError):  # whatever a client sends, nothing else is raised
        assert _is_taken(allowed_host(name).name)


@pytest.mark.parametrize("version", [1, 3, True, None])
def test_a_request_with_network_has_version_2_and_no_other(version: object) -> None:
    changed = json.dumps(golden("execution_requested/v2.network") | {"version": version})
    with pytest.raises(MessageInvalidError, match="version: must be 2"):
        ExecutionRequested.parse(changed)


def test_a_request_of_version_2_without_network_is_refused() -> None:
    changed = json.dumps(golden("execution_requested/v1.full") | {"version": 2})
    with pytest.raises(MessageInvalidError, match="version: must be 1"):
        ExecutionRequested.parse(changed)


def test_a_judge_run_has_no_version_with_network() -> None:
    hosts = golden("execution_requested/v2.network")["network"]
    changed = json.dumps(golden("judge_requested/v1.minimal") | {"version": 2, "network": hosts})
    with pytest.raises(MessageInvalidError, match="version: must be 1"):
        JudgeRequested.parse(changed)


def test_a_runner_answers_for_an_invalid_request_with_network_but_not_for_a_newer_version() -> None:
    document = golden("execution_requested/v2.network") | {"code_base64": "%"}
    with pytest.raises(MessageInvalidError, match="code_base64"):
        parse_request(json.dumps(document))
    assert addressee(json.dumps(document)) is not None
    assert addressee(json.dumps(document | {"version": 3})) is None


@pytest.mark.parametrize(
    "hosts",
    [
        {},
        {"allow": []},
        {"allow": None},
        {"allow": ["api.example.com"]},
        {"allow": [{"name": "api.example.com"}]},
        {"allow": [{"name": "api.example.com", "port": 0}]},
        {"allow": [{"name": "api.example.com", "port": 65_536}]},
        {"allow": [{"name": "api.example.com", "port": "443"}]},
        {"allow": [{"name": "api.example.com", "port": True}]},
        {"allow": [{"name": "127.0.0.1", "port": 443}]},
        {"allow": [{"name": "*", "port": 443}]},
        {"allow": [{"name": "api.example.com", "port": 443}] * 33},
    ],
    ids=lambda hosts: str(hosts)[:60],
)
def test_a_runner_refuses_a_request_with_wrong_hosts(hosts: Any) -> None:
    with pytest.raises(MessageInvalidError, match="network"):
        parse_request(json.dumps(golden("execution_requested/v2.network") | {"network": hosts}))


CONNECTION = golden("execution_completed/v1.network")["evidence"]["network"][0]
REFUSED = golden("execution_completed/v1.network")["evidence"]["refused"][0]


@pytest.mark.parametrize(
    "changes",
    [
        {"network": [CONNECTION] * 65},
        {"network": [CONNECTION | {"name": "a\nb.example"}]},
        {"network": [CONNECTION | {"name": "<script>.example"}]},
        {"network": [CONNECTION | {"name": ".".join(["a" * 60] * 5)}]},
        {"network": [CONNECTION | {"port": 0}]},
        {"network": [CONNECTION | {"port": 443.5}]},
        {"network": [CONNECTION | {"address": "api.example.com"}]},
        {"network": [CONNECTION | {"address": "203.0.113.007"}]},
        {"network": [CONNECTION | {"address": "fe80::1%" + "a" * 100}]},
        {"network": [CONNECTION | {"connections": -1}]},
        {"network": [CONNECTION | {"bytes_sent": 2**63}]},
        {"network": [CONNECTION | {"bytes_received": True}]},
        {"network": [CONNECTION | {"first_error": "x" * 201}]},
        {"network": [CONNECTION | {"first_error": "a\x1b[31m"}]},
        {"network": [{name: value for name, value in CONNECTION.items() if name != "port"}]},
        {"network": "none"},
        {"network_left_out": 0},
        {"network_bytes": -1},
        {"network_bytes": 2**63},
        {"refused": [REFUSED] * 65},
        {"refused": [REFUSED | {"address": "203.0.113.7"}]},
        {"refused": [{"times": 1}]},
        {"refused": [REFUSED | {"name": "a" * 254}]},
        {"refused": [REFUSED | {"name": "a b"}]},
        {"refused": [REFUSED | {"name": "a\0"}]},
        {"refused": [REFUSED | {"times": 0}]},
        {"refused": [REFUSED | {"reason": "x" * 201}]},
        {"refused": [REFUSED | {"reason": "ü"}]},
    ],
    ids=lambda changes: str(changes)[:90],
)
def test_the_functions_refuse_evidence_of_a_network_beyond_its_bounds(changes: dict[str, Any]) -> None:
    document = golden("execution_completed/v1.network")
    document["evidence"] |= changes
    with pytest.raises(MessageInvalidError):
        parse_completions_message(json.dumps(document))


def test_the_functions_take_the_most_evidence_of_a_network() -> None:
    document = golden("execution_completed/v1.network")
    document["evidence"] |= {"network": [CONNECTION] * 64, "refused": [REFUSED] * 64}
    parsed = json.loads(parse_completions_message(json.dumps(document)).serialise())
    assert parsed["evidence"] == document["evidence"]
