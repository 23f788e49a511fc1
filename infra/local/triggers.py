"""Invocations that no HTTP request makes: queues' mappings and schedules, as threads that stop when asked."""

from __future__ import annotations

import math
import re
import threading
import time
import uuid
from collections import deque
from dataclasses import dataclass, field
from itertools import batched
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from infra.local.embedded_aws import session
from infra.local.metrics import message_name
from infra.local.settings import ACCOUNT_ID, REGION, StartError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import DeleteMessageBatchRequestEntryTypeDef, MessageTypeDef

    from infra.local.console import Console
    from infra.local.invoker import Invoker
    from infra.local.metrics import Counters
    from infra.local.template import QueueMapping, Schedule

# SQS event source mappings: long-poll threads that do what Lambda's pollers do.

# Threads that serve until they are asked to stop.

_AGAIN_SECS: Final = 1.0


class StoppableThreads:
    """The base of parts with threads. Each thread checks `_stopping` between two pieces of work.

    A thread goes on after an error: otherwise the stack would look alive, and part of its work would not be done.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._stopping = threading.Event()
        self._threads: list[threading.Thread] = []

    def stop(self, grace_secs: float) -> None:
        """Let each thread finish its work, for at most `grace_secs`."""
        self._stopping.set()
        for thread in self._threads:
            thread.join(grace_secs)

    def _start_thread(self, name: str, target: Callable[..., None], *args: object) -> None:
        def serve() -> None:
            while True:
                try:
                    target(*args)
                except Exception:  # noqa: BLE001 - the entry point of this thread
                    self._console.failure("stack", name)
                    if self._stopping.wait(_AGAIN_SECS):
                        return
                else:
                    return

        thread = threading.Thread(target=serve, name=name, daemon=True)
        thread.start()
        self._threads.append(thread)


_MAX_THREADS: Final = 8
# One message a thread: a send to a receiver that hangs takes 15 s of it.
_MAX_THREADS_OF_SINGLES: Final = 64
_DEFAULT_THREADS: Final = 2
_MOST_MESSAGES: Final = 10  # of a call to SQS
# Short, because a stop waits for it; AWS polls 20 s.
_WAIT_SECS: Final = 1
_RETRY_SECS: Final = 0.5
# As the clients of `functions`: without the two switches a call takes a fifth more CPU time.
_CONFIG: Final = Config(max_pool_connections=_MAX_THREADS_OF_SINGLES, user_agent="rustbox", parameter_validation=False)


class Share(NamedTuple):
    """The part of one process in the work of `processes` equal ones; `number` counts them from 0."""

    number: int
    processes: int

    def of(self, total: int) -> int:
        """Divide: the shares of all processes add up to `total`."""
        return total // self.processes + (self.number < total % self.processes)


@dataclass(slots=True)
class _Crew:
    """The threads of a mapping, and their messages: received ones without a thread yet, handled ones to be deleted."""

    mapping: QueueMapping
    queue_url: str
    threads: int
    # One thread asks the queue at a time: a message wakes that one.
    polling: threading.Lock = field(default_factory=threading.Lock)
    received: deque[MessageTypeDef] = field(default_factory=deque)
    lock: threading.Lock = field(default_factory=threading.Lock)
    busy: int = 0
    handled: list[MessageTypeDef] = field(default_factory=list)

    @property
    def idle(self) -> int:
        """How many messages a thread that asks may take: each has a thread that handles it at once."""
        return min(_MOST_MESSAGES, max(self.mapping.batch_size, self.threads - self.busy))

    def take(self) -> list[MessageTypeDef]:
        """Take the messages of one invocation."""
        taken = [self.received.popleft() for _ in range(min(len(self.received), self.mapping.batch_size))]
        with self.lock:
            self.busy += bool(taken)
        return taken

    def end(self, handled: Sequence[MessageTypeDef]) -> list[MessageTypeDef]:
        """Note the end of an invocation. Return what to delete now: together, or with the last one under way."""
        with self.lock:
            self.busy -= 1
            self.handled += handled
            return self._take_handled() if not self.busy or len(self.handled) >= _MOST_MESSAGES else []

    def take_handled(self) -> list[MessageTypeDef]:
        with self.lock:
            return self._take_handled()

    def _take_handled(self) -> list[MessageTypeDef]:
        handled, self.handled = self.handled, []
        return handled


class MappingPollers(StoppableThreads):
    """All threads of all mappings, as far as they are this process's share."""

    def __init__(self, invoker: Invoker, console: Console, counters: Counters) -> None:
        super().__init__(console)
        self._invoker = invoker
        self._counters = counters
        self._sqs: SQSClient = session().client("sqs", config=_CONFIG)  # one for all: making one takes 60 ms

    def start(self, mapping: QueueMapping, queue_url: str, share: Share) -> None:
        """Start this process's share of the mapping's threads: all shares are at most its MaximumConcurrency."""
        most = _MAX_THREADS_OF_SINGLES if mapping.batch_size == 1 else _MAX_THREADS
        crew = _Crew(mapping, queue_url, share.of(min(mapping.max_concurrency or _DEFAULT_THREADS, most)))
        for number in range(crew.threads):
            self._start_thread(f"{mapping.queue}-{number}", self._poll, crew)

    def _poll(self, crew: _Crew) -> None:
        while crew.received or not self._stopping.is_set():
            try:
                with crew.polling:
                    if not crew.received:
                        self._delete(crew.queue_url, crew.take_handled())
                        crew.received += self._receive(crew)
                    taken = crew.take()
                if taken:
                    handled = self._handled(crew.mapping, taken)
                    self._counters.add(message_name(crew.mapping.queue, "handled"), len(handled))
                    self._counters.add(message_name(crew.mapping.queue, "failed"), len(taken) - len(handled))
                    self._delete(crew.queue_url, crew.end(handled))
            except (BotoCoreError, ClientError) as error:
                if not self._stopping.wait(_RETRY_SECS):
                    self._console.line("queue", f"{crew.mapping.queue}: {error}", "warning")

    def _receive(self, crew: _Crew) -> list[MessageTypeDef]:
        if self._stopping.is_set():  # the stop may have come while this thread waited for the lock
            return []
        return self._sqs.receive_message(
            QueueUrl=crew.queue_url,
            MaxNumberOfMessages=crew.idle,
            WaitTimeSeconds=_WAIT_SECS,
            MessageSystemAttributeNames=["All"],
            MessageAttributeNames=["All"],
        ).get("Messages", [])

    def _handled(self, mapping: QueueMapping, messages: list[MessageTypeDef]) -> list[MessageTypeDef]:
        """Invoke the function and return the messages it is done with.

        The others are left as they are: on AWS too they come back when their visibility ends.
        """
        event = {"Records": [_record(message, mapping.queue) for message in messages]}
        try:
            result = self._invoker.invoke(mapping.function, event)
        except Exception:  # noqa: BLE001 - the entry point: what Lambda reports as a function error
            self._console.failure("queue", mapping.function)
            return []
        if not mapping.reports_failures:
            return messages
        failures = failed_ids(result, {message["MessageId"] for message in messages})
        if failures:
            self._console.line("queue", f"{mapping.function}: {len(failures)} of {len(messages)} failed", "warning")
        return [message for message in messages if message["MessageId"] not in failures]

    def _delete(self, queue_url: str, messages: Sequence[MessageTypeDef]) -> None:
        for some in batched(messages, _MOST_MESSAGES):
            entries: list[DeleteMessageBatchRequestEntryTypeDef] = [
                {"Id": str(number), "ReceiptHandle": each["ReceiptHandle"]} for number, each in enumerate(some)
            ]
            self._sqs.delete_message_batch(QueueUrl=queue_url, Entries=entries)


