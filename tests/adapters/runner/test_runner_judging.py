"""Judge runs on both paths of a worker: the engine's queues and bucket, recorded outcomes in place of the jail."""

import json
from collections.abc import Callable
from threading import Semaphore
from typing import Any

import pytest

from events.judged import JudgeCompleted as ReadCompleted
from events.message import as_fields
from events.program import RequestedLimits
from events.requested import Checker, CheckerFile, CheckerProgram, Group
from events.vocabulary import CheckerKind, Language, Protocol
from sandbox_runtime.jail.spec import JailSpec, Outcome, StopReason
from sandbox_runtime.judging import run as judge_run
from sandbox_runtime.worker import direct_intake, reports
from tests.adapters.runner_system import Direct, HeldSlot
from tests.judge_requests import case, judge_requested, judging
from tests.runner_doubles import BROKEN, RecordedSlot, outcome, requested
from tests.until import PATIENCE_SECS, until

pytestmark = pytest.mark.usefixtures("_no_retry_delay")


@pytest.fixture
def system(direct: Direct) -> Direct:
    return direct


def outcomes(completed: dict[str, Any]) -> list[str]:
    return [found["outcome"] for found in completed["cases"]]


class StepSlot(RecordedSlot):
    """A slot whose programs each wait for one permission of the test. `begun` tells of their input.

    `on_permission` is called before the program ends.
    """

    def __init__(
        self, begun: list[bytes], permissions: Semaphore, on_permission: Callable[[JailSpec], None] = lambda _spec: None
    ) -> None:
        super().__init__()
        self._begun, self._permissions, self._on_permission = begun, permissions, on_permission

    def answer(self, spec: JailSpec, *, cancel_fd: int | None = None) -> Outcome:
        self._begun.append(spec.stdin)
        assert self._permissions.acquire(timeout=PATIENCE_SECS)
        self._on_permission(spec)
        return super().answer(spec, cancel_fd=cancel_fd)


def test_both_paths_give_the_same_results(system: Direct) -> None:
    system.start(RecordedSlot, slots=2)
    cases = [case(b"1"), case(b"2", b"43"), case(b"3")]
    status, answered = system.ask(judge_requested(cases))
    assert status == 200
    queued = system.completion(system.judge(judge_requested(cases)))
    assert outcomes(answered) == outcomes(queued) == ["passed", "wrong_answer", "passed"]
    assert answered["cases"] == queued["cases"]
    until(system.is_empty)


def test_cases_of_the_bucket_are_read_by_their_key(system: Direct) -> None:
    system.start(RecordedSlot)
    large = judging([case(b"x" * 20_000) for _ in range(200)])
    key = "judge-inputs/7d8f0f5e-3b1c-4c59-9a52-0f7f3b2f8a11/5Qd3rB8xWk1"
    bucket = system.aws.names["PayloadsBucket"]
    system.aws.client("s3").put_object(Bucket=bucket, Key=key, Body=json.dumps(as_fields(large)).encode())
    completed = system.completion(system.judge(judge_requested(judging=None, judging_key=key)))
    assert outcomes(completed) == ["passed"] * 200


def test_cases_that_cannot_be_read_are_tried_again_and_then_fail(system: Direct) -> None:
    system.start(RecordedSlot, MAX_RECEIVES="2")
    completed = system.completion(system.judge(judge_requested(judging=None, judging_key="judge-inputs/none")))
    assert (completed["failure"]["cause"], completed["cases"]) == ("ie_not_run", [])
    until(system.is_empty)


@pytest.mark.parametrize("content", [b"", b"{}", b"not json", b'{"cases": [], "checkers": []}'])
def test_cases_that_are_invalid_fail_at_once(system: Direct, content: bytes) -> None:
    system.start(RecordedSlot)
    bucket = system.aws.names["PayloadsBucket"]
    system.aws.client("s3").put_object(Bucket=bucket, Key="judge-inputs/x", Body=content)
    completed = system.completion(system.judge(judge_requested(judging=None, judging_key="judge-inputs/x")))
    assert completed["failure"]["error_message"] == "the request to run this submission was invalid"


