"""Status pages and badges: what everybody with an address sees of a project's checks. Settings, rows and routes."""

import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Annotated, Any, Literal, TypedDict

from aws_lambda_powertools.event_handler import Response
from pydantic import AfterValidator, Field

from functions.aws.dynamodb.conditional import ABSENT, delete, put
from functions.aws.dynamodb.items import to_item
from functions.aws.dynamodb.row_codec import IN_KEY, JSON, read, write
from functions.aws.dynamodb.table import Table
from functions.aws.dynamodb.transaction import transact_or_raise
from functions.checks import keys
from functions.checks.public_views import (
    DAY_MS,
    DAYS,
    HEADERS,
    BadgeView,
    ShieldsBadge,
    ShownCheck,
    badge_body,
    render,
    shields,
    svg,
)
from functions.checks.runs.store import RunStore
from functions.checks.settings.check_settings import Slug
from functions.checks.settings.store import Check, CheckStore, OutageStore
from functions.checks.state import DOWN, State
from functions.env import Env
from functions.errors import ConflictError, FieldProblem, InvalidFieldsError, NotFoundError
from functions.http.answers import JSON_TYPE, answer
from functions.http.http_event import json_body
from functions.http.json_body import body_text
from functions.http.openapi.bodies import Error
from functions.http.openapi.operation import BAD, KEYED, OPEN, TAKES_BODY, Answer, path
from functions.http.resolver import Resolver, Route
from functions.http.validation import StrictModel, Text, checked_line, parse_body
from functions.projects.authentication import authenticate
from functions.projects.changes import Change, record
from functions.ttl_cache import TtlCache

MOST_CHECKS = 50


