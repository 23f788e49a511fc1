"""The part of a request that its answers repeat. It is one entry in the metadata of the submission."""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from functions.dialects.judge0.config import DECIMALS, DEFAULTS
from functions.http.fields import METADATA_MAX_BYTES

if TYPE_CHECKING:
    from collections.abc import Mapping

_KEY: Final = "judge0"
_BLANKS = b" \t\n\v\f\r\0"
_TEXTS = ("compiler_options", "command_line_arguments")


@dataclass(frozen=True, slots=True)
class KeptRequest:
    """The limits and options of a request. `expected_sha256`: of its expected output without trailing blanks.

    `expected`: that output, where it is short enough for the metadata.
    """

    values: Mapping[str, Any] = field(default_factory=dict)
    expected_sha256: str | None = None
    expected: bytes | None = field(default=None, repr=False)

    @classmethod
    def of(cls, sent: Mapping[str, Any], expected: bytes | None) -> KeptRequest:
        """Return what is kept of a valid request without blank fields."""
        values = {name: sent[name] for name in (*DEFAULTS, *_TEXTS) if name in sent}
        if expected is None:
            return cls(values)
        whole = cls(values, digest(expected), expected)
        return whole if _size(whole.metadata) <= METADATA_MAX_BYTES else cls(values, digest(expected))

    @classmethod
    def from_metadata(cls, metadata: Mapping[str, str]) -> KeptRequest:
        """Return what a submission has kept; nothing of one from another protocol."""
        try:
            stored = json.loads(metadata.get(_KEY, "{}"))
            expected, values = stored.get("expected"), dict(stored.get("values", {}))
            for name in values.keys() & set(DECIMALS):
                values[name] = str(float(values[name]))
            return cls(values, stored.get("sha256"), expected and base64.b64decode(expected))
        except (ValueError, AttributeError, TypeError):  # the metadata of a client of the API
            return cls()

    @property
    def metadata(self) -> dict[str, str]:
        """The entry, without what the request left out."""
        expected = None if self.expected is None else base64.b64encode(self.expected).decode()
        stored = {"values": self.values, "sha256": self.expected_sha256, "expected": expected}
        present = {name: value for name, value in stored.items() if value}
        return {_KEY: json.dumps(present, separators=(",", ":"))} if present else {}

    def accepts(self, stdout: bytes) -> bool:
        """Whether an output is the expected one, if there is one."""
        return self.expected_sha256 is None or digest(stdout) == self.expected_sha256


def digest(output: bytes) -> str:
    """Return the SHA-256 of an output without blanks at the ends of its lines and at its own end."""
    lines = b"\n".join(line.rstrip(_BLANKS) for line in output.split(b"\n"))
    return hashlib.sha256(lines.rstrip(_BLANKS)).hexdigest()


def _size(metadata: Mapping[str, str]) -> int:
    return sum(len(name.encode()) + len(text.encode()) for name, text in metadata.items())
