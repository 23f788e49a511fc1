"""Tells submit which runner to ask."""

from functions.aws import secrets
from functions.aws.clients import Clients
from functions.handlers import submit
from tests.adapters.conftest import Aws
from tests.adapters.runner_system import TOKEN

PARAMETER = "/rustbox/runner-token"


WIRING = submit.wiring  # a test may put something else in its place


def forget_wiring() -> None:
    """End what submit keeps, as the end of its process would."""
    direct = WIRING().acceptance.starter.direct
    while direct is not None and direct.runner._kept:
        direct.runner._kept.pop()[1].close()
    WIRING.cache_clear()


def use(aws: Aws, port: int, token: str = TOKEN) -> None:
    """Tell submit where to ask."""
    secrets._secrets.drop(PARAMETER)
    Clients.ssm().put_parameter(Name=PARAMETER, Value=token, Type="SecureString", Overwrite=True)
    aws.monkeypatch.setenv("RUNNER_URL", f"http://127.0.0.1:{port}")
    aws.monkeypatch.setenv("ALLOW_RUNNER_HTTP", "true")
    aws.monkeypatch.setenv("RUNNER_TOKEN_PARAMETER", PARAMETER)
    forget_wiring()
