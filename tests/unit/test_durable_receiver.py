"""The receiver of examples/durable-function: which secrets it takes, and which webhooks wake the function."""

import base64
import importlib.util
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from functions.webhooks.signature import new_secret, parse_secret, sign

RECEIVER = Path(__file__).parents[2] / "examples" / "durable-function" / "receiver.py"
BODY = b'{"verdict": "AC"}'


@pytest.fixture
def woken() -> list[str]:
    """Return the callbacks that were sent."""
    return []


def loaded(monkeypatch: pytest.MonkeyPatch, secret: str, woken: list[str]) -> Any:
    monkeypatch.setenv("WEBHOOK_SECRET", secret)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    spec = importlib.util.spec_from_file_location("durable_receiver", RECEIVER)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.CLIENT = SimpleNamespace(  # type: ignore[attr-defined]
        send_durable_execution_callback_success=lambda CallbackId, Result: woken.append(CallbackId),  # noqa: N803, ARG005
        exceptions=SimpleNamespace(CallbackTimeoutException=ZeroDivisionError),
    )
    return module


def request(secret: str, at_secs: int, **changes: Any) -> dict[str, Any]:
    signature = sign(parse_secret(secret), "evt_1", at_secs, BODY)
    headers = {"webhook-id": "evt_1", "webhook-timestamp": str(at_secs), "webhook-signature": signature}
    event = {"headers": headers, "queryStringParameters": {"callback": "c1"}, "body": BODY.decode()}
    return {**event, **changes}


PADDED = f"whsec_{base64.b64encode(bytes(range(32))).decode()}"


@pytest.mark.parametrize("secret", ["a text of 24 bytes, or more", PADDED, PADDED.rstrip("="), f"whsec_{'A' * 32}"])
def test_every_form_of_a_secret_verifies_the_webhooks_that_it_signed(
    monkeypatch: pytest.MonkeyPatch, woken: list[str], secret: str
) -> None:
    receiver, now = loaded(monkeypatch, secret, woken), int(time.time())
    assert receiver.handler(request(secret, now), None) == {"statusCode": 204}
    encoded = {"body": base64.b64encode(BODY).decode(), "isBase64Encoded": True}
    assert receiver.handler(request(secret, now, **encoded), None) == {"statusCode": 204}
    assert woken == ["c1", "c1"]
    for wrong in (
        request(secret, now, body=BODY.decode() + " "),
        request(secret, now, headers={}),
        request(secret, now - 400),
        request(secret, now + 400),
        request(new_secret(), now),
    ):
        assert receiver.handler(wrong, None) == {"statusCode": 401}
    assert woken == ["c1", "c1"]


@pytest.mark.parametrize("secret", ["", "short", "whsec_", f"whsec_{'A' * 28}", "whsec_%%%%"])
def test_a_secret_that_anybody_can_guess_is_refused(
    monkeypatch: pytest.MonkeyPatch, woken: list[str], secret: str
) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - of base64, or of the length
        loaded(monkeypatch, secret, woken)
