"""Recipients of e-mail outside the operator's domains: one mail with a link, and the page behind it.

The link has a random token; the endpoint's row has a hash of it and of the address, so a link works for both alone.
A recipient agrees with a button, because mail scanners open links. The same link stops the mails later.
"""

import hashlib
import hmac
import re
import secrets
from dataclasses import replace
from email.message import EmailMessage
from html import escape
from urllib.parse import parse_qs, urlsplit

from aws_lambda_powertools.event_handler import Response

from functions.aws.dynamodb.table import tries
from functions.clock import MS_PER_SEC
from functions.env import Env
from functions.errors import BadRequestError, ConflictError, NotFoundError
from functions.http.resolver import Resolver
from functions.ids import new_id
from functions.webhooks.egress import Egress
from functions.webhooks.endpoints.model import BodyFormat, Endpoint
from functions.webhooks.endpoints.store import EndpointStore, changed_attributes, endpoint_pk
from functions.webhooks.mail import MailLimit, may_get_mails, new_message, post
from functions.webhooks.vocabulary import DAY_MS
from functions.webhooks.webhook_url import AddressRefusedError, mail_address

PATH = "/api/webhooks/recipients/"
LINK_MS = DAY_MS
LINKS_OF_ADDRESS = 3
"""In 30 days, from all projects together, and one in ten minutes."""
LINKS_OF_PROJECT = 10
"""In a day."""
_MINUTES_MS = 10 * 60 * MS_PER_SEC
_TRIES = 3
_TOKEN = re.compile(r"([0-9A-Za-z_-]{1,64})\.([0-9a-f-]{36})\.([A-Za-z0-9_-]{43})")
_NO_LINK = "There is no such link, or it is older than 24 hours. A test of the endpoint sends a new one."
_HEADERS = {
    "content-security-policy": "default-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    "cache-control": "no-store",
    "referrer-policy": "same-origin",  # with no-referrer, browsers send the form with the origin null
    "x-content-type-options": "nosniff",
    "x-robots-tag": "noindex",
}


