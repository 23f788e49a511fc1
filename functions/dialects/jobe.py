"""Jobe at /jobe: the runs of Moodle's CodeRunner. Its API is synchronous, and says most in the outcome of a 200.

A client names files by ids of its own. A run with an unknown one is 404: the client sends the files, and repeats it.
"""

import base64
import math
import re
import shlex
from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

from aws_lambda_powertools.event_handler import Response

from events.compile_args import PATTERNS, compile_arg_problem
from events.files import MAX_FILES
from events.limits import Ceilings, ceilings
from events.vocabulary import Cause, Language, Phase, Verdict
from functions.dialects import without_heading
from functions.dialects.dialect import READS, WITH_FILES_MAX_BYTES, Dialect, DialectRoutes, json_answer, route
from functions.errors import BadRequestError, FilesMissingError, NotFoundError, RetryLaterError
from functions.files.aliases import FileAlias, FileAliases
from functions.files.model import DEFAULT_MEDIA_TYPE
from functions.files.use import StoredFiles
from functions.http.parameters import SUBMIT_MAX_SECS
from functions.submissions.model import Submission
from functions.submissions.runners.fleet import Fleet, ceilings_of_operator

# Languages by Jobe's names; those that Jobe has not have ours.

_THEIR_NAMES: Final = {Language.PYTHON: "python3", Language.JAVASCRIPT: "nodejs"}
_VERSION = re.compile(r"\d+(?:\.\d+)*")


def _name(language: Language) -> str:
    return _THEIR_NAMES.get(language, language.value)


def _version(toolchains: Iterable[str]) -> str:
    found = [_VERSION.search(text) for text in toolchains]
    return next((one[0] for one in reversed(found) if one), "Unknown")


# A request is checked in the order and with the messages of Jobe's server.

_NAMESPACE: Final = "jobe"
_FILE_ID = re.compile(r"[0-9A-Za-z]{8,128}", re.ASCII)
_FILE_NAME = re.compile(r"(?=[-_.]*[0-9A-Za-z])[-_.0-9A-Za-z]+", re.ASCII)
_MISSING = "One or more of the specified files is missing/unavailable"
_CPU_SECS: Final = 5
_LINE_MAX_CHARS: Final = 8_192
_COMPILE_ARGS: Final = {Language.C: ["-Wall", "-Werror", "-std=c99"], Language.CPP: ["-Wall", "-Werror"]}
_NOT_OPTIMISED: Final = "-O0"
"""As there: which warnings gcc has depends on it."""
_LANGUAGE_FLAGS: Final = frozenset({"-x c", "-x c++"})
"""Options that name the language, which is known."""
_NO_OTHER_START: Final = "interpreterargs and main_class are not offered: the sandbox starts programs in one way."


class RunSpec(NamedTuple):
    """A run as a client asks for it. `files`: pairs of its id of a file and the name in the working directory."""

    language: Language
    code: str
    stdin: str
    parameters: Mapping[str, Any]
    files: list[tuple[str, str]]


def _run_spec(body: Mapping[str, Any], offered: Iterable[Language]) -> RunSpec:
    spec = body.get("run_spec")
    if not isinstance(spec, dict):
        raise BadRequestError("No run_spec attribute found in post data")
    for name in ("sourcecode", "language_id"):
        if not isinstance(spec.get(name), str):
            raise BadRequestError(f"run_spec is missing the required attribute '{name}'")
    named = spec["language_id"].lower()
    language = next((one for one in offered if _name(one) == named), None)
    if language is None:
        raise BadRequestError(f"Language '{named[:64]}' is not known")
    stdin, parameters, listed = spec.get("input") or "", spec.get("parameters") or {}, spec.get("file_list") or []
    if not isinstance(stdin, str) or not isinstance(parameters, dict) or not isinstance(listed, list):
        raise BadRequestError("input must be a string, parameters an object, and file_list an array")
    if len(listed) > MAX_FILES:
        raise BadRequestError(f"file_list has at most {MAX_FILES} files")
    return RunSpec(language, spec["sourcecode"], stdin, parameters, [_pair(one) for one in listed])


def _pair(listed: Any) -> tuple[str, str]:
    if not isinstance(listed, list) or len(listed) not in {2, 3} or not all(isinstance(one, str) for one in listed[:2]):
        raise BadRequestError("Invalid file specifier: a pair of its id and its name")
    if not _FILE_ID.fullmatch(listed[0]) or not _FILE_NAME.fullmatch(listed[1]):
        raise BadRequestError(
            "Invalid file specifier: an id has 8 to 128 letters and digits, a name also has -, _ and ."
        )
    return listed[0], listed[1]


