"""E-mail: the message of an event for an endpoint with format email, and one send of it through the operator's server.

The operator chooses the server, the sender and the domains of recipients; a project only chooses one address in them,
or one whose owner agrees (`recipients`).
So the server may be at a private address. No header has text of a program: a subject has its event's own words and the
slug, host or id of what fails. TLS is verified before a password or a message is sent.
"""

from __future__ import annotations

import io
import re
import smtplib
import ssl
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import formatdate
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from functions.aws.clients import SecretUnavailableError, secret
from functions.aws.dynamodb.conditional import ConditionalUpdate
from functions.aws.dynamodb.items import key
from functions.aws.dynamodb.table import Table
from functions.clock import MS_PER_SEC
from functions.webhooks.deliveries.model import EMAIL_REFUSED, EMAIL_UNCONFIRMED
from functions.webhooks.egress import LONG, MAX_READ_BYTES, Deadline, LimitedReads, SendError, code_of, dial
from functions.webhooks.endpoints.store import endpoint_pk
from functions.webhooks.vocabulary import HOUR_MS, Reply
from functions.webhooks.webhook_url import AddressRefusedError, is_listed, mail_address

if TYPE_CHECKING:
    import socket
    from collections.abc import Mapping, Sequence

    from functions.env import Env
    from functions.webhooks.cards import Card
    from functions.webhooks.egress import Egress, Wait
    from functions.webhooks.endpoints.model import Endpoint

MAILS_PER_HOUR = 60
"""Limit of a project, with tests and retries: nobody can flood a mailbox of the operator."""
_PORTS = {"smtps": 465, "smtp": 587}
_WRONG_URL = (
    "SMTP_URL must be smtps://USER:PASSWORD@HOST (TLS, port 465) or smtp://USER:PASSWORD@HOST (STARTTLS, port 587), "
    "with %XX for other signs than letters and digits in user name and password"
)
_UNAVAILABLE = "email_unavailable"
"""The operator's server is not named or cannot be read, or takes no mail from us: a retry may succeed."""
_TAKEN = range(200, 300)
_NOT_OF_A_NAME = re.compile(r"[^A-Za-z0-9._-]+")
_MOST_NAME_CHARS = 80


@dataclass(frozen=True, slots=True)
class MailServer:
    """The operator's server. `is_tls`: TLS from the first byte; else STARTTLS, which the server must offer."""

    host: str
    port: int
    is_tls: bool
    user: str = field(repr=False)
    password: str = field(repr=False)

    @classmethod
    def of(cls, url: str) -> MailServer:
        """Parse SMTP_URL. Raises ValueError, whose text does not have it."""
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError:
            raise ValueError(_WRONG_URL) from None
        user, password = unquote(parts.username or ""), unquote(parts.password or "")
        is_whole = parts.scheme in _PORTS and parts.hostname and bool(user) == bool(password)
        if not is_whole or parts.path.strip("/") or parts.query or parts.fragment or not (user + password).isascii():
            raise ValueError(_WRONG_URL)
        return cls(parts.hostname or "", port or _PORTS[parts.scheme], parts.scheme == "smtps", user, password)


