"""The direct path of a worker: real HTTP, the engine's queues, recorded outcomes in place of the jail."""

import json
from threading import Event, Semaphore, Thread
from typing import Any

import pytest

from events.program import RequestedLimits
from events.requested import ExecutionRequested
from sandbox_runtime.jail.spec import JailSpec, Outcome
from sandbox_runtime.transport import Received, Transport
from sandbox_runtime.worker import direct_intake
from tests.adapters.runner_system import Direct, HeldSlot, comparable
from tests.runner_doubles import BROKEN, CLEAN, NETWORK, EndlessSlot, RecordedSlot, outcome, requested
from tests.until import PATIENCE_SECS, until

pytestmark = pytest.mark.usefixtures("_no_retry_delay")


@pytest.fixture
def system(direct: Direct) -> Direct:
    return direct


def test_both_ways_give_the_same_message(system: Direct) -> None:
    system.start(RecordedSlot, slots=2)
    request = requested()
    status, answered = system.ask(request)
    assert (status, answered["submission_id"]) == (200, request.submission_id)
    assert answered["execution_id"] == request.execution_id
    assert comparable(answered) == comparable(system.completion(system.request()))
    assert len(system.of_type("execution_completed")) == 1  # the direct one is for its caller alone


def test_large_output_goes_to_the_bucket_this_way_too(system: Direct) -> None:
    system.start(lambda: RecordedSlot(outcome(stdout=b"x" * 200_000)))
    request = requested()
    _, answered = system.ask(request)
    key = f"outputs/{request.submission_id}/{request.execution_id}/stdout"
    assert answered["stdout"] == {"size_bytes": 200_000, "object_key": key}
    stored = system.aws.client("s3").get_object(Bucket=system.aws.names["PayloadsBucket"], Key=key)
    assert stored["Body"].read() == b"x" * 200_000


def test_the_answer_leaves_before_the_slot_is_made_ready(system: Direct) -> None:
    answered = Event()

    class Staging(RecordedSlot):
        def prewarm(self, spec: JailSpec) -> None:
            if self.specs:
                assert answered.wait(PATIENCE_SECS)
            super().prewarm(spec)

    system.start(Staging)
    for managed_slot in system.worker._managed_slots:
        managed_slot._prewarmed = JailSpec(argv=("/bin/true",), limits=None, files=())  # type: ignore[arg-type]
    assert system.ask(requested())[0] == 200
    answered.set()
    until(lambda: system.worker._capacity.is_idle or system.slots[0].prewarmed)


