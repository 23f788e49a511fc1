"""Messages between a confined process and the engine.

JSON with bytes as {"base64": text}, in frames of `multiprocessing`. JSON, since that process may be taken over by a
hostile program: nothing that it sends is more than data.
"""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

_MOST_BYTES: Final = 24 * 1024 * 1024
"""An object of 16 MiB in base64: the cases of a judge run. Ten messages of 1 MiB together are smaller."""


def send(connection: Connection, message: dict[str, Any]) -> None:
    """Send one message."""
    connection.send_bytes(json.dumps(message, separators=(",", ":"), default=_encode).encode())


def receive(connection: Connection) -> dict[str, Any]:
    """Receive one message. Raises EOFError at the end, OSError for one that is too large, ValueError."""
    try:
        message = json.loads(connection.recv_bytes(_MOST_BYTES), object_hook=_decode)
    except (TypeError, RecursionError) as error:  # base64 that is no text, or a value nested too deeply
        raise ValueError("no message") from error
    if not isinstance(message, dict):
        raise ValueError("a message must be an object")  # noqa: TRY004 - as for other wrong messages
    return message


def _encode(value: Any) -> dict[str, str]:
    if not isinstance(value, bytes | bytearray):
        raise TypeError(f"a message holds no {type(value).__name__}")
    return {"base64": base64.b64encode(value).decode()}


def _decode(value: dict[str, Any]) -> Any:
    return base64.b64decode(value["base64"], validate=True) if value.keys() == {"base64"} else value
