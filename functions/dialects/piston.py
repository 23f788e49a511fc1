"""Piston v2 at /piston: its API is synchronous and keeps nothing."""

import base64
import math
import re
import signal
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from aws_lambda_powertools.event_handler import Response

from events.compile_args import PATTERNS
from events.files import new_path_problem
from events.limits import Ceilings, RaisedCeilings, ceilings
from events.vocabulary import LANGUAGES, Cause, Integrity, Language, Phase, Profile, Verdict, canonical
from functions.clock import MS_PER_SEC
from functions.dialects import without_heading
from functions.dialects.dialect import READS, Dialect, DialectRoutes, answering, json_answer, refusing, route
from functions.errors import BadRequestError, ForbiddenError
from functions.submissions.model import Submission
from functions.submissions.runners.fleet import Fleet, ceilings_of_operator

type End = tuple[int | None, str | None, str | None, str | None]


# Ranges of versions as npm's semver has them: https://github.com/npm/node-semver#ranges.

type Version = tuple[int, ...]
"""Of three numbers."""

_MAX_CHARS = 128
_NUMBER = r"(\d{1,9}|[xX*])"
_COMPARATOR = re.compile(rf"(\^|~>?|[<>]=?|=)?v?{_NUMBER}(?:\.{_NUMBER})?(?:\.{_NUMBER})?", re.ASCII)
_BLANKS = re.compile(r"(?<=[\^~<>=])\s+")
_HYPHEN = re.compile(r"\s*(\S+)\s+-\s+(\S+)\s*")
_LOWEST, _ABOVE_ALL = (0, 0, 0), (10**9, 0, 0)


def version_of(text: str) -> Version:
    """Return a whole version, such as 3.13.5."""
    return tuple(map(int, text.split(".")))


def is_in_range(version: Version, text: str) -> bool:
    """Whether a version is in a range. None is in a range that cannot be read."""
    return len(text) <= _MAX_CHARS and any(_is_in_all(version, part) for part in text.split("||"))


def _is_in_all(version: Version, part: str) -> bool:
    if hyphen := _HYPHEN.fullmatch(part):
        part = f">={hyphen[1]} <={hyphen[2]}"
    found = [_COMPARATOR.fullmatch(word) for word in _BLANKS.sub("", part).split()]
    return all(one is not None and _compares(version, one[1] or "", one.groups()[1:]) for one in found)


def _compares(version: Version, operator: str, parts: tuple[str | None, ...]) -> bool:
    numbers: list[int] = []
    for part in parts:
        if part is None or not part.isdigit():
            break
        numbers.append(int(part))
    low, above = (*numbers, 0, 0, 0)[:3], _above(numbers)
    if operator == "^":
        fixed = next((place for place, number in enumerate(numbers) if number), len(numbers) - 1)
        above = _above(numbers[: fixed + 1])
    elif operator in {"~", "~>"}:
        above = _above(numbers[:2])
    elif operator in {">", ">="}:
        low, above = (above if operator == ">" else low), _ABOVE_ALL
    elif operator in {"<", "<="}:
        low, above = _LOWEST, (low if operator == "<" else above)
    return low <= version < above


def _above(numbers: list[int]) -> Version:
    """Return the first version above all that begin with these numbers."""
    return (*numbers[:-1], numbers[-1] + 1, 0, 0)[:3] if numbers else _ABOVE_ALL


_VERSION = re.compile(r"\d+(?:\.\d+){0,2}")
_MORE_ALIASES = {
    Language.PYTHON: ["py3", "python3"],
    Language.C: ["gcc"],
    Language.CPP: ["g++"],
    Language.JAVASCRIPT: ["node-javascript", "node-js"],
    Language.TYPESCRIPT: ["node-ts", "tsc"],
    Language.GO: ["golang"],
}
"""Those of its packages that are none of ours."""


class Runtime(NamedTuple):
    """One version of a language, such as 3.13.5; 0.0.0 until a runner has reported its toolchains."""

    language: Language
    version: str

    @property
    def name(self) -> str:
        """Piston's name of the language."""
        return "c++" if self.language is Language.CPP else self.language.value

    @property
    def aliases(self) -> list[str]:
        """Its other names."""
        names = [self.language.value, *LANGUAGES[self.language].aliases, *_MORE_ALIASES.get(self.language, ())]
        return [name for name in names if name != self.name]


def runtimes(fleet: Fleet) -> list[Runtime]:
    """Return one runtime for each toolchain version; several during an upgrade of the fleet."""
    return [one for language in fleet.languages() for one in _runtimes_of(fleet, language)]


def find(fleet: Fleet, name: str, versions: str) -> Runtime | None:
    """Return the latest runtime of a language, by any of its names, in a range of versions."""
    language = canonical(name) or next((one for one, names in _MORE_ALIASES.items() if name in names), None)
    if language is None or language not in fleet.languages():
        return None
    fitting = [one for one in _runtimes_of(fleet, language) if is_in_range(version_of(one.version), versions)]
    return max(fitting, key=lambda one: version_of(one.version), default=None)


