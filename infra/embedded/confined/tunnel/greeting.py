"""The first frame of a connection, and its answer.

`{"protocol": 1, "version": "1.4.0", "token": …, "client": 32 hexadecimal digits}` is answered by
`{"welcome": {"version": …, "name": …, "variables": {…}}}` or `{"refused": {"code": …, "problem": …}}`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, Final

PROTOCOL: Final = 1
MOST_GREETING_BYTES: Final = 4096
MOST_WELCOME_BYTES: Final = 64 * 1024
FOR_GOOD: Final = frozenset({"token", "version", "certificate"})
"""Codes of refusals that the same greeting gets again."""
_CLIENT: Final = re.compile(r"[0-9a-f]{32}")


class RefusedError(Exception):
    """The server does not take this client. `code`: token, version, busy, full or unavailable.

    certificate: it is another server.
    """

    def __init__(self, code: str, problem: str) -> None:
        self.code = code
        super().__init__(problem)


@dataclass(frozen=True, slots=True)
class Greeting:
    """`client`: of one process, random. `version`: of the program."""

    version: str
    client: str
    token: str = field(repr=False)
    protocol: int = PROTOCOL

    def message(self) -> dict[str, Any]:
        """Return the frame."""
        names = ("protocol", "version", "token", "client")
        return {name: getattr(self, name) for name in names}


def read_greeting(message: dict[str, Any]) -> Greeting:
    """Read a frame of a client that may be anyone. Raises RefusedError, ValueError."""
    match message:
        case {"protocol": int(protocol), "version": str(version), "token": str(token), "client": str(client)}:
            if protocol != PROTOCOL:
                problem = f"the server speaks protocol {PROTOCOL}, and this client {protocol}"
                raise RefusedError("version", problem)
            if _CLIENT.fullmatch(client):
                return Greeting(version, client, token)
    raise ValueError("no greeting")


def refuse_versions_apart(server: str, client: str) -> None:
    """Raise RefusedError unless both are at most one minor version apart: messages are read by neighbours."""
    try:
        (major, minor), (other_major, other_minor) = _minor(server), _minor(client)
    except ValueError:
        raise RefusedError("version", f"the version {client[:32]!r} is none") from None
    if major != other_major or abs(minor - other_minor) > 1:
        older = "this client" if (other_major, other_minor) < (major, minor) else "the server"
        problem = (
            f"the server has version {server} and this client {client[:32]}, more than one minor version apart: "
            f"upgrade {older}"
        )
        raise RefusedError("version", problem)


def read_welcome(message: dict[str, Any]) -> dict[str, Any]:
    """Read the server's answer. Raises RefusedError, ValueError."""
    match message:
        case {"welcome": {"version": str(), "name": str(), "variables": dict()} as welcome}:
            return dict(welcome)
        case {"refused": {"code": str(code), "problem": str(problem)}}:
            raise RefusedError(code, problem)
    raise ValueError("no welcome")


def _minor(version: str) -> tuple[int, int]:
    major, minor, *_ = (int(part) for part in version.split("."))
    return major, minor
