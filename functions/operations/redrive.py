"""Move dead letters back to their queue.

The sweeper settles dead letters by itself, and tries the remaining ones again every few minutes. After the repair, a
redrive gives it back to the normal consumer at once.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from functions.operations.model import Redriven

if TYPE_CHECKING:
    from collections.abc import Callable

    from mypy_boto3_sqs import SQSClient

    from functions.settings import Settings

QUEUE_NAMES = ("interactive", "batch", "network", "completions", "deliveries", "checks")
"""Names of the queues that have dead letters, in paths and logs."""
WORK_SECS = 10.0
_MOST_PER_CALL = 10


@dataclass(frozen=True, slots=True)
class DeadLetters:
    """One dead-letter queue and the queue that its messages came from."""

    dead_url: str
    queue_url: str


def dead_letters(settings: Settings, queue: str) -> DeadLetters:
    """Return the dead-letter queue of one of QUEUE_NAMES."""
    return DeadLetters(getattr(settings, f"{queue}_dead_letters_url"), getattr(settings, f"{queue}_queue_url"))


@dataclass(frozen=True, slots=True)
class Redrive:
    """Moves messages. Each is sent before it is deleted, so a crash doubles one and loses none."""

    client: SQSClient
    monotonic: Callable[[], float] = time.monotonic

    def move(self, letters: DeadLetters) -> Redriven:
        """Move visible messages until none is left, for about WORK_SECS. Raises the errors of SQS."""
        until, moved = self.monotonic() + WORK_SECS, 0
        while self.monotonic() < until and (found := self._receive(letters.dead_url)):
            for message in found:
                self._send(letters.queue_url, message)
                self.client.delete_message(QueueUrl=letters.dead_url, ReceiptHandle=message["ReceiptHandle"])
                moved += 1
        return Redriven(moved, self._count(letters.dead_url))

    def _receive(self, url: str) -> list[Any]:
        answer = self.client.receive_message(
            QueueUrl=url,
            MaxNumberOfMessages=_MOST_PER_CALL,
            WaitTimeSeconds=0,
            MessageSystemAttributeNames=["MessageGroupId"],
            MessageAttributeNames=["All"],
        )
        return list(answer.get("Messages", []))

    def _send(self, url: str, message: Any) -> None:
        group = message.get("Attributes", {}).get("MessageGroupId")
        more: Any = {} if group is None else {"MessageGroupId": group}
        attributes = message.get("MessageAttributes", {})
        self.client.send_message(QueueUrl=url, MessageBody=message["Body"], MessageAttributes=attributes, **more)

    def _count(self, url: str) -> int:
        names: Any = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        attributes = self.client.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
        return sum(int(attributes[name]) for name in names)
