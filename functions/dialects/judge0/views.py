"""Judge0's names and units: its configuration, its ids of our languages, and a submission as it shows it."""

import base64
import hashlib
from collections.abc import Mapping
from typing import Any, Final, Self

from pydantic import Base64Bytes, BaseModel, ConfigDict, Field, FiniteFloat, ValidationError

from events.limits import Ceilings
from events.vocabulary import LANGUAGES, Cause, Language, Phase, Verdict
from functions.dialects import without_heading
from functions.errors import BadRequestError
from functions.http.validation import METADATA_MAX_BYTES

# The service's configuration and languages, in Judge0's names and units (seconds, KB).

MAX_BATCH = 20
MAX_OPTION_CHARS = 512
DEFAULTS: dict[str, Any] = {
    "cpu_time_limit": 5.0,
    "cpu_extra_time": 0.0,
    "wall_time_limit": 10.0,
    "memory_limit": 262_144,
    "stack_limit": 65_536,
    "max_processes_and_or_threads": 10,
    "enable_per_process_and_thread_time_limit": False,
    "enable_per_process_and_thread_memory_limit": False,
    "max_file_size": 1024,
    "number_of_runs": 1,
    "redirect_stderr_to_stdout": False,
    "enable_network": False,
}
"""The values of a submission that leaves them out. Memory, stack and processes are then those of the language."""
DECIMALS = ("cpu_time_limit", "cpu_extra_time", "wall_time_limit")
"""Numbers that a submission shows as text."""


def config_info(most: Ceilings, max_queue_size: int) -> dict[str, Any]:
    return {
        "maintenance_mode": False,
        "enable_wait_result": True,
        "enable_compiler_options": True,
        "allowed_languages_for_compile_options": [],
        "enable_command_line_arguments": True,
        "enable_submission_delete": False,
        "enable_callbacks": True,
        "callbacks_max_tries": 10,
        "callbacks_timeout": 15.0,
        "enable_additional_files": True,
        "max_queue_size": max_queue_size,
        **DEFAULTS,
        "max_cpu_time_limit": float(most.cpu_time_secs),
        "max_cpu_extra_time": 5.0,
        "max_wall_time_limit": float(most.wall_time_secs),
        "max_memory_limit": most.memory_mb * 1024,
        "max_stack_limit": most.memory_mb * 1024,
        "max_max_processes_and_or_threads": MOST_PROCESSES,
        "allow_enable_per_process_and_thread_time_limit": False,
        "allow_enable_per_process_and_thread_memory_limit": False,
        "max_max_file_size": 102_400,
        "max_number_of_runs": 1,
        "allow_enable_network": False,
        "max_extract_size": 256,
        "enable_batched_submissions": True,
        "max_submission_batch_size": MAX_BATCH,
        "submission_cache_duration": 0.0,
        "use_docs_as_homepage": False,
    }


LANGUAGE_OF = {number: language.value for language, row in LANGUAGES.items() for number in row.judge0_ids}
"""Our language by its ids: of its versions, which are one here. One without an id is not offered here."""
MOST_PROCESSES = 1024


def source_file(language: str) -> str:
    return "Main.java" if language == Language.JAVA else f"solution{LANGUAGES[Language(language)].suffixes[0]}"


# The part of a request that its answers repeat. It is one entry in the metadata of the submission.

KEPT = (*DEFAULTS, "compiler_options", "command_line_arguments")
_FIRST_IDS = {str(row.judge0_ids[0]) for row in LANGUAGES.values() if row.judge0_ids}
_KEY: Final = "judge0"
_BLANKS = b" \t\n\v\f\r\0"


class KeptRequest(BaseModel):
    """The limits and options of a request, and its `language_id` if it is not the first one of the language.

    `sha256`: of its expected output without trailing blanks. `expected`: that output, where it is short enough for the
    metadata.
    """

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    values: dict[str, str | bool | int | FiniteFloat] = {}
    sha256: str | None = None
    expected: Base64Bytes | None = Field(default=None, repr=False)

    @classmethod
    def of(cls, sent: Mapping[str, Any], expected: bytes | None) -> Self:
        """Return what is kept of a valid request without blank fields."""
        values = {name: str(float(sent[name])) if name in DECIMALS else sent[name] for name in KEPT if name in sent}
        if str(sent.get("language_id", "")) not in {"", *_FIRST_IDS}:
            values["language_id"] = int(sent["language_id"])
        if expected is None:
            return cls(values=values)
        whole = cls(values=values, sha256=digest(expected), expected=base64.b64encode(expected))
        is_short = len(_KEY) + len(whole.metadata[_KEY].encode()) <= METADATA_MAX_BYTES
        return whole if is_short else whole.model_copy(update={"expected": None})

    @classmethod
    def from_metadata(cls, metadata: Mapping[str, str]) -> Self:
        """Return what a submission has kept; nothing of one from another protocol."""
        try:
            return cls.model_validate_json(metadata.get(_KEY, "{}"))
        except ValidationError:  # the metadata of a client of the API
            return cls()

    @property
    def metadata(self) -> dict[str, str]:
        """The entry, without what the request left out."""
        present = self.model_dump_json(exclude_defaults=True)
        return {} if present == "{}" else {_KEY: present}

    def accepts(self, stdout: bytes) -> bool:
        return self.sha256 is None or digest(stdout) == self.sha256


