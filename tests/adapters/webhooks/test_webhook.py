"""`webhook`: one hint, at most one send, and a record of it."""

import base64
import hashlib
import hmac
import json
import threading
from typing import Any

import pytest
from standardwebhooks.webhooks import Webhook

from functions.clock import now_ms
from functions.submissions.model import Submission
from functions.submissions.results.overview import RunCounts, overview
from functions.webhooks.deliveries.model import DeliveryState
from functions.webhooks.deliveries.publication import Hint
from functions.webhooks.deliveries.store import DeliveryStore
from functions.webhooks.egress import Egress
from functions.webhooks.sending.attempts import Attempts
from functions.webhooks.vocabulary import Reply
from tests.adapters.pipeline import SECRET, Pipeline, changed, logged, no_sleep
from tests.adapters.webhooks.scripted_sends import Conflicting, Script
from tests.submission_factory import START_MS
from tests.until import PATIENCE_SECS


def hint_of(submission: Submission) -> str:
    return Hint(submission.submission_id, "run", "dev").text


@pytest.fixture
def owed(pipeline: Pipeline) -> Submission:
    """A finished submission whose webhook has not been tried."""
    submission = pipeline.run()
    pipeline.hints()
    return submission


def test_failed_attempts_of_the_hour_are_counted_for_the_project_that_owns_them(
    pipeline: Pipeline, owed: Submission
) -> None:
    counts = RunCounts(pipeline.aws.names["QuotasTable"], pipeline.env.dynamodb, pipeline.time)  # as on Lambda
    pipeline.env._parts[RunCounts] = counts
    pipeline.receiver.answers = [(500, {}, b""), (200, {}, b"")]
    for _ in range(2):
        assert pipeline.webhook(hint_of(owed)) == []
        pipeline.time.advance(60)
    assert len(pipeline.receiver.received) == 2
    of_hours = [hour["failed_attempts"] for hour in overview(counts.hours("dev"), 0)["hours"]]
    assert (sum(of_hours), of_hours[-1]) == (1, 1)


@pytest.mark.parametrize("hint", ["", "{}", "[]", '{"event_id":"x"}', "null", '"x"'])
def test_hint_that_names_no_delivery_fails(hint: str, pipeline: Pipeline) -> None:
    assert pipeline.webhook(hint) == [0]


def test_hint_of_an_unknown_delivery_is_acknowledged(pipeline: Pipeline) -> None:
    assert (
        pipeline.webhook('{"event_id":"00000000-0000-4000-8000-000000000000","endpoint_id":"run","project_id":"dev"}')
        == []
    )
    assert pipeline.aws.items("DeliveriesTable") == []


def test_the_official_package_verifies_the_webhook(pipeline: Pipeline, owed: Submission) -> None:
    # The package refuses old timestamps, so this one test lives in the present.
    pipeline.use(changed(pipeline.deliverer, clock=now_ms))
    pipeline.time.ms = pipeline.deliverer.clock()
    assert pipeline.webhook(hint_of(owed)) == []
    (request,) = pipeline.receiver.received
    verified = Webhook(SECRET).verify(request.body.decode(), request.headers)
    assert verified == json.loads(request.body)
    assert verified["id"] == request.webhook_id == owed.submission_id
    assert (verified["type"], verified["verdict"], verified["stdout"]) == ("submission.completed", "AC", "42\n")
    assert request.headers["content-type"] == "application/json"


