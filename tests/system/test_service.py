"""Health, languages and the other pages about the service itself."""

import os
import re
import signal
from contextlib import suppress

import httpx

from tests.system.local_stack import LocalStack, find_runner, run, wait_until


def test_languages_is_a_bare_array(client: httpx.Client) -> None:
    names = ["python", "c", "cpp", "java", "javascript", "typescript", "go", "rust", "lua", "bash"]
    assert client.get("/api/languages").json() == names


def test_languages_in_detail_tell_the_version_of_every_toolchain(client: httpx.Client) -> None:
    """As the runner's own toolchains said it when they were asked, and its heartbeat told it."""
    names = client.get("/api/languages").json()
    detail = client.get("/api/languages", params={"detail": "true"}).json()
    assert [language["name"] for language in detail] == names
    for language in detail:
        assert language["toolchains"], language
        assert all(re.search(r"\d+\.\d+", version) for version in language["toolchains"]), language


def test_health_shows_the_values_of_the_heartbeat(stack: LocalStack) -> None:
    with stack.client(None) as stranger:
        body = stranger.get("/api/health").json()
        ready = stranger.get("/api/health/ready")
    assert (body["status"], body["enforcement_mode"], body["namespace_support"]) == ("ok", "strict", True)
    assert body["cgroup_backend"] in {"cgroup_v1", "cgroup_v2"}
    assert body["workers"] >= 1
    assert isinstance(body["queue_depth"], int)
    assert body["node_id"] == "local"
    assert (ready.status_code, ready.json()["status"]) == (200, "ready")


def test_the_stack_is_not_ready_while_its_runner_is_dead(killed_stack: LocalStack) -> None:
    """Seen long before the last heartbeat is old. The new runner has the languages that the stack offers."""
    local = killed_stack
    assert local.process is not None
    launcher, first, killed = local.process.pid, local.runner_pid(), set[int]()

    def is_not_ready() -> bool:
        """Kill the next runner too: on a busy machine it could be ready before we look."""
        if (runner := find_runner(launcher)) is not None:
            killed.add(runner)
            with suppress(ProcessLookupError):
                os.kill(runner, signal.SIGKILL)
        return not local.is_ready()

    wait_until(is_not_ready, 30, "the stack is not ready", local.log)
    wait_until(local.is_ready, 60, "another runner has started", local.log)
    assert local.runner_pid() not in killed
    assert f"rb-runner {first} ended (signal 9): starting another" in local.told()
    with local.client() as client:
        assert run(client, "print(1)")["stdout"] == "1\n"
        languages = client.get("/api/languages", params={"detail": "true"}).json()
    assert [(language["name"], language["toolchains"] != []) for language in languages] == [("python", True)]


def test_every_answer_carries_a_request_id_of_its_own(client: httpx.Client) -> None:
    paths = ["/api/languages", "/api/health", "/api/results", "/nothing", "/api/result/x"]
    ids = [client.get(path).headers["x-request-id"] for path in paths]
    assert len(set(ids)) == len(paths)
