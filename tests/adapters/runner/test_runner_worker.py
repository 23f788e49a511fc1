"""The worker from queue to completion over the engine, with recorded outcomes in place of the jail."""

import json
import time
from datetime import UTC, datetime, timedelta
from threading import Event

import pytest

from events.message import format_time
from events.program import RequestedLimits
from events.runner import RunnerHeartbeat
from sandbox_runtime.executor import CompileCache
from sandbox_runtime.jail.errors import JailError
from sandbox_runtime.jail.spec import JailSpec, Outcome
from sandbox_runtime.network import NetworkError
from sandbox_runtime.worker import reports, run_request
from sandbox_runtime.worker.queue_intake import VisibilityKeeper
from tests.adapters.runner_system import OFFERED, HeldSlot, System
from tests.runner_doubles import BROKEN, NETWORK, EndlessSlot, RecordedNetworks, RecordedSlot, outcome, requested
from tests.until import PATIENCE_SECS, until

pytestmark = pytest.mark.usefixtures("_no_retry_delay")


def test_a_request_is_completed_and_deleted(system: System, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reports, "STARTED_AFTER_SECS", 3600)
    system.start(RecordedSlot)
    completed = system.completion(system.request())
    assert (completed["result"]["verdict"], completed["stdout"]["base64"]) == ("AC", "NDIK")
    until(system.is_empty)
    assert system.of_type("execution_started") == []


def test_a_run_that_lasts_is_started_first_and_names_the_same_time_at_its_end(system: System) -> None:
    slot = HeldSlot()
    system.start(lambda: slot)
    request = system.request()
    (started,) = until(lambda: system.of_type("execution_started"))
    assert (started["submission_id"], started["node_id"]) == (request.submission_id, "node")
    slot.may_end.set()
    assert system.completion(request)["started_at"] == started["started_at"]
    assert len(system.of_type("execution_started")) == 1


def test_the_first_heartbeat_comes_before_any_work(system: System) -> None:
    system.start(RecordedSlot, slots=2)
    heartbeat = until(lambda: system.of_type("runner_heartbeat"))[0]
    assert (heartbeat["slots"], heartbeat["slots_busy"], heartbeat["isolation_mode"]) == (2, 0, "strict")
    assert heartbeat["languages"] == list(OFFERED)
    until(system.liveness_file.exists)


def test_a_heartbeat_that_sqs_did_not_accept_is_no_sign_of_life(
    system: System, caplog: pytest.LogCaptureFixture
) -> None:
    system.aws.names["CompletionsQueue"] += "-gone"
    system.start(RecordedSlot, HEARTBEAT_SECS="1")
    until(lambda: [record for record in caplog.records if record.getMessage() == "messages not sent"])
    assert not system.liveness_file.exists()


def test_a_program_that_comes_again_is_not_compiled_again_but_for_another_project(system: System) -> None:
    system.compile_cache = CompileCache({"c": "digest"}, max_bytes=1 << 20, max_age_secs=600)
    system.start(lambda: RecordedSlot(outcome(artifact=b"program", stdout=b"")))
    projects = ("one", "one", "two", "two", "one")
    completions = [system.completion(system.request(language="c", project_id=project)) for project in projects]
    found = [completed["metrics"]["compile_cached"] for completed in completions]
    assert found == [False, True, False, True, True]
    assert sum(len(slot.specs) for slot in system.slots) == 5 + 2


def test_compiled_programs_leave_the_memory_when_their_time_is_over(system: System) -> None:
    now_secs = [0.0]
    cache = CompileCache({"c": "digest"}, max_bytes=1 << 20, max_age_secs=600, clock=lambda: now_secs[0])
    system.compile_cache = cache
    system.start(lambda: RecordedSlot(outcome(artifact=b"program")), HEARTBEAT_SECS="1")
    system.completion(system.request(language="c"))
    assert cache.size_bytes > 0
    now_secs[0] = 600
    until(lambda: cache.size_bytes == 0)


