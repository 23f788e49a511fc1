"""The runner's access to SQS and S3."""

from sandbox_runtime.transport.clients import Clients, connect
from sandbox_runtime.transport.failures import Backoff, TransportError
from sandbox_runtime.transport.queues import MAX_INLINE_OUTPUT_BYTES, MOST_PER_RECEIVE, Received, Transport

__all__ = [
    "MAX_INLINE_OUTPUT_BYTES",
    "MOST_PER_RECEIVE",
    "Backoff",
    "Clients",
    "Received",
    "Transport",
    "TransportError",
    "connect",
]