def _limits(spec: RunSpec, most: Ceilings) -> dict[str, float]:
    """Return the limits of a run. More than a ceiling is the ceiling, but for the time."""
    cpu_secs = _number(spec, "cputime") or _CPU_SECS
    if cpu_secs > most.cpu_time_secs:
        raise BadRequestError(f"cputime exceeds maximum allowed on this Jobe server ({most.cpu_time_secs} secs)")
    limits: dict[str, float] = {"cpu_time_secs": cpu_secs, "wall_time_secs": min(2 * cpu_secs, most.wall_time_secs)}
    wanted = {
        "file_size_mb": (_number(spec, "disklimit"), most.file_size_mb),
        "output_kb": (_number(spec, "streamsize") * 1024, most.output_kb),
    }
    if spec.language is not Language.JAVA:  # there, the virtual machine has its own limits
        wanted["memory_mb"] = (_number(spec, "memorylimit"), most.memory_mb)
        wanted["max_processes"] = (_number(spec, "numprocs"), most.max_processes)
    return limits | {name: math.ceil(min(number, top)) for name, (number, top) in wanted.items() if number}


def _number(spec: RunSpec, name: str) -> float:
    """Return a parameter, which may be infinite; 0 for one that is left out, is no number, or means no limit."""
    try:
        value = float(str(spec.parameters.get(name) or 0))  # of a text, because float(10**400) is an OverflowError
    except ValueError:
        return 0
    return max(0, value)


def _words(spec: RunSpec, name: str) -> list[str]:
    """Return the words of a parameter that a shell would read."""
    parts = spec.parameters.get(name) or []
    if not isinstance(parts, list) or not all(isinstance(part, str) for part in parts):
        raise BadRequestError(f"{name} must be an array of strings")
    line = " ".join(part for part in parts if part not in _LANGUAGE_FLAGS)
    if len(line) > _LINE_MAX_CHARS:
        raise BadRequestError(f"{name} has more than {_LINE_MAX_CHARS:,} characters")
    try:
        return shlex.split(line)
    except ValueError:
        raise BadRequestError(f"{name} has a quotation that does not end") from None


def _compile_args(spec: RunSpec) -> list[str]:
    """Return the options of the compiler; an interpreter has none, whatever the request says."""
    if spec.language not in PATTERNS:
        return []
    defaults = _COMPILE_ARGS.get(spec.language, [])
    options = _words(spec, "compileargs") if "compileargs" in spec.parameters else defaults
    return [*([_NOT_OPTIMISED] if defaults else []), *options, *_words(spec, "linkargs")]


# The answer of a run. Any text of the compiler is a compilation error, and any text on stderr is a runtime error.

_COMPILATION_ERROR, _RUNTIME_ERROR, _TIME_LIMIT, _SUCCESS = 11, 12, 13, 15
_MEMORY_LIMIT, _ILLEGAL_CALL, _INTERNAL_ERROR, _OVERLOAD = 17, 19, 20, 21
_OF_CAUSE: Final[Mapping[str, int]] = {
    Cause.OLE_OUTPUT_LIMIT: _TIME_LIMIT,
    Cause.SECCOMP_VIOLATION: _ILLEGAL_CALL,
    Cause.IE_HOST_OVERLOADED: _OVERLOAD,
    Cause.IE_NOT_RUN: _OVERLOAD,
}
_OF_VERDICT: Final[Mapping[str, int]] = {
    Verdict.TLE: _TIME_LIMIT,
    Verdict.MLE: _MEMORY_LIMIT,
    Verdict.IE: _INTERNAL_ERROR,
    Verdict.SIG: _RUNTIME_ERROR,
    Verdict.FSE: _RUNTIME_ERROR,
}
_ESCAPES: Final = {byte: f"\\x{byte:02x}" for byte in {*range(256)} - {9, 10, 13, *range(0x20, 0x7F)}}


def _answer(
    outcome: int, *, run_id: str | None = None, cmpinfo: str = "", stdout: str = "", stderr: str = ""
) -> dict[str, Any]:
    return {"run_id": run_id, "outcome": outcome, "cmpinfo": cmpinfo, "stdout": stdout, "stderr": stderr}


def _ran(row: Submission, language: Language, stdout: bytes, stderr: bytes) -> dict[str, Any]:
    errors = _cleaned(without_heading(row.language, stderr))
    warnings = str((row.compilation or {}).get("stderr", ""))
    is_refused = row.result["phase"] == Phase.COMPILE and language is not Language.JAVASCRIPT
    if row.verdict != Verdict.IE and (is_refused or warnings):
        text = (errors if is_refused else warnings) or str(row.result.get("error_message"))
        return _answer(_COMPILATION_ERROR, run_id=row.submission_id, cmpinfo=text)
    outcome = _OF_CAUSE.get(row.result["cause"]) or _OF_VERDICT.get(row.verdict or "")
    if outcome is None:
        outcome = _RUNTIME_ERROR if errors else _SUCCESS
    if outcome == _TIME_LIMIT:
        errors = ""
    elif outcome in {_INTERNAL_ERROR, _OVERLOAD}:
        errors = str(row.result.get("error_message"))
    elif language is Language.JAVA:
        errors = errors.replace("\n\t", "\n        ")
    return _answer(outcome, run_id=row.submission_id, stdout=_cleaned(stdout), stderr=errors)


