"""Several processes on one file: no lost update, no lock to see, wake-ups, and messages of processes that died."""

import functools
import multiprocessing
import os
import signal
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from infra.embedded import services, sqs_receiving
from infra.embedded.engine import Engine, open_engine
from infra.embedded.services import Housekeeping
from infra.embedded.sqs_receiving import release_dead
from tests.descriptors import no_free_descriptors
from tests.embedded.backend import Backend
from tests.until import until

_SPAWN = multiprocessing.get_context("spawn")
_FORK = multiprocessing.get_context("fork")
KEY = {"pk": {"S": "a"}, "sk": {"S": "1"}}


def call(folder: Path) -> Any:
    """Return a caller on an engine of this process."""
    return functools.partial(services.call, open_engine(folder, prepare=False))


def count_up(folder: Path, table: str, times: int) -> None:
    aws = call(folder)
    for _ in range(times):
        aws(
            "dynamodb",
            "UpdateItem",
            {
                "TableName": table,
                "Key": KEY,
                "UpdateExpression": "ADD n :one",
                "ExpressionAttributeValues": {":one": {"N": "1"}},
            },
        )
        aws("dynamodb", "GetItem", {"TableName": table, "Key": KEY})


@pytest.mark.parametrize("context", [_SPAWN, _FORK], ids=["spawn", "fork"])
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_several_processes_lose_no_update(engine: Engine, aws: Backend, context: Any) -> None:
    table = aws.create_table()
    arguments = (engine.store.folder, table, 200)
    workers = [context.Process(target=count_up, args=arguments) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0, 0, 0, 0]
    assert aws.client("dynamodb").get_item(TableName=table, Key=KEY)["Item"]["n"] == {"N": "800"}


def test_each_write_of_another_process_changes_the_version_of_its_partition(engine: Engine, aws: Backend) -> None:
    put = {"TableName": aws.create_table(), "Item": KEY}
    delete = {"TableName": put["TableName"], "Key": KEY}
    versions = [engine.store.version("a")]
    with closing(open_engine(engine.store.folder, prepare=False)) as other:
        write = functools.partial(services.call, other, "dynamodb")
        for operation, params in (
            ("TransactWriteItems", {"TransactItems": [{"Put": put}]}),
            ("TransactWriteItems", {"TransactItems": [{"Delete": delete}]}),
            ("PutItem", put),
            ("DeleteItem", delete),
        ):
            write(operation, params)
            versions.append(engine.store.version("a"))
        write("PutItem", {**put, "Item": {**KEY, "pk": {"S": "b"}}})
    assert len(set(versions)) == 5
    assert engine.store.version("a") == versions[-1]


def test_a_forked_process_has_connections_of_its_own(engine: Engine, aws: Backend) -> None:
    table = aws.create_table()
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            services.call(engine, "dynamodb", "PutItem", {"TableName": table, "Item": KEY})
            code = 0
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert aws.client("dynamodb").get_item(TableName=table, Key=KEY)["Item"] == KEY


def write_for_ever(folder: Path, table: str, acknowledged: Any) -> None:
    aws = call(folder)
    for number in range(1_000_000):
        item = {"pk": {"S": "a"}, "sk": {"S": str(number)}, "text": {"S": "x" * 2000}}
        aws("dynamodb", "PutItem", {"TableName": table, "Item": item})
        acknowledged.value = number


def has_passed(counter: Any, number: int) -> bool:
    return bool(counter.value > number)


def test_a_killed_writer_loses_nothing_that_was_acknowledged(engine: Engine, aws: Backend) -> None:
    table = aws.create_table()
    for _ in range(3):
        acknowledged = _SPAWN.Value("q", -1, lock=False)
        writer = _SPAWN.Process(target=write_for_ever, args=(engine.store.folder, table, acknowledged))
        writer.start()
        until(functools.partial(has_passed, acknowledged, 20))
        writer.kill()
        writer.join()
        assert writer.exitcode == -signal.SIGKILL
        pages = aws.client("dynamodb").get_paginator("scan").paginate(TableName=table, Select="COUNT")
        assert sum(page["Count"] for page in pages) >= acknowledged.value + 1
        aws.client("dynamodb").put_item(TableName=table, Item=KEY)  # the dead process holds no lock


