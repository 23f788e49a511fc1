"""Recipients outside the operator's domains: nothing but one mail with a link, until they agree."""

import email
import email.policy
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from email.message import EmailMessage
from typing import Any

import pytest

from functions.aws.clients import Clients
from functions.ids import new_id
from functions.webhooks.egress import Egress
from functions.webhooks.recipients import LINK_MS, LINKS_OF_ADDRESS, LINKS_OF_PROJECT
from tests.adapters.aws_account import Aws
from tests.adapters.http_calls import Answer, send
from tests.adapters.pipeline import logged
from tests.adapters.webhooks.mail_servers import FROM, HOST, PATH, MailServer, url_of
from tests.adapters.webhooks.raw_receivers import Authority, Receiver

ADDRESS = "someone@example.net"
MINUTES_MS = 600_000
YES, NO = "mails=yes", "mails=no"


@dataclass
class Post:
    """A project, the mail server of its operator, and the clock of the functions."""

    key: str
    server: MailServer
    clock: list[int]
    aws: Aws

    def create(self, address: str = ADDRESS, **fields: Any) -> Answer:
        return send(self.key, "POST", PATH, {"url": f"mailto:{address}", "format": "email", **fields})

    def test(self, endpoint: str) -> Answer:
        return send(self.key, "POST", f"{PATH}/{endpoint}/test")

    def wait(self, ms: int = MINUTES_MS) -> None:
        self.clock[0] += ms

    @property
    def mails(self) -> list[EmailMessage]:
        return [email.message_from_bytes(mail, policy=email.policy.default) for mail in self.server.mails]

    def link(self, number: int = -1) -> str:
        """Return the path of the link in a mail."""
        found = re.search(r"https?://[^/]+(/api/webhooks/recipients/\S+)", self.mails[number].get_content())
        assert found is not None
        return found[1]


@pytest.fixture
def post(aws: Aws, project_key: str, authority: Authority, start: Callable[..., Receiver]) -> Iterator[Post]:
    from functions.handlers import webhooks  # noqa: PLC0415

    server = MailServer(authority.server_context(HOST))
    name = f"/smtp/{new_id()}"
    Clients.ssm().put_parameter(Name=name, Value=url_of(start(server).port), Type="SecureString")
    settings = {"SMTP_URL_PARAMETER": name, "EMAIL_FROM": FROM, "EMAIL_DOMAINS": "example.com,*"}
    for variable, value in {**settings, "PUBLIC_BASE_URL": "https://rustbox.example.com"}.items():
        aws.monkeypatch.setenv(variable, value)
    webhooks.ENV.forget()
    clock = [1_800_000_000_000]
    aws.monkeypatch.setattr(webhooks.ENV, "clock", lambda: clock[0])
    webhooks.ENV._parts[Egress] = Egress(False, "", lambda *_: ["127.0.0.1"], 10, authority.client_context)
    yield Post(project_key, server, clock, aws)
    webhooks.ENV.forget()


