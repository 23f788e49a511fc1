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
        """Parameters of the template that `submit` needs to find the runner."""
        return {
            "RunnerUrl": f"http://{self.address}",
            "NetworkRunnerUrl": f"http://{self.address}",
            "RunnerTokenParameter": _TOKEN_PARAMETER,
            "AllowRunnerHttp": "true",  # it never leaves this machine
        }

    @property
    def runner_variables(self) -> dict[str, str]:
        """Environment variables of the runner."""
        return {"LISTEN_ADDRESS": self.address, "RUNNER_TOKEN": self.token, "ALLOW_HTTP": "true"}

    def store_token(self, ssm: Any) -> None:
        """Write the token into the parameter that `submit` reads, as on AWS."""
        ssm.put_parameter(Name=_TOKEN_PARAMETER, Value=self.token, Type="SecureString", Overwrite=True)


def choose(parameters: Mapping[str, str]) -> LocalDirectPath | None:
    """Choose a port and a token. None if the user has set RunnerUrl: to nothing, or to another runner."""
    if "RunnerUrl" in parameters:
        return None
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return LocalDirectPath(f"127.0.0.1:{probe.getsockname()[1]}", secrets.token_urlsafe(32))
