"""Signatures of inbound calls: the vectors that the vendors publish, and ids and types where they put them."""

import hashlib
import hmac
import json
from typing import Any

import pytest

from functions.checks.assertions import read_document
from functions.checks.calls.signatures import Call, Encoding, NotGenuineError, Scheme, Verification, name_of, verify

SECRET = "s3cret-of-pagerduty"
SLACK_BODY = (
    b"token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V"
    b"&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text="
    b"&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN"
    b"&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c"
)
VECTORS = {
    # https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries
    Scheme.GITHUB: (
        "It's a Secret to Everybody",
        0,
        {"x-hub-signature-256": "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"},
        b"Hello, World!",
    ),
    # https://docs.slack.dev/authentication/verifying-requests-from-slack
    Scheme.SLACK: (
        "8f742231b10e8888abcd99yyyzzz85a5",
        1531420618,
        {
            "x-slack-request-timestamp": "1531420618",
            "x-slack-signature": "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503",
        },
        SLACK_BODY,
    ),
    # https://github.com/standard-webhooks/standard-webhooks
    Scheme.STANDARD: (
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        1614265330,
        {
            "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
            "webhook-timestamp": "1614265330",
            "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
        },
        b'{"test": 2432232314}',
    ),
}


@pytest.mark.parametrize("scheme", VECTORS)
def test_the_published_vector_is_genuine_and_a_changed_byte_is_not(scheme: Scheme) -> None:
    secret, at_secs, headers, body = VECTORS[scheme]
    verify(Call(headers, body, at_secs), Verification(scheme), secret)
    with pytest.raises(NotGenuineError):
        verify(Call(headers, body[:-1] + b"?", at_secs), Verification(scheme), secret)
    with pytest.raises(NotGenuineError):
        verify(Call(headers, body, at_secs), Verification(scheme), secret[:-1] + "0")


def test_a_prefix_of_hmac_may_have_a_comma() -> None:
    digest = hmac.digest(SECRET.encode(), b"{}", hashlib.sha256).hex()
    verify(Call({"x-sign": f"k=1,v1={digest}"}, b"{}", 0), Verification(Scheme.HMAC, "x-sign", "k=1,v1="), SECRET)


def test_hmac_in_base64_with_a_prefix_is_that_of_rfc_4231() -> None:
    # Test case 2 of https://www.rfc-editor.org/rfc/rfc4231
    verification = Verification(Scheme.HMAC, header="x-sign", prefix="HMAC ", encoding=Encoding.BASE64)
    digest, body = "W9zBRr9gdU5qBCQmCJV1x1oAPwidJzmDnexYuWTsOEM=", b"what do ya want for nothing?"
    verify(Call({"x-sign": f"HMAC {digest}"}, body, 0), verification, "Jefe")
    for given in (digest, f"hmac {digest}", f"HMAC {digest[:-1]}"):
        with pytest.raises(NotGenuineError):
            verify(Call({"x-sign": given}, body, 0), verification, "Jefe")


def test_the_headers_of_svix_are_those_of_standard_with_names_of_their_own() -> None:
    # https://docs.svix.com/receiving/verifying-payloads/how-manual
    secret, at_secs, headers, body = VECTORS[Scheme.STANDARD]
    svix = {name.replace("webhook", "svix"): value for name, value in headers.items()}
    verify(Call(svix, body, at_secs), Verification(), secret)
    assert named(Scheme.STANDARD, svix, body) == ("msg_p5jXN8AQM9LWM0D4loKWxJek", "")
    for wrong in (svix | {"svix-id": "msg_2"}, headers | {"svix-id": "msg_2"}):  # one call has one family of headers
        with pytest.raises(NotGenuineError):
            verify(Call(wrong, body, at_secs), Verification(), secret)


@pytest.mark.parametrize("form", ["{right}", "{right},{other}", "{other},{right}", "{other}, {right}"])
@pytest.mark.parametrize("prefix", ["v1=", ""])
def test_one_of_several_signatures_of_hmac_is_enough(prefix: str, form: str) -> None:
    # https://developer.pagerduty.com/docs/webhooks/webhook-signatures/: one for each secret while it is rolled
    verification, body = Verification(Scheme.HMAC, header="x-pagerduty-signature", prefix=prefix), b'{"event": {}}'
    right = prefix + hmac.digest(SECRET.encode(), body, hashlib.sha256).hex()
    other = f"{prefix}{'0' * 64}"
    verify(Call({verification.header: form.format(right=right, other=other)}, body, 0), verification, SECRET)
    for given in (f"{other},{other}", right[:-1], f"{right[:-1]},{right[-1]}", "," * 10_000, f"{right};{other}"):
        with pytest.raises(NotGenuineError):
            verify(Call({verification.header: given}, body, 0), verification, SECRET)


