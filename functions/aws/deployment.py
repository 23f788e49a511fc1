"""What one running function consists of, made when it is first used."""

from __future__ import annotations

from functools import cached_property
from importlib import import_module
from typing import TYPE_CHECKING

from functions.aws.clients import Clients
from functions.clock import Clock, now_ms

if TYPE_CHECKING:
    from aws_lambda_powertools import Logger
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_sqs import SQSClient

    from functions.aws.payloads import Payloads
    from functions.settings import Settings


def preload(*modules: str) -> None:
    """Import the modules of `functions` that requests will use, at the cold start. Each entry point calls it.

    Lambda has a whole CPU at the cold start, and less for requests.
    """
    for module in modules:
        import_module(f"functions.{module}")


class Deployment:
    """Settings, clock, log and clients of an entry point. Each part of the product adds its stores in a subclass.

    A property imports what it returns, so an entry point imports only the parts that it uses: see `preload`.
    Routes and use cases take the deployment of their part, not each store.
    """

    def __init__(self, settings: Settings, log: Logger, clock: Clock = now_ms) -> None:
        self.settings = settings
        self.log = log
        self.clock = clock

    @property
    def dynamodb(self) -> DynamoDBClient:
        """The client of all tables."""
        return Clients.dynamodb()

    @property
    def sqs(self) -> SQSClient:
        """The client of all queues."""
        return Clients.sqs()

    @cached_property
    def payloads(self) -> Payloads:
        """The payload bucket."""
        from functions.aws.payloads import Payloads

        return Payloads(self.settings.payloads_bucket, Clients.s3)