def test_batch_requests_are_run_too(system: System) -> None:
    system.start(RecordedSlot, slots=2)
    requests = [system.request("BatchQueue", priority="batch") for _ in range(5)]
    for request in requests:
        assert system.completion(request)["result"]["verdict"] == "AC"
    until(lambda: system.is_empty("BatchQueue"))


def test_one_slot_serves_both_queues(system: System) -> None:
    system.start(RecordedSlot)
    requests = [system.request("BatchQueue"), system.request(), system.request("BatchQueue"), system.request()]
    for request in requests:
        system.completion(request)


def test_one_slot_waits_at_both_queues_at_once(system: System) -> None:
    system.start(RecordedSlot)
    until(lambda: system.worker._capacity._state.polls == 2)


def test_a_broken_sandbox_is_replaced_and_the_message_run_again(system: System) -> None:
    slots = [RecordedSlot(BROKEN), RecordedSlot()]
    system.start(lambda: slots[len(system.slots)])
    request = system.request()
    assert system.completion(request)["result"]["verdict"] == "AC"
    assert [slot.is_closed for slot in slots] == [True, False]
    until(system.is_empty)


def test_a_sandbox_that_stays_broken_ends_as_ie_on_the_last_receive(system: System) -> None:
    system.start(lambda: RecordedSlot(BROKEN), MAX_RECEIVES="3")
    completed = system.completion(system.request())
    assert completed["result"]["cause"] == "ie_supervisor_failure"
    assert completed["metrics"] is None
    until(lambda: len(system.slots) == 4)
    until(system.is_empty)


def test_a_slot_whose_teardown_failed_is_not_used_again(system: System) -> None:
    slots = [RecordedSlot(outcome(evidence={"cleanup_verified": False})), RecordedSlot()]
    system.start(lambda: slots[len(system.slots)])
    assert system.completion(system.request())["result"]["cause"] == "ie_cleanup_failure"
    assert system.completion(system.request())["result"]["verdict"] == "AC"
    assert [len(slot.specs) for slot in slots] == [1, 1]
    assert slots[0].is_closed


def test_a_slot_that_cannot_be_reopened_at_once_is_tried_again(system: System) -> None:
    openings: list[RecordedSlot | JailError] = [RecordedSlot(BROKEN), BROKEN, RecordedSlot()]

    def make() -> RecordedSlot:
        opening = openings.pop(0)
        if isinstance(opening, JailError):
            raise opening
        return opening

    system.start(make)
    assert system.completion(system.request())["result"]["verdict"] == "AC"


def test_a_fault_of_the_runner_costs_one_try_only(system: System) -> None:
    class Faulty(RecordedSlot):
        def answer(self, spec: JailSpec, *, cancel_fd: int | None = None) -> Outcome:  # noqa: ARG002
            raise ZeroDivisionError(spec.argv)

    slots = [Faulty(), RecordedSlot()]
    system.start(lambda: slots[len(system.slots)])
    system.request()
    until(lambda: len(system.slots) == 2)
    assert system.counts() == (0, 1)  # it comes back after the visibility time
    assert system.completion(system.request())["result"]["verdict"] == "AC"


def test_a_fault_while_a_slot_gets_ready_does_not_cost_the_slot(system: System) -> None:
    class Faulty(RecordedSlot):
        def settle(self) -> None:
            if self.specs:
                self.healthy = False
                raise ZeroDivisionError

    slots = [Faulty(), Faulty(), RecordedSlot()]
    system.start(lambda: slots[len(system.slots)])
    for _ in slots:
        assert system.completion(system.request())["result"]["verdict"] == "AC"


@pytest.mark.parametrize("body", ["not JSON", "{}", '{"type":"execution_requested","version":2}'])
def test_an_unreadable_message_is_left_to_the_dead_letter_queue(system: System, body: str) -> None:
    system.start(RecordedSlot)
    system.put(body)
    assert system.completion(system.request())["result"]["verdict"] == "AC"
    until(lambda: system.counts() == (0, 1))
    assert len(system.of_type("execution_completed")) == 1


