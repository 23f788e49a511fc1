"""What the code of one entry point runs on: its settings, clock, log and clients, and its parts, each made once."""

from __future__ import annotations

import threading
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

from functions.aws.clients import Clients
from functions.clock import Clock, now_ms
from functions.settings import Settings, load_settings
from functions.telemetry import logger

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from aws_lambda_powertools import Logger
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_sqs import SQSClient

type Factory[Part] = Callable[..., Part]
"""A class with a class method `from_env(env)`, a class whose constructor takes the environment, or a function of it."""


class Env:
    """The environment of one entry point.

    `env[SubmissionStore]` is the one SubmissionStore of this entry point, made on first use. A class takes the parts
    that it needs out of the environment in its constructor, and imports them at the top of its module: so an entry
    point loads at its cold start all that it imports, and nothing else. A store has `from_env` instead, because tools
    make it from the names of tables and clients too.

    A lower part calls a higher one through a function of its own module, such as `files.use.file_holders`. The entry
    point says what stands in its place: `provide(file_holders, holders)`.
    """

    def __init__(self, service: str, setting_names: Iterable[str], clock: Clock = now_ms) -> None:
        self.service = service
        self.clock = clock
        self._setting_names = setting_names
        self._provided: dict[Any, Factory[Any]] = {}
        self._parts: dict[Any, Any] = {}
        self._making = threading.RLock()

    def __getitem__[Part](self, factory: Factory[Part]) -> Part:
        """Return a part. Many threads may ask for it at once. Raises what its constructor raises, then and again."""
        if factory not in self._parts:
            with self._making:
                if factory not in self._parts:
                    make = self._provided.get(factory, factory)
                    self._parts[factory] = getattr(make, "from_env", make)(self)
        return cast("Part", self._parts[factory])

    def provide[Part](self, factory: Factory[Part], instead: Factory[Part]) -> None:
        """Make a part in another way. Only before its first use."""
        self._provided[factory] = instead

    def forget(self) -> None:
        """Make settings and parts anew from now on. For tests."""
        self._parts.clear()
        self.__dict__.pop("settings", None)

    @cached_property
    def settings(self) -> Settings:
        """The settings that the entry point names, read on first use. Raises SettingsInvalidError."""
        return load_settings(self._setting_names)

    @cached_property
    def log(self) -> Logger:
        """The log of the entry point."""
        return logger(self.service)

    @property
    def dynamodb(self) -> DynamoDBClient:
        """The client of all tables."""
        return Clients.dynamodb()

    @property
    def sqs(self) -> SQSClient:
        """The client of all queues."""
        return Clients.sqs()
