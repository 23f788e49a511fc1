"""Artifacts of a run as pictures, text or links. An artifact has a URI: `rustbox://results/{id}/artifacts/{path}`."""

from __future__ import annotations

import base64
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote

if TYPE_CHECKING:
    from collections.abc import Mapping

RESOURCE_MAX_BYTES = 2_097_152
URI_TEMPLATE = "rustbox://results/{id}/artifacts/{+path}"
_PICTURE_MAX_BYTES = 262_144
_PICTURES = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp"})
_URI = re.compile(r"rustbox://results/([0-9a-f-]{36})/artifacts/(.+)", re.DOTALL)


def artifact_uri(submission_id: str, path: str) -> str:
    """Return the URI of an artifact."""
    return f"rustbox://results/{submission_id}/artifacts/{quote(path)}"


def parse_artifact_uri(uri: str) -> tuple[str, str] | None:
    """Return the id of the run and the path; None for another URI."""
    found = _URI.fullmatch(uri)
    return None if found is None else (found[1], unquote(found[2]))


def is_picture(file: Mapping[str, Any]) -> bool:
    """Whether a client may show it as a picture: never SVG, which may have scripts."""
    return file["media_type"] in _PICTURES and file["size"] <= _PICTURE_MAX_BYTES


def picture(file: Mapping[str, Any], content: bytes) -> dict[str, Any]:
    """Return a picture as content of a tool."""
    return {"type": "image", "data": base64.b64encode(content).decode(), "mimeType": file["media_type"]}


def link(submission_id: str, file: Mapping[str, Any]) -> dict[str, Any]:
    """Return a link to an artifact as content of a tool."""
    uri = artifact_uri(submission_id, file["path"])
    about = {"name": file["path"], "mimeType": file["media_type"], "size": file["size"]}
    return {"type": "resource_link", "uri": uri, **about}


def resource(uri: str, file: Mapping[str, Any], content: bytes) -> dict[str, Any]:
    """Return the content of a resource: text if it is UTF-8."""
    about = {"uri": uri, "mimeType": file["media_type"]}
    try:
        return {**about, "text": content.decode()}
    except UnicodeDecodeError:
        return {**about, "blob": base64.b64encode(content).decode()}
