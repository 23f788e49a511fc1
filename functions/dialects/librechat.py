"""LibreChat's code API at /librechat: programs, and the files of a session.

A session is a name in a project. Its files are aliases of stored bytes. They expire a day after they were last written:
by an upload, by a run of the session that made them, or by one that was given them.
Facts: the clients in LibreChat and @librechat/agents, and the tests of LibreCodeInterpreter, a server of this protocol.
"""

import base64
import hashlib
import re
import secrets
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any, Final
from urllib.parse import quote

from aws_lambda_powertools.event_handler import Response
from pydantic import AliasChoices, BaseModel, ConfigDict, Field

from events.files import CHANGED, MAX_FILES, new_path_problem
from events.vocabulary import Cause, Phase, Profile, Verdict
from functions import VERSION
from functions.clock import MS_PER_SEC, to_rfc3339
from functions.dialects import without_heading
from functions.dialects.dialect import READS, Dialect, DialectRoutes, answering, json_answer, route
from functions.errors import BadRequestError, NotFoundError, ServiceError, TooLargeError
from functions.files.aliases import FileAlias, FileAliases
from functions.files.form import FORM_MAX_BYTES, SentFile, read_form
from functions.files.model import ArtifactObject, File
from functions.files.objects import FileObjects
from functions.files.use import StoredFiles
from functions.http.stored_content import DOWNLOAD_KEY, download_headers
from functions.http.validation import Text, checked
from functions.submissions.accept.requests import CODE_MAX_BYTES
from functions.submissions.model import Submission
from functions.submissions.runners.fleet import Fleet

# What a client sends. Its newer versions send fields that this one does not know.

_CONFIG = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)
_WALL_MS = 25_000
"""Of a run at most: its answer comes within the gateway's 30 s."""
_FILE_SIZE: Final = {"file_size_mb": 25}
"""As large as an artifact may be."""

_ID: Final = r"[A-Za-z0-9_-]{1,64}"
Id = Annotated[Text, Field(pattern=f"^{_ID}$")]


class SessionFile(BaseModel):
    """A file of a session. `name`: the path by which the program opens it."""

    model_config = _CONFIG

    id: Id
    session_id: Id = Field(validation_alias=AliasChoices("storage_session_id", "session_id"))
    name: Text


class ExecRequest(BaseModel):
    """The body of /exec and /exec/programmatic. `args`: any JSON. `timeout`: of the run, in milliseconds."""

    model_config = _CONFIG

    lang: Text = "py"
    code: Text = Field(min_length=1, repr=False)
    args: Any = None
    session_id: Id | None = None
    entity_id: Id | None = None
    user_id: Annotated[Text, Field(max_length=256)] | None = None
    files: list[SessionFile] = Field(default=[], max_length=2 * MAX_FILES)
    timeout: Annotated[int, Field(gt=0)] | None = None


def _token(*parts: str) -> str:
    """Return the id that stands for these texts, a random one without any: LibreChat takes just 21 characters."""
    digest = hashlib.sha256("\0".join(parts).encode()).digest() if parts else secrets.token_bytes(16)
    return base64.urlsafe_b64encode(digest).decode()[:21]


# What its answers show.

_NAMESPACE: Final = "librechat/"
_GONE: Final = "There is no such file in this session, or it has expired."


def _checked_id(text: str) -> str:
    """Return an id of a path, which is a part of a sort key. Raises BadRequestError."""
    if not re.fullmatch(_ID, text):
        raise BadRequestError("The id of a session or a file has 1 to 64 letters, digits, - and _.")
    return text


def _namespace(session_id: str) -> str:
    return _NAMESPACE + _checked_id(session_id)


def _in_session(session_id: str) -> dict[str, str]:
    return {"session_id": session_id, "storage_session_id": session_id}


def _ref(session_id: str, alias: FileAlias) -> dict[str, Any]:
    return {"id": alias.alias_id, "name": alias.name, **_in_session(session_id)}


def _summary(session_id: str, alias: FileAlias) -> dict[str, Any]:
    return {"name": f"{session_id}/{alias.alias_id}", "lastModified": to_rfc3339(alias.created_at_ms)}


