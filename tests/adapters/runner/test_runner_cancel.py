"""A runner learns that a submission was cancelled, over HTTP or from its control object, and stops its run."""

import http.client
import json
from threading import Event

import pytest

from events.requested import Checker, CheckerProgram, ExecutionRequested, Requested
from events.vocabulary import CheckerKind, Language, Protocol
from sandbox_runtime.jail.spec import JailSpec, Outcome
from sandbox_runtime.worker import control
from tests.adapters.runner_system import TOKEN, Direct, HeldSlot
from tests.judge_requests import case, judge_requested
from tests.runner_doubles import CANCELLED, CLEAN, EndlessSlot, RecordedSlot, outcome, requested
from tests.until import PATIENCE_SECS, until

pytestmark = pytest.mark.usefixtures("_no_retry_delay")


@pytest.fixture
def system(direct: Direct) -> Direct:
    return direct


def cancel(system: Direct, request: Requested) -> bool:
    """Tell the runner; return whether the submission ran there."""
    client = http.client.HTTPConnection("127.0.0.1", system.port, timeout=PATIENCE_SECS)
    client.request("POST", "/v1/cancel", request.submission_id.encode(), {"Authorization": f"Bearer {TOKEN}"})
    ran: bool = json.loads(client.getresponse().read())["ran"]
    client.close()
    return ran


def endless(system: Direct, language: str = "python", **changes: str) -> ExecutionRequested:
    """Start, and return a request that runs until it is stopped."""
    begun = Event()
    system.start(lambda: EndlessSlot(begun.set), **changes)
    request = system.request(language=language)
    assert begun.wait(PATIENCE_SECS)
    return request


def test_a_cancelled_run_ends_with_its_output_and_its_message_is_gone(system: Direct) -> None:
    request = endless(system)
    assert cancel(system, request)
    completed = system.completion(request)
    result = completed["result"]
    assert (result["verdict"], result["cause"], result["actor"]) == ("SIG", "cancelled", "judge")
    assert (result["signal"], result["exit_code"], completed["stdout"]["base64"]) == (9, None, "NDIK")
    assert completed["evidence"]["judge_actions"] == ["kill_cancelled"]
    until(system.is_empty)
    assert not cancel(system, request)  # it has ended


def test_a_cancelled_direct_run_is_answered(system: Direct) -> None:
    begun = Event()
    system.start(lambda: EndlessSlot(begun.set))
    request = requested()
    client = system.send(request.serialise())
    assert begun.wait(PATIENCE_SECS)
    assert cancel(system, request)
    assert json.loads(client.getresponse().read())["result"]["cause"] == "cancelled"


def test_a_run_that_was_cancelled_before_never_begins(system: Direct) -> None:
    system.start(RecordedSlot)
    queued, direct, judged = requested(), requested(), judge_requested()
    assert [cancel(system, each) for each in (queued, direct, judged)] == [False] * 3
    system.put(queued.serialise())
    assert system.completion(queued)["result"]["cause"] == "cancelled_before_start"
    assert system.ask(direct)[1]["result"]["cause"] == "cancelled_before_start"
    assert system.completion(system.judge(judged))["failure"]["cause"] == "cancelled_before_start"
    assert [slot.specs for slot in system.slots] == [[]]
    until(system.is_empty)


def test_a_run_that_waits_for_a_slot_never_begins(system: Direct) -> None:
    held = HeldSlot()
    system.start(lambda: held)
    first = system.request()
    assert held.begun.wait(PATIENCE_SECS)
    waiting = system.request()
    until(lambda: system.counts() == (0, 2))
    assert not cancel(system, waiting)
    held.may_end.set()
    assert system.completion(waiting)["result"]["cause"] == "cancelled_before_start"
    assert system.completion(first)["result"]["verdict"] == "AC"
    assert len(held.specs) == 1


def test_the_control_object_stops_a_run_that_lasts(system: Direct, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control, "PERIOD_SECS", 0.05)
    request = endless(system)
    for text in (b"{", b"[]", b'{"cancelled": {"no id": 1}}'):  # whatever is there, the runner goes on
        system.put_control(text)
    system.put_control(json.dumps({"cancelled": {request.submission_id: 1}}).encode())
    assert system.completion(request)["result"]["cause"] == "cancelled"


class StepsUntilCancelled(EndlessSlot):
    """A slot that answers some steps at once; the one after them waits until it is stopped."""

    def __init__(self, begun: Event, *answers: Outcome) -> None:
        super().__init__(begun.set)
        self._left = list(answers)

    def answer(self, spec: JailSpec, *, cancel_fd: int | None = None) -> Outcome:
        if self._left:
            self.specs.append(spec)
            return self._left.pop(0)
        return super().answer(spec, cancel_fd=cancel_fd)


def test_a_cancelled_compile_step_is_the_end(system: Direct) -> None:
    request = endless(system, language="c")
    assert cancel(system, request)
    result = system.completion(request)["result"]
    assert (result["verdict"], result["cause"], result["phase"]) == ("SIG", "cancelled", "compile")
    assert [len(slot.specs) for slot in system.slots] == [1]


CHECKER = Checker(CheckerKind.PROGRAM, program=CheckerProgram(Language.PYTHON, Protocol.TESTLIB, (), (), b"check"))


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        ([], ["failed", "skipped", "skipped"]),  # while the program runs
        ([CLEAN], ["skipped"] * 3),  # while its checker runs
        ([CLEAN, CLEAN], ["passed", "failed", "skipped"]),  # during the next case
    ],
)
def test_a_cancelled_judge_run_keeps_its_finished_cases(
    system: Direct, steps: list[Outcome], expected: list[str]
) -> None:
    begun = Event()
    system.start(lambda: StepsUntilCancelled(begun, *steps))
    request = system.judge(judge_requested([case(), case(), case()], checkers=(CHECKER,)))
    assert begun.wait(PATIENCE_SECS)
    assert cancel(system, request)
    completed = system.completion(request)
    assert completed["failure"] is None
    assert [found["outcome"] for found in completed["cases"]] == expected
    assert {found["checker_message"] for found in completed["cases"] if found["outcome"] == "skipped"} <= {
        "the judge run was cancelled"
    }
    stopped = [found["run"]["result"] for found in completed["cases"] if found["outcome"] == "failed"]
    assert [(result["verdict"], result["cause"]) for result in stopped] == [("SIG", "cancelled")] * len(stopped)
    until(system.is_empty)


def test_a_drain_is_no_cancel_and_a_cancel_ends_also_while_the_runner_drains(system: Direct) -> None:
    request = endless(system, DRAIN_SECS="30")
    system.worker.drain()
    assert cancel(system, request)
    assert system.completion(request)["result"]["cause"] == "cancelled"


def test_a_run_that_is_stopped_in_its_set_up_has_no_measurements(system: Direct) -> None:
    unmeasured = outcome(
        exit_code=None, stop_reason=CANCELLED.stop_reason, evidence={"controls_applied": ()}, stdout=b""
    )

    class NeverReady(EndlessSlot):
        def answer(self, spec: JailSpec, *, cancel_fd: int | None = None) -> Outcome:
            super().answer(spec, cancel_fd=cancel_fd)
            return unmeasured

    begun = Event()
    system.start(lambda: NeverReady(begun.set))
    request = system.request()
    assert begun.wait(PATIENCE_SECS)
    assert cancel(system, request)
    completed = system.completion(request)
    assert (completed["result"]["cause"], completed["metrics"], completed["evidence"]) == ("cancelled", None, None)
