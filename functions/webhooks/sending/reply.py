"""What came back from one send to a receiver."""

from dataclasses import dataclass, field
from http import HTTPStatus

MAX_HEAD_BYTES = 1024


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back from one send: a status code, or the error code why there was none."""

    latency_ms: int
    status_code: int | None = None
    error_code: str | None = None
    retry_after: str | None = None
    head: bytes = field(default=b"", repr=False)
    address: str | None = None
    host: str | None = None

    @property
    def is_success(self) -> bool:
        """2xx, and nothing else."""
        return self.status_code is not None and HTTPStatus.OK <= self.status_code < HTTPStatus.MULTIPLE_CHOICES

    @property
    def is_gone(self) -> bool:
        """The receiver asks never to be called again."""
        return self.status_code == HTTPStatus.GONE
