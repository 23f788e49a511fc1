"""The runners that this deployment calls over HTTP."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from functions.aws.secrets import secret
from functions.submissions.run.runner_client import RunnerClient

if TYPE_CHECKING:
    from functions.settings import Settings
    from functions.submissions.model import Submission


@dataclass(frozen=True, slots=True)
class DirectRunners:
    """`network_runner`: for runs with network. None: such runs go through a queue."""

    runner: RunnerClient | None
    network_runner: RunnerClient | None

    def of(self, submission: Submission) -> RunnerClient | None:
        """Return the runner, or the load balancer of several, that a submission is sent to."""
        return self.network_runner if submission.network else self.runner


def direct_runners_of(settings: Settings) -> DirectRunners:
    """Return the runners that the settings name."""
    if not settings.runner_url:
        return DirectRunners(None, None)
    authority = partial(secret, settings.runner_ca_parameter) if settings.runner_ca_parameter else None
    token = partial(secret, settings.runner_token_parameter)
    runner = RunnerClient(settings.runner_url, token, authority)
    network_url = settings.network_runner_url
    network_runner = runner if network_url == settings.runner_url else None
    if network_url and network_runner is None:
        network_runner = RunnerClient(network_url, token, authority)
    return DirectRunners(runner, network_runner)
