"""Checks with network: their profile, their hosts, and the connections that fail them."""

from typing import Any

import pytest

from functions.projects.model import NO_NETWORK, NetworkAccess, ProjectNetwork
from tests.adapters.checks.check_world import PROGRAM, CheckWorld
from tests.adapters.http_calls import send
from tests.submission_factory import SUBMISSION_ID, golden

HOSTS = {"network": {"allow": ["api.example.com", "db.example.com:5432"]}}
CONNECTION = golden("execution_completed/v1.network")["evidence"]["network"][0]
DEAD = CONNECTION | {"bytes_received": 0, "first_error": "connection refused"}


@pytest.fixture(autouse=True)
def _public(world: CheckWorld) -> None:
    world.allow_network(ProjectNetwork(NetworkAccess.PUBLIC))


def connects(world: CheckWorld, *connections: dict[str, Any]) -> None:
    """Let the program open these connections, and end well whatever becomes of them."""
    evidence = golden("execution_completed/v1.network")["evidence"] | {"network": list(connections)}
    world.answer = lambda _program: {"evidence": evidence}


def last_run(world: CheckWorld, check: Any) -> Any:
    world.settle(5 * 60)
    return world.runs(check)[0]


def test_a_check_with_network_has_the_agent_profile(world: CheckWorld) -> None:
    check = world.create(schedule="rate(5 minutes)", **HOSTS)
    assert (check["profile"], check["network"]) == ("agent", HOSTS["network"])
    connects(world, CONNECTION)
    run = last_run(world, check)
    assert run["status"] == "passed"
    result = send(world.key, "GET", f"/api/result/{run['submission_id']}").json
    assert result["profile"] == "agent"
    assert result["evidence"]["network"] == [CONNECTION]


def test_network_can_be_added_to_a_check_and_taken_away(world: CheckWorld) -> None:
    check = world.create()
    assert (check["profile"], check["network"]) == ("judge", None)
    path = f"/api/checks/{check['id']}"
    changed = world.call("PATCH", path, HOSTS).json
    assert (changed["profile"], changed["network"]) == ("agent", HOSTS["network"])
    without = world.call("PATCH", path, {"network": None, "profile": None}).json
    assert (without["profile"], without["network"]) == ("judge", None)


def test_a_check_may_name_only_hosts_of_its_project(world: CheckWorld) -> None:
    world.allow_network(ProjectNetwork(NetworkAccess.LISTED, ("api.example.com:443",)))
    answer = world.call("POST", "/api/checks", {**PROGRAM, **HOSTS})
    assert answer.status == 403
    assert "may not reach db.example.com:5432." in answer.json["message"]
    check = world.create(network={"allow": ["api.example.com"]})
    refused = world.call("PATCH", f"/api/checks/{check['id']}", HOSTS)
    assert refused.status == 403
    assert world.call("PATCH", f"/api/checks/{check['id']}", {"name": "Renamed"}).status == 200


def test_a_check_can_be_validated_before_it_is_created_or_changed(world: CheckWorld) -> None:
    world.allow_network(ProjectNetwork(NetworkAccess.LISTED, ("api.example.com:443",)))
    refused = world.call("POST", "/api/checks/validate", {**PROGRAM, **HOSTS})
    assert (refused.status, refused.json) == (403, world.call("POST", "/api/checks", {**PROGRAM, **HOSTS}).json)
    allowed = {"network": {"allow": ["api.example.com"]}}
    assert world.call("POST", "/api/checks/validate", {**PROGRAM, **allowed}).json == {"valid": True}
    assert world.call("GET", "/api/checks").json["items"] == []
    check = world.create()

    def status(check_id: str, change: dict[str, Any]) -> int:
        return world.call("POST", "/api/checks/validate", change, query={"id": check_id}).status

    assert [status(check["id"], change) for change in (HOSTS, allowed, {"retries": 9})] == [403, 200, 422]
    assert world.call("GET", f"/api/checks/{check['id']}").json["network"] is None
    assert (status("no-uuid", allowed), status(SUBMISSION_ID, allowed)) == (400, 404)


def test_a_run_of_a_project_that_lost_its_network_says_so(world: CheckWorld) -> None:
    check = world.create(schedule="rate(5 minutes)", **HOSTS)
    world.allow_network(NO_NETWORK)
    run = last_run(world, check)
    assert run["status"] == "error"
    assert "may not reach api.example.com:443, db.example.com:5432." in run["reason"]


def test_a_failed_connection_fails_the_check(world: CheckWorld) -> None:
    check = world.create(schedule="rate(5 minutes)", **HOSTS)
    connects(world, CONNECTION, DEAD)
    run = last_run(world, check)
    assert run["status"] == "failed"
    (failed,) = [result for result in run["assertions"] if not result["passed"]]
    assert (failed["assertion"], failed["actual"]) == ("failed connections", "api.example.com:443 connection refused")


def test_a_check_may_allow_failed_connections(world: CheckWorld) -> None:
    assertions = [{"type": "network", "allow_failed": True}]
    check = world.create(schedule="rate(5 minutes)", assertions=assertions, **HOSTS)
    assert check["assertions"] == assertions
    connects(world, DEAD)
    run = last_run(world, check)
    assert run["status"] == "passed"
    assert run["assertions"][-1]["actual"] == "api.example.com:443 connection refused"
