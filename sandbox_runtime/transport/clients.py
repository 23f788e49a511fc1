"""AWS clients of the runner, with timeouts for short calls and for long polls."""

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
    """`receiving`: for long polls. `sqs`, `s3`: for short calls.

    `s3` makes its client at the first call: the client takes 5 MB, and few runs have output that large.
    """

    receiving: SQSClient
    sqs: SQSClient
    s3: Callable[[], S3Client]


def connect(*, slots: int, receive_wait_secs: int) -> Clients:
    """Make the clients. boto3 takes credentials, region and endpoint from the environment.

    Raises TransportError, for example when no region is set.
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
    """Make a client once, under a lock: in boto3 making a client is not thread-safe, using one is."""
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
        user_agent="rustbox-runner",  # botocore builds its own for each call: an eighth of the call's CPU time
        parameter_validation=False,  # a twelfth of a call's CPU time; mypy checks the types, AWS the rest
        retries={"mode": "standard", "total_max_attempts": 3},
    )
