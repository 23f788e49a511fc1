"""The local stack's pollers and bus over its engine: a send that hangs does not hold up the others."""

import io
import json
import re
import threading
from typing import Any

import pytest

from functions.ids import new_id
from infra.local import triggers
from infra.local.console import Console
from infra.local.embedded_aws import session
from infra.local.invoker import Invoker
from infra.local.metrics import Counters, message_name
from infra.local.processes.loading import create_bus
from infra.local.template import Function, QueueMapping
from infra.local.triggers import MappingPollers, Share, StoppableThreads
from tests.until import until

COUNTERS = Counters([message_name(queue, how) for queue in ("Deliveries", "Idle") for how in ("handled", "failed")], 1)
HANGING = 10  # two endpoints, five sends each


@pytest.fixture
def queue_url(local_engine: None) -> str:
    return str(session().client("sqs").create_queue(QueueName=f"hints-{new_id()}")["QueueUrl"])


class Handler:
    """Hangs over some messages until it is released."""

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.ended: list[str] = []
        self.release = threading.Event()

    def __call__(self, event: dict[str, Any], _context: object) -> dict[str, Any]:
        (record,) = event["Records"]
        self.begun.append(record["body"])
        if record["body"].startswith("hangs"):
            self.release.wait(60)
        self.ended.append(record["body"])
        return {"batchItemFailures": []}


def left(queue_url: str) -> tuple[int, int]:
    """How many messages wait, and how many were received and not deleted."""
    found = session().client("sqs").get_queue_attributes(QueueUrl=queue_url, AttributeNames=["All"])["Attributes"]
    return int(found["ApproximateNumberOfMessages"]), int(found["ApproximateNumberOfMessagesNotVisible"])


def test_a_burst_is_received_and_deleted_together_and_waits_for_no_thread(
    queue_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[tuple[str, int]] = []
    receive, delete = MappingPollers._receive, MappingPollers._delete

    def received(self: MappingPollers, crew: Any) -> Any:
        messages = receive(self, crew)
        assert len(messages) <= crew.threads - crew.busy
        sizes.append(("received", len(messages)))
        return messages

    def deleted(self: MappingPollers, url: str, messages: Any) -> None:
        sizes.append(("deleted", len(messages)))
        delete(self, url, messages)

    monkeypatch.setattr(MappingPollers, "_receive", received)
    monkeypatch.setattr(MappingPollers, "_delete", deleted)
    sqs, handler = session().client("sqs"), Handler()
    for number in range(60):
        sqs.send_message(QueueUrl=queue_url, MessageBody=f"quick {number}")
    function = Function("Webhook", "m.handler", 30, 128, {})
    pollers = MappingPollers(Invoker({"Webhook": function}, {"Webhook": handler}), Console(io.StringIO()), COUNTERS)
    pollers.start(QueueMapping("Deliveries", "Webhook", 1, 16, reports_failures=True), queue_url, Share(0, 1))
    try:
        until(lambda: left(queue_url) == (0, 0))
    finally:
        pollers.stop(30)
    assert len(set(handler.ended)) == len(handler.ended) == 60
    calls = {kind: sum(bool(size) for name, size in sizes if name == kind) for kind in ("received", "deleted")}
    assert max(calls.values()) < 60
    assert {kind: sum(size for name, size in sizes if name == kind) for kind in calls} == dict.fromkeys(calls, 60)


def test_sends_that_hang_do_not_hold_up_others(queue_url: str) -> None:
    sqs, handler = session().client("sqs"), Handler()
    function = Function("Webhook", "m.handler", 30, 128, {})
    pollers = MappingPollers(Invoker({"Webhook": function}, {"Webhook": handler}), Console(io.StringIO()), COUNTERS)
    bodies = [f"hangs {number}" for number in range(HANGING)] + [f"quick {number}" for number in range(40)]
    for body in bodies:
        sqs.send_message(QueueUrl=queue_url, MessageBody=body)
    pollers.start(QueueMapping("Deliveries", "Webhook", 1, 50, reports_failures=True), queue_url, Share(0, 1))
    try:
        until(lambda: len(handler.ended) == 40 and len(handler.begun) == 50)
        assert all(body.startswith("quick") for body in handler.ended)
        until(lambda: left(queue_url) == (0, HANGING))  # the others are deleted, not only handled
    finally:
        handler.release.set()
        pollers.stop(30)
    assert sorted(handler.ended) == sorted(bodies)
    assert left(queue_url) == (0, 0)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("Deliveries-")]


def test_a_thread_that_fails_goes_on_and_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    class Part(StoppableThreads):
        def start(self) -> None:
            self._start_thread("part", self._work, "told")

        def _work(self, word: str) -> None:
            turns.append(word)
            if len(turns) < 3:
                raise ZeroDivisionError

    turns, console = list[str](), io.StringIO()
    monkeypatch.setattr(triggers, "_AGAIN_SECS", 0.01)
    part = Part(Console(console))
    part.start()
    until(lambda: len(turns) == 3)
    part.stop(30)
    assert not part._threads[0].is_alive()
    assert len(re.findall(r"stack +ZeroDivisionError$", console.getvalue(), re.MULTILINE)) == 2


def test_idle_pollers_ask_one_at_a_time(queue_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    at_once, most, asked, lock = 0, 0, 0, threading.Lock()
    receive = MappingPollers._receive

    def counted(self: MappingPollers, *arguments: Any) -> Any:
        nonlocal at_once, most, asked
        with lock:
            at_once, asked = at_once + 1, asked + 1
            most = max(most, at_once)
        try:
            return receive(self, *arguments)
        finally:
            with lock:
                at_once -= 1

    monkeypatch.setattr(MappingPollers, "_receive", counted)
    pollers = MappingPollers(Invoker({}, {}), Console(io.StringIO()), COUNTERS)
    pollers.start(QueueMapping("Idle", "Webhook", 1, 50, reports_failures=True), queue_url, Share(0, 1))
    until(lambda: asked >= 6)
    pollers.stop(30)
    assert most == 1


@pytest.mark.parametrize(
    ("batch_size", "concurrency", "threads"), [(1, None, 2), (10, None, 2), (10, 5, 5), (10, 20, 8)]
)
def test_a_mapping_has_the_threads_of_its_concurrency_up_to_a_bound(
    queue_url: str, batch_size: int, concurrency: int | None, threads: int
) -> None:
    pollers = MappingPollers(Invoker({}, {}), Console(io.StringIO()), COUNTERS)
    mapping = QueueMapping("Counted", "Webhook", batch_size, concurrency, reports_failures=True)
    pollers.start(mapping, queue_url, Share(0, 1))
    found = sum(thread.name.startswith("Counted-") for thread in threading.enumerate())
    pollers.stop(30)
    assert found == threads


def test_a_bus_is_made_once_and_found_again(queue_url: str) -> None:
    events = session().client("events")
    for _ in range(2):
        create_bus(events, "rustbox-local-EventBus")
    answer = events.put_events(
        Entries=[
            {
                "Source": "rustbox",
                "DetailType": "submission.completed",
                "Detail": json.dumps({"id": "x"}),
                "EventBusName": "rustbox-local-EventBus",
            }
        ]
    )
    assert answer["FailedEntryCount"] == 0
