"""Verifies received webhooks as a customer would: the official package, the secret as text, at the time of receipt."""

import hashlib
import hmac
from base64 import b64encode
from collections.abc import Collection
from datetime import UTC, datetime, tzinfo
from unittest.mock import patch

from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from tests.adapters.hook_receiver import Received


def is_genuine(request: Received, secret: str) -> bool:
    """Whether one secret verifies a request; the package's clock shows when it came."""

    class AtReceipt(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]  # it is a plain one
            return datetime.fromtimestamp(request.at_ms / 1000, tz)

    if not secret.startswith("whsec_"):
        return _is_genuine_raw(request, secret)
    with patch("standardwebhooks.webhooks.datetime", AtReceipt):
        try:
            Webhook(secret).verify(request.body, request.headers)
        except WebhookVerificationError:
            return False
    return True


def genuine_by(request: Received, secrets: Collection[str]) -> list[str]:
    """Those of the secrets that verify a request."""
    return [secret for secret in secrets if is_genuine(request, secret)]


def _is_genuine_raw(request: Received, secret: str) -> bool:
    stamp = request.headers["webhook-timestamp"]
    content = f"{request.webhook_id}.{stamp}.".encode() + request.body
    expected = "v1," + b64encode(hmac.new(secret.encode(), content, hashlib.sha256).digest()).decode()
    is_fresh = abs(int(stamp) - datetime.fromtimestamp(request.at_ms / 1000, UTC).timestamp()) < 300
    return is_fresh and expected in request.headers["webhook-signature"].split(" ")