class RecipientRoutes:
    """Asks recipients, and serves the page of a link."""

    def __init__(self, env: Env) -> None:
        self.env, self.endpoints, self.limit = env, env[EndpointStore], env[MailLimit]

    def ask(self, endpoint: Endpoint) -> Endpoint:
        """Send a link if the recipient must agree first and the limits allow it. Return the endpoint as it is now."""
        settings, now = self.env.settings, self.env.clock()
        if endpoint.format is not BodyFormat.EMAIL or may_get_mails(endpoint, settings.email_domains):
            return endpoint
        try:
            address = mail_address(endpoint.url, settings.email_domains)
        except AddressRefusedError:
            return endpoint
        if not self._may_ask(endpoint.project_id, address):
            self.env.log.info("Recipient not asked: too many links", project_id=endpoint.project_id)
            return endpoint
        secret = secrets.token_urlsafe(32)
        asked = replace(endpoint, link_sha256=_hash(secret, endpoint), link_until_ms=now + LINK_MS)
        if not self.endpoints.change(endpoint, now, *changed_attributes(endpoint, asked)):
            return endpoint
        message = self._mail(endpoint, address, secret, now)
        reply = post(self.env, endpoint.project_id, address, message, self.env[Egress])
        ids = {"project_id": endpoint.project_id, "endpoint_id": endpoint.endpoint_id}
        self.env.log.info("Recipient asked", ids=ids, status_code=reply.status_code, error_code=reply.error_code)
        return self.endpoints.get(endpoint.project_id, endpoint.endpoint_id) or endpoint

    def show(self, _app: Resolver, token: str) -> Response[str]:
        """Ask for the decision. It changes nothing."""
        return _page(self._of(token))

    def decide(self, app: Resolver, token: str) -> Response[str]:
        """Begin or stop the mails. Raises BadRequestError, NotFoundError, ConflictError."""
        try:
            mails = parse_qs(app.current_event.decoded_body, max_num_fields=1).get("mails")
        except ValueError:
            mails = None
        if mails not in (["yes"], ["no"]):
            raise BadRequestError("The form must have mails=yes or mails=no.")
        for _ in tries(_TRIES):
            endpoint = self._of(token)
            after = replace(endpoint, confirmed_url=endpoint.url if mails == ["yes"] else None)
            if self.endpoints.change(endpoint, self.env.clock(), *changed_attributes(endpoint, after)):
                ids = {"project_id": endpoint.project_id, "endpoint_id": endpoint.endpoint_id}
                self.env.log.info("Recipient decided", ids=ids, agrees=after.confirmed_url is not None)
                return _page(after)
        raise ConflictError("Somebody changes the endpoint at this moment. Try it again.")

    def _may_ask(self, project_id: str, address: str) -> bool:
        mailbox, _, domain = address.lower().rpartition("@")
        same = f"{mailbox.partition('+')[0]}@{domain}"  # most servers deliver name+anything to name
        owner = f"RECIPIENT#{hashlib.sha256(same.encode()).hexdigest()}"
        limits = (
            (owner, "LINK", 1, _MINUTES_MS),
            (owner, "LINKS", LINKS_OF_ADDRESS, 30 * DAY_MS),
            (endpoint_pk(project_id), "LINKS", LINKS_OF_PROJECT, DAY_MS),
        )
        return all(self.limit.take(*each) is None for each in limits)

    def _mail(self, endpoint: Endpoint, address: str, secret: str, now: int) -> EmailMessage:
        """Return the mail. Nobody but the operator has chosen a word of it."""
        settings, project_id = self.env.settings, endpoint.project_id
        host = urlsplit(settings.public_base_url).netloc
        link = f"{settings.public_base_url}{PATH}{project_id}.{endpoint.endpoint_id}.{secret}"
        text = (
            f"Project {project_id} of {host} wants to send alarms to this address.\n\n"
            f"If you want them, open this link within 24 hours and press the button:\n\n{link}\n\n"
            "Keep this mail: the same link stops the alarms later.\n"
            "If you do not want them, do nothing. No alarm comes without your consent.\n"
        )
        subject = "Rustbox: do you want alarms by e-mail?"
        return new_message(new_id(), subject, text, settings.email_from, address, now)

    def _of(self, token: str) -> Endpoint:
        """Return the endpoint of a link. Raises NotFoundError."""
        parts = _TOKEN.fullmatch(token)
        endpoint = self.endpoints.get(parts[1], parts[2]) if parts else None
        if parts is None or endpoint is None or endpoint.link_sha256 is None:
            raise NotFoundError(_NO_LINK)
        is_late = (endpoint.link_until_ms or 0) <= self.env.clock() and endpoint.confirmed_url != endpoint.url
        if is_late or not hmac.compare_digest(endpoint.link_sha256, _hash(parts[3], endpoint)):
            raise NotFoundError(_NO_LINK)
        return endpoint


def _hash(secret: str, endpoint: Endpoint) -> str:
    return hashlib.sha256(f"{secret} {endpoint.url}".encode()).hexdigest()


def _page(endpoint: Endpoint) -> Response[str]:
    gets = endpoint.confirmed_url == endpoint.url
    address, project = escape(endpoint.url.partition(":")[2]), escape(endpoint.project_id)
    state = "gets alarms" if gets else "gets no alarms"
    decision, button = ("no", "Stop them") if gets else ("yes", "Send me alarms")
    body = (
        '<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>Alarms by e-mail</title><h1>Alarms by e-mail</h1><p>{address} {state} of project {project}.</p>"
        f'<form method="post"><button name="mails" value="{decision}">{button}</button></form></html>'
    )
    return Response(status_code=200, content_type="text/html; charset=utf-8", headers=_HEADERS, body=body)
