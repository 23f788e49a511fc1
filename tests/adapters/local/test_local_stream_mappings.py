"""The local stack's stream mappings over the engine: batches, retries, partial failures, checkpoints."""

import copy
import io
import json
import multiprocessing
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cache, partial
from pathlib import Path
from time import sleep, time
from typing import Any

import boto3
import pytest

from infra.embedded import services
from infra.embedded.dynamodb import tables
from infra.embedded.engine import Engine, open_engine
from infra.embedded.hook import Hook
from infra.local import stream_mappings
from infra.local.console import Console
from infra.local.embedded_aws import session
from infra.local.invoker import Invoker
from infra.local.processes.loading import create_resources
from infra.local.settings import StartError
from infra.local.stream_mappings import StreamPollers
from infra.local.template import Function, StreamMapping, Template, read_stack, refuse_unknown_types
from infra.local.translation import translate
from tests.choice import whole_but
from tests.emulator import emulator
from tests.until import until

POLL_SECS = 0.1
TEMPLATE = """
AWSTemplateFormatVersion: "2010-09-09"
Transform: AWS::Serverless-2016-10-31
Parameters:
  Bus: {Type: String, Default: "on"}
Conditions:
  HasBus: !Equals [!Ref Bus, "on"]
Globals:
  Function: {Runtime: python3.13, Timeout: 30, MemorySize: 128}
Resources:
  Runs:
    Type: AWS::DynamoDB::Table
    Properties:
      BillingMode: PAY_PER_REQUEST
      AttributeDefinitions: [{AttributeName: pk, AttributeType: S}]
      KeySchema: [{AttributeName: pk, KeyType: HASH}]
      StreamSpecification: {StreamViewType: KEYS_ONLY}
  Lost: {Type: AWS::SQS::Queue}
  Announce:
    Type: AWS::Serverless::Function
    Condition: HasBus
    Properties:
      Handler: announce.handler
      Events:
        Changes:
          Type: DynamoDB
          Properties:
            Stream: !GetAtt Runs.StreamArn
            StartingPosition: TRIM_HORIZON
            BatchSize: 10
            MaximumBatchingWindowInSeconds: 1
            BisectBatchOnFunctionError: true
            MaximumRecordAgeInSeconds: 3600
            MaximumRetryAttempts: 2
            DestinationConfig: {OnFailure: {Type: SQS, Destination: !GetAtt Lost.Arn}}
            FilterCriteria:
              Filters:
                - Pattern: '{"eventName": ["INSERT", "MODIFY"]}'
                - Pattern: '{"dynamodb": {"Keys": {"pk": {"S": ["kept"]}}}}'
            FunctionResponseTypes: [ReportBatchItemFailures]
"""


class Handler:
    """Notes the keys of each batch, then answers as the test says."""

    def __init__(self, answer: Callable[[list[str]], Any] = lambda _keys: None) -> None:
        self.answer = answer
        self.events: list[dict[str, Any]] = []
        self.batches: list[list[str]] = []

    def __call__(self, event: dict[str, Any], _context: object) -> Any:
        keys = [record["dynamodb"]["Keys"]["pk"]["S"] for record in event["Records"]]
        self.events.append(event)
        self.batches.append(keys)
        return self.answer(keys)

    def numbers(self, keys: list[str]) -> dict[str, Any]:
        """Report these keys of the last batch as failed."""
        failed = [
            {"itemIdentifier": record["dynamodb"]["SequenceNumber"]}
            for record in self.events[-1]["Records"]
            if record["dynamodb"]["Keys"]["pk"]["S"] in keys
        ]
        return {"batchItemFailures": failed}


@dataclass
class World:
    """A stack with one table and its mapping."""

    state_dir: Path
    template: Template
    mapping: StreamMapping
    table: str
    open_waiter: Any = None
    flush: Callable[[], None] = lambda: None
    log: io.StringIO = field(default_factory=io.StringIO)
    pollers: list[StreamPollers] = field(default_factory=list)

    def start(self, handler: Callable[[Any, Any], Any], **changes: Any) -> StreamPollers:
        invoker = Invoker({"Announce": Function("Announce", "m.h", 30, 128, {})}, {"Announce": handler})
        pollers = StreamPollers(invoker, Console(self.log), self.state_dir, self.open_waiter, self.flush)
        self.pollers.append(pollers)
        pollers.start(replace(self.mapping, **changes))
        return pollers

    def write(self, *keys: str) -> None:
        client = session().client("dynamodb")
        for key in keys:
            client.put_item(TableName=self.table, Item={"pk": {"S": key}})


