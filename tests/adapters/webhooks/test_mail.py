"""E-mail of endpoints with format email, over a real mail server on 127.0.0.1 with a certificate of the test."""

import email
import email.policy
import json
import logging
import socket
import time
from collections.abc import Callable
from dataclasses import replace
from email.message import EmailMessage
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from functions.aws.clients import Clients
from functions.event_log.model import Event, event_bytes
from functions.ids import new_id
from functions.webhooks.cards import Card, Incident, Level, bounded
from functions.webhooks.deliveries.model import Delivery, DeliveryState
from functions.webhooks.deliveries.publication import Hint
from functions.webhooks.egress import Egress
from functions.webhooks.endpoints.model import BodyFormat, Endpoint
from functions.webhooks.mail import MAILS_PER_HOUR, message_of
from functions.webhooks.mail import MailServer as Server
from functions.webhooks.sending.deliverer import Target
from functions.webhooks.sending.lanes import Lane
from functions.webhooks.vocabulary import HOUR_MS
from tests.adapters.aws_account import Aws
from tests.adapters.http_calls import Answer, send
from tests.adapters.pipeline import Pipeline, changed
from tests.adapters.pipeline import logged as all_logged
from tests.adapters.webhooks.mail_servers import FROM, HOST, PASSWORD, PATH, USER, MailServer, url_of
from tests.adapters.webhooks.raw_receivers import Authority, Receiver

TO = "ops@example.com"
EVENTS = Path(__file__).parents[3] / "events" / "webhook"
FAILING = json.loads((EVENTS / "check_state_changed.v1.failing.json").read_text())
DEGRADED = json.loads((EVENTS / "endpoint_degraded.v1.typical.json").read_text())

type Serve = Callable[..., Receiver]


class Mails:
    """A pipeline whose operator has a mail server, and one endpoint with format email."""

    def __init__(self, pipeline: Pipeline, authority: Authority, start: Serve) -> None:
        self.pipeline, self.authority, self._start = pipeline, authority, start
        pipeline.env.settings.__dict__ |= {"email_from": FROM, "email_domains": ("example.com", "example.org")}
        self.endpoint = pipeline.endpoint(format=BodyFormat.EMAIL, url=f"mailto:{TO}")

    def serve(self, server: MailServer, *, implicit: Any = False, url: str = "", total_secs: float = 10) -> Receiver:
        """Let the operator name this server. `url`: another SMTP_URL than its own, with {port}."""
        running = self._start(server, self.authority.server_context(HOST) if implicit else None)
        given = url.format(port=running.port) or url_of(running.port, "smtps" if implicit else "smtp")
        name = f"/smtp/{new_id()}"
        Clients.ssm().put_parameter(Name=name, Value=given, Type="SecureString")
        self.pipeline.env.settings.__dict__["smtp_url_parameter"] = name
        egress = Egress(False, "", lambda *_: ["127.0.0.1"], total_secs, self.authority.client_context)
        self.pipeline.use(changed(self.pipeline.deliverer, egress=egress))
        return running

    def usual(self, **acts: Any) -> MailServer:
        """Return a running server with STARTTLS. `acts`: see `MailServer`; `end` is the end of a mail."""
        named = {{"end": "."}.get(name, name): act for name, act in acts.items()}
        server = MailServer(self.authority.server_context(HOST), named)
        self.serve(server)
        return server

    def publish(self, body: dict[str, Any], **changes: Any) -> str:
        """Publish an event, and send what it owes; return its id."""
        event = Event(new_id(), body["type"], "dev", event_bytes({**body, **changes}))
        self.pipeline.outbox.publish(event)
        self.pipeline.webhook(*self.pipeline.hints())
        return event.event_id

    def delivery(self, event_id: str) -> Delivery:
        found = self.pipeline.deliveries.get_delivery(event_id, self.endpoint.endpoint_id)
        assert found is not None
        return found

    def state(self, event_id: str) -> DeliveryState:
        return self.delivery(event_id).state

    def try_again(self, event_id: str) -> None:
        """Let the time of the next attempt come."""
        delivery = self.delivery(event_id)
        self.pipeline.time.ms = delivery.next_at_ms
        self.pipeline.webhook(Hint.of(delivery).text)

    def attempt(self, event_id: str) -> tuple[int | None, str | None]:
        last = self.pipeline.attempts_at(event_id, self.endpoint.endpoint_id)[-1]
        return last.get("status_code"), last.get("error_code")


