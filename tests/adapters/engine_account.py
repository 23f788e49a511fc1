"""The local stack's engine in place of AWS, for all clients of this process."""

import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, override

import pytest
from botocore.exceptions import ParamValidationError
from botocore.validate import ParamValidator

from infra.embedded import services
from infra.embedded.engine import Engine, open_engine
from infra.embedded.errors import Answer, Params
from infra.embedded.hook import Hook, Method
from tests.adapters.aws_account import Aws
from tests.adapters.new_account import new_account


def _kind(value: Any) -> Any:
    """Return what botocore's validation looks at: names and types, numbers, and whether a text or list is empty.

    The validation takes a fifth of the time of the tests here, so one call of each kind is validated.
    """
    kind = type(value)
    if kind is dict:
        return tuple([(name, _kind(part)) for name, part in value.items()])
    if kind is list or kind is tuple:
        return kind, *[_kind(part) for part in value]
    if kind is int:
        return kind, value
    return kind, not value


class SwitchedHook(Hook):
    """Answers while `engine` is set. Otherwise botocore does, and moto under it.

    It emits botocore's events of a call, as far as tests listen to them, and checks parameters as botocore does.
    """

    def __init__(self) -> None:
        super().__init__(self._call)
        self.engine: Engine | None = None
        self._valid: set[Any] = set()

    def _call(self, service: str, operation: str, params: Params) -> Answer:
        assert self.engine is not None
        return services.call(self.engine, service, operation, params)

    @override
    def _method(self, name: str, replaced: Method) -> Method:
        answered = super()._method(name, replaced)

        def call(client: Any, *arguments: Any, **params: Any) -> Any:
            return (replaced if self.engine is None else answered)(client, *arguments, **params)

        return call

    @override
    def _answer(self, client: Any, operation: str, params: Params) -> Answer:
        model = client.meta.service_model.operation_model(operation)
        place = f"{client.meta.service_model.service_id.hyphenize()}.{operation}"
        kind = place, _kind(params)
        if kind not in self._valid:
            wrong = ParamValidator().validate(params, model.input_shape)
            if wrong.has_errors():  # the engine takes what AWS would refuse, such as a number where text must be
                raise ParamValidationError(report=wrong.generate_report())
            self._valid.add(kind)
        client.meta.events.emit(f"provide-client-params.{place}", model=model, params=params, context={})
        request = {"body": json.dumps(params, default=str), "headers": {}}
        client.meta.events.emit(f"before-call.{place}", model=model, params=request, context={})
        answer = super()._answer(client, operation, params)
        client.meta.events.emit(f"after-call.{place}", model=model, parsed=answer, context={}, http_response=None)
        return answer


# Functions keep their clients from test to test, so the hook must be there before the first client.
_HOOK = SwitchedHook()
_HOOK.attach_everywhere()


@contextmanager
def engine_in(folder: Path, *, prepare: bool = True) -> Iterator[None]:
    """Answer all calls from an engine in this folder. `prepare`: as of `open_engine`."""
    engine = _HOOK.engine = open_engine(folder, synchronous="NORMAL", prepare=prepare)
    try:
        yield
    finally:
        _HOOK.engine = None
        engine.close()


@contextmanager
def copied_account(
    prepared: tuple[Path, Mapping[str, str]], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Aws]:
    """Answer from a copy of a prepared account, which stays in this folder. `prepared`: its folder and names."""
    shutil.copytree(prepared[0], folder)
    with (
        engine_in(folder, prepare=False),
        new_account(monkeypatch, lambda account: account.names.update(prepared[1])) as account,
    ):
        yield account
