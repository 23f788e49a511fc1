"""What one running function consists of, made when it is first used."""

from __future__ import annotations

from functools import cached_property
from importlib import import_module
from typing import TYPE_CHECKING

from functions.aws.payloads import Payloads
from functions.clock import Clock, now_ms
from functions.env import Env

if TYPE_CHECKING:
    from aws_lambda_powertools import Logger

    from functions.settings import Settings


def preload(*modules: str) -> None:
    """Import the modules of `functions` that requests will use, at the cold start. Each entry point calls it.

    Lambda has a whole CPU at the cold start, and less for requests.
    """
    for module in modules:
        import_module(f"functions.{module}")


class Deployment(Env):
    """The environment of an entry point whose parts are properties. It goes when all parts are classes of an `Env`.

    A property imports what it returns, so an entry point imports only the parts that it uses: see `preload`.
    """

    def __init__(self, settings: Settings, log: Logger, clock: Clock = now_ms) -> None:
        super().__init__(log.service, (), clock)
        self.settings = settings
        self.log = log

    @cached_property
    def payloads(self) -> Payloads:
        """The payload bucket."""
        return self[Payloads]
