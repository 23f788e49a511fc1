"""A submission as Judge0 shows it, with the requested fields only."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from functions.dialects.judge0.config import DECIMALS, DEFAULTS
from functions.dialects.judge0.kept_request import KeptRequest
from functions.dialects.judge0.languages import IDS, name_of
from functions.errors import BadRequestError
from functions.messages.verdict import Cause, Phase, Verdict

if TYPE_CHECKING:
    from collections.abc import Mapping

STATUSES = {
    1: "In Queue",
    2: "Processing",
    3: "Accepted",
    4: "Wrong Answer",
    5: "Time Limit Exceeded",
    6: "Compilation Error",
    7: "Runtime Error (SIGSEGV)",
    8: "Runtime Error (SIGXFSZ)",
    9: "Runtime Error (SIGFPE)",
    10: "Runtime Error (SIGABRT)",
    11: "Runtime Error (NZEC)",
    12: "Runtime Error (Other)",
    13: "Internal Error",
    14: "Exec Format Error",
}
DEFAULT_FIELDS = ("stdout", "time", "memory", "stderr", "token", "compile_output", "message", "status")
_SOURCES = ("source_code", "stdin", "expected_output", "additional_files")
_TEXTS = ("stdout", "stderr", "compile_output", "message")
FIELDS = (
    *DEFAULT_FIELDS,
    *_SOURCES,
    *DEFAULTS,
    *("language_id", "language", "status_id", "compiler_options", "command_line_arguments", "callback_url"),
    *("created_at", "finished_at", "wall_time", "exit_code", "exit_signal"),
)
_NOT_KEPT = ("additional_files", "expected_output")
_OF_VERDICT: dict[str, int] = {Verdict.IE: 13, Verdict.TLE: 5, Verdict.FSE: 8}
_SIGNALS = {6: 10, 8: 9, 11: 7, 25: 8}
_BASE64_LINE = 60
NOT_UTF8 = "some attributes for this submission cannot be converted to UTF-8, use base64_encoded=true query parameter"


@dataclass(frozen=True, slots=True)
class Finished:
    """A submission as its row or its event has it. `result` None: it is not finished.

    `source` and `stdin` None: they were not read.
    """

    token: str
    language: str
    is_running: bool
    created_at: str
    finished_at: str | None
    result: Mapping[str, Any] | None
    metrics: Mapping[str, Any]
    metadata: Mapping[str, str]
    callback_url: str | None = None
    stdout: bytes = field(default=b"", repr=False)
    stderr: bytes = field(default=b"", repr=False)
    compiler_text: bytes = field(default=b"", repr=False)
    is_output_cut: bool = False
    source: bytes | None = field(default=None, repr=False)
    stdin: bytes | None = field(default=None, repr=False)


_OUTPUT_IS_CUT = "The output is too long for a callback, so it was not compared. Read the submission."


def requested_fields(text: str | None) -> tuple[str, ...]:
    """Read `fields`. Raises BadRequestError."""
    if not text:
        return DEFAULT_FIELDS
    names = tuple(dict.fromkeys(name.strip() for name in text.split(",")))
    if "*" in names:
        return FIELDS
    if unknown := [name[:64] for name in names if name not in FIELDS]:
        raise BadRequestError(f"invalid fields: [{', '.join(unknown[:10])}]")
    return names


def submission_body(one: Finished, fields: tuple[str, ...], *, is_base64: bool) -> dict[str, Any]:
    """Return the fields of a submission. Raises BadRequestError for text that is not UTF-8."""
    kept = KeptRequest.from_metadata(one.metadata)
    body = _sources(one, kept, fields) | _limits(kept) | _end(one, kept)
    body |= {"token": one.token, "created_at": one.created_at, "finished_at": one.finished_at}
    body |= {"callback_url": one.callback_url, "language_id": IDS.get(one.language)}
    body["language"] = {"id": IDS.get(one.language), "name": name_of(one.language)}
    shown = {name: body[name] for name in fields if name in body}
    for name in shown.keys() & {*_SOURCES, *_TEXTS}:
        shown[name] = _written(shown[name], is_base64=is_base64)
    return shown


def _sources(one: Finished, kept: KeptRequest, fields: tuple[str, ...]) -> dict[str, Any]:
    """Return what the client sent. A part that is not kept is left out of `*`, and refused if it is named."""
    sources: dict[str, Any] = {"source_code": one.source, "stdin": one.stdin or None}
    if kept.expected is not None or kept.expected_sha256 is None:
        sources["expected_output"] = kept.expected
    missing = [name for name in fields if name in _NOT_KEPT and name not in sources]
    if missing and fields != FIELDS:
        raise BadRequestError(f"{', '.join(missing)} of this submission is not kept: leave it out of fields")
    return sources


def _limits(kept: KeptRequest) -> dict[str, Any]:
    decimals = {name: str(DEFAULTS[name]) for name in DECIMALS}
    return {**DEFAULTS, **decimals, "compiler_options": None, "command_line_arguments": None, **kept.values}


def _end(one: Finished, kept: KeptRequest) -> dict[str, Any]:
    result = one.result
    if result is None:
        status = 2 if one.is_running else 1
        empty = dict.fromkeys((*_TEXTS, "time", "wall_time", "memory", "exit_code", "exit_signal"))
        return {**empty, "status_id": status, "status": {"id": status, "description": STATUSES[status]}}
    status = _status(result, kept, one)
    is_compiled = result["phase"] != Phase.COMPILE
    metrics = one.metrics if is_compiled else {}
    memory = metrics.get("memory_peak_bytes")
    return {
        "stdout": one.stdout if is_compiled else b"",
        "stderr": one.stderr if is_compiled else b"",
        "compile_output": one.compiler_text if is_compiled else one.stderr,
        "message": _message(result, status).encode(),
        "status_id": status,
        "status": {"id": status, "description": STATUSES[status]},
        "time": _secs(metrics.get("cpu_time_secs")),
        "wall_time": _secs(metrics.get("wall_time_secs")),
        "memory": None if memory is None else memory // 1024,
        "exit_code": result.get("exit_code") if is_compiled else None,
        "exit_signal": result.get("signal") if is_compiled else None,
    }


def _status(result: Mapping[str, Any], kept: KeptRequest, one: Finished) -> int:
    verdict, number = result["verdict"], result.get("signal")
    if result["phase"] == Phase.COMPILE and verdict != Verdict.IE:
        return 6
    if result["cause"] == Cause.OLE_OUTPUT_LIMIT:
        return 8
    if verdict in _OF_VERDICT:
        return _OF_VERDICT[verdict]
    if verdict == Verdict.AC:
        return _compared(kept, one)
    if number is not None:
        return _SIGNALS.get(number, 12)
    return 11 if result.get("exit_code") else 12


def _compared(kept: KeptRequest, one: Finished) -> int:
    """Return the status of a program that has ended well. An output that is cut is neither right nor wrong."""
    if one.is_output_cut and kept.expected_sha256 is not None:
        return 13
    return 3 if kept.accepts(one.stdout) else 4


def _message(result: Mapping[str, Any], status: int) -> str:
    if status == 13:  # noqa: PLR2004 - see STATUSES
        return str(result.get("error_message") or _OUTPUT_IS_CUT)
    if result["phase"] == Phase.COMPILE or result["verdict"] == Verdict.AC:
        return ""
    if result["verdict"] == Verdict.TLE:
        return "Time limit exceeded" + (" (wall clock)" if result["cause"] == Cause.TLE_WALL_JUDGE else "")
    if result.get("signal") is not None:
        return f"Caught fatal signal {result['signal']}"
    return f"Exited with error status {result.get('exit_code')}"


def _secs(value: float | None) -> str | None:
    return None if value is None else f"{value:.3f}"


def _written(raw: bytes | None, *, is_base64: bool) -> str | None:
    """Return bytes as text, or as base64 in its server's lines; null if there are none."""
    if not raw:
        return None
    if not is_base64:
        try:
            return raw.decode()
        except UnicodeDecodeError:
            raise BadRequestError(NOT_UTF8) from None
    text = base64.b64encode(raw).decode()
    return "".join(f"{text[start : start + _BASE64_LINE]}\n" for start in range(0, len(text), _BASE64_LINE))
