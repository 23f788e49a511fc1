"""One message of JSON-RPC 2.0, its answer, and the revision of the protocol that it uses."""

import base64
import binascii
import re
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, ValidationError

from events.vocabulary import CANCELLATIONS
from functions.clock import MS_PER_SEC, from_rfc3339
from functions.errors import BadRequestError
from functions.http.validation import Text, read_json
from functions.submissions.model import Submission

PARSE_ERROR = -32700
INVALID_REQUEST = -32600
METHOD_NOT_FOUND = -32601
INVALID_PARAMS = -32602
SERVICE_ERROR = -32000
RESOURCE_NOT_FOUND = -32002
HEADER_MISMATCH = -32020
MISSING_CAPABILITY = -32021
UNSUPPORTED_VERSION = -32022

_HALF_A_PAIR = re.compile("[\ud800-\udfff]")

type Id = str | int | None


class RpcError(Exception):
    """An error of the protocol. `status`: that of the HTTP answer."""

    def __init__(self, code: int, message: str, data: Mapping[str, Any] | None = None, status: int = 400) -> None:
        super().__init__(message)
        self.code, self.message, self.data, self.status = code, message, data, status


class Message(BaseModel):
    """A request, or without an id a notification."""

    model_config = ConfigDict(strict=True, frozen=True, hide_input_in_errors=True)

    jsonrpc: Literal["2.0"]
    method: Text
    id: int | Text = ""
    params: dict[str, Any] = {}

    @property
    def is_notification(self) -> bool:
        """Whether it has no id, and so no answer."""
        return "id" not in self.model_fields_set

    @property
    def meta(self) -> Mapping[str, Any]:
        """The field `_meta` of the parameters; empty if it is none."""
        meta = self.params.get("_meta")
        return meta if isinstance(meta, dict) else {}

    def text(self, name: str) -> str:
        """Return a parameter that must be a text. Raises RpcError."""
        value = self.params.get(name)
        if not isinstance(value, str) or _HALF_A_PAIR.search(value):
            raise RpcError(INVALID_PARAMS, f"params.{name} must be a string of whole characters.")
        return value


def read_message(raw: bytes) -> Message:
    """Parse one message. Raises RpcError, also for a batch, which these revisions have not."""
    try:
        body, constants = read_json(raw)
    except BadRequestError as error:
        raise RpcError(PARSE_ERROR, error.message) from None
    if constants:
        raise RpcError(PARSE_ERROR, "The body is not valid JSON: NaN and Infinity are no JSON numbers.")
    try:
        return Message.model_validate(body)
    except ValidationError as error:
        if error.errors()[0]["loc"] == ("params",):
            raise RpcError(INVALID_PARAMS, "params must be an object.") from None
        raise RpcError(INVALID_REQUEST, "The body must be one JSON-RPC 2.0 request or notification.") from None


def result_body(message_id: Id, result: Mapping[str, Any]) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": message_id, "result": result}


def error_body(message_id: Id, error: RpcError) -> dict[str, Any]:
    """Return the answer of a request that failed."""
    data = {} if error.data is None else {"data": error.data}
    return {"jsonrpc": "2.0", "id": message_id, "error": {"code": error.code, "message": error.message, **data}}


# The revision of the protocol that a request uses.
#
# Up to 2025-11-25 a client says it once, in `initialize`, and then in a header. From 2026-07-28 on each request says
# it in `_meta` and in headers, which must agree: https://modelcontextprotocol.io/specification/ (basic, transports).
#
# 2025-11-25 has tasks of its own: a client asks for one, and reads its result with tasks/result. For 2026-07-28 they
# are the extension SEP-2663: the service decides, and tasks/get has the result.

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
