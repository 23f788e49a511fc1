"""SQS as this project uses it, on the engine, moto and ministack."""

import hashlib
import json
import time
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.embedded.backend import Backend, only
from tests.until import until


@pytest.fixture
def sqs(backend: Backend) -> Any:
    return backend.client("sqs")


def receive(sqs: Any, url: str, **more: Any) -> list[dict[str, Any]]:
    request = {"MaxNumberOfMessages": 10, "MessageSystemAttributeNames": ["All"], **more}
    found: list[dict[str, Any]] = sqs.receive_message(QueueUrl=url, **request).get("Messages", [])
    return found


def depths(sqs: Any, url: str) -> list[int]:
    names = [f"ApproximateNumberOfMessages{suffix}" for suffix in ("", "NotVisible", "Delayed")]
    attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
    return [int(attributes[name]) for name in names]


def test_a_message_is_invisible_until_it_is_deleted(backend: Backend, sqs: Any) -> None:
    url = backend.create_queue()
    sent = sqs.send_message(QueueUrl=url, MessageBody="h\u00e9llo", MessageGroupId="p1")
    digest = hashlib.md5("h\u00e9llo".encode(), usedforsecurity=False).hexdigest()
    assert sent["MD5OfMessageBody"] == digest
    assert depths(sqs, url) == [1, 0, 0]
    (message,) = receive(sqs, url)
    assert (message["Body"], message["MD5OfBody"], message["MessageId"]) == ("h\u00e9llo", digest, sent["MessageId"])
    assert message["Attributes"]["ApproximateReceiveCount"] == "1"
    assert message["Attributes"]["MessageGroupId"] == "p1"
    assert receive(sqs, url) == []
    assert depths(sqs, url) == [0, 1, 0]
    sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    assert depths(sqs, url) == [0, 0, 0]


def test_a_message_keeps_its_own_attributes(backend: Backend, sqs: Any) -> None:
    url = backend.create_queue()
    own = {
        "correlation_id": {"StringValue": "h\u00e9llo-1", "DataType": "String"},
        "another": {"StringValue": "x", "DataType": "String"},
    }
    sent = sqs.send_message(QueueUrl=url, MessageBody="x", MessageAttributes=own)
    (message,) = receive(sqs, url, MessageAttributeNames=["All"], VisibilityTimeout=0)
    assert message["MessageAttributes"] == own
    assert message["MD5OfMessageAttributes"] == sent["MD5OfMessageAttributes"]
    (message,) = receive(sqs, url, MessageAttributeNames=["another"], VisibilityTimeout=0)
    assert message["MessageAttributes"] == {"another": own["another"]}
    (message,) = receive(sqs, url)  # a receiver of the revision before names none
    assert "MessageAttributes" not in message


@only("engine")  # as on AWS; the others count the body alone
def test_attributes_count_towards_the_size_of_a_message(backend: Backend, sqs: Any) -> None:
    url = backend.create_queue(MaximumMessageSize="1024")
    own = {"a": {"StringValue": "b" * 10, "DataType": "String"}}
    sqs.send_message(QueueUrl=url, MessageBody="x" * (1024 - 17), MessageAttributes=own)
    with pytest.raises(ClientError, match="must be 1 to 1024 bytes; got 1025"):
        sqs.send_message(QueueUrl=url, MessageBody="x" * (1024 - 16), MessageAttributes=own)


def test_visibility_is_given_back_and_extended(backend: Backend, sqs: Any) -> None:
    url = backend.create_queue(VisibilityTimeout="60")
    sqs.send_message(QueueUrl=url, MessageBody="x")
    (first,) = receive(sqs, url)
    sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=first["ReceiptHandle"], VisibilityTimeout=0)
    (second,) = receive(sqs, url)
    assert second["Attributes"]["ApproximateReceiveCount"] == "2"
    assert second["ReceiptHandle"] != first["ReceiptHandle"]
    sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=second["ReceiptHandle"], VisibilityTimeout=60)
    assert receive(sqs, url) == []


def test_a_message_that_nobody_received_again_is_taken_back(backend: Backend, sqs: Any) -> None:
    url = backend.create_queue()
    sqs.send_message(QueueUrl=url, MessageBody="x")
    (message,) = receive(sqs, url)
    for seconds, expected in ((0, [1, 0, 0]), (60, [0, 1, 0])):
        sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=seconds)
        assert depths(sqs, url) == expected