def test_raw_secret_is_verified_with_plain_hmac(pipeline: Pipeline) -> None:
    pipeline.run(webhook_secret="pässword")
    pipeline.webhook(*pipeline.hints())
    (request,) = pipeline.receiver.received
    content = f"{request.webhook_id}.{START_MS // 1000}.".encode() + request.body
    digest = hmac.new("pässword".encode(), content, hashlib.sha256).digest()
    assert request.headers["webhook-signature"] == "v1," + base64.b64encode(digest).decode()
    assert request.headers["webhook-timestamp"] == str(START_MS // 1000)


def test_2xx_is_delivered_and_recorded(pipeline: Pipeline, owed: Submission) -> None:
    pipeline.receiver.always(202, b"thank you")
    pipeline.webhook(hint_of(owed))
    assert pipeline.state(owed) is DeliveryState.DELIVERED
    (attempt,) = pipeline.attempts(owed)
    assert (attempt["n"], attempt["status_code"], attempt["head"]) == (1, 202, b"thank you")
    assert (attempt["address"], attempt["at"]) == ("127.0.0.1", "2026-11-24T12:00:00.000Z")
    assert [item for item in pipeline.aws.items("DeliveriesTable") if "due_shard" in item] == []
    assert pipeline.hints() == []


def test_duplicate_hints_send_once(pipeline: Pipeline, owed: Submission) -> None:
    assert pipeline.webhook(*[hint_of(owed)] * 5) == []
    assert (len(pipeline.receiver.received), len(pipeline.attempts(owed))) == (1, 1)


def test_failure_is_retried_on_schedule_with_the_same_id_and_bytes(
    pipeline: Pipeline, owed: Submission, delays: list[int]
) -> None:
    pipeline.receiver.always(500)
    for expected in (DeliveryState.RETRYING, DeliveryState.RETRYING, DeliveryState.RETRYING, DeliveryState.EXHAUSTED):
        pipeline.webhook(hint_of(owed))
        assert pipeline.state(owed) is expected
        pipeline.time.advance(1800)
    assert delays == [5, 300]  # 1,800 s is longer than SQS can wait: that one is the sweeper's
    assert len({(request.webhook_id, request.body) for request in pipeline.receiver.received}) == 1
    stamps = [request.headers["webhook-timestamp"] for request in pipeline.receiver.received]
    assert len(set(stamps)) == len(stamps) == 4
    assert len({request.headers["webhook-signature"] for request in pipeline.receiver.received}) == 4
    assert [attempt["n"] for attempt in pipeline.attempts(owed)] == [1, 2, 3, 4]
    pipeline.webhook(hint_of(owed))
    assert len(pipeline.receiver.received) == 4


def test_hint_is_rounded_up_so_that_it_is_never_early(pipeline: Pipeline, owed: Submission, delays: list[int]) -> None:
    pipeline.use(changed(pipeline.deliverer, random=lambda: 0.51))
    pipeline.receiver.always(500)
    pipeline.webhook(hint_of(owed))
    delivery = pipeline.delivery(owed)
    assert delivery is not None
    assert (delivery.next_at_ms - pipeline.time.ms, delays) == (5_020, [6])


def test_early_message_is_acknowledged_and_sends_nothing(pipeline: Pipeline, owed: Submission) -> None:
    pipeline.receiver.always(500)
    pipeline.webhook(hint_of(owed))
    pipeline.time.advance(4.999)
    assert pipeline.webhook(hint_of(owed)) == []
    assert len(pipeline.receiver.received) == 1
    pipeline.time.advance(0.001)
    pipeline.webhook(hint_of(owed))
    assert len(pipeline.receiver.received) == 2


def test_receiver_may_ask_for_more_time(pipeline: Pipeline, owed: Submission, delays: list[int]) -> None:
    pipeline.receiver.answers = [(503, {"retry-after": "120"}, b""), (429, {"retry-after": "99999"}, b"")]
    pipeline.webhook(hint_of(owed))
    pipeline.time.advance(120)
    pipeline.webhook(hint_of(owed))
    delivery = pipeline.delivery(owed)
    assert delivery is not None
    assert (delivery.next_at_ms - pipeline.time.ms, delays) == (86_400_000, [120])


def test_gone_ends_a_run_s_own_url_at_once(
    pipeline: Pipeline, owed: Submission, caplog: pytest.LogCaptureFixture
) -> None:
    pipeline.receiver.always(410)
    pipeline.webhook(hint_of(owed))
    assert pipeline.state(owed) is DeliveryState.EXHAUSTED
    (line,) = [vars(line) for line in caplog.records if line.message == "Delivery attempted"]
    assert (line["outcome"], line["DeliveryAttempted"], line["DeliveryExhausted"]) == ("exhausted", [1.0], [1.0])
    described = [(one["Metrics"][0]["Name"], one["Dimensions"]) for one in line["_aws"]["CloudWatchMetrics"]]
    assert described == [("DeliveryAttempted", [["service", "outcome"]]), ("DeliveryExhausted", [["service"]])]


def test_redirect_is_a_failure_and_is_not_followed(pipeline: Pipeline, owed: Submission) -> None:
    pipeline.receiver.always(302, location=pipeline.receiver.url)
    pipeline.webhook(hint_of(owed))
    assert (pipeline.state(owed), len(pipeline.receiver.received)) == (DeliveryState.RETRYING, 1)


def test_refused_address_is_blocked_and_nothing_is_sent(pipeline: Pipeline, owed: Submission) -> None:
    pipeline.use(changed(pipeline.deliverer, egress=Egress()))
    pipeline.webhook(hint_of(owed))
    assert pipeline.state(owed) is DeliveryState.BLOCKED
    assert [attempt["error_code"] for attempt in pipeline.attempts(owed)] == ["bad_scheme"]
    assert pipeline.receiver.received == []


def test_name_that_points_inside_is_blocked(pipeline: Pipeline) -> None:
    submission = pipeline.run(webhook_url="https://hooks.example.com/x")
    egress = Egress(resolver=lambda _host, _port: ["93.184.216.34", "10.0.0.1"])
    pipeline.use(changed(pipeline.deliverer, egress=egress))
    pipeline.webhook(*pipeline.hints())
    assert pipeline.state(submission) is DeliveryState.BLOCKED
    assert [attempt["error_code"] for attempt in pipeline.attempts(submission)] == ["blocked_address"]


def test_secret_that_no_rule_accepts_any_more_sends_nothing(pipeline: Pipeline) -> None:
    submission = pipeline.run(webhook_secret="whsec_short")
    pipeline.webhook(*pipeline.hints())
    assert pipeline.state(submission) is DeliveryState.BLOCKED
    assert pipeline.receiver.received == []


def test_deleted_submission_is_cancelled_and_never_sent(pipeline: Pipeline, owed: Submission) -> None:
    pipeline.deliveries.cancel_event(owed.submission_id)
    assert pipeline.webhook(hint_of(owed)) == []
    assert pipeline.state(owed) is DeliveryState.CANCELLED
    assert pipeline.deliveries.get_event(owed.submission_id) is None
    assert pipeline.receiver.received == []
    text = str(pipeline.aws.items("DeliveriesTable"))
    assert "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw" not in text
    assert "'body'" not in text


def test_fan_out_that_runs_beside_a_deletion_sends_nothing(pipeline: Pipeline) -> None:
    submission = pipeline.submit()
    pipeline.deliveries.cancel_event(submission.submission_id)
    pipeline.finish(submission)
    assert pipeline.hints() == []
    pipeline.webhook(hint_of(submission))
    assert (pipeline.delivery(submission), pipeline.row(submission).verdict) == (None, "AC")
    assert pipeline.receiver.received == []


def test_a_deletion_keeps_finished_deliveries(pipeline: Pipeline, owed: Submission) -> None:
    pipeline.webhook(hint_of(owed))
    pipeline.deliveries.cancel_event(owed.submission_id)
    assert pipeline.state(owed) is DeliveryState.DELIVERED


def test_deletion_during_a_send_is_not_overwritten_by_its_record(pipeline: Pipeline, owed: Submission) -> None:
    def send() -> Reply:
        pipeline.deliveries.cancel_event(owed.submission_id)
        return Reply(1, 500)

    pipeline.use(changed(pipeline.deliverer, egress=Script(send)))
    assert pipeline.webhook(hint_of(owed)) == []
    assert pipeline.state(owed) is DeliveryState.CANCELLED
    assert pipeline.attempts(owed) == []
    assert pipeline.hints() == []


def test_expired_event_is_not_sent(pipeline: Pipeline, owed: Submission) -> None:
    pipeline.time.advance(24 * 86_400)
    pipeline.webhook(hint_of(owed))
    assert pipeline.state(owed) is DeliveryState.CANCELLED
    assert pipeline.receiver.received == []


def test_of_many_workers_at_once_exactly_one_sends(pipeline: Pipeline, owed: Submission) -> None:
    start, outcomes = threading.Barrier(8), []

    def work() -> None:
        start.wait(PATIENCE_SECS)
        outcomes.append(list(pipeline.deliverer.deliver(Hint(owed.submission_id, "run", "dev"))))

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE_SECS)
    assert len(outcomes) == 8
    assert sum(map(len, outcomes)) == 1
    assert len(pipeline.receiver.received) == 1


