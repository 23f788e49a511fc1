"""The local stack's pollers and bus, over its own server: who hangs does not hold up who does not."""

import http.client
import io
import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from functions.core.submission import new_id
from infra.local import ministack
from infra.local.console import Console
from infra.local.invoker import Invoker
from infra.local.mappings import MappingPollers
from infra.local.resources import create_bus, session
from infra.local.stack import Function, QueueMapping
from tests.adapters.test_runner_worker import until

HANGING = 10  # two endpoints, five sends each


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    state_dir = tmp_path_factory.mktemp("state")
    started = ministack.start_or_adopt(state_dir)
    yield started.url
    assert ministack.stop_cleanly(started, state_dir)


@pytest.fixture
def queue_url(server: str, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("AWS_ENDPOINT_URL", server)
    return str(session().client("sqs").create_queue(QueueName=f"hints-{new_id()}")["QueueUrl"])


class Handler:
    """Hangs over some messages until it is released."""

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.ended: list[str] = []
        self.release = threading.Event()

    def __call__(self, event: dict[str, Any], _context: object) -> dict[str, Any]:
        (record,) = event["Records"]
        self.begun.append(record["body"])
        if record["body"].startswith("hangs"):
            self.release.wait(60)
        self.ended.append(record["body"])
        return {"batchItemFailures": []}


def test_sends_that_hang_do_not_hold_up_others(queue_url: str) -> None:
    sqs, handler = session().client("sqs"), Handler()
    function = Function("Webhook", "m.handler", 30, 128, {})
    pollers = MappingPollers(Invoker({"Webhook": function}, {"Webhook": handler}), Console(io.StringIO()))
    bodies = [f"hangs {number}" for number in range(HANGING)] + [f"quick {number}" for number in range(40)]
    for body in bodies:
        sqs.send_message(QueueUrl=queue_url, MessageBody=body)
    pollers.start(QueueMapping("Deliveries", "Webhook", 1, 50, reports_failures=True), queue_url)
    try:
        until(lambda: len(handler.ended) == 40 and len(handler.begun) == 50)
        assert all(body.startswith("quick") for body in handler.ended)
    finally:
        handler.release.set()
        pollers.stop(30)
    assert sorted(handler.ended) == sorted(bodies)
    left = sqs.get_queue_attributes(QueueUrl=queue_url, AttributeNames=["All"])["Attributes"]
    assert (left["ApproximateNumberOfMessages"], left["ApproximateNumberOfMessagesNotVisible"]) == ("0", "0")
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("Deliveries-")]


def test_idle_pollers_ask_two_at_a_time(queue_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    at_once, most, asked, lock = 0, 0, 0, threading.Lock()
    receive = MappingPollers._receive

    def counted(self: MappingPollers, *arguments: Any) -> Any:
        nonlocal at_once, most, asked
        with lock:
            at_once, asked = at_once + 1, asked + 1
            most = max(most, at_once)
        try:
            return receive(self, *arguments)
        finally:
            with lock:
                at_once -= 1

    monkeypatch.setattr(MappingPollers, "_receive", counted)
    pollers = MappingPollers(Invoker({}, {}), Console(io.StringIO()))
    pollers.start(QueueMapping("Idle", "Webhook", 1, 50, reports_failures=True), queue_url)
    until(lambda: asked >= 6)
    pollers.stop(30)
    assert most == 2


def test_a_bus_is_made_once_and_found_again(queue_url: str) -> None:
    events = session().client("events")
    for _ in range(2):
        create_bus(events, "rustbox-local-EventBus")
    names = [bus["Name"] for bus in events.list_event_buses()["EventBuses"]]
    assert names.count("rustbox-local-EventBus") == 1
    answer = events.put_events(
        Entries=[
            {
                "Source": "rustbox",
                "DetailType": "submission.completed",
                "Detail": json.dumps({"id": "x"}),
                "EventBusName": "rustbox-local-EventBus",
            }
        ]
    )
    assert answer["FailedEntryCount"] == 0


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
    assert ministack.stop_cleanly(started, tmp_path)
    started = ministack.start_or_adopt(tmp_path)
    try:
        monkeypatch.setenv("AWS_ENDPOINT_URL", started.url)
        assert listed() == ["second", "first"]
        put("first")
        put("nowhere", shard="1", at="1")
        session().client("dynamodb").delete_item(TableName="rows", Key={"pk": {"S": "second"}})
        assert listed() == ["nowhere"]
    finally:
        assert ministack.stop_cleanly(started, tmp_path)


def test_headers_for_browsers_are_given_to_browsers(server: str) -> None:
    connection = http.client.HTTPConnection(server.removeprefix("http://"), timeout=20)
    for headers, is_browser in (({}, False), ({"origin": "http://x"}, True)):
        target = {"x-amz-target": "DynamoDB_20120810.ListTables", "content-type": "application/x-amz-json-1.0"}
        connection.request("POST", "/", b"{}", target | headers)
        answer = connection.getresponse()
        assert (answer.status, bool(answer.read())) == (200, True)
        assert (answer.headers["Access-Control-Allow-Origin"] is not None) == is_browser
    connection.close()
