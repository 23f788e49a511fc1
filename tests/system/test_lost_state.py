"""A state file that is deleted or moved while the stack runs: nothing is accepted any more, and the start says why."""

from collections.abc import Callable

import pytest

from infra.embedded.storage.store import FILE_NAME, LOG_NAME
from infra.local.embedded_aws import FOLDER
from tests.system.local_stack import LocalStack, run, wait_for, wait_until

PROBLEM = "the state file is not in its place any more"


@pytest.fixture(scope="module")
def local(small_stack: Callable[..., LocalStack]) -> LocalStack:
    """Give one stack to all tests here; the last one deletes its file."""
    made = small_stack()
    made.start()
    return made


@pytest.mark.parametrize("name", [FILE_NAME, LOG_NAME])
def test_a_moved_state_file_is_noticed_at_once_and_works_again_in_its_place(local: LocalStack, name: str) -> None:
    path = local.state_dir / FOLDER / name
    with local.client() as client:
        accepted = run(client, "print(1)")["id"]
        path.rename(path.with_name("aside"))
        for request in (("POST", "/api/submit"), ("GET", f"/api/result/{accepted}")):
            refused = client.request(*request, json={"language": "python", "code": "print(2)"})
            assert (refused.status_code, refused.json()["error"]) == (503, "unavailable")
            assert PROBLEM in refused.json()["message"]
        ready = client.get("/api/health/ready")
        assert (ready.status_code, PROBLEM in ready.json()["error"]) == (503, True)
        health = client.get("/api/health").json()
        assert (health["status"], health["problems"][-1]) == ("degraded", {"node_id": "local", "problem": PROBLEM})
        wait_until(lambda: f"{path} was deleted, moved or replaced" in local.told(), 60, "a line", local.log)
        path.with_name("aside").rename(path)
        assert wait_for(lambda: run(client, "print(3)"), 60, "a run", local.log)["stdout"] == "3\n"
        assert client.get("/api/health").json()["status"] == "ok"


def test_a_deleted_state_file_stops_the_next_start(local: LocalStack) -> None:
    path = local.state_dir / FOLDER / FILE_NAME
    with local.client() as client:
        run(client, "print(1)")
        path.unlink()
        assert client.post("/api/submit", json={"language": "python", "code": "print(2)"}).status_code == 503
    assert local.stop() == 0, local.log()
    assert not path.exists()
    assert local.launch().wait(60) == 1
    assert f"rustbox: {path} is missing or empty, but " in local.told()
    assert not path.exists()
