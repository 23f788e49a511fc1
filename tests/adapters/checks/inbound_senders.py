"""Senders of signed calls, as the vendors' own packages sign them where there is one for Python."""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from slack_sdk.signature import SignatureVerifier
from standardwebhooks import Webhook
from stripe import WebhookSignature

type Headers = dict[str, str]


@dataclass(frozen=True)
class Sender:
    """How one service signs. `signature`: the header with the signature. `own_secret`: the service makes the secret.

    `sign` gets a secret, a body, seconds since the epoch and the id of the call.
    """

    verify: str
    signature: str
    sign: Callable[[str, str, int, str], Headers]
    body: Callable[[str], str]
    options: dict[str, Any] = field(default_factory=dict)
    own_secret: str | None = None

    @property
    def request(self) -> dict[str, Any]:
        """The body of POST …/secret."""
        brought = {} if self.own_secret is None else {"secret": self.own_secret}
        return {"verify": self.verify, **self.options, **brought}


def _digest(secret: str, content: str) -> bytes:
    return hmac.digest(secret.encode(), content.encode(), hashlib.sha256)


def _standard(secret: str, body: str, secs: int, call_id: str) -> Headers:
    signature = Webhook(secret).sign(call_id, datetime.fromtimestamp(secs, UTC), body)
    return {"webhook-id": call_id, "webhook-timestamp": str(secs), "webhook-signature": signature}


def _github(secret: str, body: str, _: int, call_id: str) -> Headers:
    return {
        "x-hub-signature-256": f"sha256={_digest(secret, body).hex()}",
        "x-github-delivery": call_id,
        "x-github-event": "push",
    }


def _gitlab(secret: str, _: str, _secs: int, call_id: str) -> Headers:
    return {"x-gitlab-token": secret, "x-gitlab-event": "Push Hook", "idempotency-key": call_id}


def _stripe(secret: str, body: str, secs: int, _: str) -> Headers:
    return {"stripe-signature": WebhookSignature.generate_signature_header(body, secret, secs)}


def _slack(secret: str, body: str, secs: int, _: str) -> Headers:
    signature = SignatureVerifier(secret).generate_signature(timestamp=str(secs), body=body)
    assert signature is not None
    return {"x-slack-request-timestamp": str(secs), "x-slack-signature": signature}


def _hmac(secret: str, body: str, _: int, call_id: str) -> Headers:
    return {"x-shop-signature": base64.b64encode(_digest(secret, body)).decode(), "x-shop-id": call_id}


def _timed_hmac(secret: str, body: str, secs: int, call_id: str) -> Headers:
    return {"x-sign": f"sha256={_digest(secret, f'{secs}.{body}').hex()}", "x-time": str(secs), "x-id": call_id}


def _json(name: str, kind: str = "type") -> Callable[[str], str]:
    return lambda call_id: json.dumps({name: call_id, kind: "push", "ref": "refs/heads/main"})


SENDERS = {
    sender.verify + ("-timed" if "timestamp_header" in sender.options else ""): sender
    for sender in (
        Sender("standard", "webhook-signature", _standard, _json("data")),
        Sender("github", "x-hub-signature-256", _github, _json("after")),
        Sender("gitlab", "x-gitlab-token", _gitlab, _json("after", "object_kind")),
        Sender("stripe", "stripe-signature", _stripe, _json("id"), own_secret="whsec_" + "5t" * 16),
        Sender("slack", "x-slack-signature", _slack, _json("event_id"), own_secret="8f742231b10e8888abcd99yyyzzz85a5"),
        Sender(
            "hmac",
            "x-shop-signature",
            _hmac,
            _json("after"),
            {"header": "X-Shop-Signature", "encoding": "base64", "id_header": "X-Shop-Id"},
        ),
        Sender(
            "hmac",
            "x-sign",
            _timed_hmac,
            _json("after"),
            {"header": "X-Sign", "prefix": "sha256=", "timestamp_header": "X-Time", "id_header": "X-Id"},
        ),
    )
}
TIMED = [name for name in SENDERS if name not in {"github", "gitlab", "hmac"}]
