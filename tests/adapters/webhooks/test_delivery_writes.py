"""A delivery writes few and small rows; crash recovery and circuit breaker stay exact."""

from __future__ import annotations

import zlib
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from functions.aws.dynamodb.items import from_item
from functions.event_log.rows import event_key
from functions.webhooks.deliveries.model import FIRST_HINTED_MS, LEASE_MS, DeliveryState, after_reply
from functions.webhooks.deliveries.publication import Hint
from functions.webhooks.deliveries.replay import ReplayResult, ReplayStore
from functions.webhooks.deliveries.store import delivery_key
from functions.webhooks.endpoints.store import HEALTH
from functions.webhooks.sending.lanes import FAILURES_TO_OPEN, lane_key
from functions.webhooks.vocabulary import Reply
from tests.adapters.pipeline import Crash, Pipeline, crash_at

if TYPE_CHECKING:
    from functions.submissions.model import Submission
    from functions.webhooks.endpoints.model import Endpoint
    from functions.webhooks.sending.attempts import ClaimedDelivery

TIMEOUT = Reply(15_000, error_code="timeout")
SUCCESS = Reply(5, status_code=200)
SERVER_ERROR = Reply(5, status_code=500)


@pytest.fixture
def endpoint(pipeline: Pipeline) -> Endpoint:
    return pipeline.endpoint()


def owed(pipeline: Pipeline) -> tuple[Submission, str]:
    """Finish a run without a URL of its own; return it with the hint of its only delivery."""
    submission = pipeline.run(webhook_url=None, webhook_secret=None)
    (hint,) = pipeline.hints()
    return submission, hint


def row(pipeline: Pipeline, key: dict[str, Any]) -> dict[str, Any]:
    """Return a row of the deliveries table; {} if there is none."""
    table = pipeline.deliveries.table_name
    return from_item(pipeline.aws.client("dynamodb").get_item(TableName=table, Key=key).get("Item", {}))


def delivery_row(pipeline: Pipeline, submission: Submission, endpoint: Endpoint) -> dict[str, Any]:
    return row(pipeline, delivery_key(submission.submission_id, endpoint.endpoint_id))


def claim(pipeline: Pipeline) -> ClaimedDelivery:
    """Claim a new delivery of the only endpoint."""
    claimed = pipeline.deliverer.claimer.claim(Hint.parse(owed(pipeline)[1]), "sender")
    assert claimed is not None
    return claimed


def record(pipeline: Pipeline, claimed: ClaimedDelivery, reply: Reply) -> None:
    """Record the reply to a claimed delivery, as a sender does."""
    planned = after_reply(claimed.delivery, reply, pipeline.deliverer.schedule, pipeline.time(), 0)
    assert pipeline.deliverer.attempts.record(claimed, reply, planned) is not None


def replay(pipeline: Pipeline, submission: Submission, endpoint: Endpoint) -> None:
    delivery = pipeline.delivery(submission, endpoint.endpoint_id)
    assert delivery is not None
    table = pipeline.deliveries.table_name
    replays = ReplayStore(table, pipeline.aws.client("dynamodb"), pipeline.time)
    assert replays.replay(delivery) is ReplayResult.DONE


def failures(pipeline: Pipeline, endpoint: Endpoint) -> int:
    """Return the failures that the endpoint's circuit breaker has counted."""
    count: int = row(pipeline, lane_key("dev", endpoint.endpoint_id)).get("failures", 0)
    return count


# --- attempts -----------------------------------------------------------------------------------------------------


def test_a_first_attempt_that_ends_the_delivery_has_no_row_of_its_own(pipeline: Pipeline, endpoint: Endpoint) -> None:
    submission, hint = owed(pipeline)
    pipeline.webhook(hint)
    assert pipeline.deliveries._list(f"EVENT#{submission.submission_id}", "ATTEMPT#") == []
    (attempt,) = pipeline.attempts(submission, endpoint.endpoint_id)
    assert (attempt["n"], attempt["status_code"]) == (1, 200)


def test_attempts_after_a_replay_follow_the_first_one(pipeline: Pipeline, endpoint: Endpoint) -> None:
    submission, hint = owed(pipeline)
    pipeline.webhook(hint)
    replay(pipeline, submission, endpoint)
    pipeline.time.advance(1)
    pipeline.webhook(Hint(submission.submission_id, endpoint.endpoint_id, "dev").text)
    assert [attempt["n"] for attempt in pipeline.attempts(submission, endpoint.endpoint_id)] == [1, 2]
    assert len(pipeline.sent_to(endpoint)) == 2


