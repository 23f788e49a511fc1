"""One message of JSON-RPC 2.0, and its answer."""

import re
from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from functions.errors import BadRequestError
from functions.http.strict_json import read_json
from functions.http.validation import Text

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
    """Return the answer of a request."""
    return {"jsonrpc": "2.0", "id": message_id, "result": result}


def error_body(message_id: Id, error: RpcError) -> dict[str, Any]:
    """Return the answer of a request that failed."""
    data = {} if error.data is None else {"data": error.data}
    return {"jsonrpc": "2.0", "id": message_id, "error": {"code": error.code, "message": error.message, **data}}
