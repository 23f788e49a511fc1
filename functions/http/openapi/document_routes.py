"""The routes of the OpenAPI document."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from aws_lambda_powertools.event_handler import Response
from pydantic import Field

from functions.http.openapi.operation import FAILED, THROTTLED
from functions.http.openapi.page import HEADERS
from functions.http.route import Route

if TYPE_CHECKING:
    from collections.abc import Callable

    from functions.http.resolver import Resolver

type Document = Annotated[dict[str, Any], Field(description="An OpenAPI document.")]


@dataclass(frozen=True, slots=True)
class DocumentRoutes:
    """The document as JSON, and as a page. `text` and `page` build them: they need all parts of the API."""

    text: Callable[[], str]
    page: Callable[[], str]

    def openapi(self, _app: Resolver) -> Response[str]:
        """Answer with the document."""
        return Response(status_code=200, content_type="application/json", body=self.text())

    def reference(self, _app: Resolver) -> Response[str]:
        """Answer with the document as a page."""
        return Response(status_code=200, content_type="text/html; charset=utf-8", headers=HEADERS, body=self.page())


DOCUMENT_ROUTES: tuple[Route[DocumentRoutes], ...] = (
    Route(
        "GET",
        "/api/openapi.json",
        DocumentRoutes.openapi,
        "getOpenApi",
        "This document",
        {200: ("OpenAPI 3.1.", (Document,)), 429: THROTTLED, 500: FAILED},
        security=None,
    ),
    Route(
        "GET",
        "/docs",
        DocumentRoutes.reference,
        "getReference",
        "This document as a page",
        {200: ("HTML.", ("text/html; charset=utf-8",)), 429: THROTTLED, 500: FAILED},
        security=None,
    ),
)