def test_a_first_attempt_that_is_repeated_has_a_row(pipeline: Pipeline, endpoint: Endpoint) -> None:
    claimed = claim(pipeline)
    record(pipeline, claimed, SERVER_ERROR)
    event_id = claimed.delivery.event_id
    assert [attempt["n"] for attempt in pipeline.deliveries._list(f"EVENT#{event_id}", "ATTEMPT#")] == [1]
    assert "only_attempt" not in row(pipeline, delivery_key(event_id, endpoint.endpoint_id))


# --- bytes of an event --------------------------------------------------------------------------------------------


def test_the_bytes_of_an_event_are_stored_compressed_and_sent_as_they_were(
    pipeline: Pipeline, endpoint: Endpoint
) -> None:
    submission, hint = owed(pipeline)
    stored = row(pipeline, event_key(submission.submission_id))
    pipeline.webhook(replace(Hint.parse(hint), body=b"").text)  # so the sender reads the row
    (received,) = pipeline.sent_to(endpoint)
    assert zlib.decompress(stored["body_zlib"]) == received.body
    assert len(stored["body_zlib"]) < len(received.body) / 2
    pipeline.verify_received()


# --- due key ------------------------------------------------------------------------------------------------------


def test_the_due_key_moves_to_the_end_of_the_lease(pipeline: Pipeline, endpoint: Endpoint) -> None:
    submission, hint = owed(pipeline)
    assert delivery_row(pipeline, submission, endpoint)["due_at_ms"] == pipeline.time() + FIRST_HINTED_MS
    pipeline.time.ms += 1_001
    assert pipeline.deliverer.claimer.claim(Hint.parse(hint), "sender") is not None
    claimed = delivery_row(pipeline, submission, endpoint)
    assert claimed["due_at_ms"] == claimed["lease_until_ms"] == pipeline.time() + LEASE_MS


def test_a_punctual_first_sender_that_dies_is_found_when_its_lease_ends(pipeline: Pipeline, endpoint: Endpoint) -> None:
    pipeline.guard_all()
    submission, hint = owed(pipeline)
    with crash_at("webhook.after_claim"), pytest.raises(Crash):
        pipeline.webhook(hint)
    pipeline.sweep(after_secs=LEASE_MS / 1000)
    pipeline.webhook(*pipeline.hints())
    assert pipeline.state(submission, endpoint.endpoint_id) is DeliveryState.DELIVERED


# --- circuit breaker ----------------------------------------------------------------------------------------------


def test_a_success_after_timeouts_clears_endpoint_and_circuit_breaker_together(
    pipeline: Pipeline, endpoint: Endpoint
) -> None:
    first, second = claim(pipeline), claim(pipeline)  # the second knows of no failure of the lane
    record(pipeline, first, TIMEOUT)
    assert failures(pipeline, endpoint) == 1
    record(pipeline, second, SUCCESS)  # it saw a good endpoint, so it changes nothing
    assert (pipeline.at(endpoint).failing is not None, failures(pipeline, endpoint)) == (True, 1)
    third = claim(pipeline)
    record(pipeline, third, SUCCESS)
    assert (pipeline.at(endpoint).failing, failures(pipeline, endpoint)) == (None, 0)


def test_a_success_clears_failures_of_the_lane_that_it_did_not_see(pipeline: Pipeline, endpoint: Endpoint) -> None:
    record(pipeline, claim(pipeline), SERVER_ERROR)  # the endpoint fails, and its lane has no failure
    later, timed_out = claim(pipeline), claim(pipeline)
    record(pipeline, timed_out, TIMEOUT)
    record(pipeline, later, SUCCESS)
    assert (pipeline.at(endpoint).failing, failures(pipeline, endpoint)) == (None, 0)


def test_a_timeout_counts_anew_after_a_success_in_between(pipeline: Pipeline, endpoint: Endpoint) -> None:
    record(pipeline, claim(pipeline), TIMEOUT)
    slow, good = claim(pipeline), claim(pipeline)
    record(pipeline, good, SUCCESS)
    record(pipeline, slow, TIMEOUT)
    assert (pipeline.at(endpoint).failing is not None, failures(pipeline, endpoint)) == (True, 1)


def test_an_endpoint_that_is_enabled_again_has_a_closed_circuit_breaker(pipeline: Pipeline, endpoint: Endpoint) -> None:
    claims = [claim(pipeline) for _ in range(FAILURES_TO_OPEN)]
    for claimed in claims:
        record(pipeline, claimed, TIMEOUT)
    assert failures(pipeline, endpoint) == FAILURES_TO_OPEN
    pipeline.change_endpoint(endpoint, {"enabled": False})
    pipeline.change_endpoint(endpoint, {"enabled": True}, HEALTH)
    assert (pipeline.at(endpoint).failing, failures(pipeline, endpoint)) == (None, 0)
