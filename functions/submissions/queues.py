"""The queues of submissions and completions. If a message is lost, the sweeper finds its row."""

from __future__ import annotations

from typing import TYPE_CHECKING

from functions.clock import Clock, now_ms

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

    from functions.messages.wire import ExecutionCompleted, ExecutionRequested

_DEPTH_FRESH_MS = 1_000


class Queues:
    """SQS. MessageGroupId is the project: on a standard queue it makes delivery fair between projects."""

    def __init__(self, client: SQSClient, clock: Clock = now_ms) -> None:
        self._client = client
        self._clock = clock
        self._depths: dict[str, tuple[int, int]] = {}

    def send_execution(self, queue_url: str, message: ExecutionRequested) -> None:
        """Request one execution."""
        self._client.send_message(
            QueueUrl=queue_url, MessageBody=message.serialise(), MessageGroupId=message.project_id
        )

    def send_completion(self, queue_url: str, message: ExecutionCompleted) -> None:
        """Send a runner's completion to `record`."""
        self._client.send_message(QueueUrl=queue_url, MessageBody=message.serialise())

    def depth(self, queue_url: str) -> int:
        """Return SQS's estimate of waiting and in-flight messages."""
        answer = self._client.get_queue_attributes(
            QueueUrl=queue_url,
            AttributeNames=["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"],
        )
        depth = sum(int(count) for count in answer["Attributes"].values())
        self._depths[queue_url] = (self._clock(), depth)
        return depth

    def recent_depth(self, queue_url: str) -> int:
        """Like `depth`, cached for a second."""
        read_at_ms, depth = self._depths.get(queue_url, (0, 0))
        if 0 <= self._clock() - read_at_ms < _DEPTH_FRESH_MS:
            return depth
        return self.depth(queue_url)
