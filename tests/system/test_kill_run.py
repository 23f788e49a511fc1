"""A short kill run: submissions with webhooks of every kind while the stack's parts are killed; nothing is lost.

`make kill-run` is the long one. Steps of the handlers at which the first launchers die by themselves are chosen: the
first one makes a duplicate for sure, so that the count of them cannot be empty.
"""

from collections import Counter
from collections.abc import Callable

import pytest

from tests.system.kill_run.plan import Victim, make_plan
from tests.system.kill_run.run import ACCEPT_SECS, QUIET_SECS, VARIABLES, kill_run
from tests.system.local_stack import LocalStack

SEED = 3
SECS = 35
FAILPOINTS = ("webhook.after_send", "fanout.after_delivery", "record.after_commit", "webhook.after_record")


@pytest.mark.timeout(SECS + ACCEPT_SECS + QUIET_SECS + 120)
def test_kills_of_launcher_runner_templates_and_guests_lose_nothing(own_stack: Callable[..., LocalStack]) -> None:
    told: list[str] = []
    report = kill_run(own_stack(**VARIABLES), make_plan(SEED, SECS, 60, FAILPOINTS), SEED, told.append)
    story = "\n".join([*told, *report.judgement.lines(), report.summary])
    assert report.is_good, story
    assert report.submissions >= 60, story
    assert Counter(kill.victim for kill in report.kills).keys() >= {Victim.LAUNCHER, Victim.RUNNER}, story
    assert "webhook.after_send" in {kill.failpoint for kill in report.kills}, story
    assert report.judgement.duplicates, story
