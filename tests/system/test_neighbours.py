"""A project pays for its own runs: they cost no other project anything."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import httpx

from functions.projects.quota import DEFAULT_QUOTAS
from tests.system.kill_run.killer import kill_tree
from tests.system.local_stack import LocalStack, wait_until

SLEEPERS = 10
SLEEPER = {
    "language": "python",
    "code": "import time\ntime.sleep(25)",
    "profile": "judge",
    "limits": {"wall_time_secs": 25},
}


def test_ten_sleepers_of_one_project_keep_no_run_of_another_waiting(own_stack: Callable[..., LocalStack]) -> None:
    local = own_stack(SLOTS="2")
    local.start()
    hostile_key = local.add_project("hostile", quotas=DEFAULT_QUOTAS)

    def sleep() -> None:
        with local.client(hostile_key) as client, suppress(httpx.TransportError):
            client.post("/api/submit?wait=true", json=SLEEPER)

    with ThreadPoolExecutor(SLEEPERS) as threads, local.client(hostile_key) as hostile, local.client() as honest:
        sleepers = [threads.submit(sleep) for _ in range(SLEEPERS)]
        wait_until(lambda: _states(hostile) == SLEEPERS, 20, "all sleepers are accepted", local.log)
        bodies = [honest.post("/api/submit?wait=true", json={"language": "python", "code": "print(1)"}) for _ in "1234"]
        assert [(body.status_code, body.json().get("stdout")) for body in bodies] == [(200, "1\n")] * 4
        # None of them has ended: the honest runs did not just wait for the end of the sleepers.
        assert not any(sleeper.done() for sleeper in sleepers)
        assert local.process is not None
        kill_tree(local.process)  # a stop would wait for them


def _states(client: httpx.Client) -> int:
    return len(client.get("/api/results").json()["items"])