def test_late_worker_whose_lease_ran_out_cannot_record(
    pipeline: Pipeline, owed: Submission, caplog: pytest.LogCaptureFixture
) -> None:
    prompt = pipeline.deliverer

    def send_slowly() -> Reply:
        pipeline.time.advance(60)
        assert list(prompt.deliver(Hint(owed.submission_id, "run", "dev")))  # another worker takes over and delivers
        return Reply(60_000, error_code="timeout")

    pipeline.use(changed(prompt, egress=Script(send_slowly)))
    assert pipeline.webhook(hint_of(owed)) == []
    assert pipeline.state(owed) is DeliveryState.DELIVERED
    assert [attempt.get("error_code") for attempt in pipeline.attempts(owed)] == [None]
    assert [vars(line)["outcome"] for line in caplog.records if line.message == "Delivery attempted"] == ["lease_lost"]


def test_worker_that_stalled_after_its_claim_does_not_send(pipeline: Pipeline, owed: Submission) -> None:
    class Stalling(DeliveryStore):
        def get_event(self, event_id: str) -> Any:
            pipeline.time.advance(46)
            return super().get_event(event_id)

    store = Stalling(pipeline.aws.names["DeliveriesTable"], pipeline.aws.client("dynamodb"), pipeline.time)
    pipeline.use(changed(pipeline.deliverer, deliveries=store))
    pipeline.webhook(hint_of(owed))
    assert (pipeline.receiver.received, pipeline.attempts(owed)) == ([], [])


