"""POST /mcp: one message of JSON-RPC, and one answer. GET and DELETE are 405: the service keeps no session."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from aws_lambda_powertools.event_handler import Response

from functions import VERSION
from functions.dialects.mcp.calls import Calls, failed
from functions.dialects.mcp.message import (
    HANDSHAKE_VERSIONS,
    INVALID_PARAMS,
    METHOD_NOT_FOUND,
    MISSING_CAPABILITY,
    RELATED_TASK,
    RESOURCE_NOT_FOUND,
    SERVICE_ERROR,
    STATELESS_VERSIONS,
    TASKS_EXTENSION,
    Message,
    RpcError,
    error_body,
    read_message,
    result_body,
    revision_of,
    task_body,
)
from functions.dialects.mcp.shown_run import URI_TEMPLATE
from functions.dialects.mcp.tools import WAIT_SECS, tool_list
from functions.dialects.resolver import Dialect, DialectRoute
from functions.dialects.routes import refusing
from functions.errors import BadRequestError, ForbiddenError, MethodNotAllowedError, NotFoundError, ServiceError
from functions.http.answers import answer
from functions.http.http_event import json_body

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from functions.dialects.mcp.message import Revision
    from functions.submissions.model import Submission


_INFO = {"name": "rustbox", "title": "Rustbox, serverless", "version": VERSION}
_INSTRUCTIONS = "Runs programs in isolated sandboxes. run_code runs one; its description has the limits."
_TEMPLATE = {
    "uriTemplate": URI_TEMPLATE,
    "name": "artifact",
    "title": "Artifact",
    "description": "A file that a run has left in its working directory.",
}
_CAPABILITIES: dict[str, Any] = {"tools": {}, "resources": {}}
_TASKS: dict[str, Any] = {"extensions": {TASKS_EXTENSION: {}}}
_TASK_AFTER_SECS = 5.0
"""A run that takes longer becomes a task of clients that know the extension."""
_LOOPBACK = ("localhost", "127.0.0.1", "::1")
_OK = 200
_CACHE_HINTS = {"ttlMs": 60_000, "cacheScope": "private"}


class McpRoutes(Calls):
    """The only route."""

    def message(self) -> Response[str]:
        """Answer one message. Raises ServiceError."""
        event = self.app.current_event
        self._check_origin(event.headers.get("origin"))
        message, revision = None, None
        try:
            message = read_message(json_body(event))
            revision = revision_of(message, event.headers)
            if message.is_notification:
                return Response(status_code=202, body="")
            return answer(result_body(message.id, _Request(self, message, revision).answer()))
        except RpcError as error:
            # Clients of earlier revisions expect the errors of methods in an answer with 200.
            is_of_method = revision is not None and not revision.is_stateless
            body = error_body(message.id if message else None, error)
            return answer(body, _OK if is_of_method else error.status)

    def _check_origin(self, origin: str | None) -> None:
        """Refuse a page of another site: https://modelcontextprotocol.io/specification/ (transports, security)."""
        try:
            host = None if origin is None else urlsplit(origin).hostname or ""
        except ValueError:
            host = ""
        if host not in {None, *_LOOPBACK, urlsplit(self.deployment.settings.public_base_url).hostname}:
            raise ForbiddenError("Requests from pages of other sites are refused. Call /mcp without an Origin header.")


