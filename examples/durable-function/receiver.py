"""The receiver of the webhook, behind a Function URL: it wakes the durable function that waits for this run."""

import base64
import hmac
import os
import time
from contextlib import suppress
from typing import Any

import boto3

CLIENT = boto3.client("lambda")


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Answer 204 to a genuine webhook, 401 to others."""
    body = event.get("body", "").encode()
    if event.get("isBase64Encoded"):
        body = base64.b64decode(body)
    if not _is_genuine(event["headers"], body):
        return {"statusCode": 401}
    callback_id = event["queryStringParameters"]["callback"]
    with suppress(CLIENT.exceptions.CallbackTimeoutException):  # it waits no longer, or the webhook came twice
        CLIENT.send_durable_execution_callback_success(CallbackId=callback_id, Result=body)
    return {"statusCode": 204}


def _is_genuine(headers: dict[str, str], body: bytes) -> bool:
    """Verify the signature: https://www.standardwebhooks.com/."""
    ident, sent, given = (headers.get(f"webhook-{name}", "") for name in ("id", "timestamp", "signature"))
    key = os.environ["WEBHOOK_SECRET"].encode()
    wanted = "v1," + base64.b64encode(hmac.digest(key, f"{ident}.{sent}.".encode() + body, "sha256")).decode()
    known = any(hmac.compare_digest(wanted.encode(), one.encode()) for one in given.split(" "))
    return known and abs(time.time() - int(sent)) <= 300
