"""AWS clients of the runner, each with time-outs that fit its calls."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from threading import Lock
from typing import TYPE_CHECKING

import boto3
from botocore.config import Config

from sandbox_runtime.transport.failures import translated

if TYPE_CHECKING:
    from collections.abc import Callable

    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sqs import SQSClient

CONNECT_TIMEOUT_SECS = 3
READ_TIMEOUT_SECS = 10


@dataclass(frozen=True, slots=True)
class Clients:
    """`receiving` waits through long polls; `sqs` and `s3` answer at once.

    `s3` makes its client when it is called first: few runs have output that large, and it takes 5 MB.
    """

    receiving: SQSClient
    sqs: SQSClient
    s3: Callable[[], S3Client]


def connect(*, slots: int, receive_wait_secs: int) -> Clients:
    """Make the clients. Credentials, region and endpoint come from the environment in boto3's own way.

    Raises TransportError, say when no region is set.
    """
    receiving = _config(pool=2, read_timeout=receive_wait_secs + READ_TIMEOUT_SECS)
    prompt = _config(pool=slots + 4, read_timeout=READ_TIMEOUT_SECS)
    with translated("connect"):
        session = boto3.Session()
        return Clients(
            receiving=session.client("sqs", config=receiving),
            sqs=session.client("sqs", config=prompt),
            s3=_made_once(lambda: session.client("s3", config=prompt)),
        )


def _made_once[Client](make: Callable[[], Client]) -> Callable[[], Client]:
    """Making a client is not thread-safe in boto3, using one is."""
    making, made = Lock(), cache(make)

    def client() -> Client:
        with making:
            return made()

    return client


def _config(*, pool: int, read_timeout: int) -> Config:
    return Config(
        connect_timeout=CONNECT_TIMEOUT_SECS,
        read_timeout=read_timeout,
        max_pool_connections=pool,
        tcp_keepalive=True,
        retries={"mode": "standard", "total_max_attempts": 3},
    )
