"""Check a submission of Judge0 as its server does, and translate it.

Problems are lists of sentences by field, as its own: `{"cpu_time_limit": ["must be greater than 0"]}`.
"""

from __future__ import annotations

import base64
import binascii
import io
import shlex
import zipfile
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from functions.dialects.judge0.config import DEFAULTS, MAX_OPTION_CHARS
from functions.dialects.judge0.kept_request import KeptRequest
from functions.dialects.judge0.languages import IDS
from functions.errors import FieldProblem, InvalidFieldsError
from functions.messages.files import MAX_FILES, MAX_INLINE_BYTES

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

_KB_PER_MB = 1024
_MAX_OUTPUT_KB = 1024
_LIMITS = {
    "cpu_time_limit": "cpu_time_secs",
    "wall_time_limit": "wall_time_secs",
    "memory_limit": "memory_mb",
    "stack_limit": "stack_mb",
    "max_processes_and_or_threads": "max_processes",
    "max_file_size": "file_size_mb",
}
"""Our limit of each of its limits. Those in KB become whole MB, rounded up."""
_IN_KB = frozenset({"memory_limit", "stack_limit", "max_file_size"})
_NEVER = (
    "enable_per_process_and_thread_time_limit",
    "enable_per_process_and_thread_memory_limit",
    "redirect_stderr_to_stdout",
    "enable_network",
)
_FIELDS = {
    "code": "source_code",
    "args": "command_line_arguments",
    "compile_args": "compiler_options",
    "files": "additional_files",
    "webhook_url": "callback_url",
    "limits.output_kb": "max_file_size",
} | {f"limits.{ours}": name for name, ours in _LIMITS.items()}


@dataclass(frozen=True, slots=True)
class Translated:
    """A submission as the body of POST /api/submit. `stdin`: its bytes, which need not be text."""

    body: dict[str, Any] = field(repr=False)
    stdin: bytes = field(repr=False)
    callback_url: str | None = field(repr=False)


def translated(sent: Mapping[str, Any], offered: Collection[str], profile: str, *, is_base64: bool) -> Translated:
    """Check and translate one submission. Raises InvalidFieldsError with Judge0's names of fields."""
    return _Reader(sent, is_base64=is_base64).translated(offered, profile)


def judge0_problems(fields: list[Mapping[str, str]]) -> dict[str, list[str]]:
    """Return problems of fields by Judge0's names."""
    found: dict[str, list[str]] = {}
    for problem in fields:
        place = problem["field"]
        known = next((name for ours, name in _FIELDS.items() if place == ours or place.startswith(f"{ours}.")), place)
        found.setdefault(known, []).append(problem["message"])
    return found


