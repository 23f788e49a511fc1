"""Count the AWS calls of each path: the real handlers and the real runner's worker over the embedded engine.

No program runs, and nothing waits: the slots end at once. Receives are left out, and so are reads that happen by time:
queue depths, secrets and keys. Lambda's pollers delete messages, so their deletes are counted here as they do them.
"""

import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
import pytest

from functions.handlers import announce, deliver, record, submit
from functions.projects.model import Project, Quota
from functions.projects.store import ProjectStore
from functions.submissions.direct import DirectRunners, runner_client
from functions.webhooks.sending import attempts, deliverer, transforms
from infra.embedded import services
from infra.embedded.engine import Engine, open_engine
from infra.embedded.hook import Hook
from tests.adapters.aws_account import API_KEY, PROJECT_ID, Aws, forget_clients
from tests.adapters.hook_receiver import HookReceiver
from tests.adapters.http_calls import post, send
from tests.adapters.new_account import new_account
from tests.adapters.pipeline import Context, call, stream_record
from tests.adapters.runner_system import TOKEN, Direct
from tests.runner_doubles import RecordedSlot

_PER_BATCH = 10
_HELD_SECS = 0.01
_STREAM_BATCH = 100
_LEFT_OUT = frozenset({"ReceiveMessage", "GetQueueAttributes", "GetParameter", "Decrypt"})
_TOKEN_PARAMETER = "/counted/runner-token"
_PROGRAM = {"language": "python", "code": "print(42)"}
JUDGE_REQUEST = {
    **_PROGRAM,
    "cases": [
        {"id": f"secret/{number:02}", "stdin": f"{number} {number * 7}\n" * 4, "expected": "42\n"}
        for number in range(50)
    ],
}


@dataclass(slots=True)
class Counted:
    """Calls by operation, units of the tables, and events of the bus."""

    calls: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    write_units: float = 0
    read_units: float = 0
    events: float = 0

    @property
    def total(self) -> float:
        """All calls."""
        return sum(self.calls.values())

    def per(self, runs: int) -> "Counted":
        """Return the share of one run."""
        calls = {operation: count / runs for operation, count in self.calls.items()}
        return Counted(calls, self.write_units / runs, self.read_units / runs, self.events / runs)

    def minus(self, other: "Counted") -> "Counted":
        """Return the difference."""
        operations = self.calls.keys() | other.calls.keys()
        calls = {name: self.calls.get(name, 0) - other.calls.get(name, 0) for name in operations}
        return Counted(
            {name: count for name, count in calls.items() if count},
            self.write_units - other.write_units,
            self.read_units - other.read_units,
            self.events - other.events,
        )


