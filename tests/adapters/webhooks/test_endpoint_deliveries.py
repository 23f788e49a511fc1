"""Deliveries to a project's endpoints: claimed with one of its slots, and recorded with the endpoint's health."""

import json
from typing import Any, Self

import pytest
from botocore.exceptions import ClientError

from functions.submissions.model import Submission
from functions.webhooks.deliveries.model import HINTED_MS, DeliveryState
from functions.webhooks.endpoints.model import (
    DEFAULT_CONCURRENCY,
    DISABLE_AFTER_MS,
    SPREAD_MS,
    BodyFormat,
    DisabledReason,
    Endpoint,
    FailureStreak,
    Health,
)
from functions.webhooks.sending.attempts import Attempts
from functions.webhooks.sending.claim import Leases
from functions.webhooks.vocabulary import Reply
from tests.adapters.hook_verification import is_genuine
from tests.adapters.pipeline import SECRET, Pipeline, changed, no_sleep, path_of
from tests.adapters.webhooks.endpoint_runs import finish, hint_of, hold, use_leases
from tests.adapters.webhooks.scripted_sends import Conflicting, Script
from tests.chat_shapes import problems, texts
from tests.submission_factory import START_MS

DAY_SECS = 86_400


@pytest.fixture
def endpoint(pipeline: Pipeline) -> Endpoint:
    return pipeline.endpoint()


@pytest.fixture
def owed(pipeline: Pipeline, endpoint: Endpoint) -> Submission:
    """A finished submission without a URL of its own, of which the endpoint has not heard."""
    return finish(pipeline)


# --- fan-out ---------------------------------------------------------------------


def test_every_endpoint_that_wants_the_event_and_the_run_s_own_url_get_it(pipeline: Pipeline) -> None:
    wanting = [pipeline.endpoint(), pipeline.endpoint(events=("submission.completed", "endpoint.disabled"))]
    other = pipeline.endpoint(events=("endpoint.disabled",))
    submission = pipeline.run()
    hints = pipeline.hints()
    assert len(hints) == 3
    pipeline.webhook(*hints)
    assert {request.path for request in pipeline.receiver.received} == {
        "/hook",
        *(path_of(endpoint.endpoint_id) for endpoint in wanting),
    }
    assert len({(request.webhook_id, request.body) for request in pipeline.receiver.received}) == 1
    assert pipeline.delivery(submission, other.endpoint_id) is None


@pytest.mark.parametrize("body_format", [BodyFormat.SLACK, BodyFormat.DISCORD, BodyFormat.TEAMS])
def test_a_chat_endpoint_gets_a_card_and_the_others_the_event(pipeline: Pipeline, body_format: BodyFormat) -> None:
    chat, plain = pipeline.endpoint(format=body_format), pipeline.endpoint()
    pipeline.receiver.answers = [(503, {}, b""), (503, {}, b""), (200, {}, b"ok")]
    submission = finish(pipeline)
    pipeline.webhook(hint_of(submission, chat), hint_of(submission, plain))
    pipeline.time.advance(DAY_SECS)
    pipeline.webhook(hint_of(submission, chat), hint_of(submission, plain))
    got = pipeline.receiver.received
    cards = [request for request in got if request.path == path_of(chat.endpoint_id)]
    events = [request for request in got if request.path == path_of(plain.endpoint_id)]
    assert (len(cards), len(events)) == (2, 2)
    assert all(is_genuine(request, SECRET) for request in got)
    assert {request.webhook_id for request in got} == {submission.submission_id}
    assert len({request.body for request in cards}) == 1  # every attempt has the same bytes
    assert problems(body_format.value, cards[0].body) == []
    assert submission.submission_id in "".join(texts(json.loads(cards[0].body)))
    assert json.loads(events[0].body)["type"] == "submission.completed"


def test_endpoint_of_another_project_gets_nothing(pipeline: Pipeline) -> None:
    foreign = pipeline.endpoint(project_id="other", secret_box=pipeline.boxes.seal(SECRET, "other", "x"))
    submission = finish(pipeline)
    assert pipeline.delivery(submission, foreign.endpoint_id) is None
    assert pipeline.hints() == []


