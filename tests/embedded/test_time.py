"""Expiry, retention and lifecycle, with the clock moved on; and fairness between message groups."""

from dataclasses import dataclass, replace
from threading import Event
from typing import Any

import pytest

from infra.embedded.engine import Engine
from infra.embedded.services import expire
from tests.embedded.backend import Backend, session_of

DAY_MS = 86_400_000


@dataclass
class Clock:
    now_ms: int = 1_800_000_000_000

    def __call__(self) -> int:
        return self.now_ms


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def timed(engine: Engine, clock: Clock) -> Engine:
    return replace(engine, clock=clock)


@pytest.fixture
def aws(timed: Engine) -> Backend:
    return Backend("engine", session_of(timed))


def count(engine: Engine, table: str) -> int:
    with engine.store.read() as connection:
        return int(connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0])  # noqa: S608 - a constant


def test_items_expire_by_their_time_to_live(timed: Engine, clock: Clock, aws: Backend) -> None:
    client, table = aws.client("dynamodb"), aws.create_table()
    now = clock.now_ms // 1000
    for number in range(450):
        item = {"pk": {"S": str(number)}, "sk": {"S": "1"}, "ttl": {"N": str(now + number % 2)}}
        client.put_item(TableName=table, Item=item | {"shard": {"S": "0"}, "due": {"N": "1"}})
    client.put_item(TableName=table, Item={"pk": {"S": "text"}, "sk": {"S": "1"}, "ttl": {"S": "1"}})
    client.update_time_to_live(TableName=table, TimeToLiveSpecification={"AttributeName": "ttl", "Enabled": True})
    changed = {"pk": {"S": "0"}, "sk": {"S": "1"}}
    client.update_item(
        TableName=table,
        Key=changed,
        UpdateExpression="SET #ttl = :later",
        ExpressionAttributeNames={"#ttl": "ttl"},
        ExpressionAttributeValues={":later": {"N": str(now + 100)}},
    )
    expire(timed, Event())
    assert (count(timed, "item"), count(timed, "entry")) == (227, 226)
    clock.now_ms += 1000
    expire(timed, Event())
    assert (count(timed, "item"), count(timed, "entry")) == (2, 1)


def test_a_stop_ends_an_expiry_between_two_transactions(timed: Engine, clock: Clock, aws: Backend) -> None:
    client, table, stop = aws.client("dynamodb"), aws.create_table(), Event()
    for number in range(100):
        client.put_item(TableName=table, Item={"pk": {"S": str(number)}, "sk": {"S": "1"}, "ttl": {"N": "1"}})
    client.update_time_to_live(TableName=table, TimeToLiveSpecification={"AttributeName": "ttl", "Enabled": True})
    stop.set()
    expire(timed, stop)
    assert 0 < count(timed, "item") < 100
    expire(timed, Event())
    assert count(timed, "item") == 0


