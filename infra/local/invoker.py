"""Calls the functions' handlers in this process, as Lambda would call them in theirs."""

from __future__ import annotations

import importlib
import os
import uuid
from dataclasses import dataclass, field
from time import monotonic
from typing import TYPE_CHECKING, Any

from infra.local.settings import ACCOUNT_ID, REGION, StartError

if TYPE_CHECKING:
    from collections.abc import Callable

    from infra.local.template import Function

type Handler = Callable[[Any, LambdaContext], Any]


@dataclass(slots=True)
class LambdaContext:
    """The context object of the Python runtime, as far as it means something here."""

    function_name: str
    memory_limit_in_mb: int
    timeout_secs: float
    function_version: str = "$LATEST"
    aws_request_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    started: float = field(default_factory=monotonic)

    @property
    def invoked_function_arn(self) -> str:
        return f"arn:aws:lambda:{REGION}:{ACCOUNT_ID}:function:{self.function_name}"

    def get_remaining_time_in_millis(self) -> int:
        return max(0, int((self.started + self.timeout_secs - monotonic()) * 1000))

    def limit(self, secs: float) -> None:
        """Leave no time after so many seconds from the start: a handler that waits for something then answers."""
        self.timeout_secs = min(self.timeout_secs, secs)


@dataclass(frozen=True, slots=True)
class Invoker:
    """Functions by logical id and their loaded handlers."""

    functions: dict[str, Function]
    handlers: dict[str, Handler]

    def context(self, function: str) -> LambdaContext:
        """Make the context of an invocation that starts now."""
        declared = self.functions[function]
        return LambdaContext(declared.name, declared.memory_mb, declared.timeout_secs)

    def invoke(self, function: str, event: Any, context: LambdaContext | None = None) -> Any:
        """Return the handler's answer. Its exceptions pass."""
        return self.handlers[function](event, context or self.context(function))


def merge_environments(functions: dict[str, Function]) -> dict[str, str]:
    """Return the union of the functions' variables. StartError where two give one name different values."""
    merged: dict[str, str] = {}
    for function in functions.values():
        for name, value in function.environment.items():
            if merged.setdefault(name, value) != value:
                raise StartError(
                    f"template.yaml: {name} has two values ({function.name} differs); the local stack runs all "
                    "functions in one process, so give the second one another name"
                )
    return merged


def load_handlers(functions: dict[str, Function]) -> Invoker:
    """Set the variables of the template, and no others, then import every handler."""
    os.environ.update(merge_environments(functions))
    handlers: dict[str, Handler] = {}
    for function in functions.values():
        module_name, _, attribute = function.handler.rpartition(".")
        try:
            handlers[function.name] = getattr(importlib.import_module(module_name), attribute)
        except (ImportError, AttributeError) as error:
            raise StartError(f"{function.name}: cannot load {function.handler}: {error}") from error
    return Invoker(functions, handlers)