def test_delivery_row_of_an_endpoint_holds_neither_url_nor_secret(pipeline: Pipeline, owed: Submission) -> None:
    (row,) = [item for item in pipeline.aws.items("DeliveriesTable") if item["sk"]["S"].startswith("DELIVERY#")]
    assert {"url", "secret"}.isdisjoint(row)


def test_disabled_endpoint_gets_a_paused_row_that_is_never_due(pipeline: Pipeline) -> None:
    off = pipeline.endpoint(enabled=False, disabled_reason=DisabledReason.REQUEST)
    submission = finish(pipeline)
    assert pipeline.state(submission, off.endpoint_id) is DeliveryState.PAUSED
    assert [item for item in pipeline.aws.items("DeliveriesTable") if "due_shard" in item] == []
    pipeline.webhook(hint_of(submission, off))
    assert pipeline.receiver.received == []


def test_hints_the_queue_refuses_are_sent_again(pipeline: Pipeline) -> None:
    endpoints = [pipeline.endpoint() for _ in range(12)]
    refused = Refusals(pipeline, refuse=[{"3", "7"}, {"3"}])
    with refused:
        pipeline.run(webhook_url=None)
    assert [len(ids) for ids in refused.sent] == [10, 2, 1, 2]
    hinted = {json.loads(hint)["endpoint_id"] for hint in pipeline.hints()}
    assert hinted == {endpoint.endpoint_id for endpoint in endpoints}


def test_hints_the_queue_refuses_for_good_are_the_sweeper_s(pipeline: Pipeline) -> None:
    endpoints = [pipeline.endpoint() for _ in range(3)]
    with Refusals(pipeline, refuse=[{"1"}] * 3):
        submission = pipeline.run(webhook_url=None)
    hinted = {json.loads(hint)["endpoint_id"] for hint in pipeline.hints() if submission.submission_id in hint}
    assert len(hinted) == 2
    pipeline.sweep(after_secs=HINTED_MS / 1000)
    pipeline.webhook(*pipeline.hints())
    assert all(pipeline.state(submission, endpoint.endpoint_id) is DeliveryState.DELIVERED for endpoint in endpoints)


class Refusals:
    """SendMessageBatch takes some messages and refuses others, call by call.

    Those are taken out before the call goes to the server, and named as failed in its answer.
    """

    def __init__(self, pipeline: Pipeline, refuse: list[set[str]]) -> None:
        self._events = pipeline.aws.client("sqs").meta.events
        self._refuse = refuse
        self._failed: list[str] = []
        self.sent: list[list[str]] = []

    def __enter__(self) -> Self:
        self._events.register("provide-client-params.sqs.SendMessageBatch", self._before)
        self._events.register("after-call.sqs.SendMessageBatch", self._after)
        return self

    def __exit__(self, *_: object) -> None:
        self._events.unregister("provide-client-params.sqs.SendMessageBatch", self._before)
        self._events.unregister("after-call.sqs.SendMessageBatch", self._after)

    def _before(self, params: dict[str, Any], **_: object) -> None:
        ids = [entry["Id"] for entry in params["Entries"]]
        refuse = self._refuse.pop(0) if self._refuse else set()
        self._failed = [entry_id for entry_id in ids if entry_id in refuse]
        self.sent.append(ids)
        params["Entries"] = [entry for entry in params["Entries"] if entry["Id"] not in refuse] or [
            {"Id": "filler", "MessageBody": '{"event_id":"x","endpoint_id":"run"}'}
        ]

    def _after(self, parsed: dict[str, Any], **_: object) -> None:
        parsed["Failed"] = [
            {"Id": entry_id, "Code": "InternalError", "SenderFault": False} for entry_id in self._failed
        ]


# --- what is sent ------------------------------------------------------------------


def test_a_delivery_is_signed_with_the_endpoints_secret_and_carries_its_headers(pipeline: Pipeline) -> None:
    headers = {"x-tenant": "blue", "Webhook-Id": "forged", "webhook-signature": "v1,forged", "host": "evil.example"}
    endpoint = pipeline.endpoint(headers=headers)
    submission = finish(pipeline)
    pipeline.webhook(hint_of(submission, endpoint))
    (request,) = pipeline.sent_to(endpoint)
    assert request.headers["x-tenant"] == "blue"
    assert request.webhook_id == submission.submission_id
    assert request.headers["host"].startswith("127.0.0.1:")
    assert is_genuine(request, SECRET)
    assert request.headers["content-type"] == "application/json"


