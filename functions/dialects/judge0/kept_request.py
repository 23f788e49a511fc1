"""The part of a request that its answers repeat. It is one entry in the metadata of the submission."""

import base64
import hashlib
from collections.abc import Mapping
from typing import Any, Final, Self

from pydantic import Base64Bytes, BaseModel, ConfigDict, Field, FiniteFloat, ValidationError

from functions.dialects.judge0.config import DECIMALS, DEFAULTS
from functions.http.fields import METADATA_MAX_BYTES

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