@pytest.fixture
def mails(pipeline: Pipeline, authority: Authority, start: Serve) -> Mails:
    return Mails(pipeline, authority, start)


def parsed(mail: bytes) -> EmailMessage:
    return email.message_from_bytes(mail, policy=email.policy.default)


def of_card(card: Card, endpoint: Endpoint) -> EmailMessage:
    return parsed(message_of(bounded(card), endpoint, "event-id", FROM, TO, 0).as_bytes())


# --- what arrives ------------------------------------------------------------------


@pytest.mark.parametrize("implicit", [True, False])
def test_the_server_gets_one_mail_through_tls_after_a_login(mails: Mails, implicit: Any) -> None:
    server = MailServer(None if implicit else mails.authority.server_context(HOST))
    running = mails.serve(server, implicit=implicit)
    event_id = mails.publish(FAILING)
    assert mails.state(event_id) is DeliveryState.DELIVERED
    assert (mails.attempt(event_id), server.recipients) == ((250, None), [TO])
    assert server.plain == ([] if implicit else ["EHLO", "STARTTLS"])
    if implicit:
        assert running.sni == [HOST]
    mail = parsed(server.mails[0])
    assert (mail["From"], mail["To"], mail["Auto-Submitted"]) == (f"Rustbox <{FROM}>", TO, "auto-generated")
    assert mail["Message-ID"] == f"<{event_id}@example.com>"
    text = mail.get_content()
    assert FAILING["check_name"] in text
    assert FAILING["next"] in text
    assert f"Open in the API: {FAILING['result_url']}" in text
    assert mails.endpoint.endpoint_id in text


def test_an_outage_is_one_mail_and_its_end_is_another(mails: Mails) -> None:
    server = mails.usual()
    story = ["new", "up", "failing", "error", "error", "up", "flaky", "late", "paused", "new"]
    for before, state in pairwise(story):
        mails.publish(FAILING, state=state, previous_state=before, is_reminder=state == before)
    subjects = [parsed(mail)["Subject"] for mail in server.mails]
    slug = FAILING["check_slug"]
    assert subjects == [f"Rustbox alarm: {slug}", f"Rustbox alarm over: {slug}"] * 2
    assert len({parsed(mail)["References"] for mail in server.mails}) == 1


def test_runs_and_single_runs_of_checks_send_no_mail(mails: Mails) -> None:
    server = mails.usual()
    mails.pipeline.finish(mails.pipeline.submit(webhook_url=None, webhook_secret=None))
    mails.publish(json.loads((EVENTS / "check_run_completed.v1.passed.json").read_text()))
    mails.publish(DEGRADED)
    assert [parsed(mail)["Subject"] for mail in server.mails] == [f"Rustbox alarm: {DEGRADED['host']}"]


def test_a_line_with_a_dot_neither_ends_the_mail_nor_starts_a_command(mails: Mails) -> None:
    server = mails.usual()
    mails.publish(FAILING, difference="a\r\n.\r\nMAIL FROM:<x@y>\r\n..\r\r\n.\nend")
    assert len(server.mails) == 1
    assert len([line for line in server.commands if line.lower().startswith("mail")]) == 1
    assert "    ." in parsed(server.mails[0]).get_content()