def test_a_spare_slot_runs_while_another_is_prepared_and_never_beside_more_than_the_slots(
    system: Direct, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(direct_intake, "SLOT_WAIT_SECS", PATIENCE_SECS)  # an answer leaves before its permit is back
    may_settle = Event()

    class Settling(RecordedSlot):
        def settle(self) -> None:
            if self.specs:
                assert may_settle.wait(PATIENCE_SECS)

    system.start(Settling, slots=1, spare_slots=1)
    assert [system.ask(requested())[0] for _ in range(2)] == [200, 200]
    assert [len(slot.specs) for slot in system.slots] == [1, 1]
    monkeypatch.setattr(direct_intake, "SLOT_WAIT_SECS", 0.2)
    assert system.ask(requested()) == (503, {"error": "no_free_slot"})  # both slots are being made ready
    may_settle.set()
    assert until(lambda: system.ask(requested())[0] == 200)
    heartbeat = until(lambda: system.of_type("runner_heartbeat"))[0]
    assert heartbeat["slots"] == 1


@pytest.mark.parametrize("slots", [1, 2, 3])
def test_waiting_pollers_do_not_keep_direct_runs_out(system: Direct, slots: int) -> None:
    held = [HeldSlot() for _ in range(slots)]
    left = iter(held)
    system.start(lambda: next(left), slots=slots)
    until(lambda: system.worker._capacity._state.polls > 0)
    clients = [system.send(requested().serialise()) for _ in range(slots)]
    for slot in held:
        assert slot.begun.wait(PATIENCE_SECS)
    assert system.ask(requested()) == (503, {"error": "no_free_slot"})
    for slot in held:
        slot.may_end.set()
    assert [client.getresponse().status for client in clients] == [200] * slots


def test_a_project_that_fills_the_runner_does_not_keep_another_out(
    system: Direct, monkeypatch: pytest.MonkeyPatch
) -> None:
    sleeping, may_end = Semaphore(0), Event()

    class Sleeping(RecordedSlot):
        def answer(self, spec: JailSpec, *, cancel_fd: int | None = None) -> Outcome:
            if any(file.content == b"sleep" for file in spec.files):
                sleeping.release()
                assert may_end.wait(PATIENCE_SECS)
            return super().answer(spec, cancel_fd=cancel_fd)

    system.start(Sleeping, slots=2, spare_slots=1)
    hostile = [system.send(requested(project_id="hostile", code=b"sleep").serialise()) for _ in range(2)]
    assert all(sleeping.acquire(timeout=PATIENCE_SECS) for _ in hostile)
    assert system.ask(requested(project_id="hostile")) == (503, {"error": "no_free_slot"})
    monkeypatch.setattr(direct_intake, "SLOT_WAIT_SECS", PATIENCE_SECS)  # an answer leaves before its permit is back
    assert [system.ask(requested(project_id="honest"))[0] for _ in range(4)] == [200] * 4
    may_end.set()
    assert [client.getresponse().status for client in hostile] == [200, 200]


def test_a_message_whose_slot_was_taken_runs_on_the_next_one(system: Direct, monkeypatch: pytest.MonkeyPatch) -> None:
    slot, may_receive = HeldSlot(), Event()
    receive = Transport.receive

    def receive_late(*arguments: Any) -> list[Received]:
        assert may_receive.wait(PATIENCE_SECS)
        return receive(*arguments)

    monkeypatch.setattr(Transport, "receive", receive_late)  # so that the first poll does not end before its time
    system.start(lambda: slot)
    until(lambda: system.worker._capacity._state.polls > 0)
    client = system.send(requested().serialise())
    assert slot.begun.wait(PATIENCE_SECS)
    request = system.request()
    may_receive.set()
    until(lambda: system.counts() == (0, 1))  # the poll that was under way brought it
    until(lambda: system.worker._keeper._held)
    slot.may_end.set()
    assert client.getresponse().status == 200
    assert system.completion(request)["result"]["verdict"] == "AC"
    until(system.is_empty)


def test_a_message_whose_slot_was_taken_goes_back_to_the_queue_once(
    system: Direct, monkeypatch: pytest.MonkeyPatch
) -> None:
    slot, may_receive, counts = HeldSlot(), Event(), list[int]()
    receive = Transport.receive

    def receive_late(*arguments: Any) -> list[Received]:
        assert may_receive.wait(PATIENCE_SECS)
        found = receive(*arguments)
        counts.extend(received.receive_count for received in found)
        return found

    monkeypatch.setattr(Transport, "receive", receive_late)
    system.start(lambda: slot)
    until(lambda: system.worker._capacity._state.polls == 2)
    client = system.send(requested().serialise())
    assert slot.begun.wait(PATIENCE_SECS)
    request = system.request()
    may_receive.set()
    until(lambda: counts == [1, 2])  # another runner with a free slot would have received it in between
    slot.may_end.set()
    assert client.getresponse().status == 200
    assert system.completion(request)["result"]["verdict"] == "AC"
    until(system.is_empty)
    assert counts == [1, 2]


def test_batch_runs_leave_a_slot_to_direct_runs(system: Direct, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(direct_intake, "SLOT_WAIT_SECS", PATIENCE_SECS)  # an answer leaves before its permit is back
    begun: list[bool] = []

    class First(EndlessSlot):
        def answer(self, spec: JailSpec, *, cancel_fd: int | None = None) -> Outcome:
            return CLEAN if begun else super().answer(spec, cancel_fd=cancel_fd)

    system.start(lambda: First(lambda: begun.append(True)), slots=2, DRAIN_SECS="0")
    for _ in range(3):
        system.request("BatchQueue", priority="batch")
    until(lambda: begun)
    assert [system.ask(requested())[0] for _ in range(5)] == [200] * 5
    monkeypatch.setattr(direct_intake, "SLOT_WAIT_SECS", 0.1)
    assert system.ask(requested(priority="batch"))[0] == 503, "the last slot is for runs with a waiting client"
    assert sum(system.counts("BatchQueue")) == 3  # the others have not run; within a second they are received too


@pytest.mark.parametrize(
    ("request_or_text", "status"),
    [
        ("not JSON", 400),
        ("[" * 5000, 400),
        ('{"type":"execution_requested","version":2}', 400),
        (requested(language="rust"), 422),
    ],
)
def test_a_request_that_cannot_run_is_refused(
    system: Direct, request_or_text: ExecutionRequested | str, status: int
) -> None:
    system.start(RecordedSlot)
    assert system.ask(request_or_text)[0] == status
    assert system.slots[0].specs == []
    assert system.ask(requested())[0] == 200


def test_an_unknown_language_is_refused_while_every_slot_is_busy(system: Direct) -> None:
    slot, _, client = system.run_held()
    assert system.ask(requested(language="rust")) == (422, {"error": "language_not_offered"})
    slot.may_end.set()
    assert client.getresponse().status == 200


def test_a_runner_without_network_refuses_a_run_with_network_without_a_slot(system: Direct) -> None:
    system.start(RecordedSlot)
    assert system.ask(requested(network=NETWORK)) == (422, {"error": "network_not_offered"})
    assert system.slots[0].specs == []


def test_a_limit_above_the_ceiling_ends_as_on_the_queue(system: Direct) -> None:
    system.start(RecordedSlot)
    status, answered = system.ask(requested(limits=RequestedLimits(memory_mb=4097)))
    assert (status, answered["result"]["cause"]) == (200, "ie_not_run")


def test_a_broken_sandbox_sends_the_caller_to_the_queue(system: Direct) -> None:
    slots = [RecordedSlot(BROKEN), RecordedSlot()]
    system.start(lambda: slots[len(system.slots)])
    assert system.ask(requested()) == (502, {"error": "sandbox_failed"})
    until(lambda: len(system.slots) == 2)
    assert until(lambda: system.ask(requested())[0] == 200)


def test_a_fault_of_the_runner_is_answered(system: Direct) -> None:
    class Faulty(RecordedSlot):
        def answer(self, spec: JailSpec, *, cancel_fd: int | None = None) -> Outcome:  # noqa: ARG002
            raise ZeroDivisionError(spec.argv)

    slots = [Faulty(), RecordedSlot()]
    system.start(lambda: slots[len(system.slots)])
    assert system.ask(requested()) == (500, {"error": "internal"})
    until(lambda: len(system.slots) == 2)


def test_a_submission_that_runs_is_not_run_beside_itself(system: Direct) -> None:
    slot = HeldSlot()
    system.start(lambda: slot if not system.slots[1:] else RecordedSlot(), slots=2)
    request = requested()
    client = system.send(request.serialise())
    assert slot.begun.wait(PATIENCE_SECS)
    assert system.ask(request) == (409, {"error": "already_running"})
    slot.may_end.set()
    assert client.getresponse().status == 200


def test_the_result_of_a_caller_that_left_goes_to_the_completions_queue(system: Direct) -> None:
    slot, request, client = system.run_held()
    client.close()
    slot.may_end.set()
    assert system.completion(request)["result"]["verdict"] == "AC"


def test_the_message_of_a_direct_run_that_its_caller_gave_up_is_deleted_at_the_end(system: Direct) -> None:
    slot, request, client = system.run_held()
    system.put(request.serialise())
    until(lambda: system.counts() == (0, 1))
    client.close()
    slot.may_end.set()
    assert system.completion(request)["result"]["verdict"] == "AC"
    until(system.is_empty)
    system.put(request.serialise())
    until(system.is_empty)
    assert len(slot.specs) == 1


def test_a_direct_run_with_a_message_in_the_queue_is_also_completed_there(system: Direct) -> None:
    slot, request, client = system.run_held()
    system.put(request.serialise())
    until(lambda: system.counts() == (0, 1))
    slot.may_end.set()
    assert client.getresponse().status == 200
    assert system.completion(request)["result"]["verdict"] == "AC"
    until(system.is_empty)
    assert len(slot.specs) == 1


def test_a_message_that_follows_a_direct_answer_runs_because_the_answer_may_have_been_lost(system: Direct) -> None:
    system.start(RecordedSlot)
    request = requested()
    assert system.ask(request)[0] == 200
    system.put(request.serialise())
    assert system.completion(request)["result"]["verdict"] == "AC"
    until(system.is_empty)


def test_a_drain_ends_running_programs_and_takes_no_more(system: Direct) -> None:
    slot, _, client = system.run_held()
    system.worker.drain()
    until(lambda: system.worker._capacity._state.is_closed)
    assert system.ask(requested())[0] == 503
    slot.may_end.set()
    assert client.getresponse().status == 200


def test_a_run_that_the_drain_cancels_sends_its_caller_to_the_queue(system: Direct) -> None:
    begun = Event()
    system.start(lambda: EndlessSlot(begun.set), DRAIN_SECS="0")
    client = system.send(requested().serialise())
    assert begun.wait(PATIENCE_SECS)
    stopping = Thread(target=system.stop)
    stopping.start()
    response = client.getresponse()
    assert (response.status, json.loads(response.read())) == (503, {"error": "draining"})
    stopping.join(PATIENCE_SECS)
    assert system.of_type("execution_completed") == []


def test_direct_runs_and_both_queues_share_the_slots(system: Direct, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(direct_intake, "SLOT_WAIT_SECS", PATIENCE_SECS)
    system.start(RecordedSlot, slots=2)
    queued = [system.request(queue) for queue in ("BatchQueue", "InteractiveQueue") for _ in range(5)]
    statuses: list[int] = []
    threads = [Thread(target=lambda: statuses.append(system.ask(requested())[0])) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE_SECS)
    assert statuses == [200] * 20
    for request in queued:
        assert system.completion(request)["result"]["verdict"] == "AC"
    until(lambda: not system.worker._capacity._state.running)
