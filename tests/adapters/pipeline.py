"""The pipeline behind the queues, wired as the entry points wire it, with a clock and a receiver of the test."""

import dataclasses
import functools
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from functions import record, sweep, webhook
from functions.completions import Completions
from functions.core import failpoint
from functions.core.delivery import Delivery, DeliveryState
from functions.core.schedule import Schedule
from functions.core.submission import Submission, new_id
from functions.deliver import Deliverer
from functions.egress import Egress
from functions.fanout import FanOut
from functions.payloads import Payloads
from functions.queues import Queues
from functions.redrive import Redrive
from functions.store.deliveries import DeliveryStore
from functions.store.runners import RunnerStore
from functions.store.submissions import SubmissionStore
from functions.telemetry import metrics
from tests.adapters.aws_account import Aws
from tests.adapters.hook_receiver import HookReceiver
from tests.submission_factory import FakeTime, golden, new_submission

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
DONE_STATES = {
    DeliveryState.DELIVERED,
    DeliveryState.EXHAUSTED,
    DeliveryState.BLOCKED,
    DeliveryState.CANCELLED,
    DeliveryState.PAUSED,
}


class Crash(BaseException):
    """The process died here."""


class Context:
    """What Lambda passes; `remaining_ms` counts down by `step_ms` with each question."""

    function_name = "test"
    memory_limit_in_mb = 128
    invoked_function_arn = "arn"
    aws_request_id = "request"

    def __init__(self, remaining_ms: int = 55_000, step_ms: int = 0) -> None:
        self._remaining_ms = remaining_ms
        self._step_ms = step_ms

    def get_remaining_time_in_millis(self) -> int:
        self._remaining_ms -= self._step_ms
        return self._remaining_ms


