"""What a runner remembers of submissions that it has ended."""

import pytest

from sandbox_runtime.worker import direct_intake
from sandbox_runtime.worker.direct_intake import ENDED_SECS, Claim, RunningSubmissions


def test_an_ended_submission_is_forgotten_after_a_while() -> None:
    now_secs = [0.0]
    running = RunningSubmissions(clock=lambda: now_secs[0])
    assert running.claim("a") is Claim.CLAIMED
    assert running.claim("a") is Claim.DUPLICATE
    running.end("a")
    assert running.claim("a") is Claim.ENDED
    now_secs[0] = ENDED_SECS
    assert running.claim("a") is Claim.CLAIMED


def test_the_oldest_ended_submissions_are_forgotten_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(direct_intake, "MOST_ENDED", 2)
    running = RunningSubmissions()
    for submission_id in ("a", "b", "a", "c"):
        running.end(submission_id)
    assert [running.claim(submission_id) for submission_id in "abc"] == [Claim.ENDED, Claim.CLAIMED, Claim.ENDED]
