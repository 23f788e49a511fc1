"""POST /mcp: one message of JSON-RPC, and one answer. GET and DELETE are 405: the service keeps no session."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from aws_lambda_powertools.event_handler import Response

from events.files import CHANGED
from events.vocabulary import Profile, Verdict
from functions import VERSION
from functions.aws.payloads import PayloadMissingError, Payloads
from functions.dialects.dialect import Dialect, DialectRoutes, refusing, route
from functions.dialects.mcp import message as rpc
from functions.dialects.mcp import tools
from functions.errors import BadRequestError, ForbiddenError, MethodNotAllowedError, NotFoundError, ServiceError
from functions.http.answers import answer
from functions.http.http_event import json_body
from functions.http.long_poll import long_poll
from functions.http.parameters import uuid
from functions.http.validation import Problems, checked
from functions.project_secrets.store import SecretStore
from functions.submissions.cancellation import Cancellation
from functions.submissions.live_output import LiveOutput
from functions.submissions.model import Submission
from functions.submissions.results.results import Results
from functions.submissions.results.views import open_status
from functions.submissions.runners.fleet import Fleet

# The tools. What a model did wrong is a result with `isError`, so that it reads the reason; never a protocol error.

_CANCEL_WAIT_SECS = 2.0
_OPEN = "The run {} has not ended yet. Call read_output with this id for its result, or cancel_run to stop it."
_PICTURES_MAX_BYTES = 1_048_576
_ARTIFACT_TEXT_MAX_BYTES = 16_384
_TOO_LARGE = "The artifact has {:,} bytes, a resource at most 2 MiB. Let a program read the part that you need."
_UPLOAD = re.compile(r"Send [^.]*/api/files[^.]*\.")
_KEEP = (
    "You cannot upload a file with these tools. To reuse a file of an earlier run, pass its sha256 from that run's "
    "artifacts."
)


class Calls(DialectRoutes):
    """The calls of one request."""

    def call(self, name: str, given: Mapping[str, Any]) -> dict[str, Any]:
        """Call any tool but run_code. Raises RpcError for an unknown one."""
        if name not in tools.TOOLS:
            raise rpc.RpcError(rpc.INVALID_PARAMS, f"There is no such tool. The tools are {', '.join(tools.TOOLS)}.")
        try:
            match checked(tools.TOOLS[name], given):
                case tools.ReadOutput() as read:
                    return self._read_output(read)
                case tools.ReadArtifact() as read:
                    return self._read_artifact(read)
                case tools.CancelRun() as cancel:
                    row = self.env[Cancellation].cancel(self.run_of(cancel.id))
                    return self.show(self.waited(row, _CANCEL_WAIT_SECS))
                case _:
                    return self._languages()
        except ServiceError as error:
            return failed(error)

    def run_code(self, given: Mapping[str, Any], most_secs: float) -> Submission:
        """Start a program, and wait for its end as long as the arguments say, but at most so. Raises ServiceError."""
        problems = Problems()
        asked = checked(tools.RunCode, given, problems=problems)
        body = asked.model_dump(include={"language", "code", "stdin", "files", "artifacts"}, exclude_none=True)
        named = {"allow": asked.network, "secrets": asked.secrets}
        network = {"network": named} if asked.network or asked.secrets else {}
        run = self.checked({"artifacts": CHANGED, "profile": Profile.AGENT, **body, **network}, problems)
        return self.run(run, min(asked.wait_secs, most_secs))

    def run_of(self, id_text: str) -> Submission:
        """Return a run of the project. Raises NotFoundError, BadRequestError."""
        return self.env[Results].get(uuid(id_text), self.project.project_id)

    def waited(self, row: Submission, most_secs: float) -> Submission:
        """Wait for the end of a run, and return its row as it is then. Raises NotFoundError."""
        secs = min(most_secs, self.env.settings.longest_wait_secs)
        return self.env[Results].wait(row, secs, self.env[long_poll].within(self.app.secs_left))

    def show(self, row: Submission) -> dict[str, Any]:
        """Return a run in any state as the result of a tool."""
        if not row.is_final:
            data = {"id": row.submission_id, "status": open_status(row)}
            return {"content": [_text(_OPEN.format(row.submission_id))], "structuredContent": data}
        stdout, stderr = self.outputs(row)
        return {
            "content": [_text(tools.run_text(row, stdout, stderr)), *self._files(row)],
            "structuredContent": tools.run_data(row, stdout, stderr),
            "isError": row.verdict != Verdict.AC,
        }

    def resource(self, uri: str) -> dict[str, Any]:
        """Return an artifact by its URI. Raises RpcError for a large one, NotFoundError, BadRequestError."""
        found = tools.parse_artifact_uri(uri)
        if found is None:
            raise NotFoundError(f"An artifact has a URI such as {tools.URI_TEMPLATE}.")
        row = self.run_of(found[0])
        file = _find(row, found[1])
        if file["size"] > tools.RESOURCE_MAX_BYTES:
            raise rpc.RpcError(rpc.INVALID_PARAMS, _TOO_LARGE.format(file["size"]), {"uri": uri})
        return tools.resource(uri, file, self._content(row, file))

    def _content(self, row: Submission, file: Mapping[str, Any]) -> bytes:
        try:
            return self.env[Payloads].get_output(row.submission_id, file["key"], tools.RESOURCE_MAX_BYTES)
        except PayloadMissingError:
            raise NotFoundError("The artifact was deleted.") from None

    def _files(self, row: Submission) -> list[dict[str, Any]]:
        """Return the artifacts: small pictures as such, up to a bound in all, and links to the others."""
        shown, left_bytes = [], _PICTURES_MAX_BYTES
        for file in row.stored_artifacts:
            if not tools.is_picture(file) or file["size"] > left_bytes:
                shown.append(tools.link(row.submission_id, file))
                continue
            left_bytes -= file["size"]
            try:
                shown.append(tools.picture(file, self._content(row, file)))
            except NotFoundError:
                continue
        return shown

    def _read_output(self, read: tools.ReadOutput) -> dict[str, Any]:
        row = self.run_of(read.id)
        if read.stream is None:
            return self.show(self.waited(row, tools.WAIT_SECS))
        secs = min(float(tools.WAIT_SECS), self.env.settings.longest_wait_secs)
        waiting = self.env[long_poll].within(self.app.secs_left)
        part = self.env[LiveOutput].read(row, read.stream, read.offset, secs, waiting)
        content = part.content[: read.length]
        end = read.offset + len(content)
        is_end = part.is_end and len(content) == len(part.content)
        whose = f"{read.stream} of execution {part.execution}" if part.execution else read.stream
        heading = f"{whose}, bytes {read.offset} to {end}. " + ("The end." if is_end else f"More: offset={end}.")
        return {"content": [_text(heading), _text(content.decode(errors="replace"))]}

    def _read_artifact(self, read: tools.ReadArtifact) -> dict[str, Any]:
        row = self.run_of(read.id)
        file = _find(row, read.path)
        if tools.is_picture(file):
            return {"content": [tools.picture(file, self._content(row, file))]}
        if file["size"] > _ARTIFACT_TEXT_MAX_BYTES:
            said = f"The file is too large to show: {file['size']:,} bytes. Let a program read the part that you need."
            return {"content": [_text(said), tools.link(row.submission_id, file)]}
        uri = tools.artifact_uri(row.submission_id, file["path"])
        shown = tools.resource(uri, file, self._content(row, file))
        return {"content": [_text(shown["text"]) if "text" in shown else {"type": "resource", "resource": shown}]}

    def _languages(self) -> dict[str, Any]:
        details = self.env[Fleet].toolchains()
        languages = [{"name": one["name"], "toolchains": one["toolchains"]} for one in details]
        lines = (f"{one['name']}: {', '.join(one['toolchains']) or 'version not known yet'}" for one in details)
        return {"content": [_text("\n".join(lines))], "structuredContent": {"languages": languages}}


def failed(error: ServiceError) -> dict[str, Any]:
    """Return the refusal of a call as its result."""
    # No tool sends a file.
    return {"content": [_text(_UPLOAD.sub(_KEEP, error.text))], "isError": True}


def _find(row: Submission, path: str) -> Mapping[str, Any]:
    """Return the artifact with this path, as the row has it. Raises NotFoundError."""
    if not row.is_final:
        raise NotFoundError("The run has not ended yet. It has files once it has ended: call read_output first.")
    for file in row.stored_artifacts:
        if file["path"] == path:
            return file
    known = ", ".join(each["path"] for each in row.stored_artifacts[:8])
    raise NotFoundError(f"The run has no artifact {path!r}. It has: {known or 'none'}."[:1_000])


def _text(text: str) -> dict[str, Any]:
    return {"type": "text", "text": text}


_INFO = {"name": "rustbox", "title": "Rustbox Serverless", "version": VERSION}
_INSTRUCTIONS = "Runs programs in isolated sandboxes. run_code runs one; its description has the limits."
_TEMPLATE = {
    "uriTemplate": tools.URI_TEMPLATE,
    "name": "artifact",
    "title": "Artifact",
    "description": "A file that a run has left in its working directory.",
}
_CAPABILITIES: dict[str, Any] = {"tools": {}, "resources": {}}
_TASKS: dict[str, Any] = {"extensions": {rpc.TASKS_EXTENSION: {}}}
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
            message = rpc.read_message(json_body(event))
            revision = rpc.revision_of(message, event.headers)
            if message.is_notification:
                return Response(status_code=202, body="")
            return answer(rpc.result_body(message.id, _Request(self, message, revision).answer()))
        except rpc.RpcError as error:
            # Clients of earlier revisions expect the errors of methods in an answer with 200.
            is_of_method = revision is not None and not revision.is_stateless
            body = rpc.error_body(message.id if message else None, error)
            return answer(body, _OK if is_of_method else error.status)

    def _check_origin(self, origin: str | None) -> None:
        """Refuse a page of another site: https://modelcontextprotocol.io/specification/ (transports, security)."""
        settings = self.env.settings
        if settings.origins_are_checked or origin in settings.dialect_origins:
            return
        try:
            host = None if origin is None else urlsplit(origin).hostname or ""
        except ValueError:
            host = ""
        if host not in {None, *_LOOPBACK, urlsplit(settings.public_base_url).hostname}:
            raise ForbiddenError("Requests from pages of other sites are refused. Call /mcp without an Origin header.")