def test_an_invalid_request_with_a_readable_id_ends_as_ie(system: System) -> None:
    system.start(RecordedSlot)
    request = requested()
    system.put(json.dumps({**json.loads(request.serialise()), "profile": "root"}))
    completed = system.completion(request)
    assert (completed["result"]["verdict"], completed["result"]["cause"]) == ("IE", "ie_not_run")
    assert completed["execution_id"] == request.execution_id
    assert system.slots[0].specs == []
    until(system.is_empty)


def test_a_limit_above_the_ceiling_ends_as_ie_without_a_run(system: System) -> None:
    system.start(RecordedSlot)
    completed = system.completion(system.request(limits=RequestedLimits(memory_mb=4097)))
    assert completed["result"]["cause"] == "ie_not_run"
    assert "memory_mb" in completed["result"]["error_message"]
    assert system.slots[0].specs == []


def test_a_language_that_no_runner_has_ends_as_ie_on_the_last_receive(system: System) -> None:
    system.start(RecordedSlot, MAX_RECEIVES="2")
    completed = system.completion(system.request(language="rust"))
    assert (completed["result"]["cause"], completed["language"]) == ("ie_not_run", "rust")
    until(system.is_empty)


def test_a_run_with_network_ends_as_ie_on_the_last_receive_where_no_runner_takes_it(system: System) -> None:
    system.start(RecordedSlot, MAX_RECEIVES="2")
    completed = system.completion(system.request(network=NETWORK))
    assert completed["result"]["error_message"] == "no runner offers network"
    assert system.slots[0].specs == []
    until(system.is_empty)


def test_only_a_runner_that_takes_runs_with_network_receives_from_their_queue(system: System) -> None:
    system.network_support = True
    system.start(RecordedSlot)
    request = system.request("NetworkQueue", network=NETWORK, profile="agent", priority="network")
    assert system.completion(request)["result"]["verdict"] == "AC"
    assert system.of_type("runner_heartbeat")[0]["network_support"] is True
    until(lambda: system.is_empty("NetworkQueue"))


def test_a_run_whose_network_cannot_be_made_is_tried_again_in_the_same_slot(system: System) -> None:
    system.network_support = True
    system.networks = RecordedNetworks(problem=NetworkError("make the namespace", "No space left on device"))
    system.start(RecordedSlot, MAX_RECEIVES="2")
    request = system.request("NetworkQueue", network=NETWORK, profile="agent", priority="network")
    assert system.completion(request)["result"]["cause"] == "ie_supervisor_failure"
    assert [slot.specs for slot in system.slots] == [[]]


def test_a_runner_without_network_leaves_that_queue_alone(system: System) -> None:
    system.start(RecordedSlot)
    system.request("NetworkQueue", network=NETWORK, profile="agent", priority="network")
    for queue in ("InteractiveQueue", "BatchQueue"):
        assert system.completion(system.request(queue))["result"]["verdict"] == "AC"
    assert system.of_type("runner_heartbeat")[0]["network_support"] is False
    assert system.counts("NetworkQueue") == (1, 0)


def test_a_duplicate_waits_for_the_end_of_the_run_and_is_deleted(system: System) -> None:
    slot = HeldSlot()
    system.start(lambda: slot, MAX_RECEIVES="1")
    request = system.request()
    assert slot.begun.wait(PATIENCE_SECS)
    for _ in range(2):
        system.put(request.serialise())
    until(lambda: system.counts() == (0, 3))
    slot.may_end.set()
    assert system.completion(request)["result"]["verdict"] == "AC"
    until(system.is_empty)
    assert len(slot.specs) == 1


def test_a_duplicate_that_comes_after_the_end_is_deleted(system: System) -> None:
    system.start(RecordedSlot, slots=2)
    request = system.request()
    system.completion(request)
    until(system.is_empty)
    system.put(request.serialise())
    until(system.is_empty)
    system.put(request.changed(priority="batch").serialise(), "BatchQueue")
    until(lambda: system.is_empty("BatchQueue"))
    assert sum(len(slot.specs) for slot in system.slots) == 1


