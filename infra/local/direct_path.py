"""The direct path on this machine: where the runner listens and the token that it shares with `submit`."""

from __future__ import annotations

import secrets
import socket
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

_TOKEN_PARAMETER = "/rustbox-local/runner-token"  # noqa: S105 - the name of one


@dataclass(frozen=True, slots=True)
class LocalDirectPath:
    """A free loopback port and a token, both new with each start."""

    address: str
    token: str = field(repr=False)

    @property
    def template_parameters(self) -> dict[str, str]:
        """What tells `submit` about it."""
        return {
            "RunnerUrl": f"http://{self.address}",
            "RunnerTokenParameter": _TOKEN_PARAMETER,
            "AllowRunnerHttp": "true",  # it never leaves this machine
        }

    @property
    def runner_variables(self) -> dict[str, str]:
        """What tells the runner."""
        return {"LISTEN_ADDRESS": self.address, "RUNNER_TOKEN": self.token, "ALLOW_HTTP": "true"}

    def store_token(self, ssm: Any) -> None:
        """Put it where `submit` reads it, as on AWS."""
        ssm.put_parameter(Name=_TOKEN_PARAMETER, Value=self.token, Type="SecureString", Overwrite=True)


def choose(parameters: Mapping[str, str]) -> LocalDirectPath | None:
    """None where the user has set RunnerUrl: to nothing, or to a runner of their own."""
    if "RunnerUrl" in parameters:
        return None
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return LocalDirectPath(f"127.0.0.1:{probe.getsockname()[1]}", secrets.token_urlsafe(32))