def test_while_a_rotation_overlaps_both_secrets_sign_and_then_one(pipeline: Pipeline) -> None:
    endpoint = pipeline.endpoint()
    secret = pipeline.rotate(endpoint, overlap_secs=600)
    for _ in range(2):
        pipeline.webhook(hint_of(finish(pipeline), endpoint))
        pipeline.time.advance(600)
    during, after = pipeline.sent_to(endpoint)
    assert len(during.headers["webhook-signature"].split(" ")) == 2
    assert is_genuine(during, secret)
    assert is_genuine(during, SECRET)
    assert len(after.headers["webhook-signature"].split(" ")) == 1
    assert is_genuine(after, secret)
    assert not is_genuine(after, SECRET)


def test_rotation_and_a_new_url_count_at_the_next_attempt(
    pipeline: Pipeline, endpoint: Endpoint, owed: Submission
) -> None:
    pipeline.receiver.always(500)
    pipeline.webhook(hint_of(owed, endpoint))
    secret = pipeline.rotate(endpoint, overlap_secs=0)
    pipeline.secrets["/moved"] = [secret]
    pipeline.change_endpoint(endpoint, {"url": pipeline.receiver.url_of("/moved")})
    pipeline.time.advance(5)
    pipeline.webhook(hint_of(owed, endpoint))
    (first,), (second,) = pipeline.sent_to(endpoint), pipeline.receiver.of("/moved")
    assert (first.webhook_id, first.body) == (second.webhook_id, second.body)
    assert is_genuine(second, secret)
    assert not is_genuine(second, SECRET)


def test_box_of_another_endpoint_sends_nothing(pipeline: Pipeline) -> None:
    thief = pipeline.endpoint(secret_box=pipeline.boxes.seal(SECRET, "dev", "another"))
    submission = finish(pipeline)
    pipeline.webhook(hint_of(submission, thief))
    assert pipeline.state(submission, thief.endpoint_id) is DeliveryState.BLOCKED
    assert pipeline.receiver.received == []


def test_while_kms_is_down_nothing_is_sent_and_nothing_lost(
    pipeline: Pipeline, endpoint: Endpoint, owed: Submission, monkeypatch: pytest.MonkeyPatch
) -> None:
    def down(*_: object, **__: object) -> object:
        raise ClientError({"Error": {"Code": "KMSInternalException", "Message": "down"}}, "Decrypt")

    with monkeypatch.context() as patched:
        patched.setattr(pipeline.boxes, "open", down)
        assert pipeline.webhook(hint_of(owed, endpoint)) == [0]
    assert pipeline.receiver.received == []
    pipeline.sweep(after_secs=61)
    pipeline.webhook(*pipeline.hints())
    assert pipeline.state(owed, endpoint.endpoint_id) is DeliveryState.DELIVERED
    assert len(pipeline.attempts(owed, endpoint.endpoint_id)) == 1


def test_log_names_host_and_endpoint_but_no_secret(
    pipeline: Pipeline, endpoint: Endpoint, owed: Submission, caplog: pytest.LogCaptureFixture
) -> None:
    pipeline.webhook(hint_of(owed, endpoint))
    text = "\n".join(f"{record.getMessage()} {record.__dict__}" for record in caplog.records)
    assert f"{owed.submission_id}#{endpoint.endpoint_id}" in text
    for hidden in ("very-hidden", path_of(endpoint.endpoint_id), "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"):
        assert hidden not in text


# --- claim -------------------------------------------------------------------------


def test_hint_that_names_another_project_changes_nothing(
    pipeline: Pipeline, endpoint: Endpoint, owed: Submission
) -> None:
    before = pipeline.aws.items("DeliveriesTable")
    hint = json.loads(hint_of(owed, endpoint)) | {"project_id": "other"}
    assert pipeline.webhook(json.dumps(hint)) == []
    assert pipeline.aws.items("DeliveriesTable") == before


