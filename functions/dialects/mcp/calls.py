"""The tools. What a model did wrong is a result with `isError`, so that it reads the reason; never a protocol error."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from events.files import CHANGED
from events.vocabulary import Profile, Verdict
from functions.aws.payloads import PayloadMissingError
from functions.dialects.mcp import shown_run
from functions.dialects.mcp.message import INVALID_PARAMS, RpcError
from functions.dialects.mcp.shown_run import open_text, run_data, run_text
from functions.dialects.mcp.tools import TOOLS, WAIT_SECS, CancelRun, ReadArtifact, ReadOutput, RunCode
from functions.dialects.routes import DialectRoutes
from functions.errors import NotFoundError, ServiceError
from functions.http.parameters import uuid
from functions.http.validation import Problems, checked
from functions.submissions.results.views import open_status

if TYPE_CHECKING:
    from collections.abc import Mapping

    from functions.submissions.model import Submission

_CANCEL_WAIT_SECS = 2.0
_PICTURES_MAX_BYTES = 1_048_576
_ARTIFACT_TEXT_MAX_BYTES = 16_384
_TOO_LARGE = "The artifact has {:,} bytes, a resource at most 2 MiB. GET /api/result/{{id}}/artifacts/{{path}} has it."


class Calls(DialectRoutes):
    """The calls of one request."""

    def call(self, name: str, given: Mapping[str, Any]) -> dict[str, Any]:
        """Call any tool but run_code. Raises RpcError for an unknown one."""
        if name not in TOOLS:
            raise RpcError(INVALID_PARAMS, f"There is no such tool. The tools are {', '.join(TOOLS)}.")
        try:
            match checked(TOOLS[name], given):
                case ReadOutput() as read:
                    return self._read_output(read)
                case ReadArtifact() as read:
                    return self._read_artifact(read)
                case CancelRun() as cancel:
                    row = self.deployment.cancellation.cancel(self.run_of(cancel.id))
                    return self.show(self.waited(row, _CANCEL_WAIT_SECS))
                case _:
                    return self._languages()
        except ServiceError as error:
            return failed(error)

    def run_code(self, given: Mapping[str, Any], most_secs: float) -> Submission:
        """Start a program, and wait for its end as long as the arguments say, but at most so. Raises ServiceError."""
        problems = Problems()
        asked = checked(RunCode, given, problems=problems)
        body = asked.model_dump(include={"language", "code", "stdin", "files", "artifacts"}, exclude_none=True)
        network = {"network": {"allow": asked.network}} if asked.network else {}
        run = self.checked({"artifacts": CHANGED, "profile": Profile.AGENT, **body, **network}, problems)
        return self.run(run, min(asked.wait_secs, most_secs))

    def run_of(self, id_text: str) -> Submission:
        """Return a run of the project. Raises NotFoundError, BadRequestError."""
        return self.deployment.results.get(uuid(id_text), self.project.project_id)

    def waited(self, row: Submission, most_secs: float) -> Submission:
        """Wait for the end of a run, and return its row as it is then. Raises NotFoundError."""
        secs = min(most_secs, self.deployment.settings.longest_wait_secs)
        return self.deployment.results.wait(row, secs, self.deployment.long_poll.within(self.app.secs_left))

    def show(self, row: Submission) -> dict[str, Any]:
        """Return a run in any state as the result of a tool."""
        if not row.is_final:
            data = {"id": row.submission_id, "status": open_status(row)}
            return {"content": [_text(open_text(row))], "structuredContent": data}
        stdout, stderr = self.outputs(row)
        return {
            "content": [_text(run_text(row, stdout, stderr)), *self._files(row)],
            "structuredContent": run_data(row, stdout, stderr),
            "isError": row.verdict != Verdict.AC,
        }

    def resource(self, uri: str) -> dict[str, Any]:
        """Return an artifact by its URI. Raises RpcError for a large one, NotFoundError, BadRequestError."""
        found = shown_run.parse_artifact_uri(uri)
        if found is None:
            raise NotFoundError(f"An artifact has a URI such as {shown_run.URI_TEMPLATE}.")
        row = self.run_of(found[0])
        file = _find(row, found[1])
        if file["size"] > shown_run.RESOURCE_MAX_BYTES:
            raise RpcError(INVALID_PARAMS, _TOO_LARGE.format(file["size"]), {"uri": uri})
        return shown_run.resource(uri, file, self._content(row, file))

    def _content(self, row: Submission, file: Mapping[str, Any]) -> bytes:
        try:
            return self.deployment.payloads.get_output(row.submission_id, file["key"], shown_run.RESOURCE_MAX_BYTES)
        except PayloadMissingError:
            raise NotFoundError("The artifact was deleted.") from None

    def _files(self, row: Submission) -> list[dict[str, Any]]:
        """Return the artifacts: small pictures as such, up to a bound in all, and links to the others."""
        shown, left_bytes = [], _PICTURES_MAX_BYTES
        for file in row.stored_artifacts:
            if not shown_run.is_picture(file) or file["size"] > left_bytes:
                shown.append(shown_run.link(row.submission_id, file))
                continue
            left_bytes -= file["size"]
            try:
                shown.append(shown_run.picture(file, self._content(row, file)))
            except NotFoundError:
                continue
        return shown

    def _read_output(self, read: ReadOutput) -> dict[str, Any]:
        row = self.run_of(read.id)
        if read.stream is None:
            return self.show(self.waited(row, WAIT_SECS))
        secs = min(float(WAIT_SECS), self.deployment.settings.longest_wait_secs)
        long_poll = self.deployment.long_poll.within(self.app.secs_left)
        part = self.deployment.live_output.read(row, read.stream, read.offset, secs, long_poll)
        content = part.content[: read.length]
        end = read.offset + len(content)
        is_end = part.is_end and len(content) == len(part.content)
        heading = f"{read.stream}, bytes {read.offset} to {end}. " + ("The end." if is_end else f"More: offset={end}.")
        return {"content": [_text(heading), _text(content.decode(errors="replace"))]}

    def _read_artifact(self, read: ReadArtifact) -> dict[str, Any]:
        row = self.run_of(read.id)
        file = _find(row, read.path)
        if shown_run.is_picture(file):
            return {"content": [shown_run.picture(file, self._content(row, file))]}
        if file["size"] > _ARTIFACT_TEXT_MAX_BYTES:
            said = f"The file is too large to show: {file['size']:,} bytes. Let a program read the part that you need."
            return {"content": [_text(said), shown_run.link(row.submission_id, file)]}
        uri = shown_run.artifact_uri(row.submission_id, file["path"])
        shown = shown_run.resource(uri, file, self._content(row, file))
        return {"content": [_text(shown["text"]) if "text" in shown else {"type": "resource", "resource": shown}]}

    def _languages(self) -> dict[str, Any]:
        details = self.deployment.fleet.toolchains(self.deployment.raised_ceilings)
        languages = [{"name": one["name"], "toolchains": one["toolchains"]} for one in details]
        lines = (f"{one['name']}: {', '.join(one['toolchains']) or 'version not known yet'}" for one in details)
        return {"content": [_text("\n".join(lines))], "structuredContent": {"languages": languages}}


def failed(error: ServiceError) -> dict[str, Any]:
    """Return the refusal of a call as its result."""
    lines = [f"{problem.field}: {problem.message}" for problem in error.fields] or [error.message]
    return {"content": [_text("\n".join(lines))], "isError": True}


def _find(row: Submission, path: str) -> Mapping[str, Any]:
    """Return the artifact with this path, as the row has it. Raises NotFoundError."""
    for file in row.stored_artifacts:
        if file["path"] == path:
            return file
    known = ", ".join(each["path"] for each in row.stored_artifacts[:8])
    raise NotFoundError(f"The run has no artifact {path!r}. It has: {known or 'none'}."[:1_000])


def _text(text: str) -> dict[str, Any]:
    return {"type": "text", "text": text}
