"""A durable function of AWS Lambda that runs a program, and waits for its signed webhook without being billed."""

import hashlib
import json
import os
import urllib.request
from typing import Any
from urllib.parse import quote

from aws_durable_execution_sdk_python import DurableContext, durable_execution
from aws_durable_execution_sdk_python.config import Duration, WaitForCallbackConfig
from aws_durable_execution_sdk_python.types import WaitForCallbackContext


@durable_execution  # type: ignore[untyped-decorator, unused-ignore]
def handler(event: dict[str, Any], context: DurableContext) -> dict[str, Any]:
    """Run `code` in `language`; return its verdict and output."""

    def submit(callback_id: str, _context: WaitForCallbackContext) -> None:
        _submit(event, callback_id)

    ended = context.wait_for_callback(
        submit, name="run", config=WaitForCallbackConfig(timeout=Duration.from_minutes(30))
    )
    run = json.loads(ended)
    return {"id": run["id"], "verdict": run["verdict"], "stdout": run["output"]["stdout"]}


def _submit(event: dict[str, Any], callback_id: str) -> None:
    """Submit the program. The callback id is in the webhook's address, its hash is the idempotency key."""
    body = {
        "language": event["language"],
        "code": event["code"],
        "webhook_url": f"{os.environ['RECEIVER_URL']}?callback={quote(callback_id, safe='')}",
        "webhook_secret": os.environ["WEBHOOK_SECRET"],
    }
    headers = {
        "X-API-Key": os.environ["RUSTBOX_API_KEY"],
        "Content-Type": "application/json",
        "Idempotency-Key": hashlib.sha256(callback_id.encode()).hexdigest(),
    }
    request = urllib.request.Request(f"{os.environ['RUSTBOX_URL']}/api/submit", json.dumps(body).encode(), headers)
    with urllib.request.urlopen(request, timeout=20) as answer:
        answer.read()
