"""A project with runs and a consumer of its events, over the parts that the entry points wire."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from functions.env import Env
from functions.event_log.log import ConsumerStore, EventLog
from functions.event_log.model import Event
from functions.event_log.rows import LogWriter
from functions.feed.poll import Poll, PollRequest
from functions.handlers import events
from functions.judging.runs import JudgedRuns
from functions.submissions.completed_event import judge_runs
from tests.adapters.pipeline import Pipeline, no_sleep

if TYPE_CHECKING:
    from functions.feed.poll import Polled
    from functions.submissions.model import Submission


@dataclass
class EventWorld:
    """`finish` ends a run; `poll` is one poll of a consumer; `drain` polls to the end."""

    pipeline: Pipeline
    seen: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        pipeline = self.pipeline
        table, dynamodb = pipeline.aws.names["DeliveriesTable"], pipeline.aws.client("dynamodb")
        self.log = EventLog(table, dynamodb, pipeline.time, no_sleep)
        self.consumers = ConsumerStore(table, pipeline.aws.names["QuotasTable"], dynamodb, pipeline.time)
        self.writer = LogWriter(table, dynamodb, pipeline.time)
        self.env = Env("events", events.SETTINGS, pipeline.time)
        self.env.provide(EventLog, lambda _: self.log)
        self.env.provide(judge_runs, JudgedRuns)
        self.polls = Poll(self.env, no_sleep)

    def run(self, **changes: Any) -> Submission:
        """Run a submission without a webhook of its own to its end."""
        submission = self.pipeline.submit(**{"webhook_url": None} | changes)
        self.pipeline.finish(submission)
        return submission

    def poll(self, consumer: str = "mine", project_id: str = "dev", **changes: Any) -> Polled:
        return self.polls.poll(project_id, PollRequest(consumer, **changes))

    def drain(self, consumer: str = "mine", **changes: Any) -> list[str]:
        """Poll and commit until nothing comes; return the ids in order."""
        ids: list[str] = []
        position: int | None = None
        while True:
            polled = self.poll(consumer, position=position, **changes)
            if not polled.events:
                return ids
            ids += ids_of(polled)
            position = polled.position

    def publish(self, number: int) -> str:
        """Publish an event without a submission through the outbox; return its id."""
        event_id = f"{number:08x}-0000-4000-8000-00000000000{number % 16:x}"
        body = {"type": "check.state.changed", "timestamp": "2026-11-24T12:00:00.000Z", "n": number}
        event = Event(event_id, "check.state.changed", "dev", json.dumps(body).encode())
        self.pipeline.outbox.publish(event)
        return event_id

    def rows(self, prefix: str) -> list[Any]:
        """The rows of the deliveries table whose partition begins with that."""
        return [item for item in self.pipeline.aws.items("DeliveriesTable") if item["pk"]["S"].startswith(prefix)]


def ids_of(polled: Polled) -> list[str]:
    return [event.event_id for _, event in polled.events]
