"""SandboxFusion at /sandboxfusion: run a program, and answer with its output and the files that it left.

Its clients know a URL and no key, so the key may stand in the path. They take any status but 200 for a broken service,
and some repeat 504 only: a refusal is a 200 that says SandboxError, and what may go well later is a 504.
"""

import base64
import re
import signal
from collections.abc import Mapping
from typing import Annotated, Any, Final

from aws_lambda_powertools.event_handler import Response
from pydantic import BaseModel, ConfigDict, Field

from events.files import MAX_ARTIFACT_PATTERNS, MAX_FILES, MAX_INLINE_BYTES
from events.limits import ceilings
from events.vocabulary import Language, Phase, Verdict
from functions.aws.payloads import PayloadMissingError, Payloads
from functions.clock import MS_PER_SEC
from functions.dialects import without_heading
from functions.dialects.dialect import (
    READS,
    WITH_FILES_MAX_BYTES,
    Dialect,
    DialectRoutes,
    answering,
    json_answer,
    route,
)
from functions.errors import BadRequestError, FieldProblem, RetryLaterError, ServiceError, TooLargeError
from functions.files.model import DEFAULT_MEDIA_TYPE
from functions.files.use import StoredFiles
from functions.http.json_body import LIST_MAX_BYTES
from functions.http.validation import Problems, Text, checked
from functions.projects.authentication import require_right
from functions.submissions.model import Submission
from functions.submissions.runners.fleet import Fleet, ceilings_of_operator

# A request, as its server takes it. Limits of the compile step are checked, and change nothing.

_LANGUAGES: Final = {
    "python": Language.PYTHON,
    "cpp": Language.CPP,
    "nodejs": Language.JAVASCRIPT,
    "typescript": Language.TYPESCRIPT,
    "go": Language.GO,
    "java": Language.JAVA,
    "rust": Language.RUST,
    "lua": Language.LUA,
    "bash": Language.BASH,
}
_COMPILED: Final = frozenset({Language.CPP, Language.GO, Language.JAVA, Language.RUST})
"""The languages whose compiler has a result of its own there."""
_IGNORED: Final = "IGNORE_THIS_FILE"
_ASSERT = re.compile(r"(?:^|[;{}):])[ \t]*assert\b", re.MULTILINE)
_NO_ASSERT = "Java runs without -ea here, so assert checks nothing. Throw an exception where a check fails."


