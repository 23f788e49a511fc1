"""DynamoDB Streams event source mappings: threads that do what Lambda's stream pollers do.

A batch that fails as a whole is halved, so that the good records beside a bad one pass. Records over the mapping's age,
and batches that used its retries up, are given up with a message to its queue.
https://docs.aws.amazon.com/lambda/latest/dg/services-dynamodb-eventsourcemapping.html
"""

from __future__ import annotations

import base64
import json
import time
import uuid
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from botocore.exceptions import BotoCoreError, ClientError

from infra.local.embedded_aws import session
from infra.local.template import matches
from infra.local.triggers import StoppableThreads

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from infra.local.console import Console
    from infra.local.invoker import Invoker
    from infra.local.template import StreamMapping

# How far a stream mapping has come, in a file that survives SIGKILL. Lambda keeps the same itself.

CLOSED = "closed"


class Checkpoint:
    """`positions`: the last done sequence number of each shard, or that the shard is read to its end.

    A damaged file, or one of another stream, counts for nothing.
    """

    def __init__(self, path: Path, stream_arn: str) -> None:
        self._path = path
        self._stream_arn = stream_arn
        path.parent.mkdir(exist_ok=True)
        try:
            record: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):  # empty after a loss of power
            record = {}
        self.positions: dict[str, str] = record["shards"] if record.get("stream") == stream_arn else {}

    def move(self, shard: str, position: str) -> None:
        """Set a shard's position. Raises OSError, as on a full disk; the position moves nevertheless."""
        self.positions[shard] = position
        draft = self._path.with_name(self._path.name + ".new")
        draft.write_text(json.dumps({"stream": self._stream_arn, "shards": self.positions}), encoding="utf-8")
        draft.replace(self._path)  # whole or not at all: the process may be killed at any moment


_POLL_SECS: Final = 0.25  # as Lambda
_WAKE_MS: Final = 1000  # a stop waits for it; records end the wait at once
_ERROR_SECS: Final = 0.5
_FIRST_RETRY_SECS: Final = 0.2
_LONGEST_RETRY_SECS: Final = 30.0

type Record = dict[str, Any]


class _Batch(NamedTuple):
    """`tries`: failed invocations with exactly these records. A split does not count, as on AWS."""

    records: list[Record]
    tries: int = 0

    def split(self, done: int | None) -> list[_Batch]:
        """Return the batches that are left: `done` records passed, or None if the invocation failed as a whole."""
        rest = self.records[done or 0 :]
        if rest == self.records and (done is not None or len(rest) == 1):
            return [_Batch(rest, self.tries + 1)]
        middle = (len(rest) + 1) // 2 if done is None else len(rest)
        return [_Batch(half) for half in (rest[:middle], rest[middle:]) if half]


type OpenWaiter = Callable[[str], AbstractContextManager[Callable[[float], object]]]
"""ARN of a stream to a function that waits so many milliseconds, or until a record is written in the `with` block."""


