"""The OpenAPI document of the whole API."""

import functools
from typing import Any

from functions.checks.api import CHECK_ROUTES, QUIET_ROUTES
from functions.checks.calls.api import INBOUND_ROUTES
from functions.checks.pings import PING_ROUTES
from functions.checks.run_api import RUN_ROUTES
from functions.checks.status_api import BADGE_ROUTES, STATUS_ROUTES
from functions.console.api import CONSOLE_ROUTES
from functions.feed.api import EVENT_ROUTES
from functions.feed.catalogue import WEBHOOKS
from functions.files.api import FILE_CONTENT_ROUTES, FILE_ROUTES
from functions.http.json_body import body_text
from functions.http.openapi.document import Document, Links
from functions.http.openapi.page import DOCUMENT_ROUTES, render
from functions.judging.problem_api import ALL_JUDGING_ROUTES
from functions.operations.api import OPERATION_ROUTES, RUNNER_ROUTES
from functions.project_secrets.api import SECRET_ROUTES
from functions.projects.api import KEY_ROUTES, PROJECT_ROUTES
from functions.projects.own_key import OWN_KEY_ROUTES
from functions.submissions.results.views import Accepted, WaitOver
from functions.submissions.results_api import RESULT_ROUTES
from functions.submissions.runners.fleet import HEALTH_ROUTES
from functions.submissions.submit_api import SUBMIT_ROUTES
from functions.webhooks.api import DELIVERY_ROUTES, ENDPOINT_ROUTES, RECIPIENT_ROUTES
from functions.webhooks.transform_routes import TRANSFORM_ROUTES
from functions.webhooks.views import HEADERS

ROUTES = (
    *SUBMIT_ROUTES,
    *RESULT_ROUTES,
    *FILE_ROUTES,
    *SECRET_ROUTES,
    *FILE_CONTENT_ROUTES,
    *HEALTH_ROUTES,
    *DOCUMENT_ROUTES,
    *CONSOLE_ROUTES,
    *ALL_JUDGING_ROUTES,
    *CHECK_ROUTES,
    *RUN_ROUTES,
    *INBOUND_ROUTES,
    *PING_ROUTES,
    *QUIET_ROUTES,
    *STATUS_ROUTES,
    *BADGE_ROUTES,
    *ENDPOINT_ROUTES,
    *TRANSFORM_ROUTES,
    *RECIPIENT_ROUTES,
    *DELIVERY_ROUTES,
    *EVENT_ROUTES,
    *PROJECT_ROUTES,
    *KEY_ROUTES,
    *OWN_KEY_ROUTES,
    *OPERATION_ROUTES,
    *RUNNER_ROUTES,
)
"""All routes but those of the dialects."""
_LINKS = Links(frozenset({Accepted, WaitOver}), ("getResult", "getStdout", "getStderr", "deleteResult"))


@functools.cache
def openapi_text() -> str:
    return body_text(_built())


@functools.cache
def reference_page(script: str = "") -> str:
    """Return the document as a page. `script`: the address of its module, if it has one."""
    return render(_built(), script)


def _built() -> dict[str, Any]:
    document = Document(
        operations=ROUTES,
        webhooks=WEBHOOKS,
        event_headers=HEADERS,
        links=_LINKS,
    )
    return document.build()
