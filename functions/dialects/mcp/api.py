"""The table of MCP's routes. GET and DELETE are 405: the service keeps no session and sends nothing by itself."""

from functions.dialects.dialect import row
from functions.dialects.mcp.routes import McpRoutes
from functions.http.route import Route

MCP_ROUTES: tuple[Route[McpRoutes], ...] = (
    row("POST", "/mcp", McpRoutes.message),
    row("GET", "/mcp", McpRoutes.refuse),
    row("DELETE", "/mcp", McpRoutes.refuse),
)