class StatusPageSettings(StrictModel):
    """Body of PUT /api/status-page. Everybody with the address of the page sees it."""

    title: Annotated[Text, Field(min_length=1, max_length=100), AfterValidator(checked_line)]
    checks: list[Slug] = Field(
        min_length=1, max_length=MOST_CHECKS, description="Slugs of the checks that it shows, in their order."
    )
    shows_output: bool = Field(
        default=False,
        description="Also show why a check is down: its reason, and expected and actual values of failed assertions.",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusPage:
    """The status page of a project."""

    project_id: Annotated[str, IN_KEY]
    token: str
    title: str
    check_ids: Annotated[tuple[str, ...], JSON]
    shows_output: bool


class StatusPageStore(Table):
    """Status pages in the checks table: one row of a project, and one of the token."""

    table_setting = "checks_table"

    def get(self, project_id: str) -> StatusPage | None:
        row = self._get(keys.status_page_key(project_id))
        return None if row is None else read(StatusPage, {**row, "project_id": project_id})

    def of_token(self, token: str) -> StatusPage | None:
        row = self._get(keys.status_token_key(token))
        page = None if row is None else self.get(row["project_id"])
        return page if page is not None and page.token == token else None

    def put(self, before: StatusPage | None, page: StatusPage, also: Sequence[Any] = ()) -> bool:
        """Write a page in place of the one before, with the same token. False if another request was faster.

        `also`: actions of the same transaction, here and below.
        """
        item = {**keys.status_page_key(page.project_id), **to_item(write(page))}
        token = {**keys.status_token_key(page.token), **to_item({"project_id": page.project_id})}
        condition, values = (ABSENT, {}) if before is None else ("#token = :before", {"before": before.token})
        actions: dict[str, Any] = {
            "page": put(self.table_name, item, condition, values),
            "token": [] if before is not None else put(self.table_name, token),
            "also": also,
        }
        return transact_or_raise(self._client, actions) is None

    def delete(self, page: StatusPage, also: Sequence[Any] = ()) -> bool:
        """Delete a page: nobody sees it any more. False if another request was faster."""
        unchanged = delete(
            self.table_name, keys.status_page_key(page.project_id), "#token = :token", {"token": page.token}
        )
        token = delete(self.table_name, keys.status_token_key(page.token))
        return transact_or_raise(self._client, {"page": unchanged, "token": token, "also": also}) is None

    def purge(self, project_id: str) -> None:
        """Delete the page of a project, if it has one. It reads by a query, as a purge may."""
        for row in self._list(keys.checks_pk(project_id), keys.STATUS):
            self.delete(read(StatusPage, {**row, "project_id": project_id}))


def _shown(page: StatusPage) -> dict[str, Any]:
    """Return a page for the log of changes, without its address."""
    return {"title": page.title, "check_ids": list(page.check_ids), "shows_output": page.shows_output}


class StatusPageView(TypedDict):
    """The status page of a project."""

    title: str
    checks: Annotated[list[str], Field(description="Slugs.")]
    shows_output: bool
    url: Annotated[str, Field(description="Everybody who knows it may see the page.")]


class StatusPageDeleted(TypedDict):
    """A deleted status page."""

    deleted: Literal[True]


_PAGE_FRESH_MS = 15_000
_MOST_PAGES = 200


def rendered_pages(env: Env) -> TtlCache[str, str]:
    """Rendered status pages by token: a flood of readers reads the checks once in a while."""
    return TtlCache(_PAGE_FRESH_MS, _MOST_PAGES, env.clock)


_TOKEN_BYTES = 24

_OFF = "The project has no status page. PUT /api/status-page makes one."
_MOST_DETAILS = 5
_DETAIL_CHARS = 300


@dataclass(frozen=True, slots=True)
class StatusRoutes:
    """Handlers of /api/status-page, for the project that has the page, and of /status, for all who know its address."""

    env: Env

    def show(self, app: Resolver) -> Response[str]:
        page = self._own(app)
        if page is None:
            raise NotFoundError(_OFF)
        return answer(self._view(page))

    def put(self, app: Resolver) -> Response[str]:
        """Turn the page on, or change it. It keeps its address."""
        before = self._own(app)
        project_id = authenticate(app.current_event, self.env).project_id
        settings = parse_body(StatusPageSettings, json_body(app.current_event))
        page = StatusPage(
            project_id=project_id,
            token=secrets.token_urlsafe(_TOKEN_BYTES) if before is None else before.token,
            title=settings.title,
            check_ids=self._ids(project_id, settings.checks),
            shows_output=settings.shows_output,
        )
        views = (None if before is None else _shown(before)), _shown(page)
        change = Change(project_id, "status_page.changed", "", *views)
        if not record(self.env, app.current_event, change, partial(self.env[StatusPageStore].put, before, page)):
            raise ConflictError("Another request changed the status page. Look at it, then repeat the request.")
        self.env.log.info("Status page changed", project_id=project_id, request_id=app.request_id)
        return answer(self._view(page))

    def delete(self, app: Resolver) -> Response[str]:
        """Turn the page off. A new one gets another address."""
        page = self._own(app)
        if page is None:
            raise NotFoundError(_OFF)
        change = Change(page.project_id, "status_page.deleted", "", _shown(page))
        record(self.env, app.current_event, change, partial(self.env[StatusPageStore].delete, page))
        self.env.log.info("Status page deleted", project_id=page.project_id, request_id=app.request_id)
        body: StatusPageDeleted = {"deleted": True}
        return answer(body)

    def page(self, _app: Resolver, token: str) -> Response[str]:
        page = self.env[StatusPageStore].of_token(token) if _TOKEN.fullmatch(token) else None
        if page is None:
            raise NotFoundError("There is no such status page.")
        body = self.env[rendered_pages].get_or_load(token, lambda: self._render(page))
        return Response(status_code=200, content_type="text/html; charset=utf-8", headers=HEADERS, body=body)

    def _own(self, app: Resolver) -> StatusPage | None:
        project_id = authenticate(app.current_event, self.env).project_id
        return self.env[StatusPageStore].get(project_id)

    def _ids(self, project_id: str, slugs: list[str]) -> tuple[str, ...]:
        by_slug = {slug: self.env[CheckStore].id_of_slug(project_id, slug) for slug in slugs}
        problems = [
            FieldProblem(f"checks.{index}", f"The project has no check {slug}.")
            for index, slug in enumerate(slugs)
            if by_slug[slug] is None
        ]
        if problems:
            raise InvalidFieldsError(tuple(problems))
        return tuple(filter(None, by_slug.values()))

    def _checks(self, page: StatusPage) -> list[Check]:
        found = (self.env[CheckStore].get(page.project_id, check_id) for check_id in page.check_ids)
        return [check for check in found if check is not None]

    def _view(self, page: StatusPage) -> StatusPageView:
        return {
            "title": page.title,
            "checks": [check.settings.slug or "" for check in self._checks(page)],
            "shows_output": page.shows_output,
            "url": f"/status/{page.token}",
        }

    def _render(self, page: StatusPage) -> str:
        now = self.env.clock()
        return render(page.title, [self._shown(check, page, now) for check in self._checks(page)], now)

    def _shown(self, check: Check, page: StatusPage, now: int) -> ShownCheck:
        standing, first = check.standing, now - DAYS * DAY_MS
        outages = self.env[OutageStore].of(check, now)
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
        run = self.env[RunStore].get_run(keys.runs_pk(check.project_id, check.check_id), position)
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
        "GET /api/status-page",
        StatusRoutes.show,
        "getStatusPage",
        "Show what the project's status page shows",
        {200: ("The page.", (StatusPageView,)), 404: _NO_STATUS_PAGE, **KEYED},
        rights=("read", "checks"),
    ),
    Route(
        "PUT /api/status-page",
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
        rights=("checks",),
    ),
    Route(
        "DELETE /api/status-page",
        StatusRoutes.delete,
        "deleteStatusPage",
        "Turn the status page off",
        {200: ("Nobody sees it any more.", (StatusPageDeleted,)), 404: _NO_STATUS_PAGE, **KEYED},
        rights=("checks",),
    ),
    Route(
        "GET /status/{token}",
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


_NO_SUCH_BADGE = "There is no such badge."
_FILE = re.compile(r"([A-Za-z0-9_-]{32})\.(svg|json)")
_TOKEN = re.compile(r"[A-Za-z0-9_-]{32}")
_HEADERS = {"cache-control": "public, max-age=60", "x-content-type-options": "nosniff"}


@dataclass(frozen=True, slots=True)
class BadgeRoutes:
    """Handlers of /api/badges. They raise NotFoundError for every wrong token."""

    env: Env

    def file(self, _app: Resolver, name: str) -> Response[str]:
        matched = _FILE.fullmatch(name)
        if matched is None:
            raise NotFoundError(_NO_SUCH_BADGE)
        check = self._check(matched[1])
        title, state = check.settings.name, check.standing.state
        if matched[2] == "svg":
            return _answer("image/svg+xml", svg(title, state))
        return _answer(JSON_TYPE, body_text(badge_body(title, state)))

    def shields(self, _app: Resolver, token: str) -> Response[str]:
        check = self._check(token)
        return _answer(JSON_TYPE, body_text(shields(check.settings.name, check.standing.state)))

    def _check(self, token: str) -> Check:
        checks = self.env[CheckStore]
        owner = checks.badge(token) if _TOKEN.fullmatch(token) else None
        check = checks.get(*owner) if owner is not None else None
        if check is None:
            raise NotFoundError(_NO_SUCH_BADGE)
        return check


def _answer(content_type: str, body: str) -> Response[str]:
    return Response(status_code=200, content_type=content_type, headers=_HEADERS, body=body)


_BADGE: dict[int, Answer] = {404: ("`not_found`: no such badge.", (Error,)), **OPEN}

BADGE_ROUTES: tuple[Route[BadgeRoutes], ...] = (
    Route(
        "GET /api/badges/{name}",
        BadgeRoutes.file,
        "getBadge",
        "Show the state of a check as a picture or as JSON",
        {200: ("<token>.svg or <token>.json; cached for 60 s.", (BadgeView, "image/svg+xml")), **_BADGE},
        (path("name", {"type": "string"}),),
        security=None,
    ),
    Route(
        "GET /api/badges/{token}/shields",
        BadgeRoutes.shields,
        "getShieldsBadge",
        "Show the state of a check to shields.io",
        {200: ("Cached for 60 s.", (ShieldsBadge,)), **_BADGE},
        (path("token", {"type": "string"}),),
        security=None,
    ),
)
