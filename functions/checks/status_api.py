"""The routes of the status page and of badges: what everybody with its address may see."""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from aws_lambda_powertools.event_handler import Response

from functions.checks import keys
from functions.checks.state import DOWN, State
from functions.checks.status_pages import badge
from functions.checks.status_pages.page import DAY_MS, DAYS, HEADERS, ShownCheck, StatusPage, StatusPageSettings, render
from functions.checks.views import StatusPageDeleted, StatusPageView
from functions.errors import ConflictError, FieldProblem, InvalidFieldsError, NotFoundError
from functions.http.answers import JSON_TYPE, answer
from functions.http.http_event import json_body
from functions.http.json_body import body_text
from functions.http.openapi.bodies import Error
from functions.http.openapi.operation import BAD, KEYED, OPEN, TAKES_BODY, Answer, path
from functions.http.resolver import Route
from functions.http.validation import parse_body
from functions.projects.authentication import authenticate

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


# Routes of the status page: a project turns it on and off, and everybody with its address sees it.

_TOKEN_BYTES = 24

_OFF = "The project has no status page. PUT /api/status-page makes one."
_MOST_DETAILS = 5
_DETAIL_CHARS = 300


@dataclass(frozen=True, slots=True)
class StatusRoutes:
    """Handlers of /api/status-page and /status."""

    deployment: CheckDeployment

    def show(self, app: Resolver) -> Response[str]:
        """Show what the project chose."""
        page = self._own(app)
        if page is None:
            raise NotFoundError(_OFF)
        return answer(self._view(page))

    def put(self, app: Resolver) -> Response[str]:
        """Turn the page on, or change it. It keeps its address."""
        before = self._own(app)
        project_id = authenticate(app.current_event, self.deployment.projects).project_id
        settings = parse_body(StatusPageSettings, json_body(app.current_event))
        page = StatusPage(
            project_id=project_id,
            token=secrets.token_urlsafe(_TOKEN_BYTES) if before is None else before.token,
            title=settings.title,
            check_ids=self._ids(project_id, settings.checks),
            shows_output=settings.shows_output,
        )
        if not self.deployment.status_pages.put(before, page):
            raise ConflictError("Another request changed the status page. Look at it, then repeat the request.")
        self.deployment.log.info("Status page changed", project_id=project_id, request_id=app.request_id)
        return answer(self._view(page))

    def delete(self, app: Resolver) -> Response[str]:
        """Turn the page off. A new one gets another address."""
        page = self._own(app)
        if page is None:
            raise NotFoundError(_OFF)
        self.deployment.status_pages.delete(page)
        self.deployment.log.info("Status page deleted", project_id=page.project_id, request_id=app.request_id)
        body: StatusPageDeleted = {"deleted": True}
        return answer(body)

    def page(self, _app: Resolver, token: str) -> Response[str]:
        """Answer with the public page."""
        page = self.deployment.status_pages.of_token(token) if _TOKEN.fullmatch(token) else None
        if page is None:
            raise NotFoundError("There is no such status page.")
        body = self.deployment.rendered_pages.get_or_load(token, lambda: self._render(page))
        return Response(status_code=200, content_type="text/html; charset=utf-8", headers=HEADERS, body=body)

    def _own(self, app: Resolver) -> StatusPage | None:
        project_id = authenticate(app.current_event, self.deployment.projects).project_id
        return self.deployment.status_pages.get(project_id)

    def _ids(self, project_id: str, slugs: list[str]) -> tuple[str, ...]:
        by_slug = {slug: self.deployment.checks.id_of_slug(project_id, slug) for slug in slugs}
        problems = [
            FieldProblem(f"checks.{index}", f"The project has no check {slug}.")
            for index, slug in enumerate(slugs)
            if by_slug[slug] is None
        ]
        if problems:
            raise InvalidFieldsError(tuple(problems))
        return tuple(filter(None, by_slug.values()))

    def _checks(self, page: StatusPage) -> list[Check]:
        found = (self.deployment.checks.get(page.project_id, check_id) for check_id in page.check_ids)
        return [check for check in found if check is not None]

    def _view(self, page: StatusPage) -> StatusPageView:
        return {
            "title": page.title,
            "checks": [check.settings.slug or "" for check in self._checks(page)],
            "shows_output": page.shows_output,
            "url": f"/status/{page.token}",
        }

    def _render(self, page: StatusPage) -> str:
        now = self.deployment.clock()
        return render(page.title, [self._shown(check, page, now) for check in self._checks(page)], now)

    def _shown(self, check: Check, page: StatusPage, now: int) -> ShownCheck:
        standing, first = check.standing, now - DAYS * DAY_MS
        outages = self.deployment.outages.of(check, now)
        shown = ShownCheck(
            name=check.settings.name,
            state=standing.state,
            since_ms=standing.since_ms,
            observed=check.observed(outages, now),
            outages=tuple(each for each in outages if each.until_ms >= first),
        )
        is_explained = page.shows_output and standing.state in DOWN - {State.ERROR}
        return replace(shown, details=self._details(check)) if is_explained else shown

    def _details(self, check: Check) -> tuple[str, ...]:
        """Return why the last run of a check failed: its reason, and its failed assertions."""
        last = check.last_run or {}
        position = f"{last.get('scheduled_at')}#{last.get('run_id')}"
        run = self.deployment.check_runs.get_run(keys.runs_pk(check.project_id, check.check_id), position)
        if run is None:
            return ()
        failed = [
            f"{each['assertion']}: expected {each['expected']}, got {each['actual']}"
            for each in run.results
            if not each["passed"]
        ]
        lines = [run.reason, *failed[:_MOST_DETAILS]]
        return tuple(line[:_DETAIL_CHARS] for line in lines if line)


_NO_STATUS_PAGE: Answer = ("`not_found`: the project has no status page.", (Error,))

STATUS_ROUTES: tuple[Route[StatusRoutes], ...] = (
    Route(
        "GET",
        "/api/status-page",
        StatusRoutes.show,
        "getStatusPage",
        "Show what the project's status page shows",
        {200: ("The page.", (StatusPageView,)), 404: _NO_STATUS_PAGE, **KEYED},
    ),
    Route(
        "PUT",
        "/api/status-page",
        StatusRoutes.put,
        "putStatusPage",
        "Make a public page of chosen checks, or change it",
        {
            200: ("The page, with its address.", (StatusPageView,)),
            400: BAD,
            409: ("`conflict`: another request changed it.", (Error,)),
            **TAKES_BODY,
        },
        request=StatusPageSettings,
        examples={"two checks": {"value": {"title": "Example", "checks": ["totals", "backup"]}}},
    ),
    Route(
        "DELETE",
        "/api/status-page",
        StatusRoutes.delete,
        "deleteStatusPage",
        "Turn the status page off",
        {200: ("Nobody sees it any more.", (StatusPageDeleted,)), 404: _NO_STATUS_PAGE, **KEYED},
    ),
    Route(
        "GET",
        "/status/{token}",
        StatusRoutes.page,
        "getPublicStatusPage",
        "The public page: states, 90 days and incidents of the chosen checks",
        {
            200: ("HTML; cached for 60 s.", ("text/html; charset=utf-8",)),
            404: ("`not_found`: no such page.", (Error,)),
            **OPEN,
        },
        (path("token", {"type": "string"}),),
        security=None,
        has_secret=True,
    ),
)
