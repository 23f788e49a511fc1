"""The OpenAPI document of the whole API."""

import functools

from functions.checks.openapi import CHECK_OPERATIONS, CHECK_WEBHOOKS
from functions.http.json_body import to_json
from functions.http.openapi.document import Document
from functions.operations.openapi import OPERATIONS as OPERATIONS_OF_STAGES
from functions.projects.openapi import ADMIN_OPERATIONS
from functions.submissions import openapi as operations
from functions.webhooks import openapi_events as webhooks
from functions.webhooks.openapi import WEBHOOK_OPERATIONS


@functools.cache
def openapi_text() -> str:
    """Return the document as JSON."""
    document = Document(
        operations=(
            *operations.OPERATIONS,
            *CHECK_OPERATIONS,
            *WEBHOOK_OPERATIONS,
            *ADMIN_OPERATIONS,
            *OPERATIONS_OF_STAGES,
        ),
        webhooks={**operations.WEBHOOKS, **CHECK_WEBHOOKS, **webhooks.WEBHOOKS},
        event_headers=webhooks.HEADERS,
        links=operations.LINKS,
    )
    return to_json(document.build())