def test_duplicate_hints_send_once(pipeline: Pipeline, endpoint: Endpoint, owed: Submission) -> None:
    assert pipeline.webhook(*[hint_of(owed, endpoint)] * 5) == []
    assert (len(pipeline.receiver.received), len(pipeline.attempts(owed, endpoint.endpoint_id))) == (1, 1)
    assert pipeline.slots.read("dev").live(pipeline.time() + 1_000) == {}


def test_a_deleted_endpoint_cancels_its_deliveries(pipeline: Pipeline, endpoint: Endpoint, owed: Submission) -> None:
    pipeline.receiver.always(500)
    pipeline.webhook(hint_of(owed, endpoint))
    assert pipeline.endpoints.delete("dev", endpoint.endpoint_id)
    pipeline.time.advance(5)
    pipeline.webhook(hint_of(owed, endpoint))
    assert pipeline.state(owed, endpoint.endpoint_id) is DeliveryState.CANCELLED
    assert len(pipeline.receiver.received) == 1
    assert pipeline.sweep() == {"handled": 1, "failed": 0}  # the deletion itself


def test_a_disabled_endpoint_pauses_its_deliveries(pipeline: Pipeline, endpoint: Endpoint, owed: Submission) -> None:
    pipeline.change_endpoint(endpoint, {"enabled": False})
    pipeline.webhook(hint_of(owed, endpoint))
    assert pipeline.state(owed, endpoint.endpoint_id) is DeliveryState.PAUSED
    pipeline.change_endpoint(endpoint, {"enabled": True})
    pipeline.sweep(after_secs=DAY_SECS)
    pipeline.webhook(hint_of(owed, endpoint), *pipeline.hints())
    assert pipeline.receiver.received == []  # only `Recovery` brings it back


def test_endpoint_that_is_disabled_between_look_and_claim_gets_its_last_event(
    pipeline: Pipeline, endpoint: Endpoint, owed: Submission
) -> None:
    class Late(Leases):
        def claim(self, *arguments: Any) -> Any:
            pipeline.change_endpoint(endpoint, {"enabled": False})
            return super().claim(*arguments)

    use_leases(pipeline, Late)
    pipeline.webhook(hint_of(owed, endpoint))
    assert pipeline.state(owed, endpoint.endpoint_id) is DeliveryState.DELIVERED
    assert not pipeline.at(endpoint).enabled


def test_endpoint_that_is_enabled_between_look_and_pause_is_called(
    pipeline: Pipeline, endpoint: Endpoint, owed: Submission
) -> None:
    pipeline.change_endpoint(endpoint, {"enabled": False})

    class Late(Leases):
        def pause(self, *arguments: Any) -> Any:
            pipeline.change_endpoint(endpoint, {"enabled": True})
            return super().pause(*arguments)

    use_leases(pipeline, Late)
    pipeline.webhook(hint_of(owed, endpoint))
    assert pipeline.state(owed, endpoint.endpoint_id) is DeliveryState.DELIVERED


def test_claims_that_collide_read_again_and_are_deferred_in_the_end(
    pipeline: Pipeline, endpoint: Endpoint, owed: Submission, delays: list[int]
) -> None:
    use_leases(pipeline, Leases, Conflicting(pipeline.aws.client("dynamodb"), 23))
    pipeline.webhook(hint_of(owed, endpoint))
    assert pipeline.state(owed, endpoint.endpoint_id) is DeliveryState.DELIVERED
    second = finish(pipeline)
    use_leases(pipeline, Leases, Conflicting(pipeline.aws.client("dynamodb"), 24))
    pipeline.webhook(hint_of(second, endpoint))
    assert (pipeline.state(second, endpoint.endpoint_id), delays) == (DeliveryState.PENDING, [1])


def test_lease_taken_over_by_another_send_is_not_freed_by_a_late_record(
    pipeline: Pipeline, endpoint: Endpoint, owed: Submission
) -> None:
    def send_slowly() -> Reply:
        pipeline.time.advance(61)
        hold(pipeline, endpoint)  # all ten, ours among them
        return Reply(61_000, error_code="timeout")

    pipeline.use(changed(pipeline.deliverer, egress=Script(send_slowly)))
    pipeline.webhook(hint_of(owed, endpoint))
    assert len(pipeline.slots.read("dev").live(pipeline.time())) == DEFAULT_CONCURRENCY
    assert pipeline.state(owed, endpoint.endpoint_id) is DeliveryState.RETRYING  # the delivery itself was still ours