def digest(output: bytes) -> str:
    """Return the SHA-256 of an output without blanks at the ends of its lines and at its own end."""
    lines = b"\n".join(line.rstrip(_BLANKS) for line in output.split(b"\n"))
    return hashlib.sha256(lines.rstrip(_BLANKS)).hexdigest()


# A submission as Judge0 shows it, with the requested fields only.

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
ARCHIVES = ("additional_files", "post_execution_filesystem")
PROGRAM = frozenset({"source_code", "stdin", *ARCHIVES})
"""What a client sent, and the files after the run. They are read only for answers that show them."""
_OUTPUTS = ("stdout", "stderr", "compile_output", "message")
_MEASURES = ("time", "wall_time", "memory", "exit_code", "exit_signal")
_TEXTS = {"source_code", "stdin", *_OUTPUTS, "expected_output"}
FIELDS = (
    *DEFAULT_FIELDS,
    *("source_code", "stdin", "expected_output"),
    *ARCHIVES,
    *KEPT,
    *("language_id", "language", "status_id", "callback_url"),
    *("created_at", "finished_at", "wall_time", "exit_code", "exit_signal"),
)
"""All of version 1.13.1, and the one more that its official client knows: it fails at any other."""
_HOSTS = ("queue_host", "execution_host")
_NAMED = {*FIELDS, "queued_at", "started_at", "updated_at", *_HOSTS}
"""Those of later versions are shown to clients that name them."""
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
    if unknown := [name[:64] for name in names if name not in _NAMED]:
        raise BadRequestError(f"invalid fields: [{', '.join(unknown[:10])}]")
    return names


def submission_body(
    one: Mapping[str, Any], texts: Mapping[str, bytes | None], fields: tuple[str, ...], *, is_base64: bool
) -> dict[str, Any]:
    """Return the fields of a submission. Raises BadRequestError for text that is not UTF-8.

    `one`: an item of our list of results, or the event of a result. `texts`: those of its texts that were read.
    """
    kept, times = KeptRequest.from_metadata(one["metadata"]), one["timestamps"]
    number = kept.values.get("language_id")
    if not isinstance(number, int) or LANGUAGE_OF.get(number) != one["language"]:  # or metadata of a client of the API
        number = next(iter(LANGUAGES[Language(one["language"])].judge0_ids), None)
    if kept.values.get("redirect_stderr_to_stdout") and (one["result"] or {}).get("phase") != Phase.COMPILE:
        texts = {**texts, "stdout": (texts.get("stdout") or b"") + (texts.get("stderr") or b""), "stderr": None}
    body = {
        **{name: kept.values.get(name, _LEFT_OUT.get(name)) for name in KEPT},
        **dict.fromkeys((*PROGRAM, *_HOSTS)),
        **texts,
        **_end(one, texts, kept),
        "token": one["id"],
        "created_at": times["created_at"],
        "queued_at": times["created_at"],
        "started_at": times.get("started_at"),
        "updated_at": times["completed_at"] or times.get("started_at") or times["created_at"],
        "finished_at": times["completed_at"],
        "callback_url": one.get("callback_url"),
        "language_id": number,
        "language": {"id": number, "name": LANGUAGES[Language(one["language"])].title},
    }
    if kept.expected is not None or kept.sha256 is None:
        body["expected_output"] = kept.expected
    missing = [name for name in fields if name not in body]
    if missing and fields != FIELDS:
        raise BadRequestError(f"{', '.join(missing)} of this submission is not kept: leave it out of fields")
    shown = {name: body[name] for name in fields if name in body}
    texts_as = dict.fromkeys(_TEXTS, is_base64) | dict.fromkeys(ARCHIVES, True)
    return {name: _written(v, is_base64=texts_as[name]) if name in texts_as else v for name, v in shown.items()}


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