def named(scheme: Scheme, headers: dict[str, str], body: Any, **options: Any) -> tuple[str, str]:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return name_of(Call(headers, raw, 0), Verification(scheme, **options), read_document(raw))


GITHUB = {"x-github-delivery": "72d3162e-cc78-11e3-81ab-4c9367dc0958", "x-github-event": "pull_request"}


@pytest.mark.parametrize(
    ("scheme", "headers", "body", "expected"),
    [
        (Scheme.GITHUB, GITHUB, {"action": "opened"}, (GITHUB["x-github-delivery"], "pull_request.opened")),
        (Scheme.GITHUB, GITHUB, b"payload=%7B%7D", (GITHUB["x-github-delivery"], "pull_request")),
        (Scheme.GITHUB, GITHUB, [{"action": "opened"}], (GITHUB["x-github-delivery"], "pull_request")),
        (Scheme.GITHUB, GITHUB, {"action": {"a": 1}}, (GITHUB["x-github-delivery"], "pull_request")),
        (
            Scheme.GITLAB,
            {"idempotency-key": "key-1", "x-gitlab-event-uuid": "uuid-1"},
            {"object_kind": "merge_request", "object_attributes": {"action": "open"}},
            ("key-1", "merge_request.open"),
        ),
        (Scheme.GITLAB, {"x-gitlab-event-uuid": "uuid-1"}, {"object_kind": "push"}, ("uuid-1", "push")),
        (
            Scheme.GITLAB,
            {"x-gitlab-event-uuid": "uuid-1"},
            {"event_name": "project_create"},
            ("uuid-1", "project_create"),
        ),
        (Scheme.STRIPE, {}, {"id": "evt_1", "type": "invoice.paid"}, ("evt_1", "invoice.paid")),
        (
            Scheme.SLACK,
            {},
            {"type": "event_callback", "event_id": "Ev1", "event": {"type": "message"}},
            ("Ev1", "message"),
        ),
        (Scheme.SLACK, {}, {"event_id": "Ev1", "command": "/deploy"}, ("Ev1", "/deploy")),
        (Scheme.HMAC, {"x-id": "7", "x-topic": "orders/create"}, b"<a/>", ("7", "orders/create")),
        (Scheme.STANDARD, {"webhook-id": "msg 1"}, {"type": "user.created"}, ("msg 1", "user.created")),
    ],
)
def test_id_and_type_are_where_the_sender_puts_them(
    scheme: Scheme, headers: dict[str, str], body: Any, expected: tuple[str, str]
) -> None:
    options = {"id_header": "X-Id", "event_header": "X-Topic"} if scheme is Scheme.HMAC else {}
    assert named(scheme, headers, body, **options) == expected


@pytest.mark.parametrize("scheme", [Scheme.GITLAB, Scheme.STRIPE, Scheme.SLACK, Scheme.HMAC])
def test_without_an_id_the_body_names_the_call(scheme: Scheme) -> None:
    first, second = named(scheme, {}, b"a=1"), named(scheme, {}, b"a=2")
    assert first == named(scheme, {}, b"a=1") != second
    assert first[1] == ""


@pytest.mark.parametrize("delivery", ["", "a,a", "a b", "x" * 257, "é"])
def test_a_call_of_github_without_one_id_is_not_genuine(delivery: str) -> None:
    with pytest.raises(NotGenuineError):
        named(Scheme.GITHUB, {**GITHUB, "x-github-delivery": delivery}, {})


@pytest.mark.parametrize("event", ["push,push", "", " push", "x" * 129, "p\u00fcsh", "a\x00b"])
def test_a_type_that_is_no_name_is_none(event: str) -> None:
    assert named(Scheme.GITHUB, {**GITHUB, "x-github-event": event}, {})[1] == ""