class MailLimit(Table):
    """Counts mails of a period, in rows of the deliveries table."""

    table_setting = "deliveries_table"

    def take(self, owner: str, kind: str, most: int, period_ms: int) -> int | None:
        """Count a mail. Return None, or the seconds until the next period if the owner has no mail left.

        `owner`: the partition key of the count.
        """
        now = self._clock()
        period, into_ms = divmod(now, period_ms)
        update = ConditionalUpdate(
            {"ttl": (now + 2 * period_ms) // MS_PER_SEC},
            "attribute_not_exists(#count) OR #count < :most",
            {"zero": 0, "one": 1, "most": most},
            computed=("#count = if_not_exists(#count, :zero) + :one",),
        )
        if self._update_unread(update, key(owner, f"{kind}#{period_ms // MS_PER_SEC}#{period}")):
            return None
        return (period_ms - into_ms) // MS_PER_SEC + 1


def message_of(card: Card, endpoint: Endpoint, event_id: str, sender: str, recipient: str, now_ms: int) -> EmailMessage:
    """Return the mail of a card. Each attempt has the same Message-ID; the mails of an incident are one thread."""
    message = new_message(event_id, _subject(card), _text(card, endpoint), sender, recipient, now_ms)
    if card.incident is not None:
        message["References"] = f"<{_name(card.incident.key)}@{sender.rpartition('@')[2]}>"
    return message


def new_message(the_id: str, subject: str, text: str, sender: str, recipient: str, now_ms: int) -> EmailMessage:
    """Return a mail of the service."""
    message = EmailMessage(policy=SMTP)
    message["From"] = f"Rustbox <{sender}>"
    message["To"] = recipient
    message["Subject"] = subject
    message["Date"] = formatdate(now_ms / MS_PER_SEC)
    message["Message-ID"] = f"<{the_id}@{sender.rpartition('@')[2]}>"
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(text, cte="quoted-printable")
    return message


def _subject(card: Card) -> str:
    if card.incident is None:
        return "Rustbox test"
    return f"Rustbox alarm{' over' if card.incident.is_over else ''}: {_name(card.incident.source)}"


def _name(text: str) -> str:
    """Return a slug, a host or an id, whatever an older row has there."""
    return _NOT_OF_A_NAME.sub("-", text)[:_MOST_NAME_CHARS]


def _text(card: Card, endpoint: Endpoint) -> str:
    """Return the text. It has no whole URL of others; that of our API is at the end."""
    lines = [card.title, card.summary, "", *(f"{name}: {value}" for name, value in card.facts)]
    for caption, output in card.outputs:
        lines += ["", f"{caption}:", *(f"    {line}" for line in output.split("\n"))]
    foreign = "\n".join(lines).replace("://", "[:]//").replace("www.", "www[.]")
    own_link = [] if card.link is None else ["", f"Open in the API: {card.link}"]
    return "\n".join(
        [foreign, *own_link, "", f"-- \nEndpoint {endpoint.endpoint_id} of project {endpoint.project_id}\n"]
    )


@dataclass(frozen=True, slots=True)
class MailRequest:
    """A mail, ready to be sent. `headers` and `body` show it in a test."""

    env: Env = field(repr=False)
    endpoint: Endpoint
    message: EmailMessage = field(repr=False)

    @classmethod
    def of(cls, env: Env, endpoint: Endpoint, event_id: str, card: Card, now_ms: int) -> MailRequest:
        recipient = endpoint.url.partition(":")[2]
        return cls(env, endpoint, message_of(card, endpoint, event_id, env.settings.email_from, recipient, now_ms))

    @property
    def headers(self) -> Mapping[str, str]:
        return {name: str(value) for name, value in self.message.items()}

    @property
    def body(self) -> bytes:
        return str(self.message.get_content()).encode()

    def send(self, egress: Egress, wait: Wait = LONG) -> Reply:
        """Send it once, if the operator still allows the recipient. Failures return a Reply. Raises ClientError."""
        domains = self.env.settings.email_domains
        try:
            recipient = mail_address(self.endpoint.url, domains)
        except AddressRefusedError as refusal:
            return Reply(0, error_code=refusal.code)
        if not may_get_mails(self.endpoint, domains):
            return Reply(0, error_code=EMAIL_UNCONFIRMED)
        return post(self.env, self.endpoint.project_id, recipient, self.message, egress, wait)


def may_get_mails(endpoint: Endpoint, domains: Sequence[str]) -> bool:
    """Whether the recipient is in a domain that the operator lists, or has agreed."""
    return is_listed(endpoint.url, domains) or endpoint.confirmed_url == endpoint.url


def post(env: Env, project_id: str, recipient: str, message: EmailMessage, egress: Egress, wait: Wait = LONG) -> Reply:
    """Send a mail once. Failures return a Reply. Raises ClientError."""
    settings, deadline = env.settings, Deadline(min(egress.total_secs, wait.total_secs))
    try:
        server = MailServer.of(secret(settings.smtp_url_parameter) if settings.smtp_url_parameter else "")
    except (SecretUnavailableError, ValueError):  # their texts name the variable or the parameter, never its value
        return Reply(0, error_code=_UNAVAILABLE)
    wait_secs = env[MailLimit].take(endpoint_pk(project_id), "MAILS", MAILS_PER_HOUR, HOUR_MS)
    if wait_secs is not None:
        return Reply(0, HTTPStatus.TOO_MANY_REQUESTS.value, retry_after=str(wait_secs))
    try:
        addresses = egress.addresses_of(server.host, server.port, deadline)
        with _Session(server, addresses, deadline, egress.trust()) as session:
            code = session.deliver(settings.email_from, recipient, message.as_bytes())
    except (OSError, ValueError, SendError) as error:
        return Reply(deadline.elapsed_ms(), error_code=_error_code(error), host=server.host)
    error_code = EMAIL_REFUSED if code >= HTTPStatus.INTERNAL_SERVER_ERROR else None
    return Reply(deadline.elapsed_ms(), code, error_code, host=server.host)


def _error_code(error: Exception) -> str:
    """Return the error code of a failure before the server has judged the mail."""
    if isinstance(error, SendError):
        return error.code
    if isinstance(error, smtplib.SMTPServerDisconnected):
        return code_of(error.__context__ if isinstance(error.__context__, OSError) else ConnectionResetError())
    return _UNAVAILABLE if isinstance(error, smtplib.SMTPException) else code_of(error)


class _Session(smtplib.SMTP):
    """One connection: TLS is verified before the login, all within one deadline."""

    def __init__(self, server: MailServer, addresses: list[str], deadline: Deadline, trust: ssl.SSLContext) -> None:
        self._server, self._addresses, self._deadline, self._trust = server, addresses, deadline, trust
        super().__init__(local_hostname="rustbox")
        self._host = server.host  # the name that a certificate must have

    def __exit__(self, *_: object) -> None:
        """Close without QUIT: the mail is sent or not."""
        self.close()

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:  # noqa: ARG002 - of smtplib
        sock = dial(self._addresses, port, self._deadline)
        return self._trust.wrap_socket(sock, server_hostname=host) if self._server.is_tls else sock

    def send(self, s: Any) -> None:
        if self.sock is not None:
            self._deadline.limit(self.sock)
        super().send(s)

    def getreply(self) -> tuple[int, bytes]:
        """Read a reply within the deadline. STARTTLS begins a new reader, so no plain text counts after it."""
        if self.file is None and self.sock is not None:
            self.file = io.BufferedReader(LimitedReads(self.sock, self._deadline, MAX_READ_BYTES))
        reply = super().getreply()
        if self.sock is not None:
            self._deadline.limit(self.sock)  # for a handshake
        return reply

    def deliver(self, sender: str, recipient: str, message: bytes) -> int:
        """Send a mail. Return the code with which the server took or refused it. Raises OSError."""
        self.local_hostname = sender.rpartition("@")[2]
        if self.connect(self._host, self._server.port)[0] not in _TAKEN:
            raise smtplib.SMTPException
        if not self._server.is_tls:
            try:
                self.starttls(context=self._trust)
            except (smtplib.SMTPNotSupportedError, smtplib.SMTPResponseException):
                raise ssl.SSLError("the server offers no STARTTLS") from None
        if self._server.user:
            self.login(self._server.user, self._server.password)
        self.ehlo_or_helo_if_needed()
        try:
            code = self.mail(sender)[0]
            code = self.rcpt(recipient)[0] if code in _TAKEN else code
            code = self.data(message)[0] if code in _TAKEN else code
        except smtplib.SMTPDataError as refused:
            code = refused.smtp_code
        if code < HTTPStatus.OK:  # no reply of SMTP
            raise smtplib.SMTPException
        return code
