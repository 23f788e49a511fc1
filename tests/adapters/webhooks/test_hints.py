"""Hints: what a message carries, and how many calls it takes."""

import base64
import json
from dataclasses import replace
from typing import Any

import pytest

from events import MessageInvalidError
from functions.aws.clients import Clients
from functions.event_log.model import Event
from functions.event_log.rows import event_row
from functions.ids import new_id
from functions.webhooks.deliveries import publication, store
from functions.webhooks.deliveries.model import Delivery, DeliveryState
from functions.webhooks.deliveries.publication import MAX_BODY_BYTES, MAX_CALL_BYTES, DeliveryHints, Hint
from tests.adapters.aws_account import Aws

URL = "https://hooks.example.com:8443/x?token=1"
DELIVERY = Delivery(
    event_id="event",
    endpoint_id="run",
    project_id="dev",
    submission_id="submission",
    state=DeliveryState.PENDING,
    attempt=0,
    next_at_ms=5,
    created_at="2026-11-24T12:00:00.000Z",
    url=URL,
    secret_box=b"\x00sealed\xff",
)
BODY = "é\uffff\x01\\".encode()  # with characters that SQS refuses in a message


@pytest.fixture
def queue(aws: Aws) -> DeliveryHints:
    return DeliveryHints(Clients.sqs(), aws.names["DeliveriesQueue"])


@pytest.fixture
def calls(aws: Aws) -> list[list[str]]:
    """The messages of each SendMessageBatch."""
    seen: list[list[str]] = []
    client = aws.client("sqs")
    send = client.send_message_batch

    def noted(**given: Any) -> Any:
        seen.append([entry["MessageBody"] for entry in given["Entries"]])
        return send(**given)

    aws.monkeypatch.setattr(client, "send_message_batch", noted)
    return seen


def received(aws: Aws) -> dict[str, Any]:
    url = aws.names["DeliveriesQueue"]
    (message,) = aws.client("sqs").receive_message(QueueUrl=url, MessageSystemAttributeNames=["All"])["Messages"]
    assert isinstance(message, dict)
    return message


def test_a_hint_carries_the_delivery_and_the_bytes(aws: Aws, queue: DeliveryHints) -> None:
    queue.send(Hint.of_new(DELIVERY, BODY))
    message = received(aws)
    assert message["Attributes"]["MessageGroupId"] == "dev"
    assert message["Body"].isascii()
    assert Hint.parse(message["Body"]) == Hint("event", "run", "dev", "hooks.example.com", DELIVERY, BODY)


def test_rows_have_the_fields_that_earlier_builds_need() -> None:
    delivery = replace(DELIVERY, event_id=new_id())
    event = Event(delivery.event_id, delivery.event_type, delivery.project_id, b"{}")
    assert store.delivery_row(delivery, 0)["webhook_id"] == delivery.event_id
    assert event_row(event, 0)["schema"] == "webhook/v1"


def test_a_hint_may_only_name_its_delivery() -> None:
    named = Hint("event", "run", "dev", "hooks.example.com")
    assert Hint.parse(named.text) == Hint.of(DELIVERY) == named


@pytest.mark.parametrize(
    "text",
    [
        *("", "[]", "1", "null", "{}", '{"event_id":"x"}', '{"event_id":"x","endpoint_id":"run"}'),
        '{"event_id":"x","endpoint_id":"run","project_id":"dev","new":{}}',
        '{"event_id":"x","endpoint_id":"run","project_id":"dev","new":[]}',
        Hint.of_new(DELIVERY, BODY).text.replace('"next_at_ms":5', '"next_at_ms":"soon"'),
    ],
)
def test_a_broken_hint_is_refused(text: str) -> None:
    with pytest.raises(MessageInvalidError):
        Hint.parse(text)


def test_a_hint_of_an_earlier_build_only_names_its_delivery() -> None:
    old = json.dumps({"event_id": "event", "endpoint_id": "run", "project_id": "dev", "copy": {"attempt": 3}})
    assert Hint.parse(old) == Hint("event", "run", "dev")


def test_a_large_body_stays_in_the_table() -> None:
    assert Hint.of_new(DELIVERY, b"x" * MAX_BODY_BYTES).body
    large = Hint.of_new(DELIVERY, b"x" * (MAX_BODY_BYTES + 1))
    assert (large.body, large.new) == (b"", DELIVERY)


def test_the_largest_hint_fits_a_message_of_every_partition() -> None:
    largest = replace(DELIVERY, url="https://" + "x" * 2_040, secret_box=b"x" * 6_144)
    assert len(Hint.of_new(largest, b"x" * MAX_BODY_BYTES).text) < MAX_CALL_BYTES // 2


def test_a_late_hint_is_not_visible_yet(aws: Aws, queue: DeliveryHints) -> None:
    queue.send(Hint.of(DELIVERY), delay_ms=899_001)
    assert aws.messages("DeliveriesQueue") == []


def test_ten_hints_are_one_call(aws: Aws, queue: DeliveryHints, calls: list[list[str]]) -> None:
    queue.send_all([Hint.of_new(replace(DELIVERY, event_id=str(number)), BODY) for number in range(11)])
    assert [len(texts) for texts in calls] == [10, 1]
    assert {message["event_id"] for message in aws.messages("DeliveriesQueue")} == {str(n) for n in range(11)}


def test_no_call_is_larger_than_the_limit(aws: Aws, queue: DeliveryHints, calls: list[list[str]]) -> None:
    sizes = (MAX_BODY_BYTES, MAX_BODY_BYTES, MAX_BODY_BYTES, 1, MAX_BODY_BYTES, 1)
    queue.send_all([Hint.of_new(DELIVERY, b"x" * size) for size in sizes])
    assert [len(texts) for texts in calls] == [2, 4]
    assert max(sum(map(len, texts)) for texts in calls) <= MAX_CALL_BYTES
    assert [len(base64.b64decode(message["body"])) for message in aws.messages("DeliveriesQueue")] == list(sizes)


def test_no_hint_is_no_call(queue: DeliveryHints, calls: list[list[str]]) -> None:
    queue.send_all([])
    assert calls == []


def test_refused_messages_of_a_call_are_sent_again_three_times_in_all(aws: Aws, queue: DeliveryHints) -> None:
    seen: list[list[str]] = []

    def refuse_second(**given: Any) -> Any:
        seen.append([entry["Id"] for entry in given["Entries"]])
        return {"Failed": [{"Id": "1", "Code": "InternalError", "SenderFault": False}]}

    aws.monkeypatch.setattr(Clients.sqs(), "send_message_batch", refuse_second)
    queue.send_all([Hint.of(DELIVERY)] * 3)
    assert seen == [["0", "1", "2"], ["1"], ["1"]]
    assert len(seen) == publication._TRIES