class Pipeline:
    """All parts over one in-memory account. `random` of the jitter is 0.5: delays are those of the schedule."""

    def __init__(self, aws: Aws, time: FakeTime, receiver: HookReceiver) -> None:
        self.aws, self.time, self.receiver = aws, time, receiver
        dynamodb = aws.client("dynamodb")
        self.queues = Queues(aws.client("sqs"))
        self.submissions = SubmissionStore(aws.names["SubmissionsTable"], dynamodb, clock=time)
        self.deliveries = DeliveryStore(aws.names["DeliveriesTable"], dynamodb, time)
        self.runners = RunnerStore(aws.names["RunnersTable"], dynamodb, time)
        self.payloads = Payloads(aws.names["PayloadsBucket"], aws.client("s3"))
        self.fanout = FanOut(
            self.submissions,
            self.deliveries,
            self.queues,
            self.payloads,
            aws.names["DeliveriesQueue"],
            "https://api.example.com",
            time,
        )
        self.deliverer = Deliverer(
            self.deliveries,
            self.queues,
            Egress(allow_insecure=True),
            Schedule((0, 5, 300, 1800)),
            aws.names["DeliveriesQueue"],
            time,
            random=lambda: 0.5,
        )
        self._wire(record, "wired", self._completions("record"))
        self._wire(sweep, "wired", self._completions("sweep"))
        self.use(self.deliverer)

    def _completions(self, service: str) -> Completions:
        return Completions(self.submissions, self.runners, self.payloads, self.fanout, metrics(service), self.time)

    def _wire(self, module: object, name: str, parts: object) -> None:
        # Cached like the original, since the account's fixture clears what the entry points keep.
        self.aws.monkeypatch.setattr(module, name, functools.cache(lambda: parts))

    def use(self, deliverer: Deliverer) -> None:
        """Let the webhook handler work with these parts."""
        self.deliverer = deliverer
        self._wire(webhook, "wired", deliverer)

    def redrive(self) -> Redrive:
        return sweep.redrive()

    def submit(self, **changes: Any) -> Submission:
        """Put a pending submission that wants a webhook."""
        values = {"submission_id": new_id(), "webhook_url": self.receiver.url, "webhook_secret": SECRET}
        submission = new_submission(**values | changes)
        self.submissions.create(submission, None)
        return submission

    def completed(self, submission: Submission, name: str = "accepted", **changes: Any) -> str:
        """Text of a runner's completion of that submission."""
        message = golden(f"execution_completed/v1.{name}") | {"submission_id": submission.submission_id}
        return json.dumps(message | changes)

    def record(self, *bodies: str) -> list[int]:
        """Give a batch to `record`; return the places of the messages that failed."""
        return call(record.handler, bodies)

    def finish(self, submission: Submission) -> None:
        """Record the completion of a submission."""
        assert self.record(self.completed(submission)) == []

    def hints(self) -> list[str]:
        """Take what is visible in the deliveries queue."""
        return [json.dumps(message) for message in self.aws.messages("DeliveriesQueue")]

    def webhook(self, *hints: str) -> list[int]:
        """Give hints to `webhook`, one a call as the template says; return the places of those that failed."""
        return [place for place, hint in enumerate(hints) if call(webhook.handler, (hint,))]

    def sweep(self, context: Context | None = None) -> dict[str, Any]:
        """Run the minute's sweep."""
        return sweep.handler({"source": "schedule"}, context or Context())  # type: ignore[arg-type]

    def dead_letters(self, *bodies: str) -> list[int]:
        """Give a batch of dead letters to `sweep`."""
        return call(sweep.handler, bodies)

    def delivery(self, submission: Submission) -> Delivery | None:
        return self.deliveries.get_delivery(submission.submission_id, "run")

    def state(self, submission: Submission) -> DeliveryState | None:
        delivery = self.delivery(submission)
        return delivery.state if delivery is not None else None

    def row(self, submission: Submission) -> Submission:
        row = self.submissions.get(submission.submission_id)
        assert row is not None
        return row

    def attempts(self, submission: Submission) -> list[dict[str, Any]]:
        return [dict(row) for row in self.deliveries.list_attempts(submission.submission_id, "run")]

    def sends(self, submission: Submission) -> int:
        return sum(request.webhook_id == submission.submission_id for request in self.receiver.received)

    def with_schedule(self, *delays_secs: int) -> None:
        self.use(dataclasses.replace(self.deliverer, schedule=Schedule(delays_secs)))


def call(handler: Callable[..., dict[str, Any]], bodies: tuple[str, ...]) -> list[int]:
    """Call an entry point with a batch of SQS messages; return the places of those that it reports as failed."""
    records = [
        {
            "messageId": str(place),
            "receiptHandle": "r",
            "body": body,
            "attributes": {},
            "messageAttributes": {},
            "eventSource": "aws:sqs",
            "eventSourceARN": "arn:aws:sqs:eu-central-1:123456789012:queue",
            "awsRegion": "eu-central-1",
        }
        for place, body in enumerate(bodies)
    ]
    answer = handler({"Records": records}, Context())
    return [int(failure["itemIdentifier"]) for failure in answer["batchItemFailures"]]


def logged(caplog: pytest.LogCaptureFixture) -> str:
    """Everything that was logged: messages, keys and tracebacks."""
    return "\n".join(f"{record.getMessage()} {record.__dict__} {record.exc_text}" for record in caplog.records)


@contextmanager
def crash_at(name: str, *, times: int = 1) -> Iterator[list[str]]:
    """Crash the first `times` times that `name` is reached; yields the names reached so far."""
    reached: list[str] = []

    def hook(here: str) -> None:
        reached.append(here)
        if here == name and reached.count(name) <= times:
            raise Crash(name)

    failpoint.set_hook(hook)
    try:
        yield reached
    finally:
        failpoint.set_hook(None)


@pytest.fixture
def receiver() -> Iterator[HookReceiver]:
    with HookReceiver().running() as running:
        yield running


@pytest.fixture
def pipeline(aws: Aws, receiver: HookReceiver) -> Pipeline:
    return Pipeline(aws, FakeTime(), receiver)