def test_large_results_go_to_the_bucket_and_the_functions_read_them(system: Direct) -> None:
    system.start(lambda: RecordedSlot(outcome(stdout=b"x" * 100_000)))
    request = judge_requested([case(), case()])
    status, answered = system.ask(request)
    prefix = f"outputs/{request.submission_id}/{request.execution_id}/"
    assert (status, answered["cases"], answered["cases_key"]) == (200, None, prefix + "cases")
    bucket, s3 = system.aws.names["PayloadsBucket"], system.aws.client("s3")
    text = s3.get_object(Bucket=bucket, Key=answered["cases_key"])["Body"].read()
    cases = ReadCompleted.parse(json.dumps(answered)).read_cases(text)
    assert [found.run.stdout.object_key for found in cases if found.run] == [f"{prefix}case-{n}-stdout" for n in (0, 1)]
    assert s3.get_object(Bucket=bucket, Key=prefix + "case-1-stdout")["Body"].read() == b"x" * 100_000


@pytest.mark.parametrize("path", ["queue", "direct"])
def test_a_single_run_of_another_project_waits_for_one_case_at_most(
    system: Direct, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    monkeypatch.setattr(direct_intake, "SLOT_WAIT_SECS", PATIENCE_SECS)
    begun, permissions = list[bytes](), Semaphore(0)
    system.start(lambda: StepSlot(begun, permissions), slots=1)
    judged = system.judge(judge_requested([case(b"case %d" % n) for n in range(200)], project_id="many"), "BatchQueue")
    until(lambda: begun == [b"case 0"])
    if path == "queue":
        system.request("BatchQueue", priority="batch", project_id="one", stdin=b"single")
    else:
        system.send(requested(project_id="one", stdin=b"single").serialise())
    until(lambda: system.worker._capacity._state.waiting)
    for _ in range(2):
        permissions.release()
    until(lambda: b"single" in begun)
    assert begun.index(b"single") == 1
    for _ in range(200):
        permissions.release()
    assert outcomes(system.completion(judged)) == ["passed"] * 200
    assert begun == [b"case 0", b"single", *(b"case %d" % n for n in range(1, 200))]


def test_cases_are_judged_in_both_slots_until_another_run_wants_one(system: Direct) -> None:
    begun, permissions = list[bytes](), Semaphore(0)
    system.start(lambda: StepSlot(begun, permissions), slots=2)
    judged = system.judge(judge_requested([case(b"%d" % n) for n in range(20)]))
    until(lambda: len(begun) == 2)
    for _ in range(4):
        permissions.release()
    until(lambda: len(begun) == 6)
    system.request("InteractiveQueue", stdin=b"single")
    until(lambda: system.worker._capacity._state.waiting)
    for _ in range(2):
        permissions.release()
    until(lambda: b"single" in begun)
    # The other slot keeps judging: its next case may begin while the single run is prepared.
    assert begun.index(b"single") in {6, 7}
    for _ in range(20):
        permissions.release()
    completed = system.completion(judged)
    assert outcomes(completed) == ["passed"] * 20
    assert [found["index"] for found in completed["cases"]] == list(range(20))
    assert sorted(begun) == sorted([b"single", *(b"%d" % n for n in range(20))])


def test_a_case_that_is_slow_beside_another_one_is_judged_again_alone(system: Direct) -> None:
    begun, permissions = list[bytes](), Semaphore(0)
    slow = outcome(exit_code=None, stop_reason=StopReason.CPU_LIMIT)

    class SlowOnce(StepSlot):
        def answer(self, spec: JailSpec, *, cancel_fd: int | None = None) -> Outcome:
            answer = super().answer(spec, cancel_fd=cancel_fd)
            return slow if begun.count(b"0") == 1 and spec.stdin == b"0" else answer

    system.start(lambda: SlowOnce(begun, permissions), slots=2)
    judged = system.judge(judge_requested([case(b"%d" % n) for n in range(6)]))
    until(lambda: len(begun) == 2)
    for _ in range(20):
        permissions.release()
    assert outcomes(system.completion(judged)) == ["passed"] * 6
    assert begun.count(b"0") == 2
    assert begun[begun.index(b"0", 1) :][1:] == sorted(begun[begun.index(b"0", 1) :][1:]), "one case after the other"


@pytest.mark.parametrize("breaks", [b"0", b"1"])
def test_a_sandbox_that_breaks_beside_another_case_starts_the_judge_run_again(system: Direct, breaks: bytes) -> None:
    """Whichever slot it is in: the other one ends after its case, and the judge run is answered once."""
    broken: list[bytes] = []

    class BreaksOnce(RecordedSlot):
        def answer(self, spec: JailSpec, *, cancel_fd: int | None = None) -> Outcome:
            if spec.stdin == breaks and not broken:
                broken.append(spec.stdin)
                self.healthy = False
                raise BROKEN
            return super().answer(spec, cancel_fd=cancel_fd)

    system.start(BreaksOnce, slots=2)
    judged = system.judge(judge_requested([case(b"%d" % n) for n in range(20)]))
    assert outcomes(system.completion(judged)) == ["passed"] * 20
    assert broken == [breaks]
    until(system.is_empty)


class TimedSlots:
    """Slots whose programs take simulated wall time. They wait for the permission of the test."""

    def __init__(self, system: Direct, monkeypatch: pytest.MonkeyPatch, secs: dict[bytes, float]) -> None:
        self.begun, self.permissions = list[bytes](), Semaphore(0)
        self._system, self._secs, self._now_secs = system, secs, 0.0
        monkeypatch.setattr(judge_run, "monotonic", self._clock)

    def start(self, slots: int) -> None:
        self._system.start(lambda: StepSlot(self.begun, self.permissions, self._let_pass), slots=slots)
        capacity = self._system.worker._capacity
        capacity._clock, capacity._counted_until = self._clock, self._clock()

    def wait_for(self, *, begun: int, waiting: int) -> None:
        """Wait until so many programs have begun, and so many runs wait for a slot."""
        until(lambda: (len(self.begun), len(self._system.worker._capacity._state.waiting)) == (begun, waiting))

    def _let_pass(self, spec: JailSpec) -> None:
        self._now_secs += self._secs[spec.stdin]

    def _clock(self) -> float:
        return self._now_secs


def test_two_judge_runs_of_one_project_take_turns(system: Direct, monkeypatch: pytest.MonkeyPatch) -> None:
    timed = TimedSlots(system, monkeypatch, {b"0": 1, b"1": 1})
    timed.start(1)
    runs = [system.judge(judge_requested([case(b"0")] * 3))]
    timed.wait_for(begun=1, waiting=0)
    runs.append(system.judge(judge_requested([case(b"1")] * 3)))
    timed.wait_for(begun=1, waiting=1)
    for _ in range(6):
        timed.permissions.release()
    for run in runs:
        assert outcomes(system.completion(run)) == ["passed"] * 3
    assert timed.begun == [b"0", b"1"] * 3


@pytest.mark.parametrize("project_id", ["long", "short"])
def test_a_judge_run_of_short_cases_waits_for_one_case_of_three_long_ones(
    system: Direct, monkeypatch: pytest.MonkeyPatch, project_id: str
) -> None:
    timed = TimedSlots(system, monkeypatch, {b"long": 10, b"short": 0.01})
    timed.start(1)
    cases = [case(b"long")] * 4
    runs = [system.judge(judge_requested(cases, project_id="long", priority="batch"), "BatchQueue") for _ in range(3)]
    timed.wait_for(begun=1, waiting=2)
    for begun in range(2, 6):
        timed.permissions.release()
        timed.wait_for(begun=begun, waiting=2)
    short = judge_requested([case(b"short")] * 17, project_id=project_id, priority="batch")
    runs.append(system.judge(short, "BatchQueue"))
    timed.wait_for(begun=5, waiting=3)
    for _ in range(12 + 17):
        timed.permissions.release()
    for run in runs:
        assert set(outcomes(system.completion(run))) == {"passed"}
    assert timed.begun == [*[b"long"] * 5, *[b"short"] * 17, *[b"long"] * 7]


def test_progress_names_each_finished_case_once_without_its_output(
    system: Direct, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reports, "PERIOD_SECS", 0.01)
    monkeypatch.setattr(reports, "STARTED_AFTER_SECS", 0)
    begun, permissions = list[bytes](), Semaphore(0)
    system.start(lambda: StepSlot(begun, permissions), slots=1)
    request = system.judge(judge_requested([case()] * 3))
    permissions.release()

    def seen() -> list[dict[str, Any]]:
        return [found for message in system.of_type("judge_progress") for found in message["cases"]]

    until(lambda: len(seen()) == 1)
    permissions.release()
    until(lambda: len(seen()) == 2)
    permissions.release()
    completed = system.completion(request)
    assert [found["index"] for found in seen()] == [0, 1]
    assert seen()[0]["run"]["stdout"] == {"size_bytes": 3, "base64": ""}
    (started,) = until(lambda: system.of_type("execution_started"))
    progressed = system.of_type("judge_progress")[0]
    assert progressed["started_at"] == started["started_at"] == completed["started_at"]


def test_a_short_judge_run_sends_its_completion_only(system: Direct, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reports, "PERIOD_SECS", PATIENCE_SECS)  # it is short, however busy the machine is
    system.start(RecordedSlot)
    system.completion(system.judge(judge_requested([case()] * 3)))
    until(system.is_empty)
    assert system.of_type("judge_progress") == []


def test_a_direct_judge_run_goes_on_when_its_caller_has_gone(system: Direct) -> None:
    begun, permissions = list[bytes](), Semaphore(0)
    system.start(lambda: StepSlot(begun, permissions), slots=1)
    request = judge_requested([case()] * 3)
    client = system.send(request.serialise())
    until(lambda: begun)
    until(lambda: system.of_type("execution_started"))
    client.close()
    for _ in range(3):
        permissions.release()
    assert outcomes(system.completion(request)) == ["passed"] * 3


def test_at_a_drain_a_judge_run_returns_to_its_queue_after_its_case(system: Direct) -> None:
    slot = HeldSlot()
    system.start(lambda: slot)
    system.judge(judge_requested([case()] * 3))
    assert slot.begun.wait(PATIENCE_SECS)
    system.worker.drain()
    until(system.worker._stopping.is_set)
    slot.may_end.set()
    until(lambda: system.counts() == (1, 0))
    assert len(slot.specs) == 1
    assert system.of_type("judge_completed") == []


def test_at_a_drain_a_direct_judge_run_is_refused_so_that_its_caller_queues_it(system: Direct) -> None:
    slot = HeldSlot()
    system.start(lambda: slot)
    client = system.send(judge_requested([case()] * 3).serialise())
    assert slot.begun.wait(PATIENCE_SECS)
    system.worker.drain()
    until(system.worker._stopping.is_set)
    slot.may_end.set()
    response = client.getresponse()
    assert (response.status, json.loads(response.read())) == (503, {"error": "draining"})


def test_a_sandbox_that_breaks_starts_the_judge_run_again_elsewhere(system: Direct) -> None:
    slots = [RecordedSlot(outcome(), BROKEN), RecordedSlot()]
    system.start(lambda: slots[len(system.slots)])
    completed = system.completion(system.judge(judge_requested([case()] * 3)))
    assert outcomes(completed) == ["passed"] * 3
    assert [slot.is_closed for slot in slots] == [True, False]
    assert len(slots[1].specs) == 3
    until(system.is_empty)
    assert len(system.of_type("judge_completed")) == 1


def test_a_language_or_a_limit_that_there_is_not_is_a_failure_of_the_whole_run(system: Direct) -> None:
    system.start(RecordedSlot, MAX_RECEIVES="1")
    no_language = system.completion(system.judge(judge_requested(language="rust")))
    assert no_language["failure"]["error_message"] == "no runner offers rust and the languages of its checkers"
    above = judge_requested([case(limits=RequestedLimits(memory_mb=4097))])
    assert "memory_mb" in system.completion(system.judge(above))["failure"]["error_message"]


def test_an_invalid_judge_request_ends_as_a_failure_of_the_judge_run(system: Direct) -> None:
    system.start(RecordedSlot)
    request = judge_requested()
    document = json.loads(request.serialise()) | {"profile": "other"}
    system.put(json.dumps(document))
    completed = system.completion(request)
    assert (completed["type"], completed["failure"]["cause"]) == ("judge_completed", "ie_not_run")
    assert system.ask(json.dumps(document)) == (400, {"error": "bad_request"})


def test_a_request_of_an_unknown_type_is_left_to_another_runner(system: Direct) -> None:
    system.start(RecordedSlot)
    document = json.loads(judge_requested().serialise()) | {"type": "judge_requested_by_the_future"}
    system.put(json.dumps(document))
    until(lambda: system.counts() == (0, 1))
    system.completion(system.request())
    assert system.of_type("judge_completed") == []
    assert system.ask(json.dumps(document)) == (400, {"error": "bad_request"})


def test_each_case_counts_as_a_run_in_the_metrics(system: Direct) -> None:
    system.start(lambda: RecordedSlot(outcome(), outcome(exit_code=1)))
    system.completion(system.judge(judge_requested([case()] * 3)))
    page = system.worker._metrics_page()
    assert 'rustbox_runs_total{language="python",verdict="AC"} 1' in page
    assert 'rustbox_runs_total{language="python",verdict="RE"} 2' in page


def test_a_run_and_a_judge_run_share_a_worker(system: Direct) -> None:
    system.start(RecordedSlot, slots=2)
    judged = [system.judge(judge_requested([case()] * 20)) for _ in range(3)]
    single = [system.request() for _ in range(5)]
    for run in judged:
        assert outcomes(system.completion(run)) == ["passed"] * 20
    for request in single:
        assert system.completion(request)["result"]["verdict"] == "AC"
    until(system.is_empty)
    assert not len(system.worker._running)


def test_the_log_of_a_runner_holds_no_code_no_input_no_output_and_no_message(
    system: Direct, caplog: pytest.LogCaptureFixture
) -> None:
    """Also not that of a judge run that fails: a sandbox breaks, an output is not stored, cases are invalid."""
    caplog.set_level("DEBUG")
    code = CheckerProgram(Language.PYTHON, Protocol.KATTIS, ("secret",), (CheckerFile("secret", b"secret"),), b"secret")
    checkers = (Checker(CheckerKind.PROGRAM, program=code), Checker(CheckerKind.LINES))
    cases = [case(b"secret", b"secret"), case(b"secret", b"secret", checker=1, args=("secret",), group="secret")]
    request = judge_requested(cases, code=b"secret", checkers=checkers, groups=(Group("secret", ()),))
    told = outcome(exit_code=42, stdout=b"secret", stderr=b"secret")
    broken = [RecordedSlot(outcome(stdout=b"secret"), BROKEN), RecordedSlot(outcome(stdout=b"secret"), told)]
    system.start(lambda: broken[len(system.slots)], MAX_RECEIVES="2")
    assert outcomes(system.completion(system.judge(request))) == ["passed", "failed"]
    bucket = system.aws.names["PayloadsBucket"]
    system.aws.client("s3").put_object(Bucket=bucket, Key="judge-inputs/x", Body=b'{"cases": "secret"}')
    invalid = system.completion(system.judge(judge_requested(judging=None, judging_key="judge-inputs/x")))
    assert invalid["failure"] is not None
    records = [record for record in caplog.records if record.name.startswith("sandbox_runtime")]
    assert {"sandbox failed", "cases invalid"} <= {record.getMessage() for record in records}
    assert [record for record in records if "secret" in f"{record.getMessage()} {record.__dict__}"] == []


def test_a_message_that_comes_twice_is_judged_once_at_a_time(system: Direct) -> None:
    begun, permissions = list[bytes](), Semaphore(0)
    system.start(lambda: StepSlot(begun, permissions), slots=2)
    request = system.judge(judge_requested([case()] * 2))
    until(lambda: begun)
    assert system.ask(request) == (409, {"error": "already_running"})
    for _ in range(2):
        permissions.release()
    system.completion(request)
    assert len(begun) == 2
