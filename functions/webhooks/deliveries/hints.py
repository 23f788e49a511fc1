"""Hints: queue messages that name a due delivery. The row decides, so a lost hint costs time and no delivery."""

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
    """Sends hints to the deliveries queue. MessageGroupId is the project: a standard queue is then fair to projects."""

    def __init__(self, client: SQSClient, queue_url: str) -> None:
        self._client = client
        self._queue_url = queue_url

    def send(self, delivery: Delivery, delay_ms: int = 0) -> None:
        """Send the hint of a delivery that is due in `delay_ms` (0 to 900,000). Raises ClientError, BotoCoreError."""
        self._client.send_message(
            QueueUrl=self._queue_url,
            MessageBody=_hint(delivery),
            MessageGroupId=delivery.project_id,
            DelaySeconds=-(-delay_ms // MS_PER_SEC),  # rounded up: an early hint is useless
        )

    def send_all(self, deliveries: Sequence[Delivery]) -> None:
        """Send hints of deliveries that are due now.

        A batch call may succeed while single messages fail. We send failed messages up to three times in all. After
        that the sweeper finds their rows.
        """
        for batch in itertools.batched(deliveries, _BATCH, strict=False):
            entries: list[SendMessageBatchRequestEntryTypeDef] = [
                {"Id": str(index), "MessageBody": _hint(delivery), "MessageGroupId": delivery.project_id}
                for index, delivery in enumerate(batch)
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
