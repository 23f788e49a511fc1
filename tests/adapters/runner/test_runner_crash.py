"""A runner that dies between any two of its calls loses nothing, and batches its calls."""

import json
from contextlib import suppress
from dataclasses import dataclass, field, replace
from threading import Event, Lock
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from sandbox_runtime.transport import Clients
from tests.adapters.runner_system import HeldSlot, System
from tests.judge_requests import case, judge_requested
from tests.runner_doubles import RecordedSlot, outcome
from tests.until import PATIENCE_SECS, until


@dataclass
class Wire:
    """The runner's connection to AWS, which ends at a named call: no later call arrives, as after a SIGKILL.

    `dies_at`: the operation, and whether AWS still gets that call.
    """

    dies_at: tuple[str, bool] | None = None
    calls: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    is_dead: bool = False
    receipts: list[tuple[str, str]] = field(default_factory=list)
    held_entries: int = 0
    may_send: Event = field(default_factory=Event)
    lock: Lock = field(default_factory=Lock)

    def wrap(self, clients: Clients) -> Clients:
        sqs: Any = _Wired(clients.sqs, self)
        receiving: Any = _Wired(clients.receiving, self)
        bucket: Any = _Wired(clients.s3(), self)
        return replace(clients, receiving=receiving, sqs=sqs, s3=lambda: bucket)

    def admit(self, operation: str, params: dict[str, Any]) -> None:
        """Let a call through, or raise. The last one is let through after which the connection is dead."""
        if operation == "send_message_batch" and not self.is_heartbeat(params):
            self.held_entries = len(params["Entries"])
            assert self.may_send.wait(PATIENCE_SECS)
        with self.lock:
            if not self.is_dead and self.dies_at is not None and self.dies_at[0] == operation:
                self.is_dead = not self.is_heartbeat(params)
                if self.is_dead and self.dies_at[1]:
                    self.calls.append((operation, params))
                    return
            if self.is_dead:
                raise EndpointConnectionError(endpoint_url="a dead runner's")
            self.calls.append((operation, params))

    @staticmethod
    def is_heartbeat(params: dict[str, Any]) -> bool:
        return any("runner_heartbeat" in entry.get("MessageBody", "") for entry in params.get("Entries", ()))

    def entries(self, operation: str) -> list[int]:
        """Count the entries of each call of an operation, without heartbeats."""
        calls = [params for name, params in self.calls if name == operation and not self.is_heartbeat(params)]
        return [len(params["Entries"]) for params in calls]


class _Wired:
    def __init__(self, client: Any, wire: Wire) -> None:
        self._client, self._wire = client, wire

    def __getattr__(self, operation: str) -> Any:
        def call(**params: Any) -> Any:
            self._wire.admit(operation, params)
            answer = getattr(self._client, operation)(**params)
            if self._wire.is_dead:  # AWS has done it, and nobody hears the answer
                raise EndpointConnectionError(endpoint_url="a dead runner's")
            if operation == "receive_message":
                handles = [message["ReceiptHandle"] for message in answer.get("Messages", ())]
                self._wire.receipts += [(params["QueueUrl"], handle) for handle in handles]
            return answer

        return call


def end_visibility_timeouts(system: System, wire: Wire) -> None:
    """Make visible what the dead runner holds, as SQS does when its time is over."""
    for queue_url, handle in wire.receipts:
        with suppress(ClientError):  # the message is deleted
            system.aws.client("sqs").change_message_visibility(
                QueueUrl=queue_url, ReceiptHandle=handle, VisibilityTimeout=0
            )
    assert system.counts()[1] == 0


@pytest.mark.parametrize("is_done", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("operation", ["put_object", "send_message_batch", "delete_message_batch"])
def test_a_runner_that_dies_at_a_call_loses_no_request(system: System, operation: str, *, is_done: bool) -> None:
    large = outcome(stdout=b"x" * 200_000)
    slots = [HeldSlot(large) for _ in range(3)]
    wire = Wire((operation, is_done))
    wire.may_send.set()
    system.wrap = wire.wrap
    system.start(lambda: slots[len(system.slots)], slots=3)
    requests = [system.request() for _ in range(3)]
    assert all(slot.begun.wait(PATIENCE_SECS) for slot in slots)
    for slot in slots:
        slot.may_end.set()
    until(lambda: wire.is_dead)
    system.worker.drain()  # twice, with the one of `stop`: it waits for nothing
    system.stop()
    assert sum(system.counts()) + len(completed(system)) >= 3  # each is still in one of the queues
    end_visibility_timeouts(system, wire)
    system.wrap = lambda clients: clients
    system.start(lambda: RecordedSlot(large))
    expected = {request.submission_id: request.execution_id for request in requests}
    until(lambda: completed(system) == expected)
    until(system.is_empty)


@pytest.mark.parametrize("is_done", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("operation", ["put_object", "send_message_batch", "delete_message_batch"])
def test_a_runner_that_dies_in_a_judge_run_leaves_it_to_the_next_one(
    system: System, operation: str, *, is_done: bool
) -> None:
    large = outcome(stdout=b"x" * 100_000)
    wire = Wire((operation, is_done))
    wire.may_send.set()
    system.wrap = wire.wrap
    system.start(lambda: RecordedSlot(large))
    request = system.judge(judge_requested([case(expected=None)] * 4))
    until(lambda: wire.is_dead)
    system.worker.drain()
    system.stop()
    end_visibility_timeouts(system, wire)
    system.wrap = lambda clients: clients
    system.start(lambda: RecordedSlot(large))
    until(system.is_empty)
    ends = until(lambda: system.of_type("judge_completed"))
    assert {(end["submission_id"], end["execution_id"], end["cases_key"]) for end in ends} == {
        (request.submission_id, request.execution_id, f"outputs/{request.submission_id}/{request.execution_id}/cases")
    }
    stored = system.aws.client("s3").get_object(Bucket=system.aws.names["PayloadsBucket"], Key=ends[0]["cases_key"])
    assert [found["index"] for found in json.loads(stored["Body"].read())["cases"]] == [0, 1, 2, 3]


def completed(system: System) -> dict[str, str]:
    return {message["submission_id"]: message["execution_id"] for message in system.of_type("execution_completed")}


def test_completions_that_wait_are_sent_in_one_call_and_their_requests_deleted_in_one(system: System) -> None:
    slots = [HeldSlot() for _ in range(4)]
    wire = Wire()
    system.wrap = wire.wrap
    system.start(lambda: slots[len(system.slots)], slots=4)
    until(lambda: system.of_type("runner_heartbeat"))
    requests = [system.request() for _ in range(4)]
    assert all(slot.begun.wait(PATIENCE_SECS) for slot in slots)
    for slot in slots:
        slot.may_end.set()
    until(lambda: wire.held_entries + system.worker._reports.sender._thread._arrived.qsize() == 4)
    wire.may_send.set()
    for request in requests:
        assert system.completion(request)["result"]["verdict"] == "AC"
    until(system.is_empty)
    assert len(wire.entries("send_message_batch")) <= 2
    assert sum(wire.entries("delete_message_batch")) == sum(wire.entries("send_message_batch")) == 4
    assert len(wire.entries("delete_message_batch")) <= 2