class StreamPollers(StoppableThreads):
    """A thread for each stream mapping. `open_waiter` waits for the next record of a stream.

    `flush`: returns when all that functions have written is on the disk.
    """

    def __init__(
        self,
        invoker: Invoker,
        console: Console,
        state_dir: Path,
        open_waiter: OpenWaiter,
        flush: Callable[[], None],
    ) -> None:
        super().__init__(console)
        self._flush = flush
        self._invoker = invoker
        self._folder = state_dir / "streams"
        self._open_waiter = open_waiter

    def start(self, mapping: StreamMapping) -> None:
        """Read on from the checkpoint of an earlier start, or from the oldest record."""
        self._start_thread(mapping.name, self._poll, mapping)

    def _poll(self, mapping: StreamMapping) -> None:
        checkpoint = Checkpoint(self._folder / f"{mapping.name}.json", mapping.stream_arn)
        client = session().client("dynamodbstreams")
        iterators: dict[str, str] = {}
        while not self._stopping.is_set():
            try:
                iterators = iterators or _open_shards(client, mapping.stream_arn, checkpoint.positions)
                if not self._read(mapping, client, checkpoint, iterators):
                    with self._open_waiter(mapping.stream_arn) as wait:
                        if not self._read(mapping, client, checkpoint, iterators):
                            wait(_WAKE_MS)
            except (BotoCoreError, ClientError, OSError) as error:
                iterators = {}  # read on from the checkpoint
                if not self._stopping.wait(_ERROR_SECS):
                    self._console.line("stream", f"{mapping.name}: {error}", "warning")

    def _read(self, mapping: StreamMapping, client: Any, checkpoint: Checkpoint, iterators: dict[str, str]) -> bool:
        """Read a batch of each shard. False if there was none. Clears `iterators` at the end of a shard."""
        has_records = False
        for shard, iterator in list(iterators.items()):
            records, following = self._collect(mapping, client, iterator)
            has_records |= bool(records)
            for done in self._process(mapping, shard, [one for one in records if matches(one, mapping.patterns)]):
                self._flush()  # a loss of power must not keep the position and undo what came of the records
                checkpoint.move(shard, done)
            if self._stopping.is_set():
                return True
            if records and not matches(records[-1], mapping.patterns):
                checkpoint.move(shard, _sequence(records[-1]))
            if following is None:
                checkpoint.move(shard, CLOSED)
                iterators.clear()  # other shards follow this one
                return True
            iterators[shard] = following
        return has_records

    def _collect(self, mapping: StreamMapping, client: Any, iterator: str) -> tuple[list[Record], str | None]:
        """Return a batch and where to read on: None at the shard's end. Collect for the batching window."""
        records, following = _get(client, iterator, mapping)
        ends = time.monotonic() + mapping.window_secs
        while records and following and len(records) < mapping.batch_size and (left := ends - time.monotonic()) > 0:
            if self._stopping.wait(min(left, _POLL_SECS)):
                break
            more, following = _get(client, following, mapping, len(records))
            records += more
        return records, following

    def _process(self, mapping: StreamMapping, shard: str, records: list[Record]) -> Iterator[str]:
        """Yield sequence numbers: the records up to each one are done or given up. A stop ends it early."""
        waiting, pause_secs = [_Batch(records)] if records else [], _FIRST_RETRY_SECS
        while waiting and not self._stopping.is_set():
            batch = waiting.pop(0)
            if lost := _given_up(mapping, batch):
                count, condition = lost
                self._give_up(mapping, shard, batch._replace(records=batch.records[:count]), condition)
                done: int | None = count
            else:
                done = self._invoke(mapping.function, batch.records)
            if done:
                yield _sequence(batch.records[done - 1])
                pause_secs = _FIRST_RETRY_SECS
            if left := batch.split(done):
                waiting[:0] = left
                self._stopping.wait(0 if lost else pause_secs)
                pause_secs = min(2 * pause_secs, _LONGEST_RETRY_SECS)

    def _give_up(self, mapping: StreamMapping, shard: str, batch: _Batch, condition: str) -> None:
        """Tell it, and send Lambda's message to the queue of the mapping. Raises the queue's errors."""
        text = f"{mapping.function}: {len(batch.records)} records given up, {condition}"
        self._console.line("stream", text, "error")
        if mapping.failed_queue:
            sqs = session().client("sqs")
            url = sqs.get_queue_url(QueueName=mapping.failed_queue)["QueueUrl"]
            arn = self._invoker.context(mapping.function).invoked_function_arn
            sqs.send_message(QueueUrl=url, MessageBody=json.dumps(_failure(mapping, shard, batch, condition, arn)))

    def _invoke(self, function: str, batch: list[Record]) -> int | None:
        """Return how many records are done before the first failed one; None if the whole invocation failed."""
        try:
            result = self._invoker.invoke(function, {"Records": batch})
        except Exception:  # noqa: BLE001 - the entry point: what Lambda reports as a function error
            self._console.failure("stream", function)
            return None
        failed = (result or {}).get("batchItemFailures")
        if not failed:
            return len(batch)
        places = {_sequence(record): place for place, record in enumerate(batch)}
        found = [places.get(item.get("itemIdentifier")) for item in failed]
        self._console.line("stream", f"{function}: {len(failed)} of {len(batch)} failed", "warning")
        return None if None in found else min(place for place in found if place is not None)