class _Reader:
    """Reads the fields of one submission, and collects their problems."""

    def __init__(self, sent: Mapping[str, Any], *, is_base64: bool) -> None:
        self._sent = sent
        self._is_base64 = is_base64
        self._problems: list[FieldProblem] = []

    def translated(self, offered: Collection[str], profile: str) -> Translated:
        language = self._language(offered)
        source, stdin = self._content("source_code"), self._content("stdin") or b""
        expected, callback_url = self._content("expected_output"), self._text("callback_url")
        if not source:
            self._refuse("source_code", "can't be blank")
        body = {
            "language": language,
            "profile": profile,
            "code": self._utf8("source_code", source or b""),
            "compile_args": self._words("compiler_options"),
            "args": self._words("command_line_arguments"),
            "files": self._files(),
            "limits": self._limits(),
        }
        for name in _NEVER:
            if self._sent.get(name) not in (None, False, "", "false", 0):
                self._refuse(name, "this option cannot be enabled")
        if self._number("number_of_runs") not in (None, 1):
            self._refuse("number_of_runs", "must be less than or equal to 1")
        kept = KeptRequest.of(self._sent, expected)
        if self._problems:
            raise InvalidFieldsError(tuple(self._problems))
        return Translated(body | {"metadata": kept.metadata}, stdin, callback_url)

    def _refuse(self, name: str, message: str) -> None:
        self._problems.append(FieldProblem(name, message))

    def _language(self, offered: Collection[str]) -> str:
        sent = self._sent.get("language_id")
        if sent in (None, ""):
            self._refuse("language_id", "can't be blank")
            return ""
        names = [name for name, number in IDS.items() if str(number) == str(sent) and name in offered]
        if not names:
            self._refuse("language_id", f"language with id {str(sent)[:20]} doesn't exist")
        return next(iter(names), "")

    def _text(self, name: str) -> str | None:
        value = self._sent.get(name)
        if value is not None and not isinstance(value, str):
            self._refuse(name, "is not a string")
            return None
        return value or None

    def _content(self, name: str) -> bytes | None:
        text = self._text(name)
        if text is None or not self._is_base64:
            return None if text is None else text.encode(errors="surrogatepass")
        return self._decoded(name, text)

    def _decoded(self, name: str, text: str) -> bytes:
        try:
            return base64.b64decode("".join(text.split()), validate=True)
        except (binascii.Error, ValueError):
            self._refuse(name, "is not base64")
            return b""

    def _utf8(self, name: str, raw: bytes) -> str:
        try:
            return raw.decode()
        except UnicodeDecodeError:
            self._refuse(name, "is not UTF-8")
            return ""

    def _words(self, name: str) -> list[str]:
        text = self._text(name) or ""
        if len(text) > MAX_OPTION_CHARS:
            self._refuse(name, f"is too long (maximum is {MAX_OPTION_CHARS} characters)")
            return []
        try:
            return shlex.split(text)
        except ValueError:
            self._refuse(name, "has an open quotation mark")
            return []

    def _number(self, name: str) -> float | None:
        value = self._sent.get(name)
        if value is None or value == "":
            return None
        if isinstance(value, int | float | str) and not isinstance(value, bool):
            with suppress(ValueError, OverflowError):
                return float(value)
        self._refuse(name, "is not a number")
        return None

    def _limits(self) -> dict[str, float]:
        limits: dict[str, float] = {name: DEFAULTS[name] for name in ("cpu_time_limit", "wall_time_limit")}
        for name in (*_LIMITS, "cpu_extra_time"):
            value = self._number(name)
            if value is None:
                continue
            if not 0 < value < float("inf") and not (name == "cpu_extra_time" and value == 0):
                self._refuse(name, "must be greater than 0")
            elif name in _LIMITS:
                limits[name] = value
        ours: dict[str, float] = {
            _LIMITS[name]: -(-value // _KB_PER_MB) if name in _IN_KB else value for name, value in limits.items()
        }
        if "max_file_size" in limits:
            ours["output_kb"] = min(-(-limits["max_file_size"] // 1), _MAX_OUTPUT_KB)
        return ours

    def _files(self) -> list[dict[str, str]]:
        """Return the files of the zip in `additional_files`, which is always base64."""
        text = self._text("additional_files")
        if text is None:
            return []
        try:
            with zipfile.ZipFile(io.BytesIO(self._decoded("additional_files", text))) as archive:
                entries = [entry for entry in archive.infolist() if not entry.is_dir()]
                if len(entries) > MAX_FILES or sum(entry.file_size for entry in entries) > MAX_INLINE_BYTES:
                    self._refuse("additional_files", f"has over {MAX_FILES} files or {MAX_INLINE_BYTES:,} bytes")
                    return []
                return [
                    {"path": entry.filename, "content_base64": base64.b64encode(_read(archive, entry)).decode()}
                    for entry in entries
                ]
        except (zipfile.BadZipFile, NotImplementedError, RuntimeError, ValueError, OSError, EOFError):
            self._refuse("additional_files", "is not a zip archive that this service reads")
            return []


def _read(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> bytes:
    """Return the content of a file. Raises ValueError if it is longer than its entry says."""
    with archive.open(entry) as file:
        content = file.read(entry.file_size + 1)
    if len(content) > entry.file_size:
        raise ValueError
    return content