def failed_ids(result: Any, all_ids: set[str]) -> set[str]:
    """Return the ids a handler reports as failed; a report Lambda cannot use fails the whole batch."""
    if not result or not result.get("batchItemFailures"):
        return set()
    failed = {item.get("itemIdentifier") for item in result["batchItemFailures"]}
    return failed if failed.issubset(all_ids) else all_ids


def _record(message: MessageTypeDef, queue: str) -> dict[str, Any]:
    return {
        "messageId": message["MessageId"],
        "receiptHandle": message["ReceiptHandle"],
        "body": message["Body"],
        "attributes": message.get("Attributes", {}),
        "messageAttributes": message.get("MessageAttributes", {}),
        "md5OfBody": message["MD5OfBody"],
        "eventSource": "aws:sqs",
        "eventSourceARN": f"arn:aws:sqs:{REGION}:{ACCOUNT_ID}:{queue}",
        "awsRegion": REGION,
    }


# EventBridge Scheduler's part: a thread per schedule that fires its function.

_RATE = re.compile(r"rate\((\d+) (minute|hour|day)s?\)")
_UNIT_SECS = {"minute": 60, "hour": 3600, "day": 86400}
_SWEEPER: Final = "SweepFunction"
# EventBridge Scheduler fires at most once a minute. On one machine a lost message is found sooner.
_SWEEP_SECS: Final = 5.0


