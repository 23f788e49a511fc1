"""DynamoDB Streams as this project uses it, on the engine, moto and ministack."""

from dataclasses import replace
from threading import Event
from typing import Any

import pytest
from botocore.exceptions import ClientError

from functions.ids import new_id
from infra.embedded.engine import Engine, open_engine
from infra.embedded.services import expire
from tests.embedded.backend import Backend, session_of

KEY = {"pk": {"S": "a"}, "sk": {"N": "1"}}
DAY_MS = 24 * 3_600_000


def create_table(backend: Backend, *, streamed: bool = True) -> tuple[str, str]:
    """Return the table's name and its stream's ARN."""
    name, client = f"table-{new_id()}", backend.client("dynamodb")
    kinds = {"pk": "S", "sk": "N"}
    client.create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": key, "AttributeType": kind} for key, kind in kinds.items()],
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "KEYS_ONLY"}
        if streamed
        else {"StreamEnabled": False},
    )
    return name, client.describe_table(TableName=name)["Table"].get("LatestStreamArn", "")


def shard_of(backend: Backend, arn: str) -> str:
    (shard,) = backend.client("dynamodbstreams").describe_stream(StreamArn=arn)["StreamDescription"]["Shards"]
    return str(shard["ShardId"])


def read(backend: Backend, arn: str, kind: str = "TRIM_HORIZON", **position: str) -> list[dict[str, Any]]:
    client = backend.client("dynamodbstreams")
    iterator = client.get_shard_iterator(
        StreamArn=arn, ShardId=shard_of(backend, arn), ShardIteratorType=kind, **position
    )["ShardIterator"]
    records: list[dict[str, Any]] = client.get_records(ShardIterator=iterator)["Records"]
    return records


def changes(records: list[dict[str, Any]]) -> list[tuple[str, Any]]:
    return [(record["eventName"], record["dynamodb"]["Keys"]) for record in records]


def test_each_change_of_an_item_is_a_record_with_its_keys(backend: Backend) -> None:
    table, arn = create_table(backend)
    client = backend.client("dynamodb")
    client.put_item(TableName=table, Item={**KEY, "secret": {"S": "x"}})
    client.update_item(
        TableName=table, Key=KEY, UpdateExpression="SET n = :n", ExpressionAttributeValues={":n": {"N": "1"}}
    )
    client.delete_item(TableName=table, Key=KEY)
    records = read(backend, arn)
    assert changes(records) == [("INSERT", KEY), ("MODIFY", KEY), ("REMOVE", KEY)]
    for record in records:
        assert "secret" not in str(record)
        assert record["eventSource"] == "aws:dynamodb"
        assert record["awsRegion"] == "us-east-1"
        assert {"eventID", "eventVersion", "dynamodb"} <= record.keys()
        assert record["dynamodb"]["StreamViewType"] == "KEYS_ONLY"
        assert {"ApproximateCreationDateTime", "SequenceNumber", "SizeBytes"} <= record["dynamodb"].keys()


@pytest.mark.parametrize("backend", ["engine", "moto"], indirect=True)
def test_sequence_numbers_grow_and_a_reader_goes_on_from_each(backend: Backend) -> None:
    table, arn = create_table(backend)
    client = backend.client("dynamodb")
    for number in range(3):
        client.put_item(TableName=table, Item={"pk": {"S": "a"}, "sk": {"N": str(number)}})
    numbers = [record["dynamodb"]["SequenceNumber"] for record in read(backend, arn)]
    assert [int(number) for number in numbers] == sorted({int(number) for number in numbers})
    found = [read(backend, arn, "AFTER_SEQUENCE_NUMBER", SequenceNumber=number) for number in numbers]
    assert [len(records) for records in found] == [2, 1, 0]


def test_pages_follow_each_other(backend: Backend) -> None:
    table, arn = create_table(backend)
    client, streams = backend.client("dynamodb"), backend.client("dynamodbstreams")
    for number in range(5):
        client.put_item(TableName=table, Item={"pk": {"S": "a"}, "sk": {"N": str(number)}})
    start = {"StreamArn": arn, "ShardId": shard_of(backend, arn)}
    iterator = streams.get_shard_iterator(**start, ShardIteratorType="TRIM_HORIZON")["ShardIterator"]
    found = []
    for _ in range(3):
        answer = streams.get_records(ShardIterator=iterator, Limit=2)
        found.append(len(answer["Records"]))
        iterator = answer["NextShardIterator"]
    assert found == [2, 2, 1]
    client.put_item(TableName=table, Item=KEY | {"pk": {"S": "late"}})
    late = streams.get_records(ShardIterator=iterator)["Records"]
    assert changes(late) == [("INSERT", KEY | {"pk": {"S": "late"}})]


def test_the_stream_is_described(backend: Backend) -> None:
    table, arn = create_table(backend)
    described = backend.client("dynamodbstreams").describe_stream(StreamArn=arn)["StreamDescription"]
    assert (described["StreamArn"], described["TableName"]) == (arn, table)
    assert (described["StreamStatus"], described["StreamViewType"]) == ("ENABLED", "KEYS_ONLY")
    assert described["StreamLabel"] == arn.rpartition("/")[2]


# What follows is the engine's: the others are known to do less there than AWS.


def test_a_write_that_changes_nothing_or_is_refused_is_no_record(aws: Backend) -> None:
    table, arn = create_table(aws)
    client = aws.client("dynamodb")
    client.put_item(TableName=table, Item=KEY)
    client.put_item(TableName=table, Item=KEY)
    client.update_item(TableName=table, Key=KEY, UpdateExpression="REMOVE missing")
    client.delete_item(TableName=table, Key=KEY | {"pk": {"S": "missing"}})
    with pytest.raises(client.exceptions.ConditionalCheckFailedException):
        client.delete_item(TableName=table, Key=KEY, ConditionExpression="attribute_exists(missing)")
    assert changes(read(aws, arn)) == [("INSERT", KEY)]


