"""Forged calls of every scheme are refused alike, while the genuine call beside each of them is accepted."""

import base64
import hashlib
import hmac
from collections.abc import Callable
from typing import Any

import pytest

from functions.ids import new_id
from tests.adapters.checks.check_world import CheckWorld
from tests.adapters.checks.inbound_senders import SENDERS, TIMED, Headers, Sender
from tests.adapters.http_calls import Answer, call, event

type Forge = Callable[[Sender, Headers, str], tuple[Headers, str]]


def changed(change: Callable[[str], str]) -> Forge:
    """Change the header with the signature."""
    return lambda sender, headers, body: ({**headers, sender.signature: change(headers[sender.signature])}, body)


def without(*names: str) -> Forge:
    return lambda _sender, headers, body: ({name: text for name, text in headers.items() if name not in names}, body)


def with_header(name: str, text: str) -> Forge:
    return lambda _sender, headers, body: ({**headers, name: text}, body)


def in_another_header(sender: Sender, headers: Headers, body: str) -> tuple[Headers, str]:
    rest = {name: text for name, text in headers.items() if name != sender.signature}
    return {**rest, "x-signature": headers[sender.signature], "authorization": headers[sender.signature]}, body


def no_signature(sender: Sender, headers: Headers, body: str) -> tuple[Headers, str]:
    return {name: text for name, text in headers.items() if name != sender.signature}, body


FORGERIES: dict[str, Forge] = {
    "missing": no_signature,
    "empty": changed(lambda _: ""),
    "truncated": changed(lambda text: text[:-1]),
    "longer": changed(lambda text: text + "0"),
    "one character": changed(lambda text: text[:-3] + ("b" if text[-3] == "a" else "a") + text[-2:]),
    "upper case": changed(str.upper),
    "swapped case": changed(str.swapcase),
    "quoted": changed(lambda text: f'"{text}"'),
    "not ASCII": changed(lambda text: text[:-1] + "é"),
    "in another header": in_another_header,
}
DOUBLED: dict[str, Forge] = {"doubled": changed(lambda text: f"{text},{text}")}
OF_THE_BODY: dict[str, Forge] = {
    "one byte of the body": lambda _sender, headers, body: (headers, body.replace("main", "mail")),
    "a line end behind the body": lambda _sender, headers, body: (headers, body + "\n"),
    "no body": lambda _sender, headers, _body: (headers, ""),
}
OWN: dict[tuple[str, str], Forge] = {
    ("github", "SHA-1"): lambda _sender, headers, body: (
        {
            **without("x-hub-signature-256")(_sender, headers, body)[0],
            "x-hub-signature": "sha1=" + hmac.new(b"x" * 64, body.encode(), hashlib.sha1).hexdigest(),
        },
        body,
    ),
    ("github", "no prefix"): changed(lambda text: text.removeprefix("sha256=")),
    ("github", "prefix of another hash"): changed(lambda text: text.replace("sha256=", "sha1=")),
    ("github", "base64"): changed(
        lambda text: "sha256=" + base64.b64encode(bytes.fromhex(text.removeprefix("sha256="))).decode()
    ),
    ("github", "no delivery"): without("x-github-delivery"),
    ("github", "two deliveries"): with_header("x-github-delivery", "a,b"),
    ("gitlab", "a bearer"): changed(lambda text: f"Bearer {text}"),
    ("gitlab", "a part"): changed(lambda text: text[:32]),
    ("stripe", "v0"): changed(lambda text: text.replace("v1=", "v0=")),
    ("stripe", "no time"): changed(lambda text: text.partition(",")[2]),
    ("stripe", "two times"): changed(lambda text: f"t=1,{text}"),
    ("stripe", "another time"): changed(lambda text: text.replace("t=", "t=1")),
    ("stripe", "the signature behind too many others"): changed(lambda text: text.replace(",", "," + "v1=0," * 20, 1)),
    ("slack", "v1"): changed(lambda text: text.replace("v0=", "v1=")),
    ("slack", "no version"): changed(lambda text: text.removeprefix("v0=")),
    ("slack", "no time"): without("x-slack-request-timestamp"),
    ("slack", "two times"): with_header("x-slack-request-timestamp", "1,1"),
    ("standard", "another version"): changed(lambda text: text.replace("v1,", "v2,")),
    ("standard", "no id"): without("webhook-id"),
    ("standard", "another id"): with_header("webhook-id", "another"),
    ("standard", "a long id"): with_header("webhook-id", "x" * 300),
    ("standard", "a time in words"): with_header("webhook-timestamp", "soon"),
    ("standard", "a time without end"): with_header("webhook-timestamp", "9" * 400),
    ("standard", "a time with 5,000 digits more"): with_header("webhook-timestamp", "0" * 12 + "9" * 5_000),
    ("hmac", "hex"): changed(lambda text: base64.b64decode(text).hex()),
    ("hmac", "without padding"): changed(lambda text: text.rstrip("=")),
    ("hmac", "for URLs"): changed(lambda text: "_" + text[1:].replace("+", "-").replace("/", "_")),
    ("hmac", "no id"): without("x-shop-id"),
    ("hmac", "behind too many others"): changed(lambda text: "0," * 20 + text),
    ("hmac-timed", "no prefix"): changed(lambda text: text.removeprefix("sha256=")),
    ("hmac-timed", "no time"): without("x-time"),
    ("hmac-timed", "a negative time"): with_header("x-time", "-1"),
}


