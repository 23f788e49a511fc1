"""The OpenAPI document of the whole API."""

import functools

from functions.checks.openapi import CHECK_OPERATIONS
from functions.events.catalogue import WEBHOOKS
from functions.events.openapi import EVENT_OPERATIONS
from functions.http.json_body import to_json
from functions.http.openapi.document import Document
from functions.judging.openapi import JUDGE_OPERATIONS
from functions.operations.openapi import OPERATIONS as OPERATIONS_OF_STAGES
from functions.projects.openapi import ADMIN_OPERATIONS
from functions.submissions import openapi as operations
from functions.webhooks.openapi import WEBHOOK_OPERATIONS
from functions.webhooks.openapi_events import HEADERS


@functools.cache
def openapi_text() -> str:
    """Return the document as JSON."""
    document = Document(
        operations=(
            *operations.OPERATIONS,
            *JUDGE_OPERATIONS,
            *CHECK_OPERATIONS,
            *WEBHOOK_OPERATIONS,
            *EVENT_OPERATIONS,
            *ADMIN_OPERATIONS,
            *OPERATIONS_OF_STAGES,
        ),
        webhooks=WEBHOOKS,
        event_headers=HEADERS,
        links=operations.LINKS,
    )
    return to_json(document.build())
