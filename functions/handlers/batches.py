"""Partial batch responses: SQS sends only the failed messages of a batch again."""

from collections.abc import Callable
from typing import Any


def handle_batch(event: dict[str, Any], handle: Callable[[str, str], None]) -> dict[str, Any]:
    """Call `handle` with body and id of each message. A message whose call raises is reported as failed."""
    failed: list[dict[str, str]] = []
    for record in event["Records"]:
        try:
            handle(record["body"], record["messageId"])
        except Exception:  # noqa: BLE001 - `handle` has logged it, and the other messages must not fail with it
            failed.append({"itemIdentifier": record["messageId"]})
    return {"batchItemFailures": failed}
