"""Environment variables of a program: which names it may have, and how many."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field

MAX_VARIABLES = 32
"""Beside those of an event."""
EVENT_VARIABLE = "RUSTBOX_EVENT"
EVENT_ID_VARIABLE = "RUSTBOX_EVENT_ID"
EVENT_TYPE_VARIABLE = "RUSTBOX_EVENT_TYPE"
EVENT_VARIABLES = (EVENT_VARIABLE, EVENT_ID_VARIABLE, EVENT_TYPE_VARIABLE)
MAX_VARIABLE_BYTES = 4_096
"""Of a value."""

_NAME = re.compile(r"[A-Z][A-Z0-9_]{0,63}")
_RESERVED = re.compile(
    r"(PATH|HOME|LANG|LANGUAGE|SHELL|ENV|IFS|TMPDIR|TZDIR|LOCPATH|NLSPATH|GCONV_PATH|RES_OPTIONS|HOSTALIASES|CLASSPATH)"
    r"|(LD|LC|DYLD|GLIBC|MALLOC|BASH|PYTHON|JAVA|JDK|_JAVA|NODE|BUN|GO|RUST|CARGO|GCC|COMPILER|CPATH|LIBRARY)(_.*|[A-Z0-9]*)"
)
NAME_PATTERN = rf"^(?!(?:{EVENT_VARIABLE}|{_RESERVED.pattern})$){_NAME.pattern}$"
"""For a JSON Schema: names that a program can get."""


@dataclass(frozen=True, slots=True)
class Environment:
    """Variables of one run. The runner masks the values of `secret_names` in the output."""

    variables: dict[str, str] = field(repr=False)
    secret_names: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """The text that is sealed, in JSON."""
        stored = {"variables": self.variables, "secret_names": self.secret_names}
        return json.dumps(stored, ensure_ascii=False, separators=(",", ":"))

    @classmethod
    def parse(cls, text: str) -> Environment:
        """Parse that text."""
        stored = json.loads(text)
        return cls(stored["variables"], tuple(stored["secret_names"]))


def name_problem(name: str) -> str | None:
    """Return why a program cannot get a variable of this name; None if it can."""
    if not _NAME.fullmatch(name):
        return "A name has A to Z, 0 to 9 and _, begins with a letter, and has at most 64 characters: API_TOKEN."
    if name in EVENT_VARIABLES or _RESERVED.fullmatch(name):
        return "This name steers a loader, a shell or an interpreter, or the sandbox sets it. Choose another one."
    return None


def are_variables(variables: dict[str, str]) -> bool:
    """Whether a runner may give these to a program, with those of an event."""
    return len(variables) <= MAX_VARIABLES + len(EVENT_VARIABLES) and all(
        (name in EVENT_VARIABLES or name_problem(name) is None)
        and "\0" not in value
        and len(value.encode("utf-8", "surrogatepass")) <= MAX_VARIABLE_BYTES
        for name, value in variables.items()
    )