def forgeries_of(name: str) -> dict[str, Forge]:
    of_the_body = {} if name == "gitlab" else OF_THE_BODY  # its token stands for any body
    doubled = {} if name.startswith("hmac") else DOUBLED  # one of several signatures is enough
    own = {forgery: forge for (scheme, forgery), forge in OWN.items() if scheme == name}
    return {**FORGERIES, **doubled, **of_the_body, **own}


class Calls:
    """A check with a secret, and the calls of one sender."""

    def __init__(self, world: CheckWorld, name: str) -> None:
        self.world, self.sender = world, SENDERS[name]
        self.check = world.create(name=f"called by {name}", event_as="stdin")
        answer = world.call("POST", f"/api/checks/{self.check['id']}/secret", self.sender.request)
        assert answer.status == 200, answer.json
        self.secret: str = answer.json["secret"]
        self._genuine = 0

    def signed(self, call_id: str, off_secs: int = 0, secret: str = "") -> tuple[Headers, str]:
        body = self.sender.body(call_id)
        return self.sender.sign(secret or self.secret, body, self.world.time.ms // 1000 + off_secs, call_id), body

    def send(self, headers: Headers, body: str, check_id: str = "") -> Answer:
        path = f"/api/checks/{check_id or self.check['id']}/events"
        return call(event("POST", path, headers={"content-type": "application/json", **headers}, body=body))

    def log(self) -> list[Any]:
        items: list[Any] = self.world.call("GET", f"/api/checks/{self.check['id']}/calls").json["items"]
        return items

    def assert_refused(self, headers: Headers, body: str, forgery: str) -> None:
        """The answer is that for a check that there is not, and nothing runs; a genuine call then does."""
        self.world.time.advance(61)  # the log keeps a bounded number a minute
        unknown, refused = self.send(headers, body, new_id()), self.send(headers, body)
        assert (refused.status, refused.raw, refused.headers) == (401, unknown.raw, unknown.headers), forgery
        newest = self.log()[0]
        assert (newest["outcome"], newest["event_id"], newest["event_type"]) == ("refused", "", ""), forgery
        assert len(self.world.rows(self.check)) == self._genuine, forgery
        self._genuine += 1
        genuine = self.send(*self.signed(f"genuine-{self._genuine}"))
        assert (genuine.status, genuine.json["kind"]) == (202, "event"), forgery
        assert len(self.world.rows(self.check)) == self._genuine, forgery


@pytest.mark.parametrize("name", SENDERS)
def test_each_forged_call_is_refused_as_if_there_were_no_such_check(world: CheckWorld, name: str) -> None:
    calls = Calls(world, name)
    forgeries = forgeries_of(name)
    assert len(forgeries) >= len(FORGERIES) + 2
    for forgery, forge in forgeries.items():
        world.time.advance(61)
        calls.assert_refused(*forge(calls.sender, *calls.signed("call-1", off_secs=61)), forgery)


@pytest.mark.parametrize("name", TIMED)
def test_a_call_whose_signed_time_is_off_is_refused(world: CheckWorld, name: str) -> None:
    calls = Calls(world, name)
    for off_secs in (-301, 301, -86_400):
        calls.assert_refused(*calls.signed("call-1", off_secs + 61), f"{off_secs} s")


@pytest.mark.parametrize("name", SENDERS)
def test_a_call_with_another_secret_is_refused(world: CheckWorld, name: str) -> None:
    calls = Calls(world, name)
    calls.assert_refused(*calls.signed("call-1", 61, calls.secret[:-4] + "0000"), "another secret")


def test_all_schemes_refuse_with_the_same_words(world: CheckWorld) -> None:
    answers = {Calls(world, name).send({}, "{}").raw for name in SENDERS}
    assert len(answers) == 1
