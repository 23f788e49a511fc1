"""The list of events, and the log that consumers poll."""

from __future__ import annotations

from functools import cached_property, partial
from typing import TYPE_CHECKING

from functions.judging.deployment import JudgeDeployment

if TYPE_CHECKING:
    from functions.event_log.consumer_store import ConsumerStore
    from functions.event_log.log import EventLog
    from functions.feed.listing import EventBodies, EventListing
    from functions.feed.poll import Poll


class EventDeployment(JudgeDeployment):
    """The list of events, and the log that consumers poll."""

    @cached_property
    def event_log(self) -> EventLog:
        """The log, for reading."""
        from functions.event_log.log import EventLog

        return EventLog(self.settings.deliveries_table, self.dynamodb, self.clock)

    @cached_property
    def consumers(self) -> ConsumerStore:
        """Consumers of the log."""
        from functions.event_log.consumer_store import ConsumerStore

        return ConsumerStore(self.settings.deliveries_table, self.settings.quotas_table, self.dynamodb, self.clock)

    @cached_property
    def event_bodies(self) -> EventBodies:
        """The bodies of events, with or without a row of their own."""
        from functions.feed.listing import EventBodies
        from functions.submissions.complete.completed_event import event_of

        body_of_run = partial(event_of, self.judge_runs, self.payloads, self.settings.public_base_url)
        return EventBodies(self.deliveries, self.submissions, body_of_run)

    @cached_property
    def event_listing(self) -> EventListing:
        """The list of events."""
        from functions.feed.listing import EventListing, OtherEvents

        others = OtherEvents(self.settings.deliveries_table, self.dynamodb, self.clock)
        return EventListing(self.submission_list, others, self.delivery_list, self.event_bodies)

    @cached_property
    def polls(self) -> Poll:
        """Polls of the log."""
        from functions.feed.poll import Poll

        return Poll(self.event_log, self.consumers, self.event_bodies, self.settings.longest_wait_secs, self.clock)
