"""The local stack's engine in place of AWS, for all clients of this process."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, override

from infra.embedded import services
from infra.embedded.calls import Answer, Params
from infra.embedded.engine import Engine, open_engine
from infra.embedded.hook import Hook


class SwitchedHook(Hook):
    """Answers while `engine` is set. Otherwise the next hook does: moto's, or one that a test has attached."""

    def __init__(self) -> None:
        super().__init__(self._call)
        self.engine: Engine | None = None

    def _call(self, service: str, operation: str, params: Params) -> Answer:
        assert self.engine is not None
        return services.call(self.engine, service, operation, params)

    @override
    def _answer(self, model: Any, context: dict[str, Any], **event: object) -> Any:
        return None if self.engine is None else super()._answer(model, context, **event)


# Functions keep their clients from test to test, so the hook must be there before the first client.
_HOOK = SwitchedHook()
_HOOK.attach_everywhere()


@contextmanager
def engine_in(folder: Path) -> Iterator[None]:
    """Answer all calls from an engine in this folder."""
    engine = _HOOK.engine = open_engine(folder, synchronous="NORMAL")
    try:
        yield
    finally:
        _HOOK.engine = None
        engine.close()
