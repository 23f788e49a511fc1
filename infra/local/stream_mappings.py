"""DynamoDB Streams event source mappings: threads that do what Lambda's stream pollers do.

https://docs.aws.amazon.com/lambda/latest/dg/services-dynamodb-eventsourcemapping.html
"""

from __future__ import annotations

import base64
import json
import threading
import time
from contextlib import AbstractContextManager, nullcontext
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, Protocol

from botocore.exceptions import BotoCoreError, ClientError

from infra.local.resources import session
from infra.local.stream_batches import Batches
from infra.local.stream_checkpoint import Checkpoint

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from infra.local.console import Console
    from infra.local.invoker import Invoker
    from infra.local.stack import StreamMapping
    from infra.local.stream_batches import Record

_MOST_RECORDS: Final = 1000  # of one GetRecords
_POLL_SECS: Final = 0.25  # as Lambda
_WAKE_MS: Final = 1000  # a stop waits for it; records end the wait at once
_ERROR_SECS: Final = 0.5


class Waiter(Protocol):
    """Ends a wait when the stream has a new record."""

    def wait(self, timeout_ms: float) -> None:
        """Return on a new record or after the timeout."""


type OpenWaiter = Callable[[str], AbstractContextManager[Waiter]]
"""ARN of a stream to a waiter. Records that are written inside the `with` statement end its wait."""


class StreamPollers:
    """All threads of all stream mappings: one a shard. `open_waiter`: None polls every 250 ms."""

    def __init__(self, invoker: Invoker, console: Console, state_dir: Path, open_waiter: OpenWaiter | None) -> None:
        self._invoker = invoker
        self._console = console
        self._folder = state_dir / "streams"
        self._stopping = threading.Event()
        self._open_waiter = open_waiter or (lambda _arn: nullcontext(_Pause(self._stopping)))
        self._threads: list[threading.Thread] = []

    def start(self, mapping: StreamMapping) -> None:
        """Read on from the checkpoint of an earlier start, or from the mapping's starting position."""
        checkpoint = Checkpoint.load(self._folder / f"{mapping.name}.json", mapping.stream_arn)
        client = session().client("dynamodbstreams")
        shards = _shards(client, mapping.stream_arn)
        if checkpoint.is_new and mapping.starts_at == "LATEST":
            for shard in shards:
                if "EndingSequenceNumber" in shard["SequenceNumberRange"]:
                    checkpoint.close(shard["ShardId"])
        self._start_shards(mapping, checkpoint, client, mapping.starts_at)

    def stop(self, grace_secs: float) -> None:
        """Let every thread finish its batch."""
        self._stopping.set()
        for thread in self._threads:
            thread.join(grace_secs)

    def _start_shards(self, mapping: StreamMapping, checkpoint: Checkpoint, client: Any, starts_at: str) -> None:
        """Read every shard that is not read yet and whose parent, if it has one, is read to its end."""
        shards = _shards(client, mapping.stream_arn)
        ids = {shard["ShardId"] for shard in shards}
        for shard in shards:
            parent = shard.get("ParentShardId")
            if (parent not in ids or checkpoint.is_closed(parent)) and checkpoint.begin(shard["ShardId"]):
                name = f"{mapping.name}-{shard['ShardId']}"
                arguments = (mapping, checkpoint, client, shard["ShardId"], starts_at)
                thread = threading.Thread(target=self._read_shard, args=arguments, name=name, daemon=True)
                self._threads.append(thread)
                thread.start()

    def _read_shard(
        self, mapping: StreamMapping, checkpoint: Checkpoint, client: Any, shard: str, starts_at: str
    ) -> None:
        batches = Batches(mapping, self._invoker, self._console, self._stopping)
        iterator: str | None = None
        while not self._stopping.is_set():
            try:
                if iterator is None:
                    iterator = _iterator(client, mapping.stream_arn, shard, checkpoint.position(shard), starts_at)
                records, iterator = self._gather(mapping, client, iterator)
                for done in batches.process(records):
                    checkpoint.move(shard, done)
                if iterator is None and not self._stopping.is_set():
                    checkpoint.close(shard)
                    self._start_shards(mapping, checkpoint, client, "TRIM_HORIZON")
                    return
            except (BotoCoreError, ClientError, OSError) as error:
                iterator = None  # read on from the checkpoint
                if not self._stopping.wait(_ERROR_SECS):
                    self._console.line("stream", f"{mapping.name}: {error}", "warning")

    def _gather(self, mapping: StreamMapping, client: Any, iterator: str) -> tuple[list[Record], str | None]:
        """Return a batch and where to read on: None at the shard's end. Collect for the batching window."""
        records, following = _get(client, iterator, mapping)
        if not records and following:
            with self._open_waiter(mapping.stream_arn) as waiter:
                records, following = _get(client, following, mapping)
                if not records:
                    waiter.wait(_WAKE_MS)
                    return records, following
        ends = time.monotonic() + mapping.window_secs
        while following and len(records) < mapping.batch_size and (left := ends - time.monotonic()) > 0:
            if self._stopping.wait(min(left, _POLL_SECS)):
                break
            more, following = _get(client, following, mapping, len(records))
            records += more
        return records, following


class _Pause:
    """Waits between two polls of a stream that wakes nobody."""

    def __init__(self, stopping: threading.Event) -> None:
        self._stopping = stopping

    def wait(self, timeout_ms: float) -> None:
        self._stopping.wait(min(timeout_ms / 1000, _POLL_SECS))


def _shards(client: Any, arn: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    start: dict[str, str] = {}
    while True:
        stream = client.describe_stream(StreamArn=arn, **start)["StreamDescription"]
        found += stream["Shards"]
        if "LastEvaluatedShardId" not in stream:
            return found
        start = {"ExclusiveStartShardId": stream["LastEvaluatedShardId"]}


def _iterator(client: Any, arn: str, shard: str, position: str | None, starts_at: str) -> str:
    wanted: dict[str, str] = {"StreamArn": arn, "ShardId": shard, "ShardIteratorType": starts_at}
    if position is not None:
        after = wanted | {"ShardIteratorType": "AFTER_SEQUENCE_NUMBER", "SequenceNumber": position}
        try:
            return str(client.get_shard_iterator(**after)["ShardIterator"])
        except client.exceptions.TrimmedDataAccessException:
            wanted["ShardIteratorType"] = "TRIM_HORIZON"  # every record after the checkpoint is newer
    return str(client.get_shard_iterator(**wanted)["ShardIterator"])


def _get(client: Any, iterator: str, mapping: StreamMapping, have: int = 0) -> tuple[list[Record], str | None]:
    answer = client.get_records(ShardIterator=iterator, Limit=min(_MOST_RECORDS, mapping.batch_size - have))
    records = [_as_event(record, mapping.stream_arn) for record in answer["Records"]]
    return records, answer.get("NextShardIterator")


def _as_event(record: dict[str, Any], arn: str) -> Record:
    """Return a record as functions get it: JSON, with times in epoch seconds and bytes in base64."""
    event: Record = json.loads(json.dumps(record, default=_plain)) | {"eventSourceARN": arn}
    if identity := event.get("userIdentity"):
        event["userIdentity"] = {name[:1].lower() + name[1:]: text for name, text in identity.items()}
    return event


def _plain(value: Any) -> Any:
    return value.timestamp() if isinstance(value, datetime) else base64.b64encode(value).decode()
