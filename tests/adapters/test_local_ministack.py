"""The local stack's AWS server, where ours makes ministack do what AWS does, or the same for less."""

import http.client
import json
import socket
from pathlib import Path
from typing import Any

import pytest

from functions.ids import new_id
from infra.local import ministack
from infra.local.resources import session
from tests.adapters.local_server import server

__all__ = ["server"]


@pytest.fixture
def queue_url(server: str, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("AWS_ENDPOINT_URL", server)
    return str(session().client("sqs").create_queue(QueueName=f"queue-{new_id()}")["QueueUrl"])


def test_a_long_poll_ends_with_its_connection(server: str, queue_url: str) -> None:
    """A client that was killed while it waited is not given the next message, which nobody would see for 30 s."""
    sqs = session().client("sqs")
    with socket.create_connection(("127.0.0.1", int(server.rpartition(":")[2])), 20) as killed:
        body = json.dumps({"QueueUrl": queue_url, "WaitTimeSeconds": 20}).encode()
        killed.sendall(
            b"POST / HTTP/1.1\r\nhost: x\r\nx-amz-target: AmazonSQS.ReceiveMessage\r\n"
            b"content-type: application/x-amz-json-1.0\r\ncontent-length: %d\r\n\r\n%s" % (len(body), body)
        )
        assert sqs.receive_message(QueueUrl=queue_url).get("Messages") is None  # the server has read the first by now
    sqs.receive_message(QueueUrl=queue_url)  # and the end of the connection
    sqs.send_message(QueueUrl=queue_url, MessageBody="for the living")
    (message,) = sqs.receive_message(QueueUrl=queue_url, WaitTimeSeconds=5)["Messages"]
    assert message["Body"] == "for the living"


def test_a_queue_serves_the_group_with_the_fewest_messages_in_flight(queue_url: str) -> None:
    sqs = session().client("sqs")
    for group in ("busy", "busy", "busy", "calm", "busy", "other"):
        sqs.send_message(QueueUrl=queue_url, MessageBody=group, MessageGroupId=group)
    received = [sqs.receive_message(QueueUrl=queue_url, VisibilityTimeout=60)["Messages"][0]["Body"] for _ in range(6)]
    assert received == ["busy", "calm", "other", "busy", "busy", "busy"]


def test_an_object_larger_than_a_read_is_kept_whole(server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", server)
    s3, content = session().client("s3"), bytes(range(256)) * 4096
    s3.create_bucket(Bucket="payloads")
    s3.put_object(Bucket="payloads", Key="a/b c", Body=content)
    assert s3.get_object(Bucket="payloads", Key="a/b c")["Body"].read() == content


def test_an_index_holds_what_was_written_before_and_after_a_restart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def listed() -> list[str]:
        answer = (
            session()
            .client("dynamodb")
            .query(
                TableName="rows",
                IndexName="due",
                KeyConditionExpression="due_shard = :s AND due <= :n",
                ExpressionAttributeValues={":s": {"S": "1"}, ":n": {"N": "5"}},
            )
        )
        return [item["pk"]["S"] for item in answer["Items"]]

    def put(key: str, **due: str) -> None:
        item = {"pk": {"S": key}} | ({"due_shard": {"S": due["shard"]}, "due": {"N": due["at"]}} if due else {})
        session().client("dynamodb").put_item(TableName="rows", Item=item)

    started = ministack.start_or_adopt(tmp_path)
    monkeypatch.setenv("AWS_ENDPOINT_URL", started.url)
    session().client("dynamodb").create_table(
        TableName="rows",
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        AttributeDefinitions=[
            {"AttributeName": "pk", "AttributeType": "S"},
            {"AttributeName": "due_shard", "AttributeType": "S"},
            {"AttributeName": "due", "AttributeType": "N"},
        ],
        GlobalSecondaryIndexes=[
            {
                "IndexName": "due",
                "KeySchema": [
                    {"AttributeName": "due_shard", "KeyType": "HASH"},
                    {"AttributeName": "due", "KeyType": "RANGE"},
                ],
                "Projection": {"ProjectionType": "ALL"},
            }
        ],
        BillingMode="PAY_PER_REQUEST",
    )
    put("first", shard="1", at="5")
    assert listed() == ["first"]
    put("second", shard="1", at="3")
    put("later", shard="1", at="6")
    put("elsewhere", shard="2", at="1")
    put("nowhere")
    assert listed() == ["second", "first"]
    assert ministack.stop_and_save(started, tmp_path) is None
    started = ministack.start_or_adopt(tmp_path)
    try:
        monkeypatch.setenv("AWS_ENDPOINT_URL", started.url)
        assert listed() == ["second", "first"]
        put("first")
        put("nowhere", shard="1", at="1")
        session().client("dynamodb").delete_item(TableName="rows", Key={"pk": {"S": "second"}})
        assert listed() == ["nowhere"]
    finally:
        assert ministack.stop_and_save(started, tmp_path) is None


def test_headers_for_browsers_are_given_to_browsers(server: str) -> None:
    connection = http.client.HTTPConnection(server.removeprefix("http://"), timeout=20)
    for headers, is_browser in (({}, False), ({"origin": "http://x"}, True)):
        target = {"x-amz-target": "DynamoDB_20120810.ListTables", "content-type": "application/x-amz-json-1.0"}
        connection.request("POST", "/", b"{}", target | headers)
        answer = connection.getresponse()
        assert (answer.status, bool(answer.read())) == (200, True)
        assert (answer.headers["Access-Control-Allow-Origin"] is not None) == is_browser
    connection.close()


def test_delayed_and_returned_messages_arrive_in_a_long_poll(queue_url: str) -> None:
    sqs = session().client("sqs")
    assert "Messages" not in sqs.receive_message(QueueUrl=queue_url)
    sqs.send_message_batch(QueueUrl=queue_url, Entries=[{"Id": "1", "MessageBody": "late", "DelaySeconds": 1}])
    for _ in range(2):  # when its delay is over, and when its visibility is
        (message,) = sqs.receive_message(QueueUrl=queue_url, WaitTimeSeconds=20, VisibilityTimeout=1)["Messages"]
        assert message["Body"] == "late"
    sqs.delete_message(QueueUrl=queue_url, ReceiptHandle=message["ReceiptHandle"])
    assert "Messages" not in sqs.receive_message(QueueUrl=queue_url, WaitTimeSeconds=2)


def test_an_update_leaves_the_old_item_as_it_was(server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", server)
    dynamodb = session().client("dynamodb")
    dynamodb.create_table(
        TableName="nested",
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    item = {"pk": {"S": "a"}, "map": {"M": {"list": {"L": [{"N": "1"}, {"B": b"\0\xff"}]}, "none": {"NULL": True}}}}
    dynamodb.put_item(TableName="nested", Item=item)
    change: dict[str, Any] = {
        "TableName": "nested",
        "Key": {"pk": {"S": "a"}},
        "ExpressionAttributeNames": {"#m": "map", "#l": "list"},
    }
    old = dynamodb.update_item(
        **change,
        UpdateExpression="SET #m.#l[0] = :two",
        ExpressionAttributeValues={":two": {"N": "2"}},
        ReturnValues="ALL_OLD",
    )
    assert old["Attributes"] == item
    with pytest.raises(dynamodb.exceptions.ConditionalCheckFailedException):
        dynamodb.update_item(
            **change,
            UpdateExpression="SET #m.#l[1] = :two",
            ConditionExpression="attribute_not_exists(pk)",
            ExpressionAttributeValues={":two": {"N": "2"}},
        )
    now = dynamodb.get_item(TableName="nested", Key={"pk": {"S": "a"}})["Item"]
    assert now["map"]["M"]["list"]["L"] == [{"N": "2"}, {"B": b"\0\xff"}]
