"""The table of MCP's routes. GET and DELETE are 405: the service keeps no session and sends nothing by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from functions.dialects.mcp.message import SERVICE_ERROR, RpcError, error_body
from functions.dialects.mcp.routes import McpRoutes
from functions.dialects.resolver import Dialect, DialectRoute
from functions.dialects.routes import refusing
from functions.errors import MethodNotAllowedError

if TYPE_CHECKING:
    from collections.abc import Mapping


def _error(status: int, said: Mapping[str, Any]) -> tuple[int, dict[str, Any]]:
    return status, error_body(None, RpcError(SERVICE_ERROR, said["message"], {"error": said["error"]}))


MCP = Dialect(
    "mcp",
    "authorization",
    _error,
    McpRoutes,
    (
        DialectRoute("POST", "/mcp", McpRoutes.message, "by_default"),
        DialectRoute("GET", "/mcp", refusing(MethodNotAllowedError, ("POST",))),
        DialectRoute("DELETE", "/mcp", refusing(MethodNotAllowedError, ("POST",))),
    ),
)
