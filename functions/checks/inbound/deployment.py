"""The parts that take signed calls."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from functions.checks.deployment import CheckDeployment

if TYPE_CHECKING:
    from functions.checks.events.inbound import CallLog, Inbound, InboundSecrets


class InboundDeployment(CheckDeployment):
    """The parts that take signed calls."""

    @cached_property
    def call_log(self) -> CallLog:
        """The last calls of checks."""
        from functions.checks.events.inbound import CallLog

        return CallLog(self.settings.checks_table, self.dynamodb, self.log, self.clock)

    @cached_property
    def inbound_secrets(self) -> InboundSecrets:
        """Makes and opens the secrets of signed calls."""
        from functions.checks.events.inbound import InboundSecrets

        return InboundSecrets(self.check_events, self.secret_boxes)

    @cached_property
    def inbound_calls(self) -> Inbound:
        """Takes signed calls."""
        from functions.checks.events.inbound import Inbound

        return Inbound(
            checks=self.checks,
            runs=self.check_runs,
            events=self.check_events,
            calls=self.call_log,
            limit=self.check_request_limit,
            secrets=self.inbound_secrets,
            put_body=self.payloads.put_event,
            clock=self.clock,
        )