def test_lease_that_ran_out_without_a_record_does_not_count(pipeline: Pipeline, owed: Submission) -> None:
    hint = Hint(owed.submission_id, "run", "dev")
    for _ in range(6):
        assert pipeline.deliverer.claimer.claim(hint, "crashed") is not None
        assert pipeline.deliverer.claimer.claim(hint, "too early") is None
        pipeline.time.advance(60)
    pipeline.webhook(hint_of(owed))
    assert (pipeline.state(owed), len(pipeline.attempts(owed))) == (DeliveryState.DELIVERED, 1)


@pytest.mark.parametrize(("conflicts", "failed"), [(1, []), (5, []), (6, [])])
def test_record_that_collides_is_tried_again(
    conflicts: int, failed: list[int], pipeline: Pipeline, owed: Submission
) -> None:
    client: Any = Conflicting(pipeline.aws.client("dynamodb"), conflicts)
    attempts = Attempts(pipeline.aws.names["DeliveriesTable"], client, pipeline.time, no_sleep)
    pipeline.use(changed(pipeline.deliverer, attempts=attempts))
    assert pipeline.webhook(hint_of(owed)) == failed
    assert len(pipeline.attempts(owed)) == (0 if failed else 1)


def test_log_holds_the_host_but_neither_path_query_secret_nor_body(
    pipeline: Pipeline, owed: Submission, caplog: pytest.LogCaptureFixture
) -> None:
    pipeline.receiver.always(500, b"hidden answer")
    pipeline.webhook(hint_of(owed))
    text = logged(caplog)
    assert "'host': '127.0.0.1'" in text
    assert f"'correlation_id': '{owed.submission_id}'" in text
    for hidden in ("very-hidden", "/hook", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "hidden answer", "print(42)"):
        assert hidden not in text


def test_event_and_delivery_outlive_the_replay_window(pipeline: Pipeline, owed: Submission) -> None:
    pipeline.webhook(hint_of(owed))
    items = pipeline.aws.items("DeliveriesTable")
    ttls = [int(item["ttl"]["N"]) for item in items if item["pk"]["S"].startswith("EVENT#")]
    assert len(ttls) == 2
    assert min(ttls) >= START_MS // 1000 + 14 * 86_400
