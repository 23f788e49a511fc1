"""kill -9 of the runner in mid-run, again and again, under load: nothing accepted is lost."""

import os
import random
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.system.load import Load
from tests.system.local_stack import LocalStack, wait_until
from tests.system.webhook_inbox import Inbox

KILLS = 20


@pytest.mark.timeout(400)
def test_20_kills_of_the_runner_lose_nothing(own_stack: Callable[..., LocalStack], inbox: Inbox) -> None:
    local = own_stack(RUSTBOX_PARAM_SubmissionVisibilitySecs="10", SLOTS="2")
    local.start()
    load = Load(local, inbox, threads=2, pause_secs=0.5)
    load.start()
    chance = random.Random(1)  # noqa: S311 - no secret comes of it
    for _ in range(KILLS):
        # The moment of the kill is random within the time a run takes; nothing is asserted about it.
        time.sleep(chance.uniform(2.2, 3.2))
        pid = local.pid_of("runner")
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda killed=pid: local.pid_of("runner") != killed, 20, "a new runner", local.log)  # type: ignore[misc]
    load.stop()
    verdicts = load.assert_nothing_lost(timeout_secs=90)
    assert verdicts["AC"] >= 0.9 * len(load.accepted), verdicts
    assert not list(Path("/sys/fs/cgroup").glob(f"**/rustbox-*-{pid}-*"))