# --- record --------------------------------------------------------------------------


def fail(pipeline: Pipeline, endpoint: Endpoint, status: int = 500) -> Submission:
    pipeline.receiver.answers_of[path_of(endpoint.endpoint_id)] = (status, {}, b"")
    submission = finish(pipeline)
    pipeline.webhook(hint_of(submission, endpoint))
    del pipeline.receiver.answers_of[path_of(endpoint.endpoint_id)]
    return submission


def test_failures_are_counted_far_apart_and_a_delivery_forgives_them(pipeline: Pipeline, endpoint: Endpoint) -> None:
    fail(pipeline, endpoint)
    assert pipeline.at(endpoint).failing == FailureStreak(START_MS, START_MS, 1)
    pipeline.time.advance(SPREAD_MS / 1000 - 1)
    fail(pipeline, endpoint)
    assert pipeline.at(endpoint).failing == FailureStreak(START_MS, START_MS, 1)
    pipeline.time.advance(1)
    fail(pipeline, endpoint)
    assert pipeline.at(endpoint).failing == FailureStreak(START_MS, START_MS + SPREAD_MS, 2)
    pipeline.webhook(hint_of(finish(pipeline), endpoint))
    assert (pipeline.at(endpoint).failing, pipeline.at(endpoint).health(pipeline.time())) == (None, Health.ACTIVE)


def test_five_days_of_nothing_but_failures_disable_an_endpoint(pipeline: Pipeline, endpoint: Endpoint) -> None:
    health = []
    for _ in range(6):
        submission = fail(pipeline, endpoint)
        health.append(pipeline.at(endpoint).health(pipeline.time()))
        pipeline.time.advance(DAY_SECS)
    assert health == [Health.ACTIVE, Health.ACTIVE, Health.ACTIVE, Health.DEGRADED, Health.DEGRADED, Health.DISABLED]
    row = pipeline.at(endpoint)
    assert (row.disabled_reason, row.disabled_at) == (DisabledReason.FAILING, "2026-11-29T12:00:00.000Z")
    assert pipeline.state(submission, endpoint.endpoint_id) is DeliveryState.PAUSED
    assert len(pipeline.attempts(submission, endpoint.endpoint_id)) == 1


def test_one_long_outage_between_two_failures_of_the_same_hour_disables_nothing(
    pipeline: Pipeline, endpoint: Endpoint
) -> None:
    for _ in range(4):
        fail(pipeline, endpoint)
        pipeline.time.advance(600)
    assert pipeline.at(endpoint).health(pipeline.time() + DISABLE_AFTER_MS) is Health.ACTIVE


def test_410_disables_an_endpoint_and_pauses_its_delivery(pipeline: Pipeline, endpoint: Endpoint) -> None:
    submission = fail(pipeline, endpoint, 410)
    row = pipeline.at(endpoint)
    assert (row.enabled, row.disabled_reason) == (False, DisabledReason.GONE)
    assert pipeline.state(submission, endpoint.endpoint_id) is DeliveryState.PAUSED
    assert [attempt["status_code"] for attempt in pipeline.attempts(submission, endpoint.endpoint_id)] == [410]
    assert pipeline.hints() == []


def test_410_at_the_last_attempt_is_exhausted(pipeline: Pipeline, endpoint: Endpoint) -> None:
    pipeline.with_schedule(0)
    submission = fail(pipeline, endpoint, 410)
    assert pipeline.state(submission, endpoint.endpoint_id) is DeliveryState.EXHAUSTED
    assert not pipeline.at(endpoint).enabled


def test_blocked_address_counts_as_a_failure_of_the_endpoint(pipeline: Pipeline) -> None:
    endpoint = pipeline.endpoint(url="ftp://hooks.example.com/")
    submission = finish(pipeline)
    pipeline.webhook(hint_of(submission, endpoint))
    assert pipeline.state(submission, endpoint.endpoint_id) is DeliveryState.BLOCKED
    assert pipeline.at(endpoint).failing is not None


