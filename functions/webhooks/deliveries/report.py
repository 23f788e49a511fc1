"""Reports: requests that tell another service about a run, with a token in place of a signature. Each is an event.

Only the one delivery of a report has it: neither endpoints, nor the bus, nor the log of events. Lists leave it out;
its row in them lets a purge find it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from functions.event_log.model import event_bytes

if TYPE_CHECKING:
    from collections.abc import Mapping

TOKEN = r"^[!-~]{1,255}$"  # noqa: S105 - the form of one
_HEADERS = {"accept": "application/vnd.github+json", "x-github-api-version": "2022-11-28"}


@dataclass(frozen=True, slots=True)
class Report:
    """A request that reports a run. Times are RFC 3339 texts."""

    check_id: str
    run_id: str
    timestamp: str
    request: Mapping[str, Any] = field(repr=False)

    @classmethod
    def of(cls, event: bytes) -> Report:
        """Read the bytes of an event."""
        values = json.loads(event)
        return cls(values["check_id"], values["run_id"], values["timestamp"], values["request"])

    def event(self, event_type: str) -> bytes:
        """Return the bytes of its event."""
        values = {"check_id": self.check_id, "run_id": self.run_id, "request": self.request}
        return event_bytes({"type": event_type, "timestamp": self.timestamp, **values})

    @property
    def owner(self) -> str:
        """The owner of its sealed token in the encryption context."""
        return owner_of(self.check_id)

    @property
    def content(self) -> bytes:
        """The body of the request."""
        return event_bytes(self.request)


def owner_of(check_id: str) -> str:
    """Return the owner of the sealed token of a check in the encryption context."""
    return f"check:{check_id}"


def report_headers(token: str, user_agent: str) -> dict[str, str]:
    """Return all headers of a report except those of the connection."""
    return {
        **_HEADERS,
        "authorization": f"Bearer {token}",
        "content-type": "application/json",
        "user-agent": user_agent,
    }
