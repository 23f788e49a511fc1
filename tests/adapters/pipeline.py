"""The pipeline behind the queues, wired as the entry points wire it, with a clock and a receiver of the test."""

import copy
import dataclasses
import json
import secrets
from base64 import b64encode
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pytest

from functions import failpoint
from functions.aws.dynamodb.items import from_item
from functions.aws.dynamodb.row_codec import write
from functions.aws.payloads import Payloads
from functions.clock import to_rfc3339
from functions.env import Env
from functions.event_log.bus import Bus
from functions.files.store import ArtifactStore
from functions.handlers import announce, record, sweep
from functions.handlers import deliver as webhook
from functions.handlers.chat_cards import chat_cards
from functions.ids import new_id
from functions.projects.quota_store import QuotaStore, quota_key
from functions.submissions.completed_event import on_final
from functions.submissions.completion import Completer
from functions.submissions.model import Submission
from functions.submissions.runners.store import RunnerStore
from functions.submissions.store import SubmissionStore
from functions.submissions.sweeper import Sweep
from functions.submissions.transforms import QueuedTransforms
from functions.webhooks.alerts import Alerts
from functions.webhooks.cards import cards
from functions.webhooks.deliveries.model import RUN_ENDPOINT_ID, Delivery, DeliveryState, Schedule
from functions.webhooks.deliveries.publication import DeliveryHints, Outbox
from functions.webhooks.deliveries.replay import DeliveryList
from functions.webhooks.deliveries.store import DeliveryStore
from functions.webhooks.endpoints.model import HIDDEN, Endpoint
from functions.webhooks.endpoints.store import EndpointStore
from functions.webhooks.sealed_secrets import EndpointSecrets, SecretBoxes
from functions.webhooks.sending.attempts import Attempts, SuccessCounts
from functions.webhooks.sending.claim import Claimer, Leases
from functions.webhooks.sending.deliverer import Deliverer
from functions.webhooks.sending.lanes import LaneStore, resume_lane
from functions.webhooks.sending.slots import PROJECT_SHARE, LaneWaker, SlotStore
from functions.webhooks.sending.transforms import transform_runs
from tests.adapters.aws_account import Aws
from tests.adapters.hook_receiver import HookReceiver, Received
from tests.adapters.hook_verification import genuine_by
from tests.submission_factory import FakeTime, golden, new_submission

PROJECT_SLOTS = 25
BASE_URL = "https://api.example.com"
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
RECORD_POINTS = ("complete.before_write", "complete.after_write", "complete.after_hint")
DONE_STATES = {
    DeliveryState.DELIVERED,
    DeliveryState.EXHAUSTED,
    DeliveryState.BLOCKED,
    DeliveryState.SKIPPED,
    DeliveryState.CANCELLED,
    DeliveryState.PAUSED,
}


def no_sleep(_secs: float) -> None:
    """Time is the test's."""


def changed[Part](part: Part, **attributes: Any) -> Part:
    """Return a copy of a part with other attributes."""
    made = copy.copy(part)
    made.__dict__.update(attributes)
    return made


class Crash(BaseException):
    """The process died here."""