def hold_a_message(folder: Path, url: str, held: Any) -> None:
    call(folder)("sqs", "ReceiveMessage", {"QueueUrl": url, "VisibilityTimeout": 43_200})
    held.set()
    time.sleep(3600)


def test_messages_of_a_dead_process_come_back(engine: Engine, aws: Backend) -> None:
    sqs, url, held = aws.client("sqs"), aws.create_queue(), _SPAWN.Event()
    sqs.send_message(QueueUrl=url, MessageBody="x")
    holder = _SPAWN.Process(target=hold_a_message, args=(engine.store.folder, url, held))
    holder.start()
    assert held.wait(60)
    assert release_dead(engine) == 0
    assert "Messages" not in sqs.receive_message(QueueUrl=url)
    housekeeping = Housekeeping(engine)
    housekeeping.start()
    holder.kill()
    holder.join()
    (message,) = sqs.receive_message(
        QueueUrl=url, WaitTimeSeconds=20, MessageSystemAttributeNames=["ApproximateReceiveCount"]
    )["Messages"]
    housekeeping.stop()
    assert message["Attributes"]["ApproximateReceiveCount"] == "2"


def hold_two_messages(folder: Path, url: str, held: Any) -> None:
    call(folder)("sqs", "ReceiveMessage", {"QueueUrl": url, "VisibilityTimeout": 43_200, "MaxNumberOfMessages": 2})
    held.set()
    time.sleep(3600)


def test_messages_of_a_dead_process_keep_their_place(engine: Engine, aws: Backend) -> None:
    sqs, url, held = aws.client("sqs"), aws.create_queue(), _SPAWN.Event()
    for body in ("a", "b"):
        sqs.send_message(QueueUrl=url, MessageBody=body, MessageGroupId="project")
    holder = _SPAWN.Process(target=hold_two_messages, args=(engine.store.folder, url, held))
    holder.start()
    assert held.wait(60)
    sqs.send_message(QueueUrl=url, MessageBody="c", MessageGroupId="project")
    holder.kill()
    holder.join()
    assert release_dead(engine) == 2
    received = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10)["Messages"]
    assert [message["Body"] for message in received] == ["a", "b", "c"]


def wait_for_a_message(folder: Path, url: str, waiting: Any, answers: Any) -> None:
    vars(sqs_receiving)["_LOOK_MS"] = 60_000  # only a wake-up is early enough
    aws = call(folder)
    waiting.set()
    answers.put(aws("sqs", "ReceiveMessage", {"QueueUrl": url, "WaitTimeSeconds": 20}))


@pytest.mark.parametrize("act", ["send", "return"])
def test_a_long_poll_ends_with_a_message_of_another_process(engine: Engine, aws: Backend, act: str) -> None:
    sqs, url = aws.client("sqs"), aws.create_queue()
    handle = ""
    if act == "return":
        sqs.send_message(QueueUrl=url, MessageBody="x")
        (held,) = sqs.receive_message(QueueUrl=url, VisibilityTimeout=3600)["Messages"]
        handle = held["ReceiptHandle"]
    waiting, answers = _SPAWN.Event(), _SPAWN.Queue()
    waiter = _SPAWN.Process(target=wait_for_a_message, args=(engine.store.folder, url, waiting, answers))
    waiter.start()
    assert waiting.wait(60)
    until(lambda: list((engine.store.folder / "wake").iterdir()))
    started = time.monotonic()
    if act == "send":
        sqs.send_message(QueueUrl=url, MessageBody="x")
    else:
        sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=handle, VisibilityTimeout=0)
    (message,) = answers.get(timeout=60)["Messages"]
    assert time.monotonic() - started < 15  # not by the end of the poll
    assert message["Body"] == "x"
    waiter.join()
    assert list((engine.store.folder / "wake").iterdir()) == []