def test_a_submission_that_was_deleted_while_it_waited_does_not_start(system: System) -> None:
    held = HeldSlot()
    system.start(lambda: held)
    blocking = system.request()
    assert held.begun.wait(PATIENCE_SECS)
    requested_at = format_time(datetime.now(UTC) - timedelta(seconds=5))
    deleted, kept = system.request(requested_at=requested_at), system.request(requested_at=requested_at)
    until(lambda: system.counts() == (0, 3))
    system.payloads.mark_over(deleted.submission_id)
    held.may_end.set()
    for request in (blocking, kept):
        assert system.completion(request)["result"]["verdict"] == "AC"
    until(system.is_empty)
    assert len(held.specs) == 2


def test_a_deleted_submission_whose_message_comes_again_does_not_start(system: System) -> None:
    request = system.request()
    system.payloads.mark_over(request.submission_id)
    sqs, url = system.aws.client("sqs"), system.aws.names["InteractiveQueue"]
    assert sqs.receive_message(QueueUrl=url, VisibilityTimeout=0)["Messages"]  # and its runner died
    system.start(RecordedSlot)
    until(system.is_empty)
    assert system.slots[0].specs == []
    assert system.of_type("execution_completed") == []


def test_a_submission_runs_if_the_bucket_cannot_tell_whether_it_was_deleted(system: System) -> None:
    system.aws.names["PayloadsBucket"] += "-gone"
    system.start(RecordedSlot)
    request = system.request(requested_at=format_time(datetime.now(UTC) - timedelta(seconds=5)))
    assert system.completion(request)["result"]["verdict"] == "AC"


def test_a_run_that_is_given_back_returns_its_duplicates_too(system: System) -> None:
    begun = Event()
    system.start(lambda: EndlessSlot(begun.set), DRAIN_SECS="0")
    request = system.request()
    assert begun.wait(PATIENCE_SECS)
    system.put(request.serialise())
    until(lambda: system.counts() == (0, 2))
    system.stop()
    until(lambda: system.counts() == (2, 0))


def test_a_submission_whose_completion_was_lost_runs_again(system: System, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_request, "COMPLETION_GIVE_UP_SECS", 0)
    completions = system.aws.names["CompletionsQueue"]
    system.start(RecordedSlot)
    until(lambda: system.worker._reports.health.works)
    transport = system.worker._reports.transport
    transport._completions_queue_url = completions + "-gone"
    request = system.request()
    until(lambda: sum(len(slot.specs) for slot in system.slots) >= 1)
    transport._completions_queue_url = completions
    assert system.completion(request)["result"]["verdict"] == "AC"
    until(system.is_empty)


def test_a_full_runner_receives_ten_messages_more_and_gives_them_back_at_its_end(system: System) -> None:
    begun = Event()
    system.start(lambda: EndlessSlot(begun.set), slots=2, DRAIN_SECS="0")
    for _ in range(14):
        system.request()
    until(lambda: system.counts() == (2, 12))
    system.stop()
    until(lambda: system.counts() == (14, 0))  # a poll that was under way gives back what it got


def test_batch_work_leaves_a_slot_for_interactive_work(system: System) -> None:
    started: list[bool] = []
    system.start(lambda: EndlessSlot(lambda: started.append(True)), slots=2, DRAIN_SECS="0")
    for _ in range(3):
        system.request("BatchQueue")
    until(lambda: system.counts("BatchQueue") == (0, 3))
    until(lambda: started)  # a message is received before its run begins
    assert len(started) == 1
    system.request()
    until(lambda: len(started) == 2)


def test_a_message_of_another_project_does_not_wait_behind_a_project_that_fills_the_runner(system: System) -> None:
    held = [HeldSlot(), HeldSlot()]
    slots = [*held, RecordedSlot()]
    system.start(lambda: slots[len(system.slots)], slots=2, spare_slots=1)
    hostile = [system.request(project_id="hostile") for _ in range(8)]
    until(lambda: all(slot.begun.is_set() for slot in held))
    honest = system.request(project_id="honest")
    assert system.completion(honest)["result"]["verdict"] == "AC"
    for slot in held:
        slot.may_end.set()
    for request in hostile:
        assert system.completion(request)["result"]["verdict"] == "AC"