def _full(session_id: str, alias: FileAlias) -> dict[str, Any]:
    return {
        **_ref(session_id, alias),
        **_summary(session_id, alias),
        "size": alias.size,
        "etag": f'"{alias.sha256}"',
        "contentType": alias.media_type,
        "metadata": {"content-type": alias.media_type, "original-filename": alias.name},
    }


_DETAILS: Final = {"summary": _summary, "simple": _ref, "normalized": _ref}
_REASONS: Final[Mapping[str, str]] = {
    Verdict.TLE: "Execution failed or timed out",
    Verdict.MLE: "Out of memory",
    Verdict.PLE: "Too many processes",
    Verdict.FSE: "A file is too large",
}
"""@librechat/agents shows the first two to its model, and hides sentences that it does not know."""


def _reason(row: Submission) -> str:
    """Return why a final run did not end well; empty if it did."""
    if row.verdict == Verdict.AC:
        return ""
    if row.result["cause"] == Cause.OLE_OUTPUT_LIMIT:
        return "stdout length exceeded" if row.stdout_size_bytes >= row.stderr_size_bytes else "stderr length exceeded"
    number = row.result.get("signal")
    code = f"-{number}" if number is not None else row.result.get("exit_code", "unknown")
    return _REASONS.get(row.verdict or "", f"Sandbox exited with code {code}")


_ROUND: Final[Mapping[str, Any]] = {
    **dict.fromkeys(("session_id", "continuation_token", "error")),
    **dict.fromkeys(("stdout", "stderr"), ""),
    **dict.fromkeys(("tool_calls", "files"), ()),
}
_NO_CALLS: Final = (
    "Programs cannot call tools here, because no run waits for an answer from outside. Call the tools first, and give "
    "the program their results."
)


_CALL: Final = re.compile(r"\b(\w++)\s*+\(")
"""Possessive, so that one search reads each character once."""


def _calls_tool(code: object, tools: object) -> bool:
    """Whether a program seems to call one of the tools, which have a name in Python made of theirs."""
    if not isinstance(code, str) or len(code) > CODE_MAX_BYTES or not isinstance(tools, list):
        return False  # such code is refused later
    names = (one.get("name") for one in tools if isinstance(one, dict))
    called = set(_CALL.findall(code))
    return any(re.sub(r"\W", "_", name) in called for name in names if isinstance(name, str))