HOSTILE = [
    "x\r\nBcc: victim@example.net\r\n\r\nbody",
    "x\nBcc: victim@example.net",
    "\r\n.\r\nMAIL FROM:<a@b>\r\n",
    "=?utf-8?q?=0d=0aBcc:_victim@example.net?=",
    "\u202e\u2028\u2029\x85\x0b\x0c\x1c\x00Bcc: victim@example.net",
    "名前" * 5_000,
    "x" * 100_000,
    "\ud800",
    "",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_no_text_of_others_reaches_a_header(mails: Mails, text: str) -> None:
    card = Card(text, Level.BAD, text, ((text, text),) * 9, ((text, text),) * 9, None, Incident(text, text))
    mail = of_card(card, mails.endpoint)
    named = ["From", "To", "Subject", "Date", "Message-ID", "References", "Auto-Submitted", "Content-Type"]
    assert sorted(set(mail.keys()) - {"MIME-Version", "Content-Transfer-Encoding"}) == sorted(named)
    assert (mail["From"], mail["To"], mail["Bcc"]) == (f"Rustbox <{FROM}>", TO, None)
    subject = mail["Subject"].removeprefix("Rustbox alarm: ")
    assert len(subject) <= 80
    assert all(char.isascii() and (char.isalnum() or char in "-._") for char in subject)
    assert not mail.is_multipart()
    assert mail.get_content_type() == "text/plain"
    assert len(mail.as_bytes()) < 64 * 1024


def test_texts_of_others_hold_no_link_and_ours_is_there(mails: Mails) -> None:
    bad = "https://evil.example/login www.evil.example"
    text = of_card(
        Card(bad, Level.BAD, bad, (("a", bad),), (("stdout", bad),), "https://api.example.com/r"), mails.endpoint
    ).get_content()
    assert text.count("://") == 1
    assert "www.evil" not in text
    assert "Open in the API: https://api.example.com/r" in text


# --- refusals ----------------------------------------------------------------------


@pytest.mark.parametrize("step", ["MAIL", "RCPT", "DATA", "end"])
def test_a_temporary_refusal_is_tried_again(mails: Mails, step: str) -> None:
    acts = {step: b"451 later\r\n"}
    server = mails.usual(**acts)
    event_id = mails.publish(FAILING)
    assert (mails.state(event_id), mails.attempt(event_id)) == (DeliveryState.RETRYING, (451, None))
    server.acts = {}
    mails.try_again(event_id)
    assert mails.state(event_id) is DeliveryState.DELIVERED
    assert [parsed(mail)["Message-ID"] for mail in server.mails][-1] == f"<{event_id}@example.com>"


@pytest.mark.parametrize("step", ["MAIL", "RCPT", "DATA", "end"])
def test_a_refusal_for_good_is_not_tried_again(mails: Mails, step: str) -> None:
    server = mails.usual(**{step: b"550 no such user at 10.0.0.9\r\n"})
    event_id = mails.publish(FAILING)
    assert (mails.state(event_id), mails.attempt(event_id)) == (DeliveryState.BLOCKED, (550, "email_refused"))
    assert mails.pipeline.hints() == []
    said = mails.pipeline.attempts_at(event_id, mails.endpoint.endpoint_id)
    assert "10.0.0.9" not in repr(said)  # what the operator's server says stays with the operator
    assert len([line for line in server.commands if line.lower().startswith("mail")]) == 1


@pytest.mark.parametrize(
    "acts",
    [
        {"AUTH": b"535 5.7.8 wrong password\r\n"},
        {"greeting": b"554 go away\r\n"},
        {"EHLO": b"500 what\r\n", "HELO": b"500 what\r\n"},
    ],
)
def test_a_server_that_takes_nothing_from_us_is_tried_again(mails: Mails, acts: dict[str, Any]) -> None:
    server = MailServer(None, acts)
    mails.serve(server, implicit=True)
    event_id = mails.publish(FAILING)
    assert (mails.state(event_id), mails.attempt(event_id)) == (DeliveryState.RETRYING, (None, "email_unavailable"))
    assert server.mails == []


# --- TLS ---------------------------------------------------------------------------


def test_without_starttls_neither_the_password_nor_a_mail_is_sent(mails: Mails) -> None:
    server = MailServer(None)
    mails.serve(server)
    event_id = mails.publish(FAILING)
    assert (mails.state(event_id), mails.attempt(event_id)) == (DeliveryState.RETRYING, (None, "tls_error"))
    assert server.plain == ["EHLO"]


@pytest.mark.parametrize("reply", [b"454 TLS is not available\r\n", b"501 what\r\n", b"220 \r\n250 AUTH PLAIN\r\n"])
def test_a_refused_or_forged_starttls_reveals_nothing(mails: Mails, reply: bytes) -> None:
    def end(peer: socket.socket) -> bytes:
        peer.sendall(reply)
        peer.shutdown(socket.SHUT_WR)
        return b""

    server = mails.usual(STARTTLS=end)
    event_id = mails.publish(FAILING)
    assert mails.state(event_id) is DeliveryState.RETRYING
    assert mails.attempt(event_id)[1] in {"tls_error", "connection_reset"}
    assert server.plain == ["EHLO", "STARTTLS"]


@pytest.mark.parametrize("implicit", [True, False])
@pytest.mark.parametrize("fault", ["name", "authority", "expired"])
def test_a_certificate_is_verified(mails: Mails, tmp_path: Path, start: Serve, implicit: Any, fault: str) -> None:
    signer = Authority(tmp_path) if fault == "authority" else mails.authority
    name = "other.example.com" if fault == "name" else HOST
    context = signer.server_context(name, expired=fault == "expired")
    server = MailServer(None if implicit else context)
    mails.serve(server, url=url_of(1))
    running = start(server, context if implicit else None)
    mails.serve(server, url=url_of(running.port, "smtps" if implicit else "smtp"))
    event_id = mails.publish(FAILING)
    assert (mails.state(event_id), mails.attempt(event_id)) == (DeliveryState.RETRYING, (None, "tls_error"))
    assert server.mails == []
    assert "AUTH" not in " ".join(server.commands)


def test_implicit_tls_to_a_server_that_speaks_plainly_fails(mails: Mails) -> None:
    server = MailServer(None)
    mails.serve(server, url=url_of(1, "smtps").replace(":1", ":{port}"))
    event_id = mails.publish(FAILING)
    assert mails.attempt(event_id) == (None, "tls_error")
    assert server.mails == []


# --- stalls ------------------------------------------------------------------------


def stall(peer: socket.socket) -> bytes:
    peer.settimeout(30)
    while peer.recv(65536):
        pass
    return b""


def drip(peer: socket.socket) -> bytes:
    for _ in range(600):
        peer.sendall(b"250-x\r\n")
        time.sleep(0.05)
    return b""


@pytest.mark.parametrize("act", [stall, drip])
@pytest.mark.parametrize("step", ["greeting", "EHLO", "AUTH", "MAIL", "RCPT", "DATA", "."])
def test_a_server_that_stalls_is_left_at_the_deadline(mails: Mails, step: str, act: Any) -> None:
    mails.serve(MailServer(None, {step: act}), implicit=True, total_secs=0.5)
    began = time.monotonic()
    event_id = mails.publish(FAILING)
    assert (mails.state(event_id), mails.attempt(event_id)) == (DeliveryState.RETRYING, (None, "timeout"))
    assert time.monotonic() - began < 20


def test_a_handshake_that_stalls_is_left_at_the_deadline(mails: Mails) -> None:
    def wait(peer: socket.socket) -> bytes:
        peer.sendall(b"220 go on\r\n")
        return stall(peer)

    server = MailServer(mails.authority.server_context(HOST), {"STARTTLS": wait})
    mails.serve(server, total_secs=0.5)
    assert mails.attempt(mails.publish(FAILING)) == (None, "timeout")


def test_an_endless_reply_is_cut_off(mails: Mails) -> None:
    sent: list[int] = []

    def flood(peer: socket.socket) -> bytes:
        for _ in range(4_096):
            peer.sendall(b"250-x\r\n" * 10_000)
            sent.append(70_000)
        return b""

    mails.serve(MailServer(None, {"EHLO": flood}))
    assert mails.attempt(mails.publish(FAILING)) == (None, "connection_reset")
    assert sum(sent) < 64 * 1024 * 1024


def test_a_mail_is_sent_with_a_lease_since_a_slow_answer_would_be_a_second_mail(mails: Mails) -> None:
    lane = Lane("dev", mails.endpoint.endpoint_id, "example.com")
    assert Target(mails.endpoint, lane).is_guarded(0)
    assert not Target(replace(mails.endpoint, format=BodyFormat.SLACK), lane).is_guarded(0)


# --- bounds ------------------------------------------------------------------------


def test_a_project_has_so_many_mails_an_hour_and_the_rest_wait_for_the_next(mails: Mails) -> None:
    server = mails.usual()
    mails.pipeline.time.ms = 500_000 * HOUR_MS
    for _ in range(MAILS_PER_HOUR):
        mails.publish(DEGRADED)
        mails.pipeline.time.advance(0.1)
    late = mails.publish(DEGRADED)
    assert (len(server.mails), mails.state(late), mails.attempt(late)) == (
        MAILS_PER_HOUR,
        DeliveryState.RETRYING,
        (429, None),
    )
    assert 500_001 * HOUR_MS <= mails.delivery(late).next_at_ms < 500_001 * HOUR_MS + 60_000
    mails.try_again(late)
    assert mails.state(late) is DeliveryState.DELIVERED


@pytest.mark.parametrize("domains", [(), ("example.org",), ("ample.com", "sub.example.com", "com")])
def test_a_domain_that_the_operator_took_off_the_list_gets_nothing(mails: Mails, domains: tuple[str, ...]) -> None:
    server = mails.usual()
    mails.pipeline.env.settings.__dict__["email_domains"] = domains
    event_id = mails.publish(FAILING)
    assert (mails.state(event_id), mails.attempt(event_id)) == (DeliveryState.BLOCKED, (None, "blocked_address"))
    assert server.commands == []


@pytest.mark.parametrize("parameter", ["", "/no/such"])
def test_a_server_that_is_not_named_fails_until_it_is(mails: Mails, parameter: str) -> None:
    server = mails.usual()
    named = mails.pipeline.env.settings.smtp_url_parameter
    mails.pipeline.env.settings.__dict__["smtp_url_parameter"] = parameter
    event_id = mails.publish(FAILING)
    assert (mails.state(event_id), mails.attempt(event_id)) == (DeliveryState.RETRYING, (None, "email_unavailable"))
    mails.pipeline.env.settings.__dict__["smtp_url_parameter"] = named
    mails.try_again(event_id)
    assert (mails.state(event_id), len(server.mails)) == (DeliveryState.DELIVERED, 1)


# --- the secret ----------------------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    [
        "",
        "smtp://",
        "http://u:p@h",
        "mail.example.com",
        "smtp://u:hidden@h:x",
        "smtp://u:hid/den@h",
        "smtp://u:hid#den@h",
        "smtp://hidden@h",
        "smtp://u:hidden@h/path",
        "smtp://u:hidden@[::1",
        "smtp://u:hidd\u00e9n@h",
    ],
)
def test_a_wrong_url_is_refused_without_a_word_of_it(url: str) -> None:
    with pytest.raises(ValueError, match="SMTP_URL must be smtps://USER:PASSWORD@HOST") as refused:
        Server.of(url)
    assert "hid" not in str(refused.value)
    assert refused.value.__cause__ is None
    assert refused.value.__suppress_context__ or refused.value.__context__ is None