def _runtimes_of(fleet: Fleet, language: Language) -> list[Runtime]:
    versions = sorted({_version(text) for text in fleet.toolchain_versions(language)})
    return [Runtime(language, version) for version in versions or ["0.0.0"]]


def _version(toolchain: str) -> str:
    """Return the first version in the text of a toolchain, such as 3.13.5 of `Python 3.13.5`."""
    found = _VERSION.search(toolchain)
    numbers = map(int, found[0].split(".")) if found else ()
    return ".".join(map(str, [*numbers, 0, 0, 0][:3]))


# A request is checked in the order and with the messages of Piston's server.

_MS_PER_SEC, _BYTES_PER_MIB = 1000, 1_048_576
_DEFAULT_RUN_MS = 3000
_COMPILE_MS, _COMPILE_CPU_MS = 30_000, 15_000
"""The limits of our compile steps. A request cannot lower them."""


def chosen_runtime(body: Mapping[str, Any], fleet: Fleet) -> Runtime:
    """Check the shape of a request; return the runtime that it names. Raises BadRequestError."""
    for name in ("language", "version"):
        _require(isinstance(body.get(name), str) and body[name], f"{name} is required as a string")
    _require(isinstance(body.get("files"), list), "files is required as an array")
    for index, file in enumerate(body["files"]):
        is_text = isinstance(file, dict) and isinstance(file.get("content"), str)
        _require(is_text, f"files[{index}].content is required as a string")
    runtime = find(fleet, body["language"], body["version"])
    if runtime is None:
        raise BadRequestError(f"{body['language']}-{body['version']} runtime is unknown")
    return runtime


def translated(body: Mapping[str, Any], runtime: Runtime, profile: Profile, raised: RaisedCeilings) -> dict[str, Any]:
    """Return the body of POST /api/submit for a request whose shape is right. Raises BadRequestError."""
    files = [_file(index, file) for index, file in enumerate(body["files"])]
    program = next((file for file in files if "content" in file), None)
    if program is None:
        raise BadRequestError("files must include at least one utf8 encoded file")
    stdin, args = body.get("stdin") or "", body.get("args") or []
    _require(isinstance(stdin, str), "stdin must be a string")
    are_texts = isinstance(args, list) and all(isinstance(arg, str) for arg in args)
    _require(are_texts, "args must be an array of strings")
    return {
        "language": runtime.language,
        "profile": profile,
        "code": program["content"] or "\n",
        "files": [file for file in files if file is not program],
        "stdin": stdin if stdin.endswith("\n") else stdin + "\n",
        "args": args,
        "limits": _limits(body, ceilings(runtime.language, profile, raised)),
    }


def _file(index: int, file: Mapping[str, Any]) -> dict[str, str]:
    path, content, encoding = file.get("name") or f"file{index}.code", file["content"], file.get("encoding") or "utf8"
    problem = new_path_problem(path) if isinstance(path, str) else "The name must be a string."
    _require(problem is None, f"files[{index}].name: {problem}")
    if encoding == "utf8":
        return {"path": path, "content": content}
    try:
        if encoding == "base64":
            raw = base64.b64decode(content, validate=True)
        else:  # as there, a file of any other encoding is not a source, and its content is text
            raw = bytes.fromhex(content) if encoding == "hex" else content.encode()
    except ValueError:
        raise BadRequestError(f"files[{index}].content is not {encoding}") from None
    return {"path": path, "content_base64": base64.b64encode(raw).decode()}


def _limits(body: Mapping[str, Any], most: Ceilings) -> dict[str, float]:
    highest = {
        "compile_memory_limit": -1,
        "run_memory_limit": -1,
        "compile_timeout": _COMPILE_MS,
        "run_timeout": most.wall_time_secs * _MS_PER_SEC,
        "compile_cpu_time": _COMPILE_CPU_MS,
        "run_cpu_time": most.cpu_time_secs * _MS_PER_SEC,
    }
    asked = {name: _number(body, name, limit) for name, limit in highest.items()}
    limits: dict[str, float] = {
        "wall_time_secs": (asked["run_timeout"] or _DEFAULT_RUN_MS) / _MS_PER_SEC,
        "cpu_time_secs": (asked["run_cpu_time"] or _DEFAULT_RUN_MS) / _MS_PER_SEC,
    }
    if asked["run_memory_limit"] > 0:
        max_bytes = min(asked["run_memory_limit"], most.memory_mb * _BYTES_PER_MIB)
        limits["memory_mb"] = math.ceil(max_bytes / _BYTES_PER_MIB)
    return limits


def _number(body: Mapping[str, Any], name: str, limit: int) -> float:
    value: float = body.get(name) or 0
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    _require(is_number, f"If specified, {name} must be a number")
    if limit > 0:
        _require(value <= limit, f"{name} cannot exceed the configured limit of {limit}")
        _require(value >= 0, f"{name} must be non-negative")
    return value


