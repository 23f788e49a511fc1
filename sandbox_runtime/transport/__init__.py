"""The runner's access to SQS and S3."""

from sandbox_runtime.transport.clients import Clients, connect
from sandbox_runtime.transport.failures import TransportError
from sandbox_runtime.transport.queues import (
    MAX_BATCH_BYTES,
    MAX_INLINE_OUTPUT_BYTES,
    MOST_PER_CALL,
    Received,
    Transport,
)

__all__ = [
    "MAX_BATCH_BYTES",
    "MAX_INLINE_OUTPUT_BYTES",
    "MOST_PER_CALL",
    "Clients",
    "Received",
    "Transport",
    "TransportError",
    "connect",
]
