"""One client with one kept connection, for requests in turn. Light: nothing above http.client."""

import http.client
import json
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from bench.answers import WrongAnswerError
from bench.sources import Program

_TIMEOUT_SECS = 40


@dataclass(frozen=True, slots=True)
class Endpoint:
    """The address of the API on loopback, and a key for it."""

    port: int
    api_key: str


def body_of(program: Program) -> bytes:
    """The request's body."""
    fields = {
        "language": program.language,
        "code": program.code,
        "stdin": program.stdin,
        "limits": dict(program.limits),
    }
    return json.dumps(fields).encode()


class ApiClient:
    """Use as a context manager."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", endpoint.port, timeout=_TIMEOUT_SECS)
        self._headers = {"X-API-Key": endpoint.api_key, "Content-Type": "application/json"}

    def __enter__(self) -> Self:
        self._connection.connect()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.close()

    def submit(self, body: bytes, *, wait: bool) -> bytes:
        """Return the answer's bytes. Raises WrongAnswerError for any status but the right one."""
        path, status = ("/api/submit?wait=true", 200) if wait else ("/api/submit", 202)
        return self._ask("POST", path, body, status)

    def result(self, submission_id: str, wait_secs: int | None = None) -> dict[str, Any]:
        """Return a result object in whatever state."""
        query = "" if wait_secs is None else f"?wait={wait_secs}"
        return parsed(self._ask("GET", f"/api/result/{submission_id}{query}", b"", 200))

    def results(self, limit: int) -> dict[str, Any]:
        """Return the first page of the project's results."""
        return parsed(self._ask("GET", f"/api/results?limit={limit}", b"", 200))

    def _ask(self, method: str, path: str, body: bytes, expected_status: int) -> bytes:
        try:
            self._connection.request(method, path, body or None, self._headers)
            response = self._connection.getresponse()
            content = response.read()
        except (OSError, http.client.HTTPException):
            self._connection.close()  # the next request opens another one
            raise
        if response.status != expected_status:
            raise WrongAnswerError(f"{method} answered {response.status}: {content[:200]!r}")
        return content


def parsed(content: bytes) -> dict[str, Any]:
    """The JSON object of an answer."""
    found = json.loads(content)
    if not isinstance(found, dict):
        raise WrongAnswerError(f"no object: {content[:200]!r}")
    return found
