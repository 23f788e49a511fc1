"""The OpenAPI document of all slices."""

import functools

from functions.core.json_answer import to_json
from functions.core.openapi import operations, webhooks
from functions.core.openapi.admin_operations import ADMIN_OPERATIONS
from functions.core.openapi.document import Document
from functions.core.openapi.webhook_operations import WEBHOOK_OPERATIONS


@functools.cache
def openapi_text() -> str:
    """Return the document as JSON."""
    document = Document(
        operations=(*operations.OPERATIONS, *WEBHOOK_OPERATIONS, *ADMIN_OPERATIONS),
        webhooks={**operations.WEBHOOKS, **webhooks.WEBHOOKS},
        event_headers=webhooks.HEADERS,
        links=operations.LINKS,
    )
    return to_json(document.build())
