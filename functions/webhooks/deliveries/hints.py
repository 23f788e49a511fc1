"""Hints: messages that name a due delivery. The row is the queue, so a lost hint costs time and nothing else."""

from __future__ import annotations

import itertools
import json
from typing import TYPE_CHECKING

from functions.clock import MS_PER_SEC
from functions.webhooks.deliveries.model import RUN_ENDPOINT_ID
from functions.webhooks.sending.lane import host_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import SendMessageBatchRequestEntryTypeDef

    from functions.webhooks.deliveries.model import Delivery

_BATCH = 10
_TRIES = 3


class DeliveryHints:
    """The deliveries queue. MessageGroupId is the project: on a standard queue that makes it fair between projects."""

    def __init__(self, client: SQSClient, queue_url: str) -> None:
        self._client = client
        self._queue_url = queue_url

    def send(self, delivery: Delivery, delay_ms: int = 0) -> None:
        """Say that a delivery is due in `delay_ms` (0 to 900,000)."""
        self._client.send_message(
            QueueUrl=self._queue_url,
            MessageBody=_hint(delivery),
            MessageGroupId=delivery.project_id,
            DelaySeconds=-(-delay_ms // MS_PER_SEC),  # rounded up: a hint that comes early is in vain
        )

    def send_all(self, deliveries: Sequence[Delivery]) -> None:
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
                answer = self._client.send_message_batch(QueueUrl=self._queue_url, Entries=entries)
                failed = {failure["Id"] for failure in answer.get("Failed", [])}
                entries = [entry for entry in entries if entry["Id"] in failed]
                if not entries:
                    break


def _hint(delivery: Delivery) -> str:
    hint = {
        "event_id": delivery.event_id,
        "endpoint_id": delivery.endpoint_id,
        "project_id": delivery.project_id,
    }
    if delivery.endpoint_id == RUN_ENDPOINT_ID:
        hint["host"] = host_of(delivery.url)  # never the URL: its path or query may hold a credential
    return json.dumps(hint, separators=(",", ":"))
