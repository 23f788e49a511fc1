"""The queues and the runners of submissions."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from events.limits import raised_ceilings
from functions.environment_variables import SettingsInvalidError
from functions.webhooks.deployment import WebhookDeployment

if TYPE_CHECKING:
    from events.limits import RaisedCeilings
    from functions.submissions.run.direct_runners import DirectRunners
    from functions.submissions.run.queues import Queues
    from functions.submissions.runners.control_objects import ControlObjects
    from functions.submissions.runners.fleet import Fleet
    from functions.submissions.runners.runner_store import RunnerStore


class RunnerDeployment(WebhookDeployment):
    """The queues and the runners of submissions."""

    @cached_property
    def runners(self) -> RunnerStore:
        """Heartbeats of runners."""
        from functions.submissions.runners.runner_store import RunnerStore

        return RunnerStore(self.settings.runners_table, self.dynamodb, self.clock)

    @cached_property
    def fleet(self) -> Fleet:
        """The runners of the whole service."""
        from functions.submissions.runners.fleet import Fleet

        return Fleet(self.runners, self.settings.offered_languages)

    @cached_property
    def raised_ceilings(self) -> RaisedCeilings:
        """The ceilings of limits that the operator has raised. Raises SettingsInvalidError."""
        try:
            return raised_ceilings(self.settings.limit_ceilings)
        except ValueError as error:
            raise SettingsInvalidError(f"LIMIT_CEILINGS: {error}") from None

    @cached_property
    def queues(self) -> Queues:
        """The queues of submissions."""
        from functions.submissions.run.queues import Queues

        return Queues(
            self.sqs,
            self.settings.interactive_queue_url,
            self.settings.batch_queue_url,
            self.settings.network_queue_url,
            self.clock,
        )

    @cached_property
    def direct_runners(self) -> DirectRunners:
        """The runners that are called over HTTP."""
        from functions.submissions.run.direct_runners import direct_runners_of

        return direct_runners_of(self.settings)

    @cached_property
    def control(self) -> ControlObjects:
        """Tells runners without a direct path what to stop."""
        from functions.aws.clients import Clients
        from functions.submissions.runners.control_objects import ControlObjects

        return ControlObjects(self.settings.payloads_bucket, Clients.s3, self.clock)