def test_a_heartbeat_counts_the_busy_slots(system: System) -> None:
    begun = Event()
    system.start(lambda: EndlessSlot(begun.set), slots=2, DRAIN_SECS="0", HEARTBEAT_SECS="1")
    system.request()
    until(lambda: [beat for beat in system.of_type("runner_heartbeat") if beat["slots_busy"] == 1])


def test_a_drain_lets_a_running_program_end_and_receives_nothing_more(system: System) -> None:
    slot = HeldSlot()
    system.start(lambda: slot)
    request = system.request()
    assert slot.begun.wait(PATIENCE_SECS)
    system.worker.drain()
    until(system.worker._stopping.is_set)
    until(lambda: system.worker._capacity._state.is_closed)
    later = system.request()
    slot.may_end.set()
    assert system.completion(request)["result"]["verdict"] == "AC"
    system.stop()
    until(lambda: system.counts() == (1, 0))  # a poll that was under way gives back what it got
    assert system.of_type("runner_heartbeat")[-1]["slots"] == 0
    assert later.submission_id not in {message["submission_id"] for message in system.of_type("execution_completed")}


def test_a_worker_does_not_end_before_its_last_heartbeat_is_sent(
    system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    system.start(HeldSlot)
    until(lambda: system.of_type("runner_heartbeat"))
    beat = system.worker._heartbeats._heartbeat

    def late() -> RunnerHeartbeat:
        time.sleep(0.3)  # a busy host
        return beat()

    monkeypatch.setattr(system.worker._heartbeats, "_heartbeat", late)
    system.stop()
    assert system.of_type("runner_heartbeat")[-1]["slots"] == 0


@pytest.mark.parametrize(("drain_secs", "drains"), [("0", 1), ("50", 2)])
def test_after_the_drain_time_or_a_second_signal_a_run_is_given_back(
    system: System, drain_secs: str, drains: int
) -> None:
    begun = Event()
    system.start(lambda: EndlessSlot(begun.set), DRAIN_SECS=drain_secs)
    system.request()
    assert begun.wait(PATIENCE_SECS)
    for _ in range(drains - 1):
        system.worker.drain()
    system.stop()
    until(lambda: system.counts() == (1, 0))
    assert system.of_type("execution_completed") == []


def test_a_missing_queue_does_not_stop_the_other_one(system: System) -> None:
    system.aws.names["InteractiveQueue"] += "-gone"
    system.start(RecordedSlot, slots=2)
    assert system.completion(system.request("BatchQueue"))["result"]["verdict"] == "AC"


def test_a_held_message_is_extended_until_it_is_dropped(system: System) -> None:
    settings = system.settings()
    transport = system.transport(settings)
    keeper = VisibilityKeeper(transport, visibility_secs=60)
    system.put("body")
    (received,) = transport.receive(settings.interactive_queue_url, 1, 0)
    keeper.hold(received)
    transport.make_visible(received, 0)
    keeper.extend_all()
    assert system.counts() == (0, 1)
    keeper.drop(received)
    transport.make_visible(received, 0)
    keeper.extend_all()
    assert system.counts() == (1, 0)


def test_a_message_that_cannot_be_extended_hurts_nobody_else(system: System) -> None:
    settings = system.settings()
    transport = system.transport(settings)
    keeper = VisibilityKeeper(transport, visibility_secs=60)
    for body in ("first", "second"):
        system.put(body)
    first, second = transport.receive(settings.interactive_queue_url, 2, 0)
    for received in (first, second):
        keeper.hold(received)
    transport.delete(first.queue_url, [first.receipt_handle])
    transport.make_visible(second, 0)
    keeper.extend_all()
    assert system.counts() == (0, 1)
