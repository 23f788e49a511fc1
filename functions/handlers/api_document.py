"""The OpenAPI document of the whole API."""

import functools
from typing import Any

from functions.checks.api import BADGE_ROUTES, CHECK_ROUTES, INBOUND_ROUTES, RUN_ROUTES
from functions.console.openapi import CONSOLE_OPERATIONS
from functions.events.api import EVENT_ROUTES
from functions.events.catalogue import WEBHOOKS
from functions.http.json_body import body_text
from functions.http.openapi.document import Document
from functions.http.openapi.page import render
from functions.judging.openapi import JUDGE_OPERATIONS
from functions.operations.api import OPERATION_ROUTES
from functions.projects.api import KEY_ROUTES, PROJECT_ROUTES
from functions.submissions import openapi as operations
from functions.webhooks.routes.api import DELIVERY_ROUTES, ENDPOINT_ACTION_ROUTES, ENDPOINT_ROUTES
from functions.webhooks.routes.openapi_events import HEADERS


@functools.cache
def openapi_text() -> str:
    """Return the document as JSON."""
    return body_text(_built())


@functools.cache
def reference_page() -> str:
    """Return the document as a page."""
    return render(_built())


def _built() -> dict[str, Any]:
    document = Document(
        operations=(
            *operations.OPERATIONS,
            *CONSOLE_OPERATIONS,
            *JUDGE_OPERATIONS,
            *CHECK_ROUTES,
            *RUN_ROUTES,
            *INBOUND_ROUTES,
            *BADGE_ROUTES,
            *ENDPOINT_ROUTES,
            *ENDPOINT_ACTION_ROUTES,
            *DELIVERY_ROUTES,
            *EVENT_ROUTES,
            *PROJECT_ROUTES,
            *KEY_ROUTES,
            *OPERATION_ROUTES,
        ),
        webhooks=WEBHOOKS,
        event_headers=HEADERS,
        links=operations.LINKS,
    )
    return document.build()