class Context:
    """The context that Lambda passes; each read of `remaining_ms` counts it down by `step_ms`."""

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
        receiver.clock = time
        self.secrets: dict[str, list[str]] = {}  # by event id for runs, by path for endpoints; all they ever had
        self.receives: Counter[str] = Counter()
        self.count_writes: list[Callable[[], None]] = []
        dynamodb, table = aws.client("dynamodb"), aws.names["DeliveriesTable"]
        names = {*webhook.SETTINGS, *record.SETTINGS, *sweep.SETTINGS}
        self.env = env = Env("webhook", names, time)
        env.settings.__dict__ |= {
            "webhook_senders": PROJECT_SLOTS * PROJECT_SHARE,
            "webhook_senders_of_process": 1,
            "webhook_retry_secs": (0, 5, 300, 1800),
            "allow_insecure_webhook_targets": True,
            "public_base_url": BASE_URL,
        }
        env.provide(cards, chat_cards)
        env.provide(transform_runs, QueuedTransforms)
        for part in (Leases, Attempts):
            env.provide(part, lambda _, part=part: part(table, dynamodb, time, no_sleep))
        counted = SuccessCounts(table, dynamodb, time, lambda _, write: self.count_writes.append(write))
        env.provide(SuccessCounts, lambda _: counted)
        env.provide(Bus, lambda _: Bus(aws.names["EventBus"], aws.client("events"), BASE_URL, no_sleep))
        self.delivery_hints, self.deliveries, self.listing = env[DeliveryHints], env[DeliveryStore], env[DeliveryList]
        self.endpoints, self.slots, self.lanes = env[EndpointStore], env[SlotStore], env[LaneStore]
        self.leases = env[Leases]
        self.boxes, self.bus, self.outbox, self.alerts = env[SecretBoxes], env[Bus], env[Outbox], env[Alerts]
        self.submissions, self.runners, self.artifacts = env[SubmissionStore], env[RunnerStore], env[ArtifactStore]
        self.payloads, self.quotas, self.lane_waker = env[Payloads], env[QuotaStore], env[LaneWaker]
        self.deliverer, claimer = env[Deliverer], env[Claimer]
        self.deliverer.random = self.lane_waker.random = lambda: 0.5
        self.deliverer.sleep = claimer.sleep = no_sleep
        aws.monkeypatch.setattr(webhook, "ENV", env)
        for module in (record, sweep, announce):
            self._share_parts(module)

    def _share_parts(self, module: Any) -> None:
        """Let an entry point use our stores; no check waits for a submission, and none starts after it."""
        own = Env(module.SERVICE, (), self.time)
        own.__dict__["settings"] = self.env.settings
        own._provided = {**module.ENV._provided, on_final: on_final}
        own._parts = dict(self.env._parts)
        if module is not announce:
            own[Completer]._sleep = no_sleep
        self.aws.monkeypatch.setattr(module, "ENV", own)

    def use(self, deliverer: Deliverer) -> None:
        """Let the webhook handler work with these parts."""
        self.deliverer = self.env._parts[Deliverer] = deliverer

    def guard_all(self) -> None:
        """Let each send need a lease and a slot."""
        self.use(changed(self.deliverer, unguarded=None))

    def write_counts(self) -> None:
        """Let the time of the process's counts of successes be over."""
        for write_counts in self.count_writes:
            write_counts()
        self.count_writes.clear()

    def new_sweep(self) -> Sweep:
        return Sweep(sweep.ENV)

    def submit(self, **changes: Any) -> Submission:
        """Put a pending submission that wants a webhook."""
        secret = changes.pop("webhook_secret", SECRET)
        submission = new_submission(**{"submission_id": new_id(), "webhook_url": self.receiver.url} | changes)
        version = self.endpoints_version(submission.project_id, submission.profile)
        submission = dataclasses.replace(submission, endpoints_version=version)
        if secret is not None:
            box = self.boxes.seal(secret, submission.project_id, RUN_ENDPOINT_ID)
            submission = dataclasses.replace(submission, webhook_secret_box=box)
        self.submissions.create(submission, None)
        self.secrets[submission.submission_id] = [secret or ""]
        return submission

    def run(self, **changes: Any) -> Submission:
        """Submit and finish."""
        submission = self.submit(**changes)
        self.finish(submission)
        return submission

    def endpoints_version(self, project_id: str, profile: str) -> str | None:
        """Return the version that a charge would return."""
        found = self.aws.client("dynamodb").get_item(
            TableName=self.aws.names["QuotasTable"], Key=quota_key(project_id, profile)
        )
        version: str | None = from_item(found.get("Item", {})).get("endpoints_version")
        return version

    def endpoint(self, **changes: Any) -> Endpoint:
        """Put an endpoint of project `dev` at a path of its own; the first of its secrets is `SECRET`."""
        endpoint_id, project_id = new_id(), changes.get("project_id", "dev")
        at = to_rfc3339(self.time())
        values: dict[str, Any] = {
            "endpoint_id": endpoint_id,
            "project_id": "dev",
            "url": self.receiver.url_of(path_of(endpoint_id)),
            "secret_box": self.boxes.seal(SECRET, project_id, endpoint_id),
            "created_at": at,
            "updated_at": at,
        }
        headers = changes.pop("headers", {})
        sealed = EndpointSecrets(self.boxes).seal_headers(headers, project_id, endpoint_id)
        values |= {"headers": dict.fromkeys(headers, HIDDEN), "headers_box": sealed}
        endpoint = Endpoint(**values | changes)
        assert self.endpoints.create(endpoint)
        self.secrets[path_of(endpoint_id)] = [SECRET]
        return endpoint

    def rotate(self, endpoint: Endpoint, overlap_secs: int = 86_400) -> str:
        """Give an endpoint a new secret as the API does; return it."""
        secret = "whsec_" + b64encode(secrets.token_bytes(32)).decode()
        current = self.endpoints.get(endpoint.project_id, endpoint.endpoint_id)
        assert current is not None
        box = self.boxes.seal(secret, endpoint.project_id, endpoint.endpoint_id)
        until_ms = self.time() + overlap_secs * 1000
        sets: dict[str, Any] = {
            "secret_box": box,
            "previous_secret_box": current.secret_box,
            "previous_until_ms": until_ms,
        }
        self.change_endpoint(endpoint, sets)
        self.secrets[path_of(endpoint.endpoint_id)].append(secret)
        return secret

    def change_endpoint(self, endpoint: Endpoint, sets: Mapping[str, Any], removes: tuple[str, ...] = ()) -> None:
        """Change an endpoint as PATCH does it."""
        before, now = self.at(endpoint), self.time()
        also = [resume_lane(self.endpoints.table_name, before, now)] if "failing_since_ms" in removes else []
        assert self.endpoints.change(before, now, sets, removes, also)

    def at(self, endpoint: Endpoint) -> Endpoint:
        """The endpoint as it is now."""
        row = self.endpoints.get(endpoint.project_id, endpoint.endpoint_id)
        assert row is not None
        return row

    def sent_to(self, endpoint: Endpoint) -> list[Received]:
        return self.receiver.of(path_of(endpoint.endpoint_id))

    def verify_received(self) -> None:
        """Every request verifies with a secret of its target."""
        for request in self.receiver.received:
            known = self.secrets.get(request.path) or self.secrets[request.webhook_id]
            assert genuine_by(request, known), request.path

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

    def announce(self, *submission_ids: str) -> list[int]:
        """Give the stream records of changed rows to `announce`; return the places of those to repeat from."""
        records = [
            stream_record(place, f"SUBMISSION#{each}", "SUBMISSION") for place, each in enumerate(submission_ids)
        ]
        answer = announce.handler({"Records": records}, Context())  # type: ignore[arg-type]
        return [int(failure["itemIdentifier"]) for failure in answer["batchItemFailures"]]

    def hints(self) -> list[str]:
        """Take what is visible in the deliveries queue."""
        return [json.dumps(message) for message in self.aws.messages("DeliveriesQueue")]

    def webhook(self, *hints: str) -> list[int]:
        """Give hints to `webhook`, one a call as the template says; return the places of those that failed.

        SQS counts how often each message was received.
        """
        self.receives.update(hints)
        return [place for place, hint in enumerate(hints) if call(webhook.handler, (hint,), self.receives[hint])]

    def sweep(self, context: Context | None = None, *, after_secs: float = 0) -> dict[str, Any]:
        """Run the minute's sweep, so long from now; counts of the minute are written."""
        self.time.advance(after_secs)
        self.write_counts()
        return sweep.handler({"source": "schedule"}, context or Context())  # type: ignore[arg-type]

    def dead_letters(self, *bodies: str) -> list[int]:
        """Give a batch of dead letters to `sweep`."""
        return call(sweep.handler, bodies)

    def delivery(self, submission: Submission, endpoint_id: str = "run") -> Delivery | None:
        return self.deliveries.get_delivery(submission.submission_id, endpoint_id)

    def state(self, submission: Submission, endpoint_id: str = "run") -> DeliveryState | None:
        delivery = self.delivery(submission, endpoint_id)
        return delivery.state if delivery is not None else None

    def row(self, submission: Submission) -> Submission:
        row = self.submissions.get(submission.submission_id)
        assert row is not None
        return row

    def attempts(self, submission: Submission, endpoint_id: str = "run") -> list[dict[str, Any]]:
        return self.attempts_at(submission.submission_id, endpoint_id)

    def attempts_at(self, event_id: str, endpoint_id: str) -> list[dict[str, Any]]:
        """The attempts, in order."""
        delivery = self.deliveries.get_delivery(event_id, endpoint_id)
        if delivery is None:
            return []
        return [write(attempt) for attempt in self.listing.last_attempts(delivery)]

    def sends(self, submission: Submission) -> int:
        return sum(request.webhook_id == submission.submission_id for request in self.receiver.received)

    def with_schedule(self, *delays_secs: int) -> None:
        self.use(changed(self.deliverer, schedule=Schedule(delays_secs)))