class LibreChatRoutes(DialectRoutes):
    """The routes. All raise ServiceError."""

    def exec(self) -> Response[str]:
        """Run a program, and answer with its output and the files that it wrote. A failed run is an answer too."""
        ran, row = self._ran(self.body)
        if (reason := _reason(row)) and (row.verdict != Verdict.RE or not ran["stderr"]):
            ran["stderr"] += f"{reason}\n"
        return json_answer(ran)

    def exec_programmatic(self) -> Response[str]:
        """Run a program that could call tools of its client, and calls none. A refusal is an answer too."""
        try:
            body = self.body
            if "continuation_token" in body or _calls_tool(body.get("code"), body.get("tools")):
                raise BadRequestError(_NO_CALLS)
            ran, row = self._ran(body)
        except ServiceError as error:
            if error.status not in _OF_REQUEST:
                raise
            return json_answer({**_ROUND, "status": "error", "error": error.text, "stderr": error.text})
        reason = _reason(row)
        return json_answer({**_ROUND, **ran, "status": "error" if reason else "completed", "error": reason or None})

    def upload(self) -> Response[str]:
        """Store the files of a form in a new session."""
        session_id = _token()
        kept = [self._stored(session_id, file) for file in self._sent_files()]
        self._put(kept)
        shown = [{"filename": one.name, "fileId": one.alias_id} for one in kept]
        return json_answer({"message": "success", **_in_session(session_id), "files": shown})

    def upload_batch(self) -> Response[str]:
        """Store the files of a form in a new session; say of each whether it is stored."""
        session_id, shown, kept = _token(), list[dict[str, Any]](), list[FileAlias]()
        for file in self._sent_files():
            try:
                kept.append(self._stored(session_id, file))
                shown.append({"status": "success", "filename": file.name, "fileId": kept[-1].alias_id})
            except ServiceError as error:
                shown.append({"status": "error", "filename": file.name, "error": error.message})
        self._put(kept)
        failed = len(shown) - len(kept)
        counts = {"succeeded": len(kept), "failed": failed}
        message = "success" if not failed else "partial" if kept else "error"
        return json_answer({"message": message, **_in_session(session_id), "files": shown, **counts})

    def files(self, session_id: str) -> Response[str]:
        """Answer with the files of a session, the latest of each name; none for an unknown session."""
        shown = _DETAILS.get(self.app.current_event.query_string_parameters.get("detail", ""), _full)
        aliases = self.env[FileAliases].find_all(self.project.project_id, _namespace(session_id))
        latest = {alias.name: alias for alias in aliases}
        return json_answer([shown(session_id, alias) for alias in latest.values()])

    def object(self, session_id: str, file_id: str) -> Response[str]:
        """Answer with the time of a file: LibreChat sends it again when it is old."""
        return json_answer(_summary(session_id, self._alias(session_id, file_id)))

    def download(self, session_id: str, file_id: str) -> Response[Any]:
        """Answer with the bytes of a file, of any size on one machine."""
        alias = self._alias(session_id, file_id)
        found = self.env[StoredFiles].find_object(self.project.project_id, alias.sha256)
        if found is None:
            raise NotFoundError(_GONE)
        headers = download_headers(found.object_key)
        headers["content-disposition"] = f"attachment; filename*=UTF-8''{quote(alias.name.rpartition('/')[2], safe='')}"
        if self.env.settings.serves_files:
            return Response(200, alias.media_type, "", headers=headers)
        if found.size > FORM_MAX_BYTES:
            raise TooLargeError(f"The file has {found.size:,} bytes, an answer at most {FORM_MAX_BYTES:,}.")
        content = self.env[FileObjects].get(found.object_key)
        if content is None:
            raise NotFoundError(_GONE)
        del headers[DOWNLOAD_KEY]
        return Response(200, alias.media_type, content, headers=headers)

    def health(self) -> Response[str]:
        """Answer with the state of the runners."""
        is_healthy = bool(self.env[Fleet].figures(0)["node_id"])
        status = "healthy" if is_healthy else "unhealthy"
        summary = {"total_services": 1, "healthy_services": int(is_healthy)}
        body = {"status": status, "services": {"runners": {"status": status}}, "summary": summary}
        return json_answer(body, 200 if is_healthy else 503)

    def _ran(self, body: Mapping[str, Any]) -> tuple[dict[str, Any], Submission]:
        """Run a program to its end; return what its answer shows, and its row. Raises UnavailableError without one."""
        asked = checked(ExecRequest, body)
        inputs = self._inputs(asked.files)
        args = asked.args if isinstance(asked.args, list) else [asked.args] if asked.args not in (None, "") else []
        request = self.checked(
            {
                "profile": Profile.AGENT,
                "language": asked.lang,
                "code": asked.code,
                "args": [str(arg) for arg in args],
                "files": [{"path": name, "sha256": alias.sha256} for name, alias in inputs.items()],
                "artifacts": CHANGED,
                "limits": {"wall_time_secs": min(asked.timeout or _WALL_MS, _WALL_MS) / MS_PER_SEC, **_FILE_SIZE},
            }
        )
        row = self.finished(request)
        session_id = asked.session_id or (
            _token(self.project.project_id, asked.entity_id, asked.user_id or "") if asked.entity_id else _token()
        )
        stdout, stderr = self.outputs(row)
        if row.result["phase"] == Phase.COMPILE:
            stderr = without_heading(row.language, stderr)
        texts = {"stdout": stdout.decode(errors="replace"), "stderr": stderr.decode(errors="replace")}
        return {"session_id": session_id, "files": self._keep(row, session_id, inputs), **texts}, row

    def _keep(self, row: Submission, session_id: str, inputs: Mapping[str, FileAlias]) -> list[dict[str, Any]]:
        """Put the files of a run into its session, those that it was given too; return those that it wrote."""
        shown, kept = [], dict[str, FileAlias]()
        for artifact in row.stored_artifacts:
            bytes_ = ArtifactObject(artifact["sha256"], artifact["size"], artifact["media_type"], artifact["key"])
            kept[artifact["path"]] = alias = _alias_of(bytes_, session_id, artifact["path"], self.env.clock())
            given = inputs.get(alias.name)
            origin = given and {"id": given.alias_id, **_in_session(given.namespace.removeprefix(_NAMESPACE))}
            shown.append({**_ref(session_id, alias), **({"modified_from": origin} if origin else {})})
        for name, given in inputs.items():
            kept.setdefault(name, _alias_of(given, session_id, name, self.env.clock()))
        self._put(kept.values())
        return shown

    def _inputs(self, files: Sequence[SessionFile]) -> dict[str, FileAlias]:
        """Return the files of a request by their names, of several the last. Raises NotFoundError."""
        known, found = dict[tuple[str, str], FileAlias | None](), dict[str, FileAlias]()
        for file in files:
            place = _namespace(file.session_id), file.id
            if place not in known:
                known[place] = self.env[FileAliases].get(self.project.project_id, *place)
            if (alias := known[place]) is None:
                raise NotFoundError(f"{_GONE} Session {file.session_id}, file {file.id}.")
            found[file.name] = alias
        return found

    def _sent_files(self) -> tuple[SentFile, ...]:
        files = read_form(self.app.current_event)
        if not files:
            raise BadRequestError("The form has no file. Send each as a part with a filename.")
        return files

    def _stored(self, session_id: str, sent: SentFile) -> FileAlias:
        """Store a file, and return its alias, which is not written yet. Raises ServiceError."""
        if (problem := new_path_problem(sent.name)) is not None:
            raise BadRequestError(f"A file has a wrong name. {problem}")
        file = self.env[StoredFiles].store(self.project, sent.content, sent.media_type)
        return _alias_of(file, session_id, sent.name, self.env.clock())

    def _put(self, aliases: Iterable[FileAlias]) -> None:
        self.env[FileAliases].put(self.project.project_id, aliases)

    def _alias(self, session_id: str, file_id: str) -> FileAlias:
        alias = self.env[FileAliases].get(self.project.project_id, _namespace(session_id), _checked_id(file_id))
        if alias is None:
            raise NotFoundError(_GONE)
        return alias