class RunCode(BaseModel):
    """Times in seconds. `memory_mb` below 1: the default of the language. `files`: contents in base64, by path."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    language: Text
    code: Text = Field(repr=False)
    stdin: Text | None = Field(default=None, repr=False)
    files: dict[Text, Text | None] = Field(default={}, repr=False, max_length=MAX_FILES)
    fetch_files: list[Text] = Field(default=[], max_length=MAX_ARTIFACT_PATTERNS)
    run_timeout: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 10
    compile_timeout: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 10
    memory_mb: int = Field(default=-1, alias="memory_limit_MB")


_THEIR_NAMES: Final = {
    "limits.wall_time_secs": "run_timeout",
    "limits.memory_mb": "memory_limit_MB",
    "artifacts": "fetch_files",
}


def _failure(error: ServiceError) -> dict[str, Any]:
    """Return the answer to a request that is refused."""
    said = [f"{_their_name(one.field)}: {one.message}" for one in error.fields] or [error.message]
    return {**_EMPTY, "status": "SandboxError", "message": " ".join(said)}


def _their_name(field: str) -> str:
    name = field.partition("[")[0]
    return _THEIR_NAMES.get(name, name) + field[len(name) :]


# The answer of a run. Its server starts programs without a shell: a fatal signal is a negative return code.

_EMPTY: Final[dict[str, Any]] = {"compile_result": None, "run_result": None, "executor_pod_name": None, "files": {}}
_FINISHED, _TIMED_OUT = "Finished", "TimeLimitExceeded"


def _ran(row: Submission, language: Language, stdout: bytes, stderr: bytes) -> dict[str, Any]:
    """Return a final run, without files."""
    ended = _command(row, stdout, without_heading(row.language, stderr))
    results: dict[str, Any] = {"run_result": ended}
    if language in _COMPILED:
        secs = ((row.metrics or {}).get("compile_ms") or 0) / MS_PER_SEC
        if row.result["phase"] == Phase.COMPILE:
            results = {"compile_result": {**ended, "execution_time": secs}}
        else:
            warnings = str((row.compilation or {}).get("stderr", ""))
            done = {"status": _FINISHED, "execution_time": secs, "return_code": 0, "stdout": "", "stderr": warnings}
            results["compile_result"] = done
    is_good = "run_result" in results and ended["return_code"] == 0
    return {**_EMPTY, "status": "Success" if is_good else "Failed", "message": "", **results}


def _command(row: Submission, stdout: bytes, stderr: bytes) -> dict[str, Any]:
    is_late = row.verdict == Verdict.TLE
    return {
        "status": _TIMED_OUT if is_late else _FINISHED,
        "execution_time": (row.metrics or {}).get("wall_time_secs"),
        "return_code": None if is_late else _return_code(row),
        "stdout": stdout.decode(errors="replace"),
        "stderr": stderr.decode(errors="replace"),
    }


def _return_code(row: Submission) -> int:
    if row.verdict == Verdict.AC:
        return 0
    if (number := row.result.get("signal")) is not None:
        return -int(number)
    code = row.result.get("exit_code")
    return -signal.SIGKILL if code is None else int(code)


class SandboxFusionRoutes(DialectRoutes):
    """The routes. All raise ServiceError."""

    body_max_bytes = WITH_FILES_MAX_BYTES

    def run_code(self) -> Response[str]:
        """Run a program, and answer with its output."""
        try:
            return json_answer(self._run_code())
        except RetryLaterError:
            raise
        except ServiceError as error:
            return json_answer(_failure(error))

    def _run_code(self) -> dict[str, Any]:
        problems = Problems()
        asked = checked(RunCode, self.body, problems=problems)
        language = _LANGUAGES.get(asked.language)
        if language is None or language not in self.env[Fleet].languages():
            offered = ", ".join(name for name, one in _LANGUAGES.items() if one in self.env[Fleet].languages())
            problems.add([FieldProblem("language", f"It is not offered here. Offered: {offered}.")])
            language = Language.PYTHON
        if language is Language.JAVA and _ASSERT.search(asked.code):
            problems.add([FieldProblem("code", _NO_ASSERT)])
        names = {_place(path): path for path in asked.fetch_files}
        body = self._translated(asked, language, list(names))
        files = {_place(path): text for path, text in asked.files.items() if text is not None and _IGNORED not in path}
        if sum(map(len, files.values())) * 3 // 4 > MAX_INLINE_BYTES:  # about, because it is base64
            problems.refuse()
            body["files"] = self._stored(files)
        else:
            body["files"] = [{"path": path, "content_base64": text} for path, text in files.items()]
        row = self.finished(self.checked(body, problems))
        answer = _ran(row, language, *self.outputs(row))
        return {**answer, "files": self._fetched(row, names)} if names else answer

    def _translated(self, asked: RunCode, language: Language, fetched: list[str]) -> dict[str, Any]:
        """Return the body of POST /api/submit without files. Threads may use CPU time up to the ceiling."""
        most = ceilings(language, self.profile, self.env[ceilings_of_operator])
        memory = {"memory_mb": min(asked.memory_mb, most.memory_mb)} if asked.memory_mb > 0 else {}
        return {
            "language": language,
            "profile": self.profile,
            "code": asked.code or "\n",
            "stdin": asked.stdin,
            "limits": {"wall_time_secs": asked.run_timeout, "cpu_time_secs": most.cpu_time_secs, **memory},
            **({"artifacts": fetched} if fetched else {}),
        }

    def _stored(self, files: Mapping[str, str]) -> list[dict[str, str]]:
        """Store files that are too large for a message, as the project's own. Raises ServiceError."""
        require_right(self.app.current_event, "files")
        try:
            contents = [(path, base64.b64decode(text, validate=True)) for path, text in files.items()]
        except ValueError:
            raise BadRequestError("files: a content is not base64.") from None
        store = self.env[StoredFiles].store
        return [{"path": path, "sha256": store(self.project, raw, DEFAULT_MEDIA_TYPE).sha256} for path, raw in contents]

    def _fetched(self, row: Submission, names: Mapping[str, str]) -> dict[str, str]:
        """Return the files that the program left, in base64, by the names of the request. A missing one is left out."""
        found = [artifact for artifact in row.stored_artifacts if artifact["path"] in names]
        if sum(artifact["size"] for artifact in found) * 4 // 3 > LIST_MAX_BYTES:
            raise TooLargeError(f"The files are too large for one answer, which has at most {LIST_MAX_BYTES:,} bytes.")
        contents = {}
        for artifact in found:
            try:
                content = self.env[Payloads].get_output(row.submission_id, artifact["key"], LIST_MAX_BYTES)
            except PayloadMissingError:  # the run was deleted meanwhile
                continue
            contents[names[artifact["path"]]] = base64.b64encode(content).decode()
        return contents


def _place(path: str) -> str:
    return path.removeprefix("./")


_OTHER_STATUS: Final = {429: 504, 503: 504}
_NO_JUPYTER: Final[dict[str, Any]] = {
    "status": "SandboxError",
    "message": "run_jupyter is not offered: no interpreter stays alive between cells. Send one program to run_code.",
    "driver": None,
    "cells": [],
    "executor_pod_name": None,
    "files": {},
}


def _error(status: int, said: Mapping[str, Any]) -> tuple[int, dict[str, str]]:
    return _OTHER_STATUS.get(status, status), {"detail": said["message"]}


SANDBOX_FUSION = Dialect(
    "sandboxfusion",
    ("authorization",),
    _error,
    SandboxFusionRoutes,
    [
        row
        for base in ("/sandboxfusion", "/sandboxfusion/{key}")
        for row in (
            route(f"POST {base}/run_code", SandboxFusionRoutes.run_code, ("run",), "by_default"),
            route(f"POST {base}/run_jupyter", answering(_NO_JUPYTER), ("run",)),
            route(f"GET {base}/v1/ping", answering("pong"), READS),
        )
    ],
)
