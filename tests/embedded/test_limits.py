"""The engine has AWS's limits: what is at a limit is taken, what is one over it is refused and changes nothing.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html
https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-quota.html
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from infra.sam_template import read
from tests.embedded.backend import Backend

MIB = 1_048_576
TEMPLATE = read(Path(__file__).parents[2] / "template.yaml")


def _put(table: str, number: int, size: int = 1) -> dict[str, Any]:
    return {"Put": {"TableName": table, "Item": {"pk": {"S": "a"}, "sk": {"S": str(number)}, "x": {"S": "x" * size}}}}


@pytest.fixture
def table(aws: Backend) -> str:
    return aws.create_table()


@pytest.fixture
def queue(aws: Backend) -> str:
    """A queue as the template declares those of runs and completions."""
    declared = TEMPLATE["Resources"]["BatchQueue"]["Properties"]["MaximumMessageSize"]
    assert declared == TEMPLATE["Resources"]["CompletionsQueue"]["Properties"]["MaximumMessageSize"] == MIB
    return aws.create_queue(MaximumMessageSize=str(declared))


def _refused(call: Callable[[], object]) -> str:
    with pytest.raises(ClientError) as refused:
        call()
    return str(refused.value.response["Error"]["Code"])


def test_a_transaction_has_at_most_100_actions(aws: Backend, table: str) -> None:
    client = aws.client("dynamodb")
    client.transact_write_items(TransactItems=[_put(table, number) for number in range(100)])
    actions = [_put(table, number) for number in range(1000, 1101)]
    assert _refused(lambda: client.transact_write_items(TransactItems=actions)) == "ValidationException"
    assert client.scan(TableName=table)["Count"] == 100


def test_a_transaction_has_at_most_4_mib(aws: Backend, table: str) -> None:
    client = aws.client("dynamodb")
    size = 4 * MIB // 12 - 64
    client.transact_write_items(TransactItems=[_put(table, number, size) for number in range(12)])
    actions = [_put(table, number, size) for number in range(100, 113)]
    assert _refused(lambda: client.transact_write_items(TransactItems=actions)) == "ValidationException"
    assert len(list(client.get_paginator("scan").paginate(TableName=table).search("Items"))) == 12


def test_an_expression_has_at_most_4_kib(aws: Backend, table: str) -> None:
    client, names = aws.client("dynamodb"), [f"name_{number:03}" for number in range(450)]
    request = {"TableName": table, "Key": {"pk": {"S": "a"}, "sk": {"S": "a"}}}
    text = f"REMOVE {', '.join(names)}"
    fitting = text[:4096].rpartition(",")[0]
    client.update_item(**request, UpdateExpression=fitting + " " * (4096 - len(fitting)))
    assert _refused(lambda: client.update_item(**request, UpdateExpression=text)) == "ValidationException"


def test_a_batch_reads_at_most_100_keys(aws: Backend, table: str) -> None:
    client = aws.client("dynamodb")
    keys = [{"pk": {"S": "a"}, "sk": {"S": str(number)}} for number in range(101)]
    assert client.batch_get_item(RequestItems={table: {"Keys": keys[:100]}})["Responses"] == {table: []}
    assert _refused(lambda: client.batch_get_item(RequestItems={table: {"Keys": keys}})) == "ValidationException"


def test_a_page_of_a_query_has_at_most_1_mib(aws: Backend, table: str) -> None:
    client = aws.client("dynamodb")
    for number in range(6):
        client.put_item(TableName=table, Item=_put(table, number, 300 * 1024)["Put"]["Item"])
    condition = {"KeyConditionExpression": "pk = :pk", "ExpressionAttributeValues": {":pk": {"S": "a"}}}
    page = client.query(TableName=table, **condition)
    assert page["Count"] in {3, 4}  # with or without the item that reaches the limit
    rest = client.query(TableName=table, ExclusiveStartKey=page["LastEvaluatedKey"], **condition)
    assert page["Count"] + rest["Count"] == 6


def test_a_message_has_at_most_1_mib(aws: Backend, queue: str) -> None:
    sqs = aws.client("sqs")
    sqs.send_message(QueueUrl=queue, MessageBody="x" * MIB)
    code = _refused(lambda: sqs.send_message(QueueUrl=queue, MessageBody="x" * (MIB + 1)))
    assert code == "InvalidParameterValue"
    assert len(sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10)["Messages"]) == 1


@pytest.mark.parametrize(("count", "size"), [(11, 1), (2, MIB // 2 + 1)])
def test_a_batch_has_at_most_ten_messages_and_1_mib(aws: Backend, queue: str, count: int, size: int) -> None:
    sqs = aws.client("sqs")
    fitting = [{"Id": str(number), "MessageBody": "x" * (MIB // 10)} for number in range(10)]
    assert len(sqs.send_message_batch(QueueUrl=queue, Entries=fitting)["Successful"]) == 10
    entries = [{"Id": str(number), "MessageBody": "x" * size} for number in range(count)]
    assert _refused(lambda: sqs.send_message_batch(QueueUrl=queue, Entries=entries)).endswith(
        ("TooManyEntriesInBatchRequest", "BatchRequestTooLong")
    )


@pytest.mark.parametrize(
    "options", [{"MaxNumberOfMessages": 11}, {"WaitTimeSeconds": 21}, {"VisibilityTimeout": 43_201}]
)
def test_a_receive_keeps_its_bounds(aws: Backend, queue: str, options: dict[str, int]) -> None:
    assert _refused(lambda: aws.client("sqs").receive_message(QueueUrl=queue, **options)) == "InvalidParameterValue"


def test_a_message_is_delayed_by_at_most_15_minutes(aws: Backend, queue: str) -> None:
    sqs = aws.client("sqs")
    sqs.send_message(QueueUrl=queue, MessageBody="x", DelaySeconds=900)
    code = _refused(lambda: sqs.send_message(QueueUrl=queue, MessageBody="x", DelaySeconds=901))
    assert code == "InvalidParameterValue"


def _event(size: int) -> dict[str, str]:
    detail = '{"x":"' + "x" * (size - len('{"x":""}')) + '"}'
    return {"Source": "s", "DetailType": "t", "Detail": detail, "EventBusName": "bus"}


def test_a_call_puts_at_most_ten_events_and_1_mb(aws: Backend) -> None:
    events = aws.client("events")
    events.create_event_bus(Name="bus")
    assert events.put_events(Entries=[_event(1_000_000 - 2)])["FailedEntryCount"] == 0
    assert _refused(lambda: events.put_events(Entries=[_event(1_000_000 - 1)])) == "ValidationException"
    assert _refused(lambda: events.put_events(Entries=[_event(20)] * 11)) == "ValidationException"