def _alias_of(bytes_: File | ArtifactObject | FileAlias, session_id: str, name: str, now_ms: int) -> FileAlias:
    """Return the alias of bytes in a session. The same bytes under the same name have the same id."""
    return FileAlias.of(_NAMESPACE + session_id, _token(name, bytes_.sha256), name, bytes_, now_ms)


_OF_REQUEST: Final = frozenset({400, 404, 409, 422})


def _error(status: int, said: Mapping[str, Any]) -> tuple[int, dict[str, Any]]:
    if said["error"] == "rate_limited":  # its clients read these two fields
        return status, {**said, "retry_after_seconds": said["retry_after_secs"]}
    return status, {"error": said["message"]}


LIBRECHAT = Dialect(
    "librechat",
    ("x-api-key",),
    _error,
    LibreChatRoutes,
    (
        route("GET /librechat/health", answering({"status": "healthy", "version": VERSION}), (), security=None),
        route("GET /librechat/health/detailed", LibreChatRoutes.health, READS),
        route("POST /librechat/exec", LibreChatRoutes.exec, ("run",), "by_default"),
        route("POST /librechat/exec/programmatic", LibreChatRoutes.exec_programmatic, ("run",), "by_default"),
        route("POST /librechat/upload", LibreChatRoutes.upload, ("files",), read_max_bytes=FORM_MAX_BYTES),
        route("POST /librechat/upload/batch", LibreChatRoutes.upload_batch, ("files",), read_max_bytes=FORM_MAX_BYTES),
        route("GET /librechat/files/{session_id}", LibreChatRoutes.files, READS),
        route("GET /librechat/sessions/{session_id}/objects/{file_id}", LibreChatRoutes.object, READS),
        route("GET /librechat/download/{session_id}/{file_id}", LibreChatRoutes.download, READS),
    ),
)