class Firings(NamedTuple):
    """When a schedule fires: `after_secs` after the start, then every `every_secs`."""

    schedule: Schedule
    every_secs: float
    after_secs: float


def interval_secs(expression: str) -> float:
    """Return the seconds between two firings of `rate(...)`; StartError for anything else."""
    match = _RATE.fullmatch(expression)
    if match is None:
        raise StartError(f"template.yaml: the local stack fires rate(...) schedules only, not {expression}")
    return int(match[1]) * _UNIT_SECS[match[2]]


def plan_firings(schedules: Sequence[Schedule], every_secs: float | None) -> list[Firings]:
    """Plan all schedules. `every_secs` replaces every interval.

    The sweeper fires at once, so that rows that became due during a stop are handled. Others fire between two sweeps:
    runs that they have just submitted would hide that a queue is empty.
    """
    ordered = sorted(schedules, key=lambda schedule: schedule.function != _SWEEPER)
    periods = [
        every_secs or (_SWEEP_SECS if schedule.function == _SWEEPER else interval_secs(schedule.expression))
        for schedule in ordered
    ]
    gap_secs = min(periods, default=0) / max(1, len(ordered))
    return [
        Firings(schedule, period, number * gap_secs)
        for number, (schedule, period) in enumerate(zip(ordered, periods, strict=True))
    ]


def next_firing(fired_at: float, every_secs: float, now: float) -> float:
    """Return the next time on the schedule's grid. Those that a long firing took are left out."""
    return fired_at + every_secs * max(1, math.ceil((now - fired_at) / every_secs))


class ScheduleThreads(StoppableThreads):
    """All schedules. While one fires, its next times are left out."""

    def __init__(self, invoker: Invoker, console: Console) -> None:
        super().__init__(console)
        self._invoker = invoker

    def start(self, firings: Firings) -> None:
        self._start_thread(firings.schedule.name, self._fire, firings)

    def _fire(self, firings: Firings) -> None:
        schedule, every_secs, after_secs = firings
        due_at = time.monotonic() + after_secs
        while not self._stopping.wait(max(0.0, due_at - time.monotonic())):
            try:
                self._invoker.invoke(schedule.function, _event(schedule))
            except Exception:  # noqa: BLE001 - the entry point: what Lambda reports as a function error
                self._console.failure("schedule", schedule.function)
            due_at = next_firing(due_at, every_secs, time.monotonic())


def _event(schedule: Schedule) -> dict[str, object]:
    return {
        "version": "0",
        "id": str(uuid.uuid4()),
        "detail-type": "Scheduled Event",
        "source": "aws.scheduler",
        "account": ACCOUNT_ID,
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "region": REGION,
        "resources": [f"arn:aws:scheduler:{REGION}:{ACCOUNT_ID}:schedule/default/{schedule.name}"],
        "detail": "{}",
    }