def test_the_ports_are_those_of_submission() -> None:
    assert (Server.of("smtps://h").port, Server.of("smtp://h").port, Server.of("smtp://u:p@h:2587").port) == (
        465,
        587,
        2587,
    )
    server = Server.of(url_of(1))
    assert (server.user, server.password) == (USER, PASSWORD)
    assert PASSWORD not in repr(server)


@pytest.mark.parametrize("acts", [{}, {"AUTH": b"535 wrong\r\n"}, {"RCPT": b"550 no\r\n"}, {"AUTH": stall}])
def test_no_log_line_and_no_row_has_the_password(
    mails: Mails, acts: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    mails.serve(MailServer(None, acts), implicit=True, total_secs=0.5 if acts.get("AUTH") is stall else 10)
    mails.publish(FAILING)
    assert "Delivery attempted" in all_logged(caplog)
    for text in (all_logged(caplog), repr(mails.pipeline.aws.items("DeliveriesTable"))):
        assert not any(part in text for part in (PASSWORD, quote(PASSWORD, safe=""), "very hidden", "very%20hidden"))


# --- the API ---------------------------------------------------------------------


@pytest.fixture
def operator(aws: Aws, project_key: str) -> str:
    """The key of a project whose operator sends e-mail to two domains."""
    aws.monkeypatch.setenv("SMTP_URL_PARAMETER", "/smtp/none")
    aws.monkeypatch.setenv("EMAIL_FROM", FROM)
    aws.monkeypatch.setenv("EMAIL_DOMAINS", "example.com, Example.org")
    return project_key


def create(key: str, url: str = f"mailto:{TO}", **fields: Any) -> Answer:
    return send(key, "POST", PATH, {"url": url, "format": "email", **fields})


@pytest.mark.parametrize("url", [f"mailto:{TO}", "mailto:first.last+rustbox@EXAMPLE.ORG"])
def test_an_address_in_a_listed_domain_is_taken(operator: str, url: str) -> None:
    made = create(operator, url)
    assert (made.status, made.json["url"], made.json["format"]) == (200, url, "email")


@pytest.mark.parametrize(
    "url",
    [
        *("https://hooks.example.com/", TO, "mailto:", "mailto:@example.com", "mailto:ops", "MAILTO:ops@example.com"),
        *(f"mailto:{TO},x@example.com", f"mailto:{TO}?cc=victim@example.net", f"mailto:{TO}%0aBcc:x@example.com"),
        *(f"mailto:{TO}\r\nBcc: victim@example.net", f"mailto:{TO}\n", "mailto:ops @example.com"),
        *("mailto:victim@example.net@example.com", "mailto:victim%example.net@example.com", "mailto:a!b@example.com"),
        *('mailto:"a b"@example.com', "mailto:<ops@example.com>", "mailto:.ops@example.com", "mailto:a..b@example.com"),
        *("mailto:öps@example.com", "mailto:ops@ex\u0430mple.com", "mailto:ops@[127.0.0.1]"),
        *("mailto:ops@example.com.evil.net", "mailto:ops@evilexample.com", "mailto:ops@sub.example.com"),
        *(f"mailto:{'x' * 65}@example.com", f"mailto:{'x' * 5000}@example.com"),
    ],
)
def test_any_other_address_is_refused(operator: str, aws: Aws, url: str) -> None:
    refused = create(operator, url)
    assert (refused.status, [problem["field"] for problem in refused.json["fields"]]) == (422, ["url"])
    assert aws.items("DeliveriesTable") == []


def test_without_a_server_or_a_domain_nobody_may_be_written_to(operator: str, aws: Aws) -> None:
    for name in ("SMTP_URL_PARAMETER", "EMAIL_DOMAINS"):
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv(name, "")
            from functions.handlers import webhooks  # noqa: PLC0415

            webhooks.ENV.forget()
            refused = create(operator)
        webhooks.ENV.forget()
        assert refused.status == 422
        assert "its operator sets SMTP_URL and EmailDomains" in refused.raw.decode()
    assert create(operator).status == 200


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"events": ["submission.completed"]}, "events[0]"),
        ({"headers": {"x-team": "7"}}, "headers"),
        ({"payload": "thin"}, "payload"),
        ({"routing_key": "e93facc04764012d7bfb002500d5d1a6"}, "routing_key"),
    ],
)
def test_settings_that_a_mail_cannot_have_are_refused(operator: str, fields: dict[str, Any], field: str) -> None:
    refused = create(operator, **fields)
    assert (refused.status, [problem["field"] for problem in refused.json["fields"]]) == (422, [field])


