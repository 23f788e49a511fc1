import base64
import hashlib
import hmac
import json
import subprocess
import sys
from datetime import UTC, datetime

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from functions.webhooks.signature import (
    InvalidSecretError,
    SigningKey,
    new_private_key,
    parse_private_key,
    parse_secret,
    sign,
    signatures,
)

V1_SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
V1 = ("msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
V1_SIGNATURE = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
V2_SECRET = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"
V2 = ("msg_27UH4WbU6Z5A5EzD8u03UvzRbpk", 1649367553, b'{"email":"test@example.com","username":"test_user"}')
V2_SIGNATURE = "v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw="
N1_SIGNATURE = "v1,TcxlhK9b6UD6iVI1ZU2tTqp8PEVfYRseNNfa6b+LcUg="


def whsec(size_bytes: int) -> str:
    return "whsec_" + base64.b64encode(bytes(range(size_bytes))).decode()


@pytest.mark.parametrize(
    "secret",
    [
        "",
        "whsec_",
        "whsec_%",
        "whsec_short",
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw=",  # padding that is not due
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLa==Sw",
        "whsec_ MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n",
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaS_",  # the URL alphabet
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSé",
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwA",  # 33 characters are no base64
        whsec(23),
        whsec(65),
        "whpk_",
        "whpk_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "x" * 257,
        "é" * 129,
        "\ud800",
    ],
)
def test_secret_that_cannot_sign_is_refused_without_being_quoted(secret: str) -> None:
    with pytest.raises(InvalidSecretError) as refused:
        parse_secret(secret)
    assert len(secret) < 7 or secret not in str(refused.value)


@pytest.mark.parametrize(
    ("secret", "key"),
    [
        (whsec(24), bytes(range(24))),
        (whsec(64), bytes(range(64))),
        (whsec(25), bytes(range(25))),
        (whsec(25).rstrip("="), bytes(range(25))),
        (whsec(26).rstrip("="), bytes(range(26))),
        ("x", b"x"),
        (" ", b" "),
        ("é" * 128, ("é" * 128).encode()),
        ("x" * 256, b"x" * 256),
        ("WHSEC_%", b"WHSEC_%"),
        ("whsec", b"whsec"),
        ("my whsec_short", b"my whsec_short"),
    ],
)
def test_secret_gives_its_key(secret: str, key: bytes) -> None:
    assert parse_secret(secret).key == key


@pytest.mark.parametrize(
    ("secret", "message", "signature"), [(V1_SECRET, V1, V1_SIGNATURE), (V2_SECRET, V2, V2_SIGNATURE)]
)
def test_published_vector_is_reproduced(secret: str, message: tuple[str, int, bytes], signature: str) -> None:
    assert sign(parse_secret(secret), *message) == signature


def test_secret_text_as_key_gives_another_signature_than_its_decoded_bytes() -> None:
    assert sign(SigningKey(V1_SECRET.encode()), *V1) == N1_SIGNATURE
    assert sign(parse_secret(V1_SECRET), *V1) != N1_SIGNATURE


def test_raw_secret_signs_with_its_utf8_bytes() -> None:
    digest = hmac.new("pässword".encode(), b"id.17." + b"{}", hashlib.sha256).digest()
    assert sign(parse_secret("pässword"), "id", 17, b"{}") == "v1," + base64.b64encode(digest).decode()


@pytest.mark.parametrize("secret", [V1_SECRET, V2_SECRET, whsec(64)])
def test_customer_verifies_with_the_official_package(secret: str) -> None:
    now_secs = int(datetime.now(UTC).timestamp())
    body = '{"text":"✓ naïve"}'.encode()
    headers = {
        "webhook-id": "7d8f0f5e-3b1c-4c59-9a52-0f7f3b2f8a11",
        "webhook-timestamp": str(now_secs),
        "webhook-signature": sign(parse_secret(secret), "7d8f0f5e-3b1c-4c59-9a52-0f7f3b2f8a11", now_secs, body),
    }
    assert Webhook(secret).verify(body.decode(), headers) == json.loads(body)


def test_key_is_not_in_the_repr() -> None:
    assert "pässword" not in repr(parse_secret("pässword"))
    assert "ssword" not in repr(parse_secret("pässword"))


def test_while_two_secrets_live_a_customer_with_either_verifies() -> None:
    now_secs = int(datetime.now(UTC).timestamp())
    header = signatures([parse_secret(V1_SECRET), parse_secret(V2_SECRET)], "id", now_secs, b"{}")
    assert header.split(" ") == [sign(parse_secret(secret), "id", now_secs, b"{}") for secret in (V1_SECRET, V2_SECRET)]
    headers = {"webhook-id": "id", "webhook-timestamp": str(now_secs), "webhook-signature": header}
    for secret in (V1_SECRET, V2_SECRET):
        assert Webhook(secret).verify("{}", headers) == {}
    with pytest.raises(WebhookVerificationError):
        Webhook(whsec(32)).verify("{}", headers)


def test_one_secret_gives_one_entry() -> None:
    assert signatures([parse_secret(V1_SECRET)], *V1) == V1_SIGNATURE


V1A_PRIVATE_KEY = "whsk_VEVTVFNJR05JTkdLRVlET05PVFVTRVRISVNGT1JBTlk="
V1A_SIGNATURE = "v1a,tQ9V2XOqn7jL/DQenEFpqIugdBVtiMmER5mhSkXBNwM0mkATuDe6KYYUuxqtaiHeYGb7KaaBRdM5WqyeFiL8Ag=="
"""Of the Go library of Standard Webhooks, over V1."""


def test_the_asymmetric_vector_of_standard_webhooks() -> None:
    assert sign(parse_private_key(V1A_PRIVATE_KEY), *V1) == V1A_SIGNATURE
    keys = (parse_secret(V1_SECRET), parse_private_key(V1A_PRIVATE_KEY))
    assert signatures(keys, *V1) == f"{V1_SIGNATURE} {V1A_SIGNATURE}"


def test_a_public_key_verifies_and_the_private_one_is_in_no_repr() -> None:
    key = parse_private_key(new_private_key())
    public_key = Ed25519PublicKey.from_public_bytes(base64.b64decode(key.public_key().removeprefix("whpk_")))
    entry = sign(key, *V1).removeprefix("v1a,")
    public_key.verify(base64.b64decode(entry), f"{V1[0]}.{V1[1]}.".encode() + V1[2])
    with pytest.raises(InvalidSignature):
        public_key.verify(base64.b64decode(entry), b"another")
    assert repr(key) == "PrivateKey()"


def test_libsodium_is_imported_for_asymmetric_keys_only() -> None:
    code = (
        "import sys; from functions.webhooks import signature as s;"
        f"s.sign(s.parse_secret({V1_SECRET!r}), 'id', 1, b''); assert 'nacl' not in sys.modules;"
        "s.parse_private_key(s.new_private_key()).public_key(); assert 'nacl' in sys.modules"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