def test_nothing_but_a_link_comes_until_the_recipient_agrees(post: Post) -> None:
    made = post.create(description="buy pills at evil.example")
    assert made.status == 200
    assert "has not agreed" in made.json["warning"]
    (mail,) = post.mails
    assert (mail["To"], post.server.recipients) == (ADDRESS, [ADDRESS])
    text = mail.as_string()
    assert "pills" not in text
    assert mail["Subject"] == "Rustbox: do you want alarms by e-mail?"
    tested = post.test(made.json["id"]).json
    assert (tested["delivered"], tested["response"]["error_code"]) == (False, "email_unconfirmed")
    assert len(post.mails) == 1

    page = send(None, "GET", post.link())
    assert (page.status, page.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert "Send me alarms" in page.raw.decode()
    assert not post.test(made.json["id"]).json["delivered"]  # to look at the page decides nothing
    agreed = send(None, "POST", post.link(), YES.encode())
    assert (agreed.status, "Stop them" in agreed.raw.decode()) == (200, True)
    assert send(post.key, "GET", f"{PATH}/{made.json['id']}").json["warning"] is None
    assert post.test(made.json["id"]).json["delivered"] is True
    assert post.mails[-1]["Subject"] == "Rustbox test"

    post.wait(40 * LINK_MS)
    assert send(None, "POST", post.link(0), NO.encode()).status == 200
    assert not post.test(made.json["id"]).json["delivered"]
    assert send(None, "GET", post.link(0)).status == 404  # to agree again takes a new link
    assert send(None, "GET", post.link()).status == 200


def test_a_listed_domain_needs_no_link(post: Post) -> None:
    made = post.create("ops@example.com").json
    assert (made["warning"], post.mails) == (None, [])
    assert post.test(made["id"]).json["delivered"] is True


def test_a_page_has_headers_that_no_other_site_can_misuse(post: Post) -> None:
    post.create()
    page = send(None, "GET", post.link())
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert page.headers["cache-control"] == "no-store"
    assert "location" not in page.headers
    assert page.headers["referrer-policy"] == "same-origin"


def test_a_link_ends_after_a_day_and_with_its_address(post: Post) -> None:
    made = post.create().json["id"]
    post.wait(LINK_MS)
    assert send(None, "POST", post.link(), YES.encode()).status == 404
    post.test(made)
    assert send(post.key, "PATCH", f"{PATH}/{made}", {"url": "mailto:other@example.net"}).status == 200
    assert post.mails[-1]["To"] == "other@example.net"
    assert send(None, "POST", post.link(-2), YES.encode()).status == 404  # it was for the address before
    assert send(None, "POST", post.link(), YES.encode()).status == 200
    assert send(post.key, "PATCH", f"{PATH}/{made}", {"url": f"mailto:{ADDRESS}"}).status == 200
    assert not post.test(made).json["delivered"]  # each address agrees for itself


def test_only_the_token_of_the_mail_opens_the_page(post: Post) -> None:
    first, second = post.create().json["id"], post.create("second@example.net").json["id"]
    link, other = post.link(0), post.link(1)
    secret = link.rpartition(".")[2]
    wrong = [
        *(link[:-1] + ("A" if link[-1] != "A" else "B"), link[:-1], link + "A", link.replace(first, second)),
        *(
            other.rpartition(".")[0] + "." + secret,
            link.replace("/recipients/", "/recipients/x"),
            f"{PATH}/recipients/x",
        ),
        *(f"{PATH}/recipients/{'a' * 5_000}", link.replace(first, new_id()), f"{PATH}/recipients/%2e%2e.{secret}"),
    ]
    for each in wrong:
        assert (each, send(None, "GET", each).status, send(None, "POST", each, YES.encode()).status) == (each, 404, 404)
    rows = post.aws.items("DeliveriesTable")
    assert secret not in repr(rows)
    assert "someone" not in repr([row for row in rows if "RECIPIENT" in repr(row["pk"])])


@pytest.mark.parametrize(
    "body", [b"", b"mails=maybe", b"mails=yes&mails=no", b"x=1&mails=yes", b"\xff", b"mails=yes&" * 9]
)
def test_any_other_form_decides_nothing(post: Post, body: bytes) -> None:
    made = post.create().json["id"]
    assert send(None, "POST", post.link(), body).status == 400
    assert not post.test(made).json["delivered"]


def test_no_log_line_has_a_token_or_an_address(post: Post, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    post.create()
    send(None, "GET", post.link())
    send(None, "POST", post.link(), YES.encode())
    assert "Recipient asked" in logged(caplog)
    assert "Recipient decided" in logged(caplog)
    assert post.link().rpartition(".")[2] not in logged(caplog)
    assert ADDRESS not in logged(caplog)


# --- bounds ------------------------------------------------------------------------


def test_an_address_gets_few_links_however_it_is_written_and_whoever_asks(post: Post) -> None:
    made = [post.create(text).json["id"] for text in (ADDRESS, "Someone+1@example.net", "SOMEONE@EXAMPLE.NET")]
    assert len(post.mails) == 1
    for _ in range(LINKS_OF_ADDRESS + 3):
        post.wait()
        assert [post.test(each).status for each in made] == [200, 200, 200]
    assert len(post.mails) == LINKS_OF_ADDRESS


def test_a_project_sends_few_links_a_day(post: Post) -> None:
    endpoints = [post.create(f"person{number}@example.net").json["id"] for number in range(LINKS_OF_PROJECT + 2)]
    assert len(post.mails) == LINKS_OF_PROJECT
    post.wait(LINK_MS)
    post.test(endpoints[-1])
    assert post.mails[-1]["To"] == f"person{LINKS_OF_PROJECT + 1}@example.net"


@pytest.mark.parametrize(
    "address",
    ["a@localhost", "a@127.0.0.1", "a@mail.internal", "a@[::1]", "a@example.net.", "a@exa mple.net", "a@ex_*"],
)
def test_the_star_allows_public_domains_only(post: Post, address: str) -> None:
    refused = post.create(address)
    assert (refused.status, refused.json["fields"][0]["field"], post.mails) == (422, "url", [])


def test_without_the_star_nobody_is_asked(post: Post) -> None:
    from functions.handlers import webhooks  # noqa: PLC0415

    webhooks.ENV.settings.__dict__["email_domains"] = ("example.com",)
    assert post.create().status == 422
    assert post.mails == []


def test_a_server_that_takes_no_mail_leaves_an_endpoint_that_a_test_asks_for_again(post: Post) -> None:
    post.server.acts = {"RCPT": b"450 later\r\n"}
    made = post.create()
    assert (made.status, post.mails) == (200, [])
    post.server.acts = {}
    post.wait()
    post.test(made.json["id"])
    assert len(post.mails) == 1