def test_a_change_of_the_format_checks_the_url_again(operator: str) -> None:
    made = create(operator).json["id"]
    assert send(operator, "PATCH", f"{PATH}/{made}", {"description": "mine"}).status == 200
    refused = send(operator, "PATCH", f"{PATH}/{made}", {"format": "event"})
    assert (refused.status, refused.json["fields"][0]["field"]) == (422, "url")
    hook = send(operator, "POST", PATH, {"url": "https://hooks.example.com/"}).json["id"]
    assert send(operator, "PATCH", f"{PATH}/{hook}", {"format": "email"}).status == 422
    assert send(operator, "PATCH", f"{PATH}/{hook}", {"format": "email", "url": f"mailto:{TO}"}).status == 200


def test_a_test_sends_a_mail_and_shows_it(operator: str, aws: Aws, authority: Authority, start: Serve) -> None:
    from functions.handlers import webhooks  # noqa: PLC0415

    server = MailServer(authority.server_context(HOST))
    running = start(server)
    name = f"/smtp/{new_id()}"
    Clients.ssm().put_parameter(Name=name, Value=url_of(running.port), Type="SecureString")
    aws.monkeypatch.setenv("SMTP_URL_PARAMETER", name)
    made = create(operator).json["id"]
    webhooks.ENV._parts[Egress] = Egress(False, "", lambda *_: ["127.0.0.1"], 10, authority.client_context)
    tested = send(operator, "POST", f"{PATH}/{made}/test")
    assert tested.status == 200, tested.raw
    assert (tested.json["delivered"], tested.json["response"]["status_code"]) == (True, 250)
    assert (tested.json["request"]["method"], tested.json["signed_content"]) == ("MAIL", "")
    assert tested.json["request"]["headers"]["Subject"] == parsed(server.mails[0])["Subject"] == "Rustbox test"
    assert tested.json["request"]["body"].split("\n")[0] == "Rustbox test message"
    assert PASSWORD not in tested.raw.decode()