def _given_up(mapping: StreamMapping, batch: _Batch) -> tuple[int, str] | None:
    """Return how many of the first records are given up, and Lambda's name of the reason."""
    if 0 <= mapping.max_retries < batch.tries:
        return len(batch.records), "RetryAttemptsExhausted"
    oldest = time.time() - mapping.max_age_secs
    late = [_written_at(record) < oldest for record in batch.records] if mapping.max_age_secs >= 0 else []
    count = [*late, False].index(False)
    return (count, "RecordAgeExceeded") if count else None


def _failure(mapping: StreamMapping, shard: str, batch: _Batch, condition: str, function_arn: str) -> dict[str, Any]:
    """Return the message of a batch that was given up. It has no records, but their numbers in the stream.

    https://docs.aws.amazon.com/lambda/latest/dg/services-dynamodb-errors.html
    """
    first, last = batch.records[0], batch.records[-1]
    request = {"requestId": str(uuid.uuid4()), "functionArn": function_arn, "condition": condition}
    info = {"shardId": shard, "startSequenceNumber": _sequence(first), "endSequenceNumber": _sequence(last)}
    arrived = {"First": _iso(_written_at(first)), "Last": _iso(_written_at(last))}
    info |= {f"approximateArrivalOf{name}Record": at for name, at in arrived.items()}
    return {
        "requestContext": request | {"approximateInvokeCount": batch.tries},
        "responseContext": {"statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled"},
        "version": "1.0",
        "timestamp": _iso(time.time()),
        "DDBStreamBatchInfo": {**info, "batchSize": len(batch.records), "streamArn": mapping.stream_arn},
    }


def _written_at(record: Record) -> float:
    return float(record["dynamodb"]["ApproximateCreationDateTime"])


def _iso(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _open_shards(client: Any, arn: str, positions: dict[str, str]) -> dict[str, str]:
    """Return an iterator of each shard that is not read to its end, but whose parent, if it has one, is."""
    stream = client.describe_stream(StreamArn=arn)["StreamDescription"]
    shards: list[dict[str, Any]] = stream["Shards"]
    while last := stream.get("LastEvaluatedShardId"):
        stream = client.describe_stream(StreamArn=arn, ExclusiveStartShardId=last)["StreamDescription"]
        shards += stream["Shards"]
    ids = {shard["ShardId"] for shard in shards}
    unread = ids - {shard for shard, position in positions.items() if position == CLOSED}
    return {
        shard["ShardId"]: _iterator(client, arn, shard["ShardId"], positions.get(shard["ShardId"]))
        for shard in shards
        if shard["ShardId"] in unread and shard.get("ParentShardId") not in unread
    }


def _iterator(client: Any, arn: str, shard: str, position: str | None) -> str:
    wanted = {"StreamArn": arn, "ShardId": shard}
    if position is not None:
        after = {"ShardIteratorType": "AFTER_SEQUENCE_NUMBER", "SequenceNumber": position}
        try:
            return str(client.get_shard_iterator(**wanted, **after)["ShardIterator"])
        except client.exceptions.TrimmedDataAccessException:
            pass  # every record after the checkpoint is newer
    return str(client.get_shard_iterator(**wanted, ShardIteratorType="TRIM_HORIZON")["ShardIterator"])


def _get(client: Any, iterator: str, mapping: StreamMapping, have: int = 0) -> tuple[list[Record], str | None]:
    answer = client.get_records(ShardIterator=iterator, Limit=mapping.batch_size - have)
    records = [_as_event(record, mapping.stream_arn) for record in answer["Records"]]
    return records, answer.get("NextShardIterator")


def _sequence(record: Record) -> str:
    return str(record["dynamodb"]["SequenceNumber"])


def _as_event(record: dict[str, Any], arn: str) -> Record:
    """Return a record as functions get it: JSON, with times in epoch seconds and bytes in base64."""
    event: Record = json.loads(json.dumps(record, default=_plain)) | {"eventSourceARN": arn}
    if identity := event.get("userIdentity"):
        event["userIdentity"] = {name[:1].lower() + name[1:]: text for name, text in identity.items()}
    return event


def _plain(value: Any) -> Any:
    return value.timestamp() if isinstance(value, datetime) else base64.b64encode(value).decode()