class CountingEngine:
    """Answers calls from the engine and counts them."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.latency_secs = 0.0
        self.holds_runner = False
        """Whether the runner gets no submission, until all are sent."""
        self.counted = Counted()

    def reset(self) -> Counted:
        """Return the counts and begin again."""
        before, self.counted = self.counted, Counted()
        return before

    def __call__(self, service: str, operation: str, params: dict[str, Any]) -> dict[str, Any]:
        """Answer one call."""
        if operation == "ReceiveMessage" and self.holds_runner:
            time.sleep(_HELD_SECS)
            return {}
        params = {name: value for name, value in params.items() if name != "CreateBucketConfiguration"}
        asked = params | {"ReturnConsumedCapacity": "TOTAL"} if _has_capacity(service, operation) else params
        time.sleep(self.latency_secs)
        answer = services.call(self._engine, service, operation, asked)
        if operation not in _LEFT_OUT and not _is_by_time(operation, params):
            self.counted.calls[operation] += 1
            self.counted.events += len(params["Entries"]) if operation == "PutEvents" else 0
            units = _units(answer)
            if operation in {"GetItem", "BatchGetItem", "Query"}:
                self.counted.read_units += units
            else:
                self.counted.write_units += units
        return answer


def _has_capacity(service: str, operation: str) -> bool:
    return service == "dynamodb" and operation.endswith(("Item", "Items", "Query"))


def _is_by_time(operation: str, params: Mapping[str, Any]) -> bool:
    """Tell whether it happens by time: reads of keys and of the list of runners, and heartbeats."""
    is_heartbeat = operation.startswith("SendMessage") and "runner_heartbeat" in str(params)
    return is_heartbeat or params.get("TableName") in {"projectstable", "runnerstable"}


def _units(answer: Mapping[str, Any]) -> float:
    consumed = answer.get("ConsumedCapacity", [])
    parts = consumed if isinstance(consumed, list) else [consumed]
    return float(sum(part["CapacityUnits"] for part in parts))


@dataclass(slots=True)
class CountedSystem:
    """The functions, a runner and a receiver."""

    aws: Aws
    engine: CountingEngine
    receiver: HookReceiver
    runner: Direct
    runner_latency_secs: float
    changed: list[str] = field(default_factory=list)
    new_transforms: int = 0

    def add_endpoint(self, *, transform: bool = False) -> None:
        """Give the project one more endpoint."""
        more = {"transform": {"language": "python", "code": "print(42)"}} if transform else {}
        self.new_transforms += transform
        answer = send(API_KEY, "POST", "/api/webhooks", {"url": self.receiver.url, **more})
        assert answer.json.get("enabled"), answer.raw

    def poll(self, cursor: str | None = None) -> str:
        """Poll the events of a consumer once; return the cursor."""
        query = {"consumer": "counted", "limit": "100"} | ({} if cursor is None else {"cursor": cursor})
        answer = send(API_KEY, "GET", "/api/events/poll", query=query)
        assert answer.status == 200, answer.raw
        return str(answer.json["cursor"])

    def delete_consumer(self) -> None:
        """Delete that consumer, and so the event log."""
        assert send(API_KEY, "DELETE", "/api/event-consumers/counted").status == 200

    def synchronous(self, runs: int) -> None:
        """Answer runs directly, one after the other."""
        for _ in range(runs):
            answer = post(API_KEY, _PROGRAM, query={"wait": "true"})
            assert (answer.status, answer.json["verdict"]) == (200, "AC"), answer.raw
            self.changed.append(answer.json["id"])

    def submitted(self, in_flight: int) -> None:
        """Submit runs, let the runner run them, record them, and deliver their webhooks."""
        self.engine.holds_runner = True
        for _ in range(in_flight):
            answer = post(API_KEY, _PROGRAM)
            assert answer.status == 202, answer.raw
            self.changed.append(answer.json["id"])
        self._record(in_flight)
        self.deliver()
        if self.new_transforms:  # the first run of a program goes through the queue
            self._record(self.new_transforms)
            self.deliver()
            self.new_transforms = 0

    def _record(self, count: int) -> None:
        """Let the runner run so many submissions, and record them."""
        self.engine.holds_runner, self.engine.latency_secs = False, self.runner_latency_secs
        completions = self._take("CompletionsQueue", count)
        self.engine.latency_secs = 0.0
        for batch in completions:
            assert call(record.handler, tuple(message["Body"] for message in batch)) == []
            self._delete("CompletionsQueue", batch)

    def judged(self, runs: int) -> None:
        """Judge programs on 50 cases, one after the other, and record their progress and their ends."""
        for _ in range(runs):
            answer = send(API_KEY, "POST", "/api/judge", JUDGE_REQUEST, query={"wait": "false"})
            assert answer.status == 202, answer.raw
            self.changed.append(answer.json["id"])
            is_final = False
            while not is_final:
                batch = self._receive("CompletionsQueue", _PER_BATCH, wait_secs=1)
                assert call(record.handler, tuple(message["Body"] for message in batch)) == []
                if batch:
                    self._delete("CompletionsQueue", batch)
                is_final = any("judge_completed" in message["Body"] for message in batch)
        self.announce()

    def announce(self) -> None:
        """Give the changed rows to `announce` as Lambda does, a hundred at a time."""
        for first in range(0, len(self.changed), _STREAM_BATCH):
            some = self.changed[first : first + _STREAM_BATCH]
            records = [stream_record(place, f"SUBMISSION#{each}", "SUBMISSION") for place, each in enumerate(some)]
            assert announce.handler({"Records": records}, Context()) == {"batchItemFailures": []}  # type: ignore[arg-type]
        self.changed.clear()

    def deliver(self) -> None:
        """Deliver all hints that are visible, one a call as the template says."""
        while batch := self._receive("DeliveriesQueue", 1):
            assert call(deliver.handler, (batch[0]["Body"],)) == []
            self._delete("DeliveriesQueue", batch)

    def fail_first(self, *requests: int) -> None:
        """Let the receiver refuse so many requests and accept as many, for each number in turn."""
        self.receiver.answers = [(status, {}, b"") for count in requests for status in (500, 200) for _ in range(count)]

    def _take(self, queue: str, count: int) -> list[list[dict[str, Any]]]:
        """Wait for that many messages, and return them in batches."""
        taken: list[dict[str, Any]] = []
        while len(taken) < count:
            received = self._receive(queue, _PER_BATCH, wait_secs=1)
            taken += [message for message in received if "runner_heartbeat" not in message["Body"]]
        return [taken[first : first + _PER_BATCH] for first in range(0, count, _PER_BATCH)]

    def _receive(self, queue: str, most: int, wait_secs: int = 0) -> list[dict[str, Any]]:
        url = self.aws.names[queue]
        answer = self.aws.client("sqs").receive_message(
            QueueUrl=url, MaxNumberOfMessages=most, WaitTimeSeconds=wait_secs
        )
        found: list[dict[str, Any]] = answer.get("Messages", [])
        return found

    def _delete(self, queue: str, batch: list[dict[str, Any]]) -> None:
        entries = [{"Id": str(place), "ReceiptHandle": message["ReceiptHandle"]} for place, message in enumerate(batch)]
        self.aws.client("sqs").delete_message_batch(QueueUrl=self.aws.names[queue], Entries=entries)


@contextmanager
def counted_system(quota: Quota, *, slots: int, runner_latency_secs: float) -> Iterator[CountedSystem]:
    """Start everything over a new engine. The environment and botocore's handlers are as before afterwards.

    `runner_latency_secs`: how long a call takes while the runner works. Only its calls are shared by runs that wait.
    """
    patch = pytest.MonkeyPatch()
    # Counts must not depend on the machine: on a busy one, hints are older, sends slower, and caches read again.
    for name, of_an_idle_machine in {"FRESH_HINT_MS": 600_000, "FRESH_TARGET_MS": 600_000, "SLOW_SECS": 600}.items():
        patch.setattr(deliverer, name, of_an_idle_machine)
    patch.setattr(attempts, "EVERY_MS", 600_000)
    patch.setattr(transforms, "FRESH_MS", 600_000)
    with tempfile.TemporaryDirectory() as folder, HookReceiver().running() as receiver:
        engine = open_engine(Path(folder) / "engine", synchronous="NORMAL")
        counting = CountingEngine(engine)
        hook = Hook(counting)
        hook.attach_everywhere()
        patch.setattr(boto3, "DEFAULT_SESSION", None)
        forget_clients()
        try:
            with new_account(patch) as aws:
                patch.setenv("STAGE", "local")
                patch.setenv("ALLOW_INSECURE_WEBHOOK_TARGETS", "true")
                store = ProjectStore(aws.names["ProjectsTable"], aws.client("dynamodb"))
                store.create_project(Project(PROJECT_ID, "Counted", quotas={"judge": quota}))
                store.issue_key(PROJECT_ID, api_key=API_KEY)
                runner = Direct(aws, Path(folder) / "alive")
                runner.start(RecordedSlot, slots=slots)
                boto3.client("ssm").put_parameter(Name=_TOKEN_PARAMETER, Value=TOKEN, Type="SecureString")
                patch.setenv("RUNNER_URL", f"http://127.0.0.1:{runner.port}")
                patch.setenv("ALLOW_RUNNER_HTTP", "true")
                patch.setenv("RUNNER_TOKEN_PARAMETER", _TOKEN_PARAMETER)
                patch.setenv("WEBHOOK_RETRY_SECS", "0,0")
                try:
                    yield CountedSystem(aws, counting, receiver, runner, runner_latency_secs)
                finally:
                    _close_connections()
                    runner.stop()
        finally:
            forget_clients()
            hook.detach_everywhere()
            engine.close()
            patch.undo()


def _close_connections() -> None:
    for runner in (submit.ENV[DirectRunners].runner, deliver.ENV[runner_client]):
        while runner is not None and runner.connections._kept:
            runner.connections._kept.pop()[1].close()