@cache
def read_template(**parameters: str) -> Template:
    """Translate it once for all tests: a process that takes seconds."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "template.yaml"
        path.write_text(TEMPLATE)
        return translate(path, parameters)


def build(folder: Path) -> World:
    template = copy.deepcopy(read_template())
    refuse_unknown_types(template)
    create_resources(template, session())
    (mapping,) = read_stack(template).streams
    return World(folder, template, mapping, template.values["Runs"]["Ref"])


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    opened = open_engine(tmp_path / "engine", synchronous="NORMAL")
    hook = Hook(partial(services.call, opened))
    hook.attach_everywhere()
    yield opened
    hook.detach_everywhere()
    opened.close()


@pytest.fixture
def world(engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    monkeypatch.setattr(stream_mappings, "_WAKE_MS", 20)  # a stop waits for it
    built = build(tmp_path)
    built.open_waiter = partial(tables.waiter, engine)
    yield built
    for pollers in built.pollers:
        pollers.stop(30)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith(built.mapping.name)]


@pytest.fixture
def emulated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """The same over the public API of a server, without wake-ups."""
    with emulator(tmp_path) as server:
        for name, value in (("ENDPOINT_URL", server.url), ("ACCESS_KEY_ID", "test"), ("SECRET_ACCESS_KEY", "test")):
            monkeypatch.setenv(f"AWS_{name}", value)
        built = build(tmp_path)
        built.open_waiter = lambda _arn: nullcontext(lambda _ms: sleep(POLL_SECS))
        yield built
        for pollers in built.pollers:
            pollers.stop(30)


def records(handler: Handler) -> list[dict[str, Any]]:
    return [record for event in handler.events for record in event["Records"]]


def flat(batches: list[list[str]]) -> list[str]:
    return [key for batch in batches for key in batch]


def test_the_mapping_of_the_template_is_read_and_left_out_with_its_condition(world: World, tmp_path: Path) -> None:
    assert world.mapping == StreamMapping(
        name="AnnounceChanges",
        stream_arn=world.mapping.stream_arn,
        function="Announce",
        batch_size=10,
        window_secs=1,
        patterns=({"eventName": ["INSERT", "MODIFY"]}, {"dynamodb": {"Keys": {"pk": {"S": ["kept"]}}}}),
        max_age_secs=3600,
        max_retries=2,
        failed_queue="rustbox-local-Lost",
    )
    without = read_template(Bus="off")
    values = {"Runs": {"Ref": world.table, "StreamArn": world.mapping.stream_arn}}
    stack = read_stack(replace(without, values=values))
    assert (stack.functions, stack.streams) == ({}, [])


def test_records_that_no_pattern_matches_are_passed_over(world: World) -> None:
    handler, client = Handler(), session().client("dynamodb")
    world.write("a", "kept")
    for key in ("a", "kept"):
        client.delete_item(TableName=world.table, Key={"pk": {"S": key}})
    pollers = world.start(handler, window_secs=0)
    until(lambda: len(flat(handler.batches)) == 3)
    names = [(record["eventName"], record["dynamodb"]["Keys"]["pk"]["S"]) for record in records(handler)]
    assert names == [("INSERT", "a"), ("INSERT", "kept"), ("REMOVE", "kept")]
    world.write("b")
    client.delete_item(TableName=world.table, Key={"pk": {"S": "b"}})
    world.write("last")
    until(lambda: flat(handler.batches)[3:] == ["b", "last"])
    pollers.stop(30)
    again = Handler()
    world.start(again, window_secs=0)
    world.write("next")
    until(lambda: again.batches)
    assert again.batches == [["next"]]


@pytest.mark.parametrize(
    "pattern", ['{"eventName": [{"anything-but": ["REMOVE"]}]}', '{"eventName": "INSERT"}', "[]", "no"]
)
def test_a_filter_that_the_local_stack_does_not_know_stops_the_start(world: World, pattern: str) -> None:
    template = copy.deepcopy(world.template)
    properties = template.resources[world.mapping.name]["Properties"]
    properties["FilterCriteria"] = {"Filters": [{"Pattern": pattern}]}
    with pytest.raises(StartError, match="FilterCriteria"):
        read_stack(template)


def test_events_have_lambdas_form(world: World) -> None:
    handler = Handler()
    world.write("a")
    world.start(handler, window_secs=0)
    until(lambda: handler.events)
    (record,) = json.loads(json.dumps(handler.events[0]))["Records"]
    assert record["dynamodb"].pop("SequenceNumber").isdigit()
    assert record["dynamodb"].pop("ApproximateCreationDateTime") > 1_700_000_000
    assert len(record.pop("eventID")) == 32
    assert record == {
        "eventName": "INSERT",
        "eventVersion": "1.1",
        "eventSource": "aws:dynamodb",
        "awsRegion": "us-east-1",
        "eventSourceARN": world.mapping.stream_arn,
        "dynamodb": {"Keys": {"pk": {"S": "a"}}, "SizeBytes": 3, "StreamViewType": "KEYS_ONLY"},
    }


@pytest.mark.parametrize("name", whole_but(["world", "emulated"], ["world"]))
def test_records_arrive_in_order_in_batches(name: str, request: pytest.FixtureRequest) -> None:
    world: World = request.getfixturevalue(name)
    handler = Handler()
    keys = [str(number) for number in range(25)]
    world.write(*keys[:15])
    world.start(handler, window_secs=0)
    until(lambda: len(flat(handler.batches)) >= 15)
    world.write(*keys[15:])
    until(lambda: len(flat(handler.batches)) >= 25)
    assert flat(handler.batches) == keys
    assert max(map(len, handler.batches)) <= 10


def test_the_window_collects_records(world: World) -> None:
    handler = Handler()
    world.start(handler, window_secs=300, batch_size=3)
    world.write("a", "b")
    world.write("c")
    until(lambda: handler.batches)
    assert handler.batches == [["a", "b", "c"]]


def test_a_record_wakes_the_poller(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream_mappings, "_WAKE_MS", 600_000)  # only a wake-up ends the test in time
    handler = Handler()
    world.start(handler, window_secs=0)
    for key in ("a", "b", "c"):
        until(lambda: list((world.state_dir / "engine" / "wake").iterdir()))
        world.write(key)
        until(lambda key=key: [key] in handler.batches)  # type: ignore[misc]
    monkeypatch.setattr(stream_mappings, "_WAKE_MS", 10)
    world.pollers[0]._stopping.set()
    world.write("end")  # ends the last wait


def test_a_reported_failure_is_retried_from_there(world: World) -> None:
    handler = Handler()
    handler.answer = lambda _keys: handler.numbers(["c", "d"]) if len(handler.batches) == 1 else {}
    world.write("a", "b", "c", "d", "e")
    world.start(handler, window_secs=0)
    until(lambda: len(handler.batches) == 2)
    assert handler.batches == [["a", "b", "c", "d", "e"], ["c", "d", "e"]]


@pytest.mark.parametrize("identifier", ["", None, "1"])
def test_a_report_that_names_no_record_fails_the_whole_batch(world: World, identifier: str | None) -> None:
    handler = Handler()
    report = {"batchItemFailures": [{"itemIdentifier": identifier}]}
    handler.answer = lambda _keys: report if len(handler.batches) == 1 else None
    world.write("a", "b")
    world.start(handler, window_secs=0)
    until(lambda: len(handler.batches) == 3)
    assert handler.batches == [["a", "b"], ["a"], ["b"]]


def test_bisection_isolates_a_record_that_fails_until_it_passes(world: World) -> None:
    tries: list[list[str]] = []

    def fail_on_poison(keys: list[str]) -> None:
        tries.append(keys)
        if "poison" in keys and tries.count(["poison"]) < 3:
            raise ValueError("poison")

    handler = Handler(fail_on_poison)
    world.write("a", "b", "poison", "c", "d")
    world.start(handler, window_secs=0)
    until(lambda: ["c", "d"] in tries)
    assert tries == [["a", "b", "poison", "c", "d"], ["a", "b", "poison"], ["a", "b"], *[["poison"]] * 3, ["c", "d"]]


def lost_batches(number: int) -> list[dict[str, Any]]:
    """Receive messages until there are so many."""
    sqs, found = session().client("sqs"), list[dict[str, Any]]()
    url = sqs.get_queue_url(QueueName="rustbox-local-Lost")["QueueUrl"]

    def came() -> bool:
        found.extend(json.loads(one["Body"]) for one in sqs.receive_message(QueueUrl=url).get("Messages", []))
        return len(found) >= number

    until(came)
    return found


@pytest.mark.parametrize("name", whole_but(["world", "emulated"], ["world"]))
def test_a_batch_without_retries_left_is_given_up_with_lambdas_message(
    name: str, request: pytest.FixtureRequest
) -> None:
    world: World = request.getfixturevalue(name)
    handler = Handler()

    def fail_on_poison(keys: list[str]) -> None:
        if "poison" in keys:
            raise ValueError("poison")

    handler.answer = fail_on_poison
    world.write("a", "poison", "b")
    world.start(handler, window_secs=0)
    (lost,) = lost_batches(1)
    until(lambda: ["b"] in handler.batches)
    assert handler.batches.count(["poison"]) == 3  # the first, and two retries
    (record,) = [record for record in handler.events[0]["Records"] if record["dynamodb"]["Keys"]["pk"]["S"] == "poison"]
    assert lost["requestContext"].pop("requestId")
    assert lost.pop("timestamp").endswith("Z")
    arrived = lost["DDBStreamBatchInfo"].pop("approximateArrivalOfFirstRecord")
    assert arrived == lost["DDBStreamBatchInfo"].pop("approximateArrivalOfLastRecord")
    assert datetime.fromisoformat(arrived).timestamp() == record["dynamodb"]["ApproximateCreationDateTime"]
    assert lost["DDBStreamBatchInfo"].pop("shardId").startswith("shardId-")
    number = record["dynamodb"]["SequenceNumber"]
    assert lost == {
        "requestContext": {
            "functionArn": "arn:aws:lambda:us-east-1:000000000000:function:Announce",
            "condition": "RetryAttemptsExhausted",
            "approximateInvokeCount": 3,
        },
        "responseContext": {"statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled"},
        "version": "1.0",
        "DDBStreamBatchInfo": {
            "startSequenceNumber": number,
            "endSequenceNumber": number,
            "batchSize": 1,
            "streamArn": world.mapping.stream_arn,
        },
    }


def test_a_reported_batch_is_given_up_from_its_first_failed_record_on(world: World) -> None:
    handler = Handler()
    handler.answer = lambda keys: handler.numbers(["bad"]) if "bad" in keys else None
    world.write("a", "bad", "b")
    world.start(handler, window_secs=0)
    (lost,) = lost_batches(1)
    # The report says where to go on, not which records are bad.
    assert lost["DDBStreamBatchInfo"]["batchSize"] == 2
    assert handler.batches == [["a", "bad", "b"], *[["bad", "b"]] * 3]
    world.write("next")
    until(lambda: handler.batches[-1] == ["next"])


def test_records_over_the_age_are_given_up_untried_and_a_new_start_goes_on_behind_them(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def written_at(record: dict[str, Any]) -> float:
        return time() - (4_000 if record["dynamodb"]["Keys"]["pk"]["S"].startswith("old") else 0)

    monkeypatch.setattr(stream_mappings, "_written_at", written_at)
    world.write("old-1", "old-2", "a")
    handler = Handler()
    pollers = world.start(handler, window_secs=0)
    (lost,) = lost_batches(1)
    assert (lost["requestContext"]["condition"], lost["DDBStreamBatchInfo"]["batchSize"]) == ("RecordAgeExceeded", 2)
    until(lambda: handler.batches == [["a"]])
    assert "2 records given up" in world.log.getvalue()
    pollers.stop(30)
    again = Handler()
    world.write("b")
    world.start(again, window_secs=0)
    until(lambda: again.batches == [["b"]])


def test_a_batch_stays_while_its_queue_does_not_take_the_message(world: World) -> None:
    handler = Handler()
    handler.answer = handler.numbers
    world.write("a")
    pollers = world.start(handler, window_secs=0, failed_queue="gone", max_retries=0)
    until(lambda: "given up" in world.log.getvalue() and len(handler.batches) > 1)
    pollers.stop(30)
    again = Handler()
    world.start(again, window_secs=0)
    until(lambda: again.batches == [["a"]])


@pytest.mark.parametrize(
    "properties",
    [
        {"ParallelizationFactor": 3},
        {"StartingPosition": "LATEST"},
        {"DestinationConfig": {"OnFailure": {"Destination": "arn:aws:sns:us-east-1:000000000000:topic"}}},
    ],
)
def test_a_mapping_that_wants_more_stops_the_start(world: World, properties: dict[str, Any]) -> None:
    template = copy.deepcopy(world.template)
    template.resources["AnnounceChanges"]["Properties"] |= properties
    with pytest.raises(StartError, match=min(properties)):
        read_stack(template)


def test_the_position_moves_when_what_came_of_the_records_is_on_the_disk(world: World) -> None:
    handler, seen = Handler(), list[tuple[int, bool]]()
    path = world.state_dir / "streams" / f"{world.mapping.name}.json"
    world.flush = lambda: seen.append((len(handler.batches), path.exists()))
    world.write("a")
    world.start(handler, window_secs=0)
    until(path.exists)
    assert seen == [(1, False)]


def test_a_new_start_goes_on_behind_the_last_done_record(world: World) -> None:
    first, second = Handler(), Handler()
    world.write("a", "b")
    pollers = world.start(first, window_secs=0)
    until(lambda: flat(first.batches) == ["a", "b"])
    pollers.stop(30)
    world.write("c")
    world.start(second, window_secs=0)
    until(lambda: second.batches)
    assert flat(second.batches) == ["c"]


def test_a_checkpoint_whose_record_is_not_kept_any_more_reads_the_remainder(engine: Engine, world: World) -> None:
    first, second = Handler(), Handler()
    world.write("a", "b")
    pollers = world.start(first, window_secs=0)
    until(lambda: flat(first.batches) == ["a", "b"])
    pollers.stop(30)
    with engine.store.write() as connection:
        connection.execute("DELETE FROM stream_record")
    world.write("c")
    world.start(second, window_secs=0)
    until(lambda: second.batches)
    assert flat(second.batches) == ["c"]


def handle_in_a_process(folder: Path, mapping: StreamMapping, output: Path) -> None:
    """Run the mapping until the process is killed. The handler writes each key into a file."""
    opened = open_engine(folder / "engine", synchronous="NORMAL", prepare=False)
    Hook(partial(services.call, opened)).attach_everywhere()

    def handler(event: dict[str, Any], _context: object) -> None:
        with output.open("a") as file:
            file.writelines(f"{record['dynamodb']['Keys']['pk']['S']}\n" for record in event["Records"])

    invoker = Invoker({"Announce": Function("Announce", "m.h", 30, 128, {})}, {"Announce": handler})
    StreamPollers(invoker, Console(io.StringIO()), folder, partial(tables.waiter, opened), opened.store.flush).start(
        mapping
    )
    threading.Event().wait()


def test_killed_processes_lose_no_record(world: World, tmp_path: Path) -> None:
    output = tmp_path / "handled"
    output.touch()
    mapping, spawn = replace(world.mapping, window_secs=0, batch_size=2), multiprocessing.get_context("spawn")
    keys = [str(number) for number in range(40)]
    for start in (0, 20):
        process = spawn.Process(target=handle_in_a_process, args=(tmp_path, mapping, output))
        process.start()
        world.write(*keys[start : start + 20])
        until(lambda start=start: len(output.read_text().split()) > start + 5)  # type: ignore[misc]
        process.kill()
        process.join()
    handler = Handler()
    world.start(handler, window_secs=0)
    until(lambda: {*output.read_text().split(), *flat(handler.batches)} == {*keys})