@pytest.mark.parametrize("in_one_call", [True, False])
def test_each_of_several_messages_ends_a_poll(
    engine: Engine, aws: Backend, monkeypatch: pytest.MonkeyPatch, *, in_one_call: bool
) -> None:
    """Polls take one message each and do not come back, so each message must end another one."""
    monkeypatch.setattr(sqs_receiving, "_LOOK_MS", 60_000)  # only a wake-up is early enough
    sqs, url = aws.client("sqs"), aws.create_queue()
    bodies = {"a", "b", "c"}
    with ThreadPoolExecutor(len(bodies)) as pool:
        for _ in range(30):
            polls = [pool.submit(sqs.receive_message, QueueUrl=url, WaitTimeSeconds=20) for _ in bodies]
            until(lambda: len(list((engine.store.folder / "wake").iterdir())) == len(bodies))
            started = time.monotonic()
            if in_one_call:
                sqs.send_message_batch(QueueUrl=url, Entries=[{"Id": body, "MessageBody": body} for body in bodies])
            else:
                for body in bodies:
                    sqs.send_message(QueueUrl=url, MessageBody=body)
            received = [poll.result(60).get("Messages", []) for poll in polls]
            assert {message["Body"] for messages in received for message in messages} == bodies
            assert time.monotonic() - started < 15  # not by the end of a poll


def test_a_process_without_free_descriptors_gets_errors_of_aws_and_loses_nothing(engine: Engine, aws: Backend) -> None:
    sqs, url = aws.client("sqs"), aws.create_queue()
    with ThreadPoolExecutor(1) as pool:
        poll = pool.submit(sqs.receive_message, QueueUrl=url, WaitTimeSeconds=20)
        until(lambda: list((engine.store.folder / "wake").iterdir()))
        with no_free_descriptors():
            with pytest.raises(ClientError, match="ServiceUnavailable"):
                sqs.receive_message(QueueUrl=url, WaitTimeSeconds=20)
            sqs.send_message(QueueUrl=url, MessageBody="sent, though it can wake nobody")
            assert poll.result(60)["Messages"]


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_housekeeping_goes_on_after_a_turn_without_free_descriptors(engine: Engine) -> None:
    pid = os.fork()
    if pid == 0:
        housekeeping = Housekeeping(engine)
        with no_free_descriptors():  # the first pass opens the file of this process
            housekeeping.start()
            time.sleep(0.3)
        os._exit(0 if housekeeping._thread.is_alive() else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_threads_of_a_forked_process_that_begin_at_once_share_one_lock(engine: Engine) -> None:
    barrier = threading.Barrier(16)

    def begin(_number: int) -> int:
        barrier.wait(60)
        return id(engine.store._own())

    for _ in range(20):
        pid = os.fork()
        if pid == 0:
            sys.setswitchinterval(1e-6)
            with ThreadPoolExecutor(16) as pool:
                owns = set(pool.map(begin, range(16)))
            os._exit(len(owns))
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 1


def test_a_message_wakes_a_poll_beside_dead_ones(engine: Engine, aws: Backend) -> None:
    sqs, url = aws.client("sqs"), aws.create_queue()
    waiting, answers = _SPAWN.Event(), _SPAWN.Queue()
    arguments = (engine.store.folder, url, waiting, answers)
    *killed, last = (_SPAWN.Process(target=wait_for_a_message, args=arguments) for _ in range(4))
    for poll in (*killed, last):
        poll.start()
    until(lambda: len(list((engine.store.folder / "wake").iterdir())) == len(killed) + 1)
    for poll in killed:
        poll.kill()
        poll.join()
    started = time.monotonic()
    sqs.send_message(QueueUrl=url, MessageBody="x")
    (message,) = answers.get(timeout=60)["Messages"]
    assert message["Body"] == "x"
    assert time.monotonic() - started < 15  # not by the end of the poll
    last.join()


def test_a_socket_of_a_dead_process_is_removed(engine: Engine, aws: Backend) -> None:
    url = aws.create_queue()
    waiting, answers = _SPAWN.Event(), _SPAWN.Queue()
    waiter = _SPAWN.Process(target=wait_for_a_message, args=(engine.store.folder, url, waiting, answers))
    waiter.start()
    assert waiting.wait(60)
    folder = engine.store.folder / "wake"
    until(lambda: list(folder.iterdir()))
    waiter.kill()
    waiter.join()
    aws.client("sqs").send_message(QueueUrl=url, MessageBody="x")
    assert list(folder.iterdir()) == []