def test_a_message_comes_back_after_its_visibility_timeout(backend: Backend, sqs: Any) -> None:
    url = backend.create_queue()
    sqs.send_message(QueueUrl=url, MessageBody="x")
    receive(sqs, url, VisibilityTimeout=1)
    time.sleep(1.1)
    (message,) = receive(sqs, url)
    assert message["Attributes"]["ApproximateReceiveCount"] == "2"


def test_a_delayed_message_comes_later(backend: Backend, sqs: Any) -> None:
    url = backend.create_queue()
    sqs.send_message(QueueUrl=url, MessageBody="x", DelaySeconds=2)
    assert receive(sqs, url) == []
    assert depths(sqs, url) == [0, 0, 1]
    assert len(until(lambda: receive(sqs, url))) == 1


def test_a_message_that_fails_too_often_goes_to_the_dead_letters(backend: Backend, sqs: Any) -> None:
    dead = backend.create_queue()
    arn = sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    policy = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": 2})
    url = backend.create_queue(VisibilityTimeout="0", RedrivePolicy=policy)
    sent = sqs.send_message(QueueUrl=url, MessageBody="poison")
    for count in ("1", "2"):
        (message,) = receive(sqs, url)
        assert message["Attributes"]["ApproximateReceiveCount"] == count
    assert receive(sqs, url) == []
    (message,) = receive(sqs, dead)
    assert (message["Body"], message["MessageId"]) == ("poison", sent["MessageId"])


def test_a_batch_is_sent_and_deleted(backend: Backend, sqs: Any) -> None:
    url = backend.create_queue()
    entries = [{"Id": str(number), "MessageBody": f"m{number}", "MessageGroupId": "p"} for number in range(3)]
    answer = sqs.send_message_batch(QueueUrl=url, Entries=entries)
    assert [entry["Id"] for entry in answer["Successful"]] == ["0", "1", "2"]
    assert not answer.get("Failed")
    received = receive(sqs, url)
    assert sorted(message["Body"] for message in received) == ["m0", "m1", "m2"]
    handles = [{"Id": str(place), "ReceiptHandle": one["ReceiptHandle"]} for place, one in enumerate(received)]
    assert len(sqs.delete_message_batch(QueueUrl=url, Entries=handles)["Successful"]) == 3
    assert depths(sqs, url) == [0, 0, 0]


@only("engine", "moto")
@pytest.mark.parametrize(("entries", "code"), [(0, "Empty"), (11, "TooMany")])
def test_a_batch_has_one_to_ten_entries(backend: Backend, sqs: Any, entries: int, code: str) -> None:
    url = backend.create_queue()
    batch = [{"Id": str(number), "MessageBody": "x"} for number in range(entries)]
    with pytest.raises(ClientError) as refused:
        sqs.send_message_batch(QueueUrl=url, Entries=batch)
    assert code in refused.value.response["Error"]["Code"]


def test_a_queue_that_is_not_there_is_an_error_of_its_own(backend: Backend, sqs: Any) -> None:
    url = backend.create_queue()
    with pytest.raises(sqs.exceptions.QueueDoesNotExist):
        sqs.send_message(QueueUrl=url + "x", MessageBody="x")
    with pytest.raises(sqs.exceptions.QueueDoesNotExist):
        sqs.get_queue_url(QueueName="none")


def test_a_queue_is_found_by_name_and_keeps_its_attributes(backend: Backend, sqs: Any) -> None:
    url = backend.create_queue(VisibilityTimeout="77")
    name = url.rpartition("/")[2]
    assert sqs.get_queue_url(QueueName=name)["QueueUrl"] == url
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"VisibilityTimeout": "78"})
    attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    assert attributes["VisibilityTimeout"] == "78"
    assert attributes["QueueArn"].endswith(f":{name}")


@only("engine")
def test_characters_that_xml_does_not_have_are_refused(backend: Backend, sqs: Any) -> None:
    url = backend.create_queue()
    with pytest.raises(ClientError) as refused:
        sqs.send_message(QueueUrl=url, MessageBody="a\0b")
    assert refused.value.response["Error"]["Code"].endswith("InvalidMessageContents")
