"""Check a submission of Judge0, and translate it: our fields under its names.

Problems are lists of sentences by field, as its own: `{"cpu_time_limit": ["must be greater than 0"]}`.
"""

import base64
import binascii
import io
import math
import re
import shlex
import struct
import zipfile
import zlib
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from typing import Annotated, Any

from pydantic import AfterValidator, AliasPath, BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo
from pydantic_core import ValidationError

from events.compile_args import PATTERNS
from events.files import CHANGED, MAX_FILES, MAX_INLINE_BYTES
from events.limits import RaisedCeilings, ceilings
from events.vocabulary import Language, Profile
from functions.dialects.judge0.views import DEFAULTS, LANGUAGE_OF, MAX_OPTION_CHARS, MOST_PROCESSES
from functions.errors import FieldProblem, InvalidFieldsError
from functions.submissions.accept.program_fields import RequestLimits

_KB_PER_MB = 1024
_MAX_OUTPUT_KB = 1024
_BAD_ZIP = (zipfile.BadZipFile, zlib.error, struct.error, RuntimeError, ValueError, OSError, EOFError, OverflowError)
# The other methods have no bound: LZMA takes a dictionary of 4 GB, and 4 KiB of bzip2 become gigabytes.
_METHODS = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}
_SENTENCES = {
    "missing": "can't be blank",
    "string_too_short": "can't be blank",
    "string_unicode": "is not UTF-8",
    "float_type": "is not a number",
    "float_parsing": "is not a number",
    "finite_number": "is not a number",
    "greater_than": "must be greater than 0",
    "greater_than_equal": "must be greater than or equal to 0",
    "less_than_equal": "must be less than or equal to {le:g}",
}
"""By pydantic's type of error."""

type _Info = ValidationInfo[Mapping[str, Any]]


def _language(sent: object, info: _Info) -> str:
    for number, name in LANGUAGE_OF.items():
        if str(number) == str(sent) and name in info.context["offered"]:
            return name
    shown = str(sent).encode(errors="replace").decode()[:20]
    raise ValueError(f"language with id {shown} doesn't exist")


def _text(sent: object) -> str:
    if not isinstance(sent, str):
        raise ValueError("is not a string")  # noqa: TRY004 - pydantic takes no TypeError
    return sent


def _decoded(sent: object) -> bytes:
    try:
        return base64.b64decode("".join(_text(sent).split()), validate=True)
    except binascii.Error:
        raise ValueError("is not base64") from None


def _content(sent: object, info: _Info) -> bytes:
    return _decoded(sent) if info.context["is_base64"] else _text(sent).encode(errors="surrogatepass")


def _words(sent: object) -> list[str]:
    text = _text(sent)
    if len(text) > MAX_OPTION_CHARS:
        raise ValueError(f"is too long (maximum is {MAX_OPTION_CHARS} characters)")
    return shlex.split(text)


def _files(sent: object) -> list[dict[str, str]]:
    """Return the files of a zip archive, which is always base64."""
    raw = _decoded(sent)
    try:
        with zipfile.ZipFile(io.BytesIO(raw)) as archive:
            entries = [entry for entry in archive.infolist() if not entry.is_dir()]
            if len(entries) <= MAX_FILES and sum(entry.file_size for entry in entries) <= MAX_INLINE_BYTES:
                return [{"path": _path(entry), "content_base64": _read(archive, entry)} for entry in entries]
    except _BAD_ZIP:
        raise ValueError("is not a zip archive that this service reads") from None
    raise ValueError(f"has over {MAX_FILES} files or {MAX_INLINE_BYTES:,} bytes")


def _path(entry: zipfile.ZipInfo) -> str:
    """Return the path without its parts `.`, which clients of Judge0 send."""
    return "/".join(part for part in entry.filename.split("/") if part != ".")