def path_of(endpoint_id: str) -> str:
    """The path of an endpoint at the receiver."""
    return f"/endpoint/{endpoint_id}"


def call(handler: Callable[..., dict[str, Any]], bodies: tuple[str, ...], receives: int = 1) -> list[int]:
    """Call an entry point with a batch of SQS messages; return the places of those that it reports as failed."""
    records = [
        {
            "messageId": str(place),
            "receiptHandle": "r",
            "body": body,
            "attributes": {"ApproximateReceiveCount": str(receives)},
            "messageAttributes": {},
            "eventSource": "aws:sqs",
            "eventSourceARN": "arn:aws:sqs:eu-central-1:123456789012:queue",
            "awsRegion": "eu-central-1",
        }
        for place, body in enumerate(bodies)
    ]
    answer = handler({"Records": records}, Context())
    return [int(failure["itemIdentifier"]) for failure in answer["batchItemFailures"]]


def stream_record(place: int, pk: str, sk: str, name: str = "MODIFY") -> dict[str, Any]:
    """Return a record of the submissions table's stream, as Lambda gets it."""
    return {
        "eventID": str(place),
        "eventName": name,
        "eventVersion": "1.1",
        "eventSource": "aws:dynamodb",
        "awsRegion": "eu-central-1",
        "dynamodb": {
            "Keys": {"pk": {"S": pk}, "sk": {"S": sk}},
            "SequenceNumber": str(place),
            "SizeBytes": 100,
            "StreamViewType": "KEYS_ONLY",
        },
    }


def logged(caplog: pytest.LogCaptureFixture) -> str:
    """Everything that was logged: messages, keys and tracebacks."""
    return "\n".join(f"{record.getMessage()} {record.__dict__} {record.exc_text}" for record in caplog.records)


@contextmanager
def crash_at(name: str, *, times: int = 1, after: int = 0) -> Iterator[list[str]]:
    """Crash when `name` was reached `after` times, and `times` times then; yields the names reached so far."""
    reached: list[str] = []

    def hook(here: str) -> None:
        reached.append(here)
        if here == name and after < reached.count(name) <= after + times:
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
def pipeline(aws: Aws, receiver: HookReceiver) -> Iterator[Pipeline]:
    made = Pipeline(aws, FakeTime(), receiver)
    yield made
    made.verify_received()
