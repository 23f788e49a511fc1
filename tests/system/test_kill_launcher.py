"""kill -9 of the launcher, at named steps of the handlers and at random moments: nothing accepted is lost."""

import random
import signal
import time
from collections.abc import Callable

import pytest

from tests.system.load import Load
from tests.system.local_stack import LocalStack, wait_until
from tests.system.webhook_inbox import Inbox

FAILPOINTS = (
    "record.before_commit",
    "record.after_commit",
    "fanout.after_event",
    "fanout.after_delivery",
    "fanout.after_hint",
    "webhook.after_claim",
    "webhook.after_send",
    "webhook.after_record",
)
RANDOM_KILLS = 20 - len(FAILPOINTS)


@pytest.mark.timeout(500)
def test_20_kills_of_the_launcher_lose_nothing(own_stack: Callable[..., LocalStack], inbox: Inbox) -> None:
    local = own_stack(
        RUSTBOX_PARAM_SubmissionVisibilitySecs="10",
        RUSTBOX_PARAM_PipelineVisibilitySecs="30",
        SLOTS="2",
        DRAIN_SECS="1",
        HEARTBEAT_SECS="1",
    )
    local.start()
    ministack = local.pid_of("ministack")
    load = Load(local, inbox, threads=2, pause_secs=0.7)
    load.start()
    chance = random.Random(2)  # noqa: S311 - no secret comes of it
    for failpoint in [*FAILPOINTS, *[None] * RANDOM_KILLS]:
        if failpoint is None:
            # The moment of the kill is random; nothing is asserted about it.
            time.sleep(chance.uniform(0.5, 2.5))
            local.kill()
        else:
            local.kill()
            process = local.launch(RUSTBOX_FAILPOINT=failpoint)
            assert process.wait(60) == -signal.SIGKILL, f"{failpoint} was not reached\n{local.log()}"
        local.launch()
        wait_until(local.is_ready, 60, "the stack is back", local.log)
    load.stop()
    verdicts = load.assert_nothing_lost(timeout_secs=150)
    assert verdicts["AC"] >= 0.9 * len(load.accepted), verdicts
    assert local.pid_of("ministack") == ministack
