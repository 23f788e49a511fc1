"""A submission as Judge0 shows it, with the requested fields only."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

from events.vocabulary import Cause, Phase, Verdict
from functions.dialects.compiler_text import without_heading
from functions.dialects.judge0.config import DECIMALS, DEFAULTS, IDS, KEPT, KeptRequest, name_of
from functions.errors import BadRequestError

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
SOURCES = frozenset({"source_code", "stdin"})
"""What a client sent. It is read only for answers that show it."""
_NOT_KEPT = ("expected_output", "additional_files")
_OUTPUTS = ("stdout", "stderr", "compile_output", "message")
_MEASURES = ("time", "wall_time", "memory", "exit_code", "exit_signal")
_TEXTS = {*SOURCES, *_OUTPUTS, "expected_output"}
FIELDS = (
    *DEFAULT_FIELDS,
    *sorted(SOURCES),
    *_NOT_KEPT,
    *KEPT,
    *("language_id", "language", "status_id", "callback_url"),
    *("created_at", "finished_at", "wall_time", "exit_code", "exit_signal"),
)
_LEFT_OUT = DEFAULTS | {name: str(DEFAULTS[name]) for name in DECIMALS}
_OF_VERDICT: dict[str, int] = {Verdict.IE: 13, Verdict.TLE: 5, Verdict.FSE: 8}
_SIGNALS = {6: 10, 8: 9, 11: 7, 25: 8}
_BASE64_LINE = 60
_NOT_UTF8 = "some attributes for this submission cannot be converted to UTF-8, use base64_encoded=true query parameter"
_IS_CUT = "The output is too long for a callback, so it was not compared. Read the submission."


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


def submission_body(
    one: Mapping[str, Any], texts: Mapping[str, bytes | None], fields: tuple[str, ...], *, is_base64: bool
) -> dict[str, Any]:
    """Return the fields of a submission. Raises BadRequestError for text that is not UTF-8.

    `one`: an item of our list of results, or the event of a result. `texts`: those of its texts that were read.
    """
    kept, number = KeptRequest.from_metadata(one["metadata"]), IDS.get(one["language"])
    body = {
        **{name: kept.values.get(name, _LEFT_OUT.get(name)) for name in KEPT},
        **texts,
        **_end(one, texts, kept),
        "token": one["id"],
        "created_at": one["timestamps"]["created_at"],
        "finished_at": one["timestamps"]["completed_at"],
        "callback_url": one.get("callback_url"),
        "language_id": number,
        "language": {"id": number, "name": name_of(one["language"])},
    }
    if kept.expected is not None or kept.sha256 is None:
        body["expected_output"] = kept.expected
    missing = [name for name in fields if name not in body]
    if missing and fields != FIELDS:
        raise BadRequestError(f"{', '.join(missing)} of this submission is not kept: leave it out of fields")
    shown = {name: body[name] for name in fields if name in body}
    return {name: _written(v, is_base64=is_base64) if name in _TEXTS else v for name, v in shown.items()}


def callback_body(event: Mapping[str, Any]) -> dict[str, Any]:
    """Return the default fields in base64, as Judge0 sends them."""
    texts = {name: event["output"][name].encode() for name in ("stdout", "stderr")}
    texts["compile_output"] = event.get("compile", {}).get("stderr", "").encode()
    return submission_body(event, texts, DEFAULT_FIELDS, is_base64=True)


def _end(one: Mapping[str, Any], texts: Mapping[str, bytes | None], kept: KeptRequest) -> dict[str, Any]:
    result, metrics = one["result"], one["metrics"] or {}
    if result is None:
        status = 2 if one["status"] == "running" else 1
        return {**dict.fromkeys((*_OUTPUTS, *_MEASURES)), **_status_fields(status)}
    stdout = texts["stdout"] or b""
    status = _status(result, kept, None if "truncated_in_event" in one.get("output", {}) else stdout)
    ended = {"message": _message(result, status).encode(), **_status_fields(status)}
    if result["phase"] == Phase.COMPILE:
        output = without_heading(one["language"], texts["stderr"] or b"")
        return {**dict.fromkeys((*_OUTPUTS, *_MEASURES)), "compile_output": output, **ended}
    memory = metrics.get("memory_peak_bytes")
    return {
        **ended,
        "time": _secs(metrics.get("cpu_time_secs")),
        "wall_time": _secs(metrics.get("wall_time_secs")),
        "memory": None if memory is None else memory // 1024,
        "exit_code": result.get("exit_code"),
        "exit_signal": result.get("signal"),
    }


def _status_fields(number: int) -> dict[str, Any]:
    return {"status_id": number, "status": {"id": number, "description": STATUSES[number]}}


def _status(result: Mapping[str, Any], kept: KeptRequest, stdout: bytes | None) -> int:
    """Return the status of a final submission. `stdout` None: it is cut."""
    verdict, signal = result["verdict"], result.get("signal")
    if result["phase"] == Phase.COMPILE and verdict != Verdict.IE:
        return 6
    if result["cause"] == Cause.OLE_OUTPUT_LIMIT:
        return 8
    if verdict in _OF_VERDICT:
        return _OF_VERDICT[verdict]
    if verdict == Verdict.AC:
        return _compared(kept, stdout)
    if signal is not None:
        return _SIGNALS.get(signal, 12)
    return 11 if result.get("exit_code") else 12


def _compared(kept: KeptRequest, stdout: bytes | None) -> int:
    """Return the status of a program that has ended well. An output that is cut is neither right nor wrong."""
    if stdout is None and kept.sha256 is not None:
        return 13
    return 3 if kept.accepts(stdout or b"") else 4


def _message(result: Mapping[str, Any], status: int) -> str:
    if status == 13:  # noqa: PLR2004 - see STATUSES
        return str(result.get("error_message") or _IS_CUT)
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
            raise BadRequestError(_NOT_UTF8) from None
    text = base64.b64encode(raw).decode()
    return "".join(f"{text[start : start + _BASE64_LINE]}\n" for start in range(0, len(text), _BASE64_LINE))