@dataclass(frozen=True, slots=True)
class _Request:
    """A request with its calls. Methods return the result of JSON-RPC. Raise RpcError and ServiceError."""

    calls: Calls
    message: rpc.Message
    revision: rpc.Revision

    def answer(self) -> dict[str, Any]:
        """Call the method that the message names."""
        name, is_stateless = self.message.method, self.revision.is_stateless
        methods = _STATELESS if is_stateless else _HANDSHAKE
        if name not in methods:
            raise rpc.RpcError(rpc.METHOD_NOT_FOUND, f"There is no method {name[:100]}.", status=404)
        result = methods[name](self)
        if not is_stateless:
            return result
        hints = _CACHE_HINTS if name in _CACHEABLE else {}
        return {"resultType": "complete", "_meta": {"io.modelcontextprotocol/serverInfo": _INFO}, **hints, **result}

    def initialize(self) -> dict[str, Any]:
        asked = self.message.params.get("protocolVersion")
        return {
            "protocolVersion": asked if asked in rpc.HANDSHAKE_VERSIONS else rpc.HANDSHAKE_VERSIONS[-1],
            "capabilities": _CAPABILITIES | {"tasks": {"cancel": {}, "requests": {"tools": {"call": {}}}}},
            "serverInfo": _INFO,
            "instructions": _INSTRUCTIONS,
        }

    def discover(self) -> dict[str, Any]:
        return {
            "supportedVersions": list(rpc.STATELESS_VERSIONS),
            "capabilities": _CAPABILITIES | _TASKS,
            "instructions": _INSTRUCTIONS,
        }

    def tools(self) -> dict[str, Any]:
        fleet, project = self.calls.env[Fleet], self.calls.project
        may_use = "secrets" in self.calls.app.current_event.granted
        known = self.calls.env[SecretStore].list_all(project.project_id) if may_use else []
        secrets = {secret.name: secret.sealed.target for secret in known}
        return {"tools": tools.tool_list(fleet.languages(), project.network, fleet.packages, secrets)}

    def read_resource(self) -> dict[str, Any]:
        uri = self.message.text("uri")
        try:
            return {"contents": [self.calls.resource(uri)]}
        except (BadRequestError, NotFoundError):
            code = rpc.INVALID_PARAMS if self.revision.is_stateless else rpc.RESOURCE_NOT_FOUND
            raise rpc.RpcError(code, "There is no such resource.", {"uri": uri}) from None

    def call_tool(self) -> dict[str, Any]:
        name, given = self.message.text("name"), self.message.params.get("arguments") or {}
        if not isinstance(given, dict):
            raise rpc.RpcError(rpc.INVALID_PARAMS, "params.arguments must be an object.")
        if name != "run_code":
            return self.calls.call(name, given)
        is_asked_task = not self.revision.is_stateless and isinstance(self.message.params.get("task"), dict)
        secs = 0.0 if is_asked_task else _TASK_AFTER_SECS if self.revision.has_tasks else tools.WAIT_SECS
        try:
            row = self.calls.run_code(given, secs)
        except ServiceError as error:
            return failed(error)
        if is_asked_task:
            return {"task": rpc.task_body(row, self.revision)}
        if self.revision.has_tasks and not row.is_final:
            return {"resultType": "task", **rpc.task_body(row, self.revision)}
        return self.calls.show(row)

    def get_task(self) -> dict[str, Any]:
        row = self._task_row()
        task = rpc.task_body(row, self.revision)
        if self.revision.is_stateless and task["status"] == "completed":
            task["result"] = self.calls.show(row)
        return task

    def task_result(self) -> dict[str, Any]:
        row = self.calls.waited(self._task_row(), tools.WAIT_SECS)
        if not row.is_final:
            raise rpc.RpcError(rpc.SERVICE_ERROR, "The run has not ended yet. Ask again.")
        return {**self.calls.show(row), "_meta": {rpc.RELATED_TASK: {"taskId": row.submission_id}}}

    def cancel_task(self) -> dict[str, Any]:
        row = self.calls.env[Cancellation].cancel(self._task_row())
        return {} if self.revision.is_stateless else rpc.task_body(row, self.revision)

    def update_task(self) -> dict[str, Any]:
        self._task_row()  # a run never asks for input
        return {}

    def _task_row(self) -> Submission:
        if self.revision.is_stateless and not self.revision.has_tasks:
            message = f"Declare the extension {rpc.TASKS_EXTENSION}."
            raise rpc.RpcError(rpc.MISSING_CAPABILITY, message, {"requiredCapabilities": _TASKS})
        try:
            return self.calls.run_of(self.message.text("taskId"))
        except (BadRequestError, NotFoundError):
            raise rpc.RpcError(rpc.INVALID_PARAMS, "There is no such task.") from None


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
    return status, rpc.error_body(None, rpc.RpcError(rpc.SERVICE_ERROR, said["message"], {"error": said["error"]}))


MCP = Dialect(
    "mcp",
    ("authorization",),
    _error,
    McpRoutes,
    (
        route("POST /mcp", McpRoutes.message, ("run",), "by_default"),
        route("GET /mcp", refusing(MethodNotAllowedError, ("POST",)), ("run",)),
        route("DELETE /mcp", refusing(MethodNotAllowedError, ("POST",)), ("run",)),
    ),
)
