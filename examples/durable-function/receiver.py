"""The receiver of the webhook, behind a Function URL: it wakes the durable function that waits for this run."""

import base64
import hmac
import os
import time
from contextlib import suppress
from typing import Any

import boto3

CLIENT = boto3.client("lambda")


def _signing_key(secret: str) -> bytes:
    """Return the key: the base64 after `whsec_`, with or without padding, or any other text. Raises ValueError."""
    key = secret.encode()
    if secret.startswith("whsec_"):
        encoded = secret.removeprefix("whsec_").rstrip("=")
        key = base64.b64decode(encoded + "=" * (-len(encoded) % 4), validate=True)
    if len(key) < 24:
        raise ValueError("WEBHOOK_SECRET must have at least 24 bytes")
    return key


KEY = _signing_key(os.environ["WEBHOOK_SECRET"])


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
    wanted = "v1," + base64.b64encode(hmac.digest(KEY, f"{ident}.{sent}.".encode() + body, "sha256")).decode()
    known = any(hmac.compare_digest(wanted.encode(), one.encode()) for one in given.split(" "))
    return known and abs(time.time() - int(sent)) <= 300