@dataclass(frozen=True, slots=True)
class _Request:
    """A request with its calls. Methods return the result of JSON-RPC. Raise RpcError and ServiceError."""

    calls: Calls
    message: Message
    revision: Revision

    def answer(self) -> dict[str, Any]:
        """Call the method that the message names."""
        name, is_stateless = self.message.method, self.revision.is_stateless
        methods = _STATELESS if is_stateless else _HANDSHAKE
        if name not in methods:
            raise RpcError(METHOD_NOT_FOUND, f"There is no method {name[:100]}.", status=404)
        result = methods[name](self)
        if not is_stateless:
            return result
        hints = _CACHE_HINTS if name in _CACHEABLE else {}
        return {"resultType": "complete", "_meta": {"io.modelcontextprotocol/serverInfo": _INFO}, **hints, **result}

    def initialize(self) -> dict[str, Any]:
        asked = self.message.params.get("protocolVersion")
        return {
            "protocolVersion": asked if asked in HANDSHAKE_VERSIONS else HANDSHAKE_VERSIONS[-1],
            "capabilities": _CAPABILITIES | {"tasks": {"cancel": {}, "requests": {"tools": {"call": {}}}}},
            "serverInfo": _INFO,
            "instructions": _INSTRUCTIONS,
        }

    def discover(self) -> dict[str, Any]:
        return {
            "supportedVersions": list(STATELESS_VERSIONS),
            "capabilities": _CAPABILITIES | _TASKS,
            "instructions": _INSTRUCTIONS,
        }

    def tools(self) -> dict[str, Any]:
        fleet = self.calls.deployment.fleet
        return {"tools": tool_list(fleet.languages(), self.calls.project.network, fleet.packages)}

    def read_resource(self) -> dict[str, Any]:
        uri = self.message.text("uri")
        try:
            return {"contents": [self.calls.resource(uri)]}
        except (BadRequestError, NotFoundError):
            code = INVALID_PARAMS if self.revision.is_stateless else RESOURCE_NOT_FOUND
            raise RpcError(code, "There is no such resource.", {"uri": uri}) from None

    def call_tool(self) -> dict[str, Any]:
        name, given = self.message.text("name"), self.message.params.get("arguments") or {}
        if not isinstance(given, dict):
            raise RpcError(INVALID_PARAMS, "params.arguments must be an object.")
        if name != "run_code":
            return self.calls.call(name, given)
        is_asked_task = not self.revision.is_stateless and isinstance(self.message.params.get("task"), dict)
        secs = 0.0 if is_asked_task else _TASK_AFTER_SECS if self.revision.has_tasks else WAIT_SECS
        try:
            row = self.calls.run_code(given, secs)
        except ServiceError as error:
            return failed(error)
        if is_asked_task:
            return {"task": task_body(row, self.revision)}
        if self.revision.has_tasks and not row.is_final:
            return {"resultType": "task", **task_body(row, self.revision)}
        return self.calls.show(row)

    def get_task(self) -> dict[str, Any]:
        row = self._task_row()
        task = task_body(row, self.revision)
        if self.revision.is_stateless and task["status"] == "completed":
            task["result"] = self.calls.show(row)
        return task

    def task_result(self) -> dict[str, Any]:
        row = self.calls.waited(self._task_row(), WAIT_SECS)
        if not row.is_final:
            raise RpcError(SERVICE_ERROR, "The run goes on. Ask again.")
        return {**self.calls.show(row), "_meta": {RELATED_TASK: {"taskId": row.submission_id}}}

    def cancel_task(self) -> dict[str, Any]:
        row = self.calls.deployment.cancellation.cancel(self._task_row())
        return {} if self.revision.is_stateless else task_body(row, self.revision)

    def update_task(self) -> dict[str, Any]:
        self._task_row()  # a run never asks for input
        return {}

    def _task_row(self) -> Submission:
        if self.revision.is_stateless and not self.revision.has_tasks:
            message = f"Declare the extension {TASKS_EXTENSION}."
            raise RpcError(MISSING_CAPABILITY, message, {"requiredCapabilities": _TASKS})
        try:
            return self.calls.run_of(self.message.text("taskId"))
        except (BadRequestError, NotFoundError):
            raise RpcError(INVALID_PARAMS, "There is no such task.") from None


type _Methods = dict[str, Callable[[_Request], dict[str, Any]]]
_SHARED: _Methods = {
    "tools/list": _Request.tools,
    "tools/call": _Request.call_tool,
    "resources/list": lambda _: {"resources": []},
    "resources/templates/list": lambda _: {"resourceTemplates": [_TEMPLATE]},
    "resources/read": _Request.read_resource,
    "tasks/get": _Request.get_task,
    "tasks/cancel": _Request.cancel_task,
}
_HANDSHAKE = _SHARED | {"initialize": _Request.initialize, "ping": lambda _: {}, "tasks/result": _Request.task_result}
_STATELESS = _SHARED | {"server/discover": _Request.discover, "tasks/update": _Request.update_task}
_CACHEABLE = ("server/discover", "tools/list", "resources/list", "resources/templates/list", "resources/read")


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
