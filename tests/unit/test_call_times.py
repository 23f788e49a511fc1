"""Every AWS call ends, with its retries, inside the time of the function that makes it."""

from pathlib import Path
from typing import Any

import pytest
from botocore.retries.standard import ExponentialBackoff, RetryContext

from functions.aws.clients import CONNECT_TIMEOUT_SECS, MAX_ATTEMPTS, READ_TIMEOUT_SECS, _client
from functions.submissions.sweeper import RESERVE_MS
from functions.webhooks.sending.claim import SEND_MS
from infra.sam_template import read

TEMPLATE = read(Path(__file__).parents[2] / "template.yaml")
ANSWER_SECS = 2
"""Left after a failed call, to answer or to report the failed message."""


def _longest_call_secs() -> float:
    """Time of a call that no attempt of which is answered, with botocore's longest pauses between them."""
    backoff = ExponentialBackoff(random=lambda: 1.0)
    pauses = sum(backoff.delay_amount(RetryContext(number)) for number in range(1, MAX_ATTEMPTS))
    return MAX_ATTEMPTS * (CONNECT_TIMEOUT_SECS + READ_TIMEOUT_SECS) + pauses


def _functions() -> dict[str, Any]:
    resources = TEMPLATE["Resources"].items()
    return {name: item["Properties"] for name, item in resources if item["Type"] == "AWS::Serverless::Function"}


@pytest.mark.parametrize("function", sorted(_functions()))
def test_one_call_with_its_retries_ends_inside_the_functions_timeout(function: str) -> None:
    assert _longest_call_secs() + ANSWER_SECS <= _functions()[function]["Timeout"]


@pytest.mark.parametrize("service", ["dynamodb", "sqs", "events", "kms", "s3", "ssm"])
def test_every_client_has_these_timeouts_and_attempts(service: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    config = _client.__wrapped__(service).meta.config  # not the cached one, which other tests use
    assert (config.connect_timeout, config.read_timeout) == (CONNECT_TIMEOUT_SECS, READ_TIMEOUT_SECS)
    assert config.retries == {"mode": "standard", "total_max_attempts": MAX_ATTEMPTS}


def test_last_row_of_a_sweep_and_last_send_of_a_sender_begin_early_enough_for_one_call() -> None:
    assert _longest_call_secs() + ANSWER_SECS <= RESERVE_MS / 1000
    assert _longest_call_secs() + ANSWER_SECS <= SEND_MS / 1000


def test_a_wait_leaves_time_to_answer() -> None:
    longest = TEMPLATE["Parameters"]["LongestWaitSecs"]["MaxValue"]
    for name in ("SubmitFunction", "DialectsFunction", "ResultFunction"):
        assert longest + ANSWER_SECS <= _functions()[name]["Timeout"]
