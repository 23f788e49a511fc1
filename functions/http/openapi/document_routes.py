"""The routes of the OpenAPI document."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from aws_lambda_powertools.event_handler import Response
from pydantic import Field

from functions.http.openapi.operation import FAILED, THROTTLED
from functions.http.openapi.page import HEADERS
from functions.http.resolver import Route

if TYPE_CHECKING:
    from collections.abc import Callable

    from functions.http.resolver import Resolver

_OVERVIEW = """\
# Rustbox

> Run untrusted code in a sandbox, and get its result by waiting, by polling or by a signed webhook.

Send `X-API-Key: rb_live_…` with each request. Bodies are JSON.

- Run and wait: `POST /api/submit?wait=true` with `{"language": "python", "code": "print(6 * 7)"}` answers the result.
  Read `verdict` (`AC`: it ended with exit code 0), `stdout` and `stderr`; `?view=compact` has only what one needs.
- Run and poll: `POST /api/submit` answers 202 with `id`; `GET /api/result/{id}?wait=20` waits for the result.
- Follow the output while it runs: `GET /api/result/{id}/output?stream=stdout&after=0&wait=20`; then `after` is `next`.
- Run and be called: add `webhook_url` and `webhook_secret`; the webhook is signed as in Standard Webhooks.
- Judge one program against many cases: `POST /api/judge`.
- Run a program by a schedule or an event: `POST /api/checks`.

A repeat with the same `Idempotency-Key` header starts nothing twice. Wait `Retry-After` seconds after 429 and 503.

## Reference

- [openapi.json](api/openapi.json): every path, field, limit and error
- [API reference](docs): the same as a page
- [Languages](api/languages?detail=true): names and versions
"""
"""In the form of https://llmstxt.org."""

type Document = Annotated[dict[str, Any], Field(description="An OpenAPI document.")]


@dataclass(frozen=True, slots=True)
class DocumentRoutes:
    """The document as JSON, and as a page. `text` and `page` build them: they need all parts of the API."""

    text: Callable[[], str]
    page: Callable[[], str]

    def openapi(self, _app: Resolver) -> Response[str]:
        """Answer with the document."""
        return Response(status_code=200, content_type="application/json", body=self.text())

    def overview(self, _app: Resolver) -> Response[str]:
        """Answer with the overview for language models."""
        return Response(status_code=200, content_type="text/plain; charset=utf-8", body=_OVERVIEW)

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
        "/openapi.json",
        DocumentRoutes.openapi,
        "getOpenApiAtRoot",
        "This document, where some tools look for it",
        {200: ("OpenAPI 3.1.", (Document,)), 429: THROTTLED, 500: FAILED},
        security=None,
    ),
    Route(
        "GET",
        "/llms.txt",
        DocumentRoutes.overview,
        "getOverview",
        "An overview of this API for language models",
        {200: ("Markdown.", ("text/plain; charset=utf-8",)), 429: THROTTLED, 500: FAILED},
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
