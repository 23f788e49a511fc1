"""Result of one send to a receiver."""

from dataclasses import dataclass, field
from http import HTTPStatus

MAX_HEAD_BYTES = 1024


@dataclass(frozen=True, slots=True)
class Reply:
    """Result of one send: a status code, or an error code if there was no response."""

    latency_ms: int
    status_code: int | None = None
    error_code: str | None = None
    retry_after: str | None = None
    head: bytes = field(default=b"", repr=False)
    address: str | None = None
    host: str | None = None

    @property
    def is_success(self) -> bool:
        """Whether the status is 2xx."""
        return self.status_code is not None and HTTPStatus.OK <= self.status_code < HTTPStatus.MULTIPLE_CHOICES

    @property
    def is_gone(self) -> bool:
        """Whether the receiver asks for no more requests (410)."""
        return self.status_code == HTTPStatus.GONE