def _read(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> str:
    """Return the content of a file as base64. Raises ValueError if it is longer than its entry says."""
    if entry.compress_type not in _METHODS:
        raise ValueError
    with archive.open(entry) as file:
        content = file.read(entry.file_size + 1)
    if len(content) > entry.file_size:
        raise ValueError
    return base64.b64encode(content).decode()


def _number(sent: object) -> object:
    if isinstance(sent, bool):
        raise ValueError("is not a number")  # noqa: TRY004 - pydantic takes no TypeError
    return sent


def _off(sent: object) -> bool:
    if sent not in (False, "false", 0):
        raise ValueError("this option cannot be enabled")
    return False


_Positive = Annotated[float, BeforeValidator(_number), Field(gt=0, allow_inf_nan=False)]
_InMegabytes = Annotated[_Positive, AfterValidator(lambda kb: math.ceil(kb / _KB_PER_MB))]
_OutputKilobytes = Annotated[_Positive, AfterValidator(lambda kb: min(math.ceil(kb), _MAX_OUTPUT_KB))]
_Processes = Annotated[_Positive, Field(le=MOST_PROCESSES)]
_Content = Annotated[bytes, BeforeValidator(_content)]
_Words = Annotated[list[str], BeforeValidator(_words)]
_Never = Annotated[bool, BeforeValidator(_off)]


class Judge0Submission(BaseModel):
    """A valid submission. `stdin` need not be text. One limit of files is also that of each output."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    language: Annotated[str, BeforeValidator(_language)] = Field(alias="language_id")
    code: Annotated[str, Field(min_length=1), BeforeValidator(_content)] = Field(alias="source_code", repr=False)
    stdin: _Content = Field(b"", repr=False)
    expected_output: _Content | None = Field(None, repr=False)
    webhook_url: Annotated[str, BeforeValidator(_text)] | None = Field(None, alias="callback_url", repr=False)
    args: _Words = Field([], alias="command_line_arguments")
    compile_args: _Words = Field([], alias="compiler_options")
    files: Annotated[list[dict[str, str]], BeforeValidator(_files)] = Field([], alias="additional_files", repr=False)
    cpu_time_secs: _Positive = Field(DEFAULTS["cpu_time_limit"], alias="cpu_time_limit")
    wall_time_secs: _Positive = Field(DEFAULTS["wall_time_limit"], alias="wall_time_limit")
    memory_mb: _InMegabytes | None = Field(None, alias="memory_limit")
    stack_mb: _InMegabytes | None = Field(None, alias="stack_limit")
    max_processes: _Processes | None = Field(None, alias="max_processes_and_or_threads")
    file_size_mb: _InMegabytes | None = Field(None, alias="max_file_size")
    output_kb: _OutputKilobytes | None = Field(None, validation_alias=AliasPath("max_file_size"))
    cpu_extra_time: Annotated[float, BeforeValidator(_number), Field(ge=0, allow_inf_nan=False)] = 0
    number_of_runs: Annotated[_Positive, Field(le=1)] = 1
    enable_network: _Never = False
    redirect_stderr_to_stdout: bool = False
    enable_per_process_and_thread_time_limit: _Never = False
    enable_per_process_and_thread_memory_limit: _Never = False

    def body(self, profile: Profile, raised: RaisedCeilings) -> dict[str, Any]:
        """Return the fields of POST /api/submit. `stdin` is left out if it is no text.

        The secret is none: a callback has no signature. As there, options of what is not compiled change nothing, and
        a program has all processes that any language may have.
        """
        limits = self.model_dump(include=set(RequestLimits.model_fields), exclude_none=True)
        if self.max_processes is not None:
            most = ceilings(Language(self.language), profile, raised).max_processes
            limits["max_processes"] = min(self.max_processes, most)
        program = self.model_dump(include={"language", "code", "args", "files", "webhook_url"})
        if self.language in PATTERNS:
            program["compile_args"] = [re.sub("^--std=", "-std=", option) for option in self.compile_args]
        if self.webhook_url is not None:
            program["webhook_secret"] = "none"  # noqa: S105 - no secret
        with suppress(UnicodeDecodeError):
            program["stdin"] = self.stdin.decode()
        return {**program, "profile": profile, "limits": limits, "artifacts": CHANGED, "keep_code": True}


def read_submission(sent: Mapping[str, Any], offered: Collection[str], *, is_base64: bool) -> Judge0Submission:
    """Check a submission without blank fields. Raises InvalidFieldsError with Judge0's names and sentences."""
    try:
        return Judge0Submission.model_validate(sent, context={"offered": offered, "is_base64": is_base64})
    except ValidationError as error:
        raise InvalidFieldsError(tuple(_problem(item) for item in error.errors(include_input=False))) from None


def judge0_problems(fields: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    """Return problems of our fields by Judge0's names."""
    found: dict[str, list[str]] = {}
    for field, message in dict.fromkeys(fields):
        known = Judge0Submission.model_fields.get(re.split(r"[.[]", field.removeprefix("limits."))[0])
        found.setdefault((known and known.alias) or field, []).append(message)
    return found


def _problem(item: Mapping[str, Any]) -> FieldProblem:
    known = _SENTENCES.get(item["type"])
    message = item["msg"].removeprefix("Value error, ") if known is None else known.format(**item.get("ctx", {}))
    return FieldProblem(str(item["loc"][0]), message)
