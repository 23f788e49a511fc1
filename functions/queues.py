"""The queues we send to. A queue is a hint: the row is what counts, and the sweeper finds what a queue lost."""

from __future__ import annotations

import itertools
import json
from typing import TYPE_CHECKING

from functions.core.clock import MS_PER_SEC, Clock, now_ms
from functions.core.delivery import RUN_ENDPOINT_ID
from functions.core.lane import host_of
from functions.core.messages import FanoutsDue

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import SendMessageBatchRequestEntryTypeDef

    from functions.core.delivery import Delivery
    from functions.core.messages import ExecutionCompleted, ExecutionRequested

_DEPTH_FRESH_MS = 1_000
_GATHERING_SECS = 1
_BATCH = 10
_TRIES = 3


class Queues:
    """SQS. MessageGroupId is the project: on a standard queue that makes it fair between projects."""

    def __init__(self, client: SQSClient, clock: Clock = now_ms) -> None:
        self._client = client
        self._clock = clock
        self._depths: dict[str, tuple[int, int]] = {}

    def send_execution(self, queue_url: str, message: ExecutionRequested) -> None:
        """Ask the runners for one execution."""
        self._client.send_message(
            QueueUrl=queue_url, MessageBody=message.serialise(), MessageGroupId=message.project_id
        )

    def send_completion(self, queue_url: str, message: ExecutionCompleted) -> None:
        """Pass on what a runner answered, to be recorded."""
        self._client.send_message(QueueUrl=queue_url, MessageBody=message.serialise())

    def send_fanouts_due(self, queue_url: str) -> None:
        """Have `record` do the gathered fan-outs that are due in a second."""
        self._client.send_message(
            QueueUrl=queue_url, MessageBody=FanoutsDue().serialise(), DelaySeconds=_GATHERING_SECS
        )

    def send_delivery_hint(self, queue_url: str, delivery: Delivery, delay_ms: int = 0) -> None:
        """Say that a delivery is due in `delay_ms` (0 to 900,000)."""
        self._client.send_message(
            QueueUrl=queue_url,
            MessageBody=_hint(delivery),
            MessageGroupId=delivery.project_id,
            DelaySeconds=-(-delay_ms // MS_PER_SEC),  # rounded up: a hint that comes early is in vain
        )

    def send_delivery_hints(self, queue_url: str, deliveries: Sequence[Delivery]) -> None:
        """Say that these are due now.

        A batch fails message by message, in an answer that is a success; those are sent again. What the queue refuses
        three times is left to the sweeper: its row is due.
        """
        for batch in itertools.batched(deliveries, _BATCH, strict=False):
            entries: list[SendMessageBatchRequestEntryTypeDef] = [
                {"Id": str(place), "MessageBody": _hint(delivery), "MessageGroupId": delivery.project_id}
                for place, delivery in enumerate(batch)
            ]
            for _ in range(_TRIES):
                answer = self._client.send_message_batch(QueueUrl=queue_url, Entries=entries)
                failed = {failure["Id"] for failure in answer.get("Failed", [])}
                entries = [entry for entry in entries if entry["Id"] in failed]
                if not entries:
                    break

    def depth(self, queue_url: str) -> int:
        """Messages waiting or in flight, as SQS estimates them."""
        answer = self._client.get_queue_attributes(
            QueueUrl=queue_url,
            AttributeNames=["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"],
        )
        depth = sum(int(count) for count in answer["Attributes"].values())
        self._depths[queue_url] = (self._clock(), depth)
        return depth

    def recent_depth(self, queue_url: str) -> int:
        """Return the depth of at most one second ago."""
        read_at_ms, depth = self._depths.get(queue_url, (0, 0))
        if 0 <= self._clock() - read_at_ms < _DEPTH_FRESH_MS:
            return depth
        return self.depth(queue_url)


def _hint(delivery: Delivery) -> str:
    hint = {
        "event_id": delivery.event_id,
        "endpoint_id": delivery.endpoint_id,
        "project_id": delivery.project_id,
    }
    if delivery.endpoint_id == RUN_ENDPOINT_ID:
        hint["host"] = host_of(delivery.url)  # never the URL: its path or query may hold a credential
    return json.dumps(hint, separators=(",", ":"))