def _cleaned(raw: bytes) -> str:
    """Return text; bytes that are no UTF-8 with escapes for all that is not printable ASCII."""
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("latin-1").translate(_ESCAPES)


class JobeRoutes(DialectRoutes):
    """The routes. All raise ServiceError."""

    body_max_bytes = WITH_FILES_MAX_BYTES

    def languages(self) -> Response[str]:
        fleet = self.env[Fleet]
        return json_answer([[_name(one), _version(fleet.toolchain_versions(one))] for one in fleet.languages()])

    def run_program(self) -> Response[str]:
        """Run a program, and answer with its outcome."""
        spec = _run_spec(self.body, self.env[Fleet].languages())
        limits = _limits(spec, ceilings(spec.language, self.profile, self.env[ceilings_of_operator]))
        if spec.parameters.get("interpreterargs") or spec.parameters.get("main_class"):
            raise BadRequestError(_NO_OTHER_START)
        options = _compile_args(spec)
        refused = [problem for one in options if (problem := compile_arg_problem(spec.language, one)) is not None]
        if refused:  # there, the compiler itself says so
            return json_answer(_answer(_COMPILATION_ERROR, cmpinfo=refused[0]))
        body = {
            "language": spec.language,
            "profile": self.profile,
            "code": spec.code or "\n",
            "stdin": spec.stdin,
            "args": _words(spec, "runargs"),
            "compile_args": options,
            "files": self._files(spec),
            "limits": limits,
        }
        try:
            row = self.run(self.checked(body), SUBMIT_MAX_SECS)
        except FilesMissingError:
            raise NotFoundError(_MISSING) from None
        except RetryLaterError as full:
            return json_answer(_answer(_OVERLOAD, stderr=full.message))
        if not row.is_final:
            return json_answer(_answer(_OVERLOAD, run_id=row.submission_id, stderr="The run is not finished in time."))
        return json_answer(_ran(row, spec.language, *self.outputs(row)))

    def put_file(self, file_id: str) -> Response[str]:
        """Store a file under the client's id."""
        if not _FILE_ID.fullmatch(file_id):
            raise BadRequestError("An id of a file has 8 to 128 letters and digits")
        text = self.body.get("file_contents")
        if not isinstance(text, str):
            raise BadRequestError("put: missing file_contents parameter")
        try:
            content = base64.b64decode(text, validate=True)
        except ValueError:
            raise BadRequestError(f"put: contents of file {file_id} are not valid base-64") from None
        file = self.env[StoredFiles].store(self.project, content, DEFAULT_MEDIA_TYPE)
        alias = FileAlias.of(_NAMESPACE, file_id, "", file, self.env.clock())
        self.env[FileAliases].put(self.project.project_id, [alias])
        return Response(status_code=204, body="")

    def has_file(self, file_id: str) -> Response[str]:
        alias = self._alias(file_id)
        if self.env[StoredFiles].find(self.project.project_id, alias.sha256) is None:
            raise NotFoundError(_MISSING)
        return Response(status_code=204, body="")

    def _files(self, spec: RunSpec) -> list[dict[str, str]]:
        return [{"path": name, "sha256": self._alias(file_id).sha256} for file_id, name in spec.files]

    def _alias(self, file_id: str) -> FileAlias:
        """Return the file with a client's id. Raises NotFoundError for an unknown one, which the client then sends."""
        known = _FILE_ID.fullmatch(file_id) and self.env[FileAliases].get(self.project.project_id, _NAMESPACE, file_id)
        if not known:
            raise NotFoundError(_MISSING)
        return known


_OTHER_STATUS: Final = {401: 403, 422: 400}
"""CodeRunner takes a 401 for a used-up quota."""


def _error(status: int, said: Mapping[str, Any]) -> tuple[int, str]:
    """Return the message alone, as JSON."""
    return _OTHER_STATUS.get(status, status), said["message"]


_BASE: Final = "/jobe/index.php/restapi"

JOBE = Dialect(
    "jobe",
    ("x-api-key",),
    _error,
    JobeRoutes,
    (
        route(f"GET {_BASE}/languages", JobeRoutes.languages, READS),
        route(f"POST {_BASE}/runs", JobeRoutes.run_program, ("run",), "by_default"),
        route(f"PUT {_BASE}/files/{{id}}", JobeRoutes.put_file, ("files",)),
        route(f"HEAD {_BASE}/files/{{id}}", JobeRoutes.has_file, ("read", "files")),
    ),
)
