"""Routes of /api/badges: the state of one check, for each client with its token."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from aws_lambda_powertools.event_handler import Response

from functions.checks import badge
from functions.errors import NotFoundError
from functions.http.answers import JSON_TYPE
from functions.http.json_body import body_text

if TYPE_CHECKING:
    from functions.checks.deployment import CheckDeployment
    from functions.checks.settings.model import Check
    from functions.http.resolver import Resolver

_NO_SUCH_BADGE = "There is no such badge."
_FILE = re.compile(r"([A-Za-z0-9_-]{32})\.(svg|json)")
_TOKEN = re.compile(r"[A-Za-z0-9_-]{32}")
_HEADERS = {"cache-control": "public, max-age=60", "x-content-type-options": "nosniff"}


@dataclass(frozen=True, slots=True)
class BadgeRoutes:
    """Handlers of /api/badges. They raise NotFoundError for every wrong token."""

    deployment: CheckDeployment

    def file(self, _app: Resolver, name: str) -> Response[str]:
        """Answer `<token>.svg` and `<token>.json`."""
        matched = _FILE.fullmatch(name)
        if matched is None:
            raise NotFoundError(_NO_SUCH_BADGE)
        check = self._check(matched[1])
        title, state = check.settings.name, check.standing.state
        if matched[2] == "svg":
            return _answer("image/svg+xml", badge.svg(title, state))
        return _answer(JSON_TYPE, body_text(badge.badge_body(title, state)))

    def shields(self, _app: Resolver, token: str) -> Response[str]:
        """Answer in the shape of shields.io's endpoint badge."""
        check = self._check(token)
        return _answer(JSON_TYPE, body_text(badge.shields(check.settings.name, check.standing.state)))

    def _check(self, token: str) -> Check:
        checks = self.deployment.checks
        owner = checks.badge(token) if _TOKEN.fullmatch(token) else None
        check = checks.get(*owner) if owner is not None else None
        if check is None:
            raise NotFoundError(_NO_SUCH_BADGE)
        return check


def _answer(content_type: str, body: str) -> Response[str]:
    return Response(status_code=200, content_type=content_type, headers=_HEADERS, body=body)
