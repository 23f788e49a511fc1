"""The revision of the protocol that a request uses.

Up to 2025-11-25 a client says it once, in `initialize`, and then in a header. From 2026-07-28 on each request says it
in `_meta` and in headers, which must agree: https://modelcontextprotocol.io/specification/ (basic, transports).

2025-11-25 has tasks of its own: a client asks for one, and reads its result with tasks/result. For 2026-07-28 they are
the extension SEP-2663: the service decides, and tasks/get has the result.
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import TYPE_CHECKING, Any, NamedTuple

from events.vocabulary import CANCELLATIONS
from functions.clock import MS_PER_SEC, from_rfc3339
from functions.dialects.mcp.message import HEADER_MISMATCH, INVALID_PARAMS, UNSUPPORTED_VERSION, RpcError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from functions.dialects.mcp.message import Message
    from functions.submissions.model import Submission

HANDSHAKE_VERSIONS = ("2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25")
STATELESS_VERSIONS = ("2026-07-28",)
TASKS_EXTENSION = "io.modelcontextprotocol/tasks"
RELATED_TASK = "io.modelcontextprotocol/related-task"
_POLL_MS = 1_000
_VERSION_KEY = "io.modelcontextprotocol/protocolVersion"
_CAPABILITIES_KEY = "io.modelcontextprotocol/clientCapabilities"
_NAMED_BY = {
    "tools/call": "name",
    "resources/read": "uri",
    "tasks/get": "taskId",
    "tasks/update": "taskId",
    "tasks/cancel": "taskId",
}
"""The parameter that the header Mcp-Name repeats."""
_ENCODED = re.compile(r"=\?base64\?(.*)\?=")


class Revision(NamedTuple):
    """The revision of one request. `has_tasks`: the client says that it knows the extension of tasks."""

    is_stateless: bool
    has_tasks: bool = False


def revision_of(message: Message, headers: Mapping[str, str]) -> Revision:
    """Return the revision of a request. Raises RpcError."""
    named = headers.get("mcp-protocol-version")
    if _VERSION_KEY not in message.meta and (named is None or named in HANDSHAKE_VERSIONS):
        return Revision(is_stateless=False)
    if message.is_notification:
        return Revision(is_stateless=True)
    version, capabilities = message.meta.get(_VERSION_KEY), message.meta.get(_CAPABILITIES_KEY)
    if not isinstance(version, str) or not isinstance(capabilities, dict):
        wanted = f"{_VERSION_KEY}, a string, and {_CAPABILITIES_KEY}, an object"
        raise RpcError(INVALID_PARAMS, f"params._meta must have {wanted}.")
    _check_headers(message, headers, version)
    if version not in STATELESS_VERSIONS:
        data = {"supported": list(STATELESS_VERSIONS), "requested": version}
        raise RpcError(UNSUPPORTED_VERSION, "This protocol version is not supported.", data)
    extensions = capabilities.get("extensions")
    return Revision(is_stateless=True, has_tasks=isinstance(extensions, dict) and TASKS_EXTENSION in extensions)


def task_body(row: Submission, revision: Revision) -> dict[str, Any]:
    """Return a run as a task with the same id. A program that failed has completed, with a result that says so."""
    ended = "cancelled" if row.result.get("cause") in CANCELLATIONS else "completed"
    unit = "Ms" if revision.is_stateless else ""
    return {
        "taskId": row.submission_id,
        "status": ended if row.is_final else "working",
        "createdAt": row.created_at,
        "lastUpdatedAt": row.completed_at or row.started_at or row.created_at,
        f"ttl{unit}": row.ttl * MS_PER_SEC - from_rfc3339(row.created_at),
        f"pollInterval{unit}": _POLL_MS,
    }


def _check_headers(message: Message, headers: Mapping[str, str], version: object) -> None:
    """Refuse headers that say something else than the body: a proxy may have gone by them."""
    expected = {"mcp-protocol-version": version, "mcp-method": message.method}
    name = message.params.get(_NAMED_BY.get(message.method, ""))
    if name is not None:
        expected["mcp-name"] = name
    for header, value in expected.items():
        if _decoded(headers.get(header, "").strip()) != value:
            raise RpcError(HEADER_MISMATCH, f"The header {header} does not match the body.")


def _decoded(value: str) -> str | None:
    encoded = _ENCODED.fullmatch(value)
    if encoded is None:
        return value
    try:
        return base64.b64decode(encoded[1], validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return None
