"""One message of JSON-RPC 2.0, and its answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from functions.errors import BadRequestError
from functions.http.strict_json import read_json

if TYPE_CHECKING:
    from collections.abc import Mapping

PARSE_ERROR = -32700
INVALID_REQUEST = -32600
METHOD_NOT_FOUND = -32601
INVALID_PARAMS = -32602
SERVICE_ERROR = -32000
RESOURCE_NOT_FOUND = -32002
HEADER_MISMATCH = -32020
MISSING_CAPABILITY = -32021
UNSUPPORTED_VERSION = -32022

type Id = str | int | None


class RpcError(Exception):
    """An error of the protocol. `status`: that of the HTTP answer."""

    def __init__(self, code: int, message: str, data: Mapping[str, Any] | None = None, status: int = 400) -> None:
        super().__init__(message)
        self.code, self.message, self.data, self.status = code, message, data, status


@dataclass(frozen=True, slots=True)
class Message:
    """A request, or without an id a notification."""

    method: str
    params: Mapping[str, Any]
    id: Id = None
    is_notification: bool = False

    @property
    def meta(self) -> Mapping[str, Any]:
        """The field `_meta` of the parameters; empty if it is none."""
        meta = self.params.get("_meta")
        return meta if isinstance(meta, dict) else {}

    def text(self, name: str) -> str:
        """Return a parameter that must be a text. Raises RpcError."""
        value = self.params.get(name)
        if not isinstance(value, str):
            raise RpcError(INVALID_PARAMS, f"params.{name} must be a string.")
        return value


def read_message(raw: bytes) -> Message:
    """Parse one message. Raises RpcError, also for a batch, which these revisions have not."""
    try:
        body, constants = read_json(raw)
    except BadRequestError as error:
        raise RpcError(PARSE_ERROR, error.message) from None
    if constants:
        raise RpcError(PARSE_ERROR, "The body is not valid JSON: NaN and Infinity are no JSON numbers.")
    if not isinstance(body, dict) or body.get("jsonrpc") != "2.0" or not isinstance(body.get("method"), str):
        raise RpcError(INVALID_REQUEST, "The body must be one JSON-RPC 2.0 request or notification.")
    message_id, params = body.get("id"), body.get("params", {})
    if "id" in body and (isinstance(message_id, bool) or not isinstance(message_id, str | int)):
        raise RpcError(INVALID_REQUEST, "id must be a string or an integer.")
    if not isinstance(params, dict):
        raise RpcError(INVALID_PARAMS, "params must be an object.")
    return Message(body["method"], params, message_id, is_notification="id" not in body)


def result_body(message_id: Id, result: Mapping[str, Any]) -> dict[str, Any]:
    """Return the answer of a request."""
    return {"jsonrpc": "2.0", "id": message_id, "result": result}


def error_body(message_id: Id, error: RpcError) -> dict[str, Any]:
    """Return the answer of a request that failed."""
    described: dict[str, Any] = {"code": error.code, "message": error.message}
    if error.data is not None:
        described["data"] = error.data
    return {"jsonrpc": "2.0", "id": message_id, "error": described}
