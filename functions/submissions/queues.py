"""The queues of submissions and completions. A queue is a hint: the sweeper finds the rows of lost messages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from functions.clock import Clock, now_ms
from functions.messages.wire import FanoutsDue

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

    from functions.messages.wire import ExecutionCompleted, ExecutionRequested

_DEPTH_FRESH_MS = 1_000
_GATHERING_SECS = 1


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