def test_a_transaction_appends_its_records_all_or_none(aws: Backend) -> None:
    table, arn = create_table(aws)
    client = aws.client("dynamodb")
    puts = [{"Put": {"TableName": table, "Item": KEY | {"sk": {"N": str(number)}}}} for number in range(3)]
    check = {"TableName": table, "Key": KEY | {"sk": {"N": "9"}}}
    refused = {"ConditionCheck": check | {"ConditionExpression": "attribute_exists(pk)"}}
    with pytest.raises(client.exceptions.TransactionCanceledException):
        client.transact_write_items(TransactItems=[*puts, refused])
    assert read(aws, arn) == []
    accepted = {"ConditionCheck": check | {"ConditionExpression": "attribute_not_exists(pk)"}}
    client.transact_write_items(TransactItems=[*puts, accepted])
    assert [keys["sk"]["N"] for _, keys in changes(read(aws, arn))] == ["0", "1", "2"]


def test_a_table_without_a_stream_records_nothing_until_it_gets_one(engine: Engine, aws: Backend) -> None:
    table, _ = create_table(aws, streamed=False)
    client = aws.client("dynamodb")
    client.put_item(TableName=table, Item=KEY)
    wanted = {"StreamEnabled": True, "StreamViewType": "KEYS_ONLY"}
    client.update_table(TableName=table, StreamSpecification=wanted)
    arn = client.describe_table(TableName=table)["Table"]["LatestStreamArn"]
    with pytest.raises(ClientError, match="already has an enabled stream"):
        client.update_table(TableName=table, StreamSpecification=wanted)
    client.delete_item(TableName=table, Key=KEY)
    assert changes(read(aws, arn)) == [("REMOVE", KEY)]
    client.update_table(TableName=table, StreamSpecification={"StreamEnabled": False})
    client.put_item(TableName=table, Item=KEY)
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        read(aws, arn)
    with engine.store.read() as connection:
        assert connection.execute("SELECT count(*) FROM stream_record").fetchone() == (0,)


def test_an_expired_item_is_a_record_that_names_its_reason(engine: Engine, aws: Backend) -> None:
    table, arn = create_table(aws)
    client = aws.client("dynamodb")
    client.update_time_to_live(TableName=table, TimeToLiveSpecification={"AttributeName": "ttl", "Enabled": True})
    client.put_item(TableName=table, Item={**KEY, "ttl": {"N": "1"}})
    expire(engine, Event())
    removed = read(aws, arn)[-1]
    assert (removed["eventName"], removed["dynamodb"]["Keys"]) == ("REMOVE", KEY)
    assert removed["userIdentity"] == {"Type": "Service", "PrincipalId": "dynamodb.amazonaws.com"}


def test_records_are_kept_for_a_day_and_iterators_for_15_minutes(engine: Engine, aws: Backend) -> None:
    table, arn = create_table(aws)
    aws.client("dynamodb").put_item(TableName=table, Item=KEY)
    (record,) = read(aws, arn)
    start = {"StreamArn": arn, "ShardId": shard_of(aws, arn), "ShardIteratorType": "TRIM_HORIZON"}
    iterator = aws.client("dynamodbstreams").get_shard_iterator(**start)["ShardIterator"]
    now = engine.clock()
    soon = replace(engine, clock=lambda: now + 14 * 60_000)
    assert Backend("engine", session_of(soon)).client("dynamodbstreams").get_records(ShardIterator=iterator)["Records"]
    expire(replace(engine, clock=lambda: now + DAY_MS - 60_000), Event())
    assert len(read(aws, arn)) == 1
    late = replace(engine, clock=lambda: now + DAY_MS)
    streams = Backend("engine", session_of(late)).client("dynamodbstreams")
    with pytest.raises(streams.exceptions.ExpiredIteratorException):
        streams.get_records(ShardIterator=iterator)
    expire(late, Event())
    assert read(aws, arn) == []
    with pytest.raises(ClientError, match="TrimmedDataAccessException"):
        read(aws, arn, "AFTER_SEQUENCE_NUMBER", SequenceNumber=record["dynamodb"]["SequenceNumber"])


def test_records_survive_a_restart_and_numbers_are_never_given_twice(engine: Engine, aws: Backend) -> None:
    table, arn = create_table(aws)
    aws.client("dynamodb").put_item(TableName=table, Item=KEY)
    (before,) = read(aws, arn)
    # As a loss of power may do with synchronous=NORMAL: the last records are gone.
    with engine.store.write() as connection:
        connection.execute("DELETE FROM stream_record")
    again = open_engine(engine.store.folder)
    restarted = Backend("engine", session_of(again))
    restarted.client("dynamodb").delete_item(TableName=table, Key=KEY)
    (after,) = read(restarted, arn)
    assert after["dynamodb"]["SequenceNumber"] > before["dynamodb"]["SequenceNumber"]
    again.close()


@pytest.mark.parametrize("view", ["NEW_IMAGE", "OLD_IMAGE", "NEW_AND_OLD_IMAGES"])
def test_other_views_are_named(aws: Backend, view: str) -> None:
    table, _ = create_table(aws, streamed=False)
    with pytest.raises(ClientError, match=f"does not know StreamViewType={view}"):
        aws.client("dynamodb").update_table(
            TableName=table, StreamSpecification={"StreamEnabled": True, "StreamViewType": view}
        )
