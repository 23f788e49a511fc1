"""The service's configuration and languages, in Judge0's names and units (seconds, KB)."""

import base64
import hashlib
from collections.abc import Mapping
from typing import Any, Final, Self

from pydantic import Base64Bytes, BaseModel, ConfigDict, Field, FiniteFloat, ValidationError

from events.limits import Ceilings
from functions.http.validation import METADATA_MAX_BYTES

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
    """Return all fields that the published clients require."""
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
        "max_max_processes_and_or_threads": 1024,
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


IDS = {
    "bash": 46,
    "c": 50,
    "cpp": 52,
    "go": 60,
    "java": 62,
    "javascript": 63,
    "python": 71,
    "rust": 73,
    "typescript": 74,
}
"""Its id of each of our languages. One that it does not have is not offered here."""
_NAMES = {"cpp": "C++", "javascript": "JavaScript", "typescript": "TypeScript"}


def name_of(language: str) -> str:
    """Return the name of a language."""
    return _NAMES.get(language, language.capitalize())


# The part of a request that its answers repeat. It is one entry in the metadata of the submission.

KEPT = (*DEFAULTS, "compiler_options", "command_line_arguments")
_KEY: Final = "judge0"
_BLANKS = b" \t\n\v\f\r\0"


class KeptRequest(BaseModel):
    """The limits and options of a request. `sha256`: of its expected output without trailing blanks.

    `expected`: that output, where it is short enough for the metadata.
    """

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    values: dict[str, str | bool | int | FiniteFloat] = {}
    sha256: str | None = None
    expected: Base64Bytes | None = Field(default=None, repr=False)

    @classmethod
    def of(cls, sent: Mapping[str, Any], expected: bytes | None) -> Self:
        """Return what is kept of a valid request without blank fields."""
        values = {name: str(float(sent[name])) if name in DECIMALS else sent[name] for name in KEPT if name in sent}
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
        """Whether an output is the expected one, if there is one."""
        return self.sha256 is None or digest(stdout) == self.sha256


def digest(output: bytes) -> str:
    """Return the SHA-256 of an output without blanks at the ends of its lines and at its own end."""
    lines = b"\n".join(line.rstrip(_BLANKS) for line in output.split(b"\n"))
    return hashlib.sha256(lines.rstrip(_BLANKS)).hexdigest()