@pytest.mark.parametrize(
    ("status", "state"),
    [(200, DeliveryState.DELIVERED), (500, DeliveryState.CANCELLED), (410, DeliveryState.CANCELLED)],
)
def test_endpoint_deleted_during_a_send_leaves_a_record_and_nothing_due(
    status: int, state: DeliveryState, pipeline: Pipeline, endpoint: Endpoint, owed: Submission
) -> None:
    def send() -> Reply:
        pipeline.endpoints.delete("dev", endpoint.endpoint_id)
        return Reply(1, status)

    pipeline.use(changed(pipeline.deliverer, egress=Script(send)))
    assert pipeline.webhook(hint_of(owed, endpoint)) == []
    assert pipeline.state(owed, endpoint.endpoint_id) is state
    assert len(pipeline.attempts(owed, endpoint.endpoint_id)) == 1
    assert pipeline.endpoints.get("dev", endpoint.endpoint_id) is None
    due = [item["sk"]["S"] for item in pipeline.aws.items("DeliveriesTable") if "due_shard" in item]
    assert due == [f"DELETED#{endpoint.endpoint_id}"]  # its paused deliveries, of which there are none


def test_endpoint_switched_off_during_a_send_pauses_its_retry_at_once(
    pipeline: Pipeline, endpoint: Endpoint, owed: Submission
) -> None:
    def send() -> Reply:
        sets: dict[str, Any] = {
            "enabled": False,
            "disabled_reason": "request",
            "disabled_at": "2026-11-24T12:00:00.000Z",
        }
        pipeline.change_endpoint(endpoint, sets)
        return Reply(1, 410)

    pipeline.use(changed(pipeline.deliverer, egress=Script(send)))
    pipeline.webhook(hint_of(owed, endpoint))
    assert pipeline.state(owed, endpoint.endpoint_id) is DeliveryState.PAUSED
    assert pipeline.at(endpoint).disabled_reason is DisabledReason.REQUEST  # not ours to overwrite


def test_failure_that_was_on_its_way_while_another_delivery_succeeded_counts_anew(
    pipeline: Pipeline, endpoint: Endpoint
) -> None:
    fail(pipeline, endpoint)
    pipeline.time.advance(6 * DAY_SECS)
    prompt, late = pipeline.deliverer, finish(pipeline)

    def send() -> Reply:
        pipeline.use(prompt)
        pipeline.webhook(hint_of(finish(pipeline), endpoint))
        return Reply(1, 500)

    pipeline.use(changed(prompt, egress=Script(send)))
    pipeline.webhook(hint_of(late, endpoint))
    row = pipeline.at(endpoint)
    assert (row.enabled, row.failing) == (True, FailureStreak(pipeline.time(), pipeline.time(), 1))


@pytest.mark.parametrize("conflicts", [1, 3, 4])
def test_record_that_collides_is_tried_again_and_at_last_without_the_other_rows(
    conflicts: int, pipeline: Pipeline, endpoint: Endpoint, owed: Submission
) -> None:
    client: Any = Conflicting(pipeline.aws.client("dynamodb"), conflicts)
    attempts = Attempts(pipeline.aws.names["DeliveriesTable"], client, pipeline.time, no_sleep)
    pipeline.use(changed(pipeline.deliverer, attempts=attempts))
    assert pipeline.webhook(hint_of(owed, endpoint)) == []
    assert pipeline.state(owed, endpoint.endpoint_id) is DeliveryState.DELIVERED
    assert pipeline.slots.read("dev").live(pipeline.time() + 1_000) == {}


def test_deleted_submission_is_not_sent_and_gives_its_lease_back(
    pipeline: Pipeline, endpoint: Endpoint, owed: Submission
) -> None:
    class Meanwhile(Leases):
        def claim(self, *arguments: Any) -> Any:
            held = super().claim(*arguments)
            pipeline.aws.client("dynamodb").update_item(
                TableName=pipeline.aws.names["DeliveriesTable"],
                Key={"pk": {"S": f"EVENT#{owed.submission_id}"}, "sk": {"S": "EVENT"}},
                UpdateExpression="REMOVE body_zlib",
            )
            return held

    use_leases(pipeline, Meanwhile)
    pipeline.webhook(hint_of(owed, endpoint))
    assert pipeline.state(owed, endpoint.endpoint_id) is DeliveryState.CANCELLED
    assert pipeline.slots.read("dev").live(pipeline.time() + 1_000) == {}
    assert pipeline.receiver.received == []