def test_space_of_expired_items_is_used_again(timed: Engine, clock: Clock, aws: Backend) -> None:
    client, table, sizes = aws.client("dynamodb"), aws.create_table(), list[int]()
    client.update_time_to_live(TableName=table, TimeToLiveSpecification={"AttributeName": "ttl", "Enabled": True})
    for turn in range(4):
        for number in range(100):
            item = {"pk": {"S": f"{turn}-{number}"}, "sk": {"S": "1"}, "ttl": {"N": str(clock.now_ms // 1000 + 60)}}
            client.put_item(TableName=table, Item=item | {"text": {"S": "x" * 3000}})
        clock.now_ms += 61_000
        expire(timed, Event())
        with timed.store.read() as connection:
            sizes.append(connection.execute("PRAGMA page_count").fetchone()[0])
    assert sizes[3] == sizes[1]


def test_objects_of_several_buckets_go_in_short_transactions(timed: Engine, clock: Clock, aws: Backend) -> None:
    s3, stop = aws.client("s3"), Event()
    rule: Any = {"ID": "r", "Status": "Enabled", "Filter": {"Prefix": ""}, "Expiration": {"Days": 2}}
    for bucket in ("one", "two", "three"):
        s3.create_bucket(Bucket=bucket)
        s3.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration={"Rules": [rule]})
        for number in range(15):
            s3.put_object(Bucket=bucket, Key=str(number), Body=b"x")
    clock.now_ms += 2 * DAY_MS
    s3.put_object(Bucket="three", Key="young", Body=b"x")
    stop.set()
    expire(timed, stop)
    assert count(timed, "object") == 46 - 20
    expire(timed, Event())
    assert [found["Key"] for found in s3.list_objects_v2(Bucket="three")["Contents"]] == ["young"]
    assert count(timed, "object") == 1


def test_messages_of_several_queues_go_in_short_transactions(timed: Engine, clock: Clock, aws: Backend) -> None:
    sqs, stop = aws.client("sqs"), Event()
    for retention in ("3600", "3600", "7200"):
        url = aws.create_queue(MessageRetentionPeriod=retention)
        for number in range(15):
            sqs.send_message(QueueUrl=url, MessageBody=str(number))
    clock.now_ms += 3_600_000
    stop.set()
    expire(timed, stop)
    assert count(timed, "message") == 45 - 20
    expire(timed, Event())
    assert count(timed, "message") == 15
    assert len(bodies(sqs, url, 10)) == 10


def test_old_messages_and_objects_go(timed: Engine, clock: Clock, aws: Backend) -> None:
    sqs, s3, url = aws.client("sqs"), aws.client("s3"), aws.create_queue(MessageRetentionPeriod="86400")
    s3.create_bucket(Bucket="b")
    rule: Any = {"ID": "r", "Status": "Enabled", "Filter": {"Prefix": ""}, "Expiration": {"Days": 2}}
    s3.put_bucket_lifecycle_configuration(Bucket="b", LifecycleConfiguration={"Rules": [rule]})
    s3.put_object(Bucket="b", Key="k", Body=b"x")
    sqs.send_message(QueueUrl=url, MessageBody="received no more")
    clock.now_ms += DAY_MS
    assert "Messages" not in sqs.receive_message(QueueUrl=url)
    sqs.send_message(QueueUrl=url, MessageBody="removed")
    clock.now_ms += DAY_MS - 1
    expire(timed, Event())
    assert (count(timed, "message"), count(timed, "object")) == (1, 1)
    clock.now_ms += 1
    expire(timed, Event())
    assert (count(timed, "message"), count(timed, "object")) == (0, 0)


def test_an_old_receipt_changes_nothing_and_is_no_error(clock: Clock, aws: Backend) -> None:
    sqs, url = aws.client("sqs"), aws.create_queue(VisibilityTimeout="60")
    sqs.send_message(QueueUrl=url, MessageBody="x")
    (first,) = sqs.receive_message(QueueUrl=url)["Messages"]
    clock.now_ms += 60_000
    (second,) = sqs.receive_message(QueueUrl=url)["Messages"]
    sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=first["ReceiptHandle"], VisibilityTimeout=0)
    sqs.delete_message(QueueUrl=url, ReceiptHandle=first["ReceiptHandle"])
    assert "Messages" not in sqs.receive_message(QueueUrl=url)
    clock.now_ms += 60_000
    (third,) = sqs.receive_message(QueueUrl=url)["Messages"]
    assert third["MessageId"] == second["MessageId"]
    with pytest.raises(sqs.exceptions.ReceiptHandleIsInvalid):
        sqs.delete_message(QueueUrl=url, ReceiptHandle="nonsense")


def bodies(sqs: Any, url: str, most: int) -> list[str]:
    found = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=most).get("Messages", [])
    return [message["Body"] for message in found]


def test_a_message_that_is_given_back_keeps_its_place(clock: Clock, aws: Backend) -> None:
    sqs, url = aws.client("sqs"), aws.create_queue(VisibilityTimeout="600")
    for body in ("a", "b", "c"):
        sqs.send_message(QueueUrl=url, MessageBody=body, MessageGroupId="project")
        clock.now_ms += 1
    for seconds, expected in ((0, ["a", "b", "c"]), (1, ["b", "c"])):
        (received,) = sqs.receive_message(QueueUrl=url)["Messages"]
        clock.now_ms += 1
        sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=received["ReceiptHandle"], VisibilityTimeout=seconds)
        assert bodies(sqs, url, 10) == expected
        clock.now_ms += 600_000


def test_groups_with_the_fewest_messages_in_flight_come_first(clock: Clock, aws: Backend) -> None:
    sqs, url = aws.client("sqs"), aws.create_queue(VisibilityTimeout="600")
    for number in range(20):
        sqs.send_message(QueueUrl=url, MessageBody=f"noisy{number}", MessageGroupId="noisy")
        clock.now_ms += 1
    assert bodies(sqs, url, 3) == ["noisy0", "noisy1", "noisy2"]
    for number in range(2):
        clock.now_ms += 1
        sqs.send_message(QueueUrl=url, MessageBody=f"quiet{number}", MessageGroupId="quiet")
    sqs.send_message(QueueUrl=url, MessageBody="single")
    assert bodies(sqs, url, 2) == ["quiet0", "single"]
    assert bodies(sqs, url, 3) == ["quiet1", "noisy3", "noisy4"]


def test_messages_of_a_clock_that_ran_ahead_are_received_when_it_is_right_again(
    timed: Engine, clock: Clock, aws: Backend
) -> None:
    sqs, url = aws.client("sqs"), aws.create_queue()
    clock.now_ms += DAY_MS
    for number in range(30):
        sqs.send_message(QueueUrl=url, MessageBody=str(number))
    sqs.send_message(QueueUrl=url, MessageBody="later", DelaySeconds=60)
    clock.now_ms -= DAY_MS
    assert "Messages" not in sqs.receive_message(QueueUrl=url)
    expire(timed, Event())

    def received() -> list[str]:
        answers = [sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10) for _ in range(5)]
        return [message["Body"] for answer in answers for message in answer.get("Messages", [])]

    assert sorted(received()) == sorted(map(str, range(30)))
    clock.now_ms += 60_000
    assert "later" in received()
