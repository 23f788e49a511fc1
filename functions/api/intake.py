"""Who calls, and what they sent: authentication comes before any look at the body."""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING

from aws_lambda_powertools.utilities.data_classes import APIGatewayProxyEventV2

from functions.core.errors import BadRequest, TooLarge, Unauthorized, UnsupportedMediaType

if TYPE_CHECKING:
    from functions.core.project import Project
    from functions.core.quota import Quota, Usage
    from functions.store.projects import ProjectStore

BODY_MAX_BYTES = 1_048_576


class HttpEvent(APIGatewayProxyEventV2):
    """One request. `project`: whose key it has, once that is known. `taken`: what it took of which quota."""

    project: Project | None = None
    taken: tuple[Usage, Quota] | None = None


def authenticate(event: HttpEvent, projects: ProjectStore) -> Project:
    """Return the project of the X-API-Key header. Raises Unauthorized, with one text for every reason."""
    project = projects.find_key(event.headers.get("x-api-key") or "")
    if project is None:
        raise Unauthorized("A valid API key is needed in the X-API-Key header.")
    event.project = project
    return project


def json_body(event: APIGatewayProxyEventV2) -> bytes:
    """Return the bytes of a JSON body. Raises UnsupportedMediaType, TooLarge, BadRequest."""
    media_type = (event.headers.get("content-type") or "").partition(";")[0].strip().lower()
    if media_type != "application/json":
        raise UnsupportedMediaType("Send the body as JSON, with content-type: application/json.")
    text = event.body or ""
    try:
        # A lone surrogate from the gateway's own JSON becomes bytes that are not UTF-8, and is refused as such.
        raw = base64.b64decode(text, validate=True) if event.is_base64_encoded else text.encode(errors="surrogatepass")
    except (binascii.Error, ValueError):
        raise BadRequest("The body is not what its encoding says.") from None
    if len(raw) > BODY_MAX_BYTES:
        raise TooLarge(f"The body is larger than {BODY_MAX_BYTES:,} bytes.")
    return raw
