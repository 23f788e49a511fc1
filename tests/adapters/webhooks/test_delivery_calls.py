"""AWS calls of a delivery, counted by operation. Lambda's own receive and delete of each message come on top.

KMS opens a secret once in five minutes, so each test first delivers with the same secret.
"""

from __future__ import annotations

from typing import Any

import pytest

from functions.webhooks.deliveries.model import DeliveryState
from functions.webhooks.deliveries.publication import MAX_BODY_BYTES, Hint
from functions.webhooks.sending.attempts import EVERY_MS
from tests.adapters.pipeline import Pipeline, path_of
from tests.adapters.webhooks.call_counts import CLAIM_AND_OUTCOME, OUTCOME, counted, known, owed, sent

READ_CLAIM_AND_OUTCOME = {"BatchGetItem": 1, **CLAIM_AND_OUTCOME}
NO_URL: dict[str, Any] = {"webhook_url": None, "webhook_secret": None}


@pytest.fixture(autouse=True)
def _opened(pipeline: Pipeline) -> None:
    """Open the secret of all runs."""
    pipeline.webhook(*owed(pipeline)[1])


def test_a_delivery_to_a_runs_own_url_is_an_outcome(pipeline: Pipeline) -> None:
    submission, hints = owed(pipeline)
    assert sent(pipeline, *hints) == OUTCOME
    assert pipeline.state(submission) is DeliveryState.DELIVERED


def test_a_delivery_to_an_endpoint_is_an_outcome(pipeline: Pipeline) -> None:
    endpoint = known(pipeline)
    submission, hints = owed(pipeline, **NO_URL)
    assert sent(pipeline, *hints) == OUTCOME
    assert pipeline.state(submission, endpoint.endpoint_id) is DeliveryState.DELIVERED


def test_each_further_endpoint_takes_one_call_and_none_for_its_hint(pipeline: Pipeline) -> None:
    endpoints = [pipeline.endpoint() for _ in range(3)]
    pipeline.webhook(*owed(pipeline, **NO_URL)[1])
    submission = pipeline.submit(**NO_URL)
    with counted(pipeline) as calls:
        pipeline.finish(submission)
    assert calls["SendMessageBatch"] == 1
    hints = pipeline.hints()
    assert len(hints) == len(endpoints)
    assert sent(pipeline, *hints) == {"UpdateItem": 3}


def test_a_process_reads_a_target_every_two_seconds_and_counts_its_successes_every_ten(pipeline: Pipeline) -> None:
    pipeline.endpoint()
    _, hints = owed(pipeline, **NO_URL)
    assert sent(pipeline, *hints) == {"BatchGetItem": 1, "Decrypt": 1, "UpdateItem": 2}
    pipeline.time.advance(2)
    _, hints = owed(pipeline, **NO_URL)
    assert sent(pipeline, *hints) == {"BatchGetItem": 1, "UpdateItem": 1}
    pipeline.time.advance(EVERY_MS / 1000)
    _, hints = owed(pipeline, **NO_URL)
    assert sent(pipeline, *hints) == {"BatchGetItem": 1, "UpdateItem": 2}


def test_a_retry_is_a_hint_a_read_a_claim_and_an_outcome(pipeline: Pipeline) -> None:
    endpoint = known(pipeline)
    pipeline.time.advance(2)
    pipeline.receiver.answers_of[path_of(endpoint.endpoint_id)] = (500, {}, b"")
    submission, hints = owed(pipeline, **NO_URL)
    assert sent(pipeline, *hints) == {"BatchGetItem": 1, "TransactWriteItems": 1, "SendMessage": 1}
    del pipeline.receiver.answers_of[path_of(endpoint.endpoint_id)]
    pipeline.time.advance(5)
    delivery = pipeline.delivery(submission, endpoint.endpoint_id)
    event = pipeline.deliveries.get_event(submission.submission_id)
    assert delivery is not None
    assert event is not None
    # The message is delayed in the queue, so we build the hint that it is.
    assert sent(pipeline, Hint.of(delivery, event.body).text) == READ_CLAIM_AND_OUTCOME
    assert pipeline.state(submission, endpoint.endpoint_id) is DeliveryState.DELIVERED


def test_a_retry_of_a_runs_own_url_is_a_hint_a_read_a_claim_and_an_outcome(pipeline: Pipeline) -> None:
    sent_hints: list[str] = []

    def note(params: Any, **_: object) -> None:
        sent_hints.append(params["MessageBody"])

    events = pipeline.aws.client("sqs").meta.events
    events.register("provide-client-params.sqs.SendMessage", note)
    pipeline.receiver.answers = [(500, {}, b"")]
    submission, hints = owed(pipeline)
    assert sent(pipeline, *hints) == {"TransactWriteItems": 1, "SendMessage": 1}
    pipeline.receiver.answers = [(200, {}, b"")]
    pipeline.time.advance(5)
    assert sent(pipeline, *sent_hints) == READ_CLAIM_AND_OUTCOME
    events.unregister("provide-client-params.sqs.SendMessage", note)
    assert pipeline.state(submission) is DeliveryState.DELIVERED


def test_a_large_body_is_read_from_its_row(pipeline: Pipeline) -> None:
    submission = pipeline.submit()
    stdout = {"size_bytes": MAX_BODY_BYTES // 3 * 3 + 3, "base64": "eHh4" * (MAX_BODY_BYTES // 3 + 1)}
    assert pipeline.record(pipeline.completed(submission, stdout=stdout)) == []
    assert sent(pipeline, *pipeline.hints()) == {**READ_CLAIM_AND_OUTCOME, "GetItem": 1}
    assert pipeline.state(submission) is DeliveryState.DELIVERED


def test_a_repeated_hint_reads_the_row_and_writes_nothing(pipeline: Pipeline) -> None:
    _, hints = owed(pipeline)
    pipeline.webhook(*hints)
    assert sent(pipeline, *hints) == {"BatchGetItem": 1}
    assert len(pipeline.receiver.received) == 2


@pytest.mark.parametrize("count", [1, 3])
def test_a_parked_delivery_costs_a_read_and_a_write(pipeline: Pipeline, count: int) -> None:
    endpoint = known(pipeline, max_concurrency=1)
    _, (busy,) = owed(pipeline, **NO_URL)
    assert pipeline.deliverer.claimer.claim(Hint.parse(busy), "busy") is not None
    pipeline.time.advance(3)
    parked = [owed(pipeline, **NO_URL) for _ in range(count)]
    calls = sent(pipeline, *(hint for _, hints in parked for hint in hints))
    # One read of the target for all, and one of each delivery.
    assert calls == {"TransactWriteItems": count, "BatchGetItem": 1 + count}
    for submission, _ in parked:
        assert pipeline.state(submission, endpoint.endpoint_id) is DeliveryState.PENDING