def _require(holds: object, message: str) -> None:
    if not holds:
        raise BadRequestError(message)


_KILLED = "SIGKILL"
_SHELL_SIGNAL = 128
"""Its packages run under a shell, which exits with this number more than the signal of its program."""


def executed(row: Submission, runtime: Runtime, stdout: bytes, stderr: bytes) -> dict[str, Any]:
    stderr = without_heading(row.language, stderr)
    metrics = row.metrics or {}
    run = _stage(stdout.decode(errors="replace"), stderr.decode(errors="replace"), _end(row), metrics)
    body = {"run": run, "language": runtime.name, "version": runtime.version}
    if row.result["phase"] == Phase.COMPILE:
        return {"compile": run, **body}
    if row.language not in PATTERNS:
        return body
    compile_ms, warnings = metrics.get("compile_ms"), str((row.compilation or {}).get("stderr", ""))
    took = {} if compile_ms is None else dict.fromkeys(("cpu_time_secs", "wall_time_secs"), compile_ms / MS_PER_SEC)
    return {"compile": _stage("", warnings, (0, None, None, None), took), **body}


def _stage(stdout: str, stderr: str, end: End, metrics: Mapping[str, Any]) -> dict[str, Any]:
    """Return a step: its output, and how it ended. Times in ms, memory in bytes."""
    code, ended_by, status, message = end
    return {
        "signal": ended_by,
        "stdout": stdout,
        "stderr": stderr,
        "code": code,
        "output": stdout + stderr,
        "memory": metrics.get("memory_peak_bytes"),
        "message": message,
        "status": status,
        "cpu_time": _ms(metrics.get("cpu_time_secs")),
        "wall_time": _ms(metrics.get("wall_time_secs")),
    }


def _end(row: Submission) -> End:
    """Return code, signal, status and message."""
    verdict, code, number = row.verdict, row.result.get("exit_code"), row.result.get("signal")
    if row.result["cause"] == Cause.OLE_OUTPUT_LIMIT or row.integrity == Integrity.TRUNCATED_BY_JUDGE_LIMIT:
        is_stdout = row.stdout_size_bytes >= row.stderr_size_bytes
        return None, _KILLED, *(("OL", "stdout length exceeded") if is_stdout else ("EL", "stderr length exceeded"))
    if verdict == Verdict.TLE:
        clock = " (wall clock)" if row.result["cause"] == Cause.TLE_WALL_JUDGE else ""
        return None, _KILLED, "TO", f"Time limit exceeded{clock}"
    if verdict == Verdict.AC or (code == 0 and number is None):
        return 0, None, None, None
    if code is None and (verdict == Verdict.MLE or number == signal.SIGKILL):
        return None, _KILLED, "SG", "Caught fatal signal 9"
    if code is None and number is not None:
        code = _SHELL_SIGNAL + number
    return code, None, "RE", f"Exited with error status {code}"


def _ms(secs: float | None) -> int | None:
    return None if secs is None else round(secs * MS_PER_SEC)


class PistonRoutes(DialectRoutes):
    """The routes. All raise ServiceError."""

    def runtimes(self) -> Response[str]:
        """Answer with the languages and their versions."""
        known = runtimes(self.env[Fleet])
        return json_answer([{"language": one.name, "version": one.version, "aliases": one.aliases} for one in known])

    def packages(self) -> Response[str]:
        """Answer with the same: every language is installed."""
        known = runtimes(self.env[Fleet])
        return json_answer(
            [{"language": one.name, "language_version": one.version, "installed": True} for one in known]
        )

    def execute(self) -> Response[str]:
        """Run a program, and answer with its output."""
        body = self.body
        runtime = chosen_runtime(body, self.env[Fleet])
        run = self.checked(translated(body, runtime, self.profile, self.env[ceilings_of_operator]))
        row = self.finished(run)
        return json_answer(executed(row, runtime, *self.outputs(row)))


_OTHER_STATUS: Final = {422: 400}
_NO_PACKAGES = "The languages of this service are part of its runners: no request installs or removes one."


def _error(status: int, said: Mapping[str, Any]) -> tuple[int, dict[str, str]]:
    is_type = said["error"] == "unsupported_media_type"
    message = "requests must be of type application/json" if is_type else said["message"]
    return _OTHER_STATUS.get(status, status), {"message": message}


PISTON = Dialect(
    "piston",
    ("authorization",),
    _error,
    PistonRoutes,
    (
        route("GET /piston", answering({"message": "Piston v3.1.1"}), READS),
        route("POST /piston/api/v2/execute", PistonRoutes.execute, ("run",), "by_default"),
        route("GET /piston/api/v2/runtimes", PistonRoutes.runtimes, READS),
        route("GET /piston/api/v2/packages", PistonRoutes.packages, READS),
        route("POST /piston/api/v2/packages", refusing(ForbiddenError, _NO_PACKAGES), ("run",)),
        route("DELETE /piston/api/v2/packages", refusing(ForbiddenError, _NO_PACKAGES), ("run",)),
    ),
)
