"""Decisions of checkers and interactors: the tables of both protocols, and runs over recorded outcomes."""

from datetime import UTC, datetime
from typing import Any

import pytest

from events.judged import CaseResult
from events.requested import Checker, CheckerFile, CheckerProgram
from events.vocabulary import CheckerKind, Language, Phase, Protocol
from sandbox_runtime.classify import classify
from sandbox_runtime.executor import NO_CACHE, step_runs
from sandbox_runtime.executor.step_runs import MOST_OVERTIME_SECS
from sandbox_runtime.jail.errors import JailError
from sandbox_runtime.jail.spec import JailSpec, Outcome, StopReason
from sandbox_runtime.judging import JudgeRun, Setting, programs
from sandbox_runtime.judging.interaction import BothEnds, judgement_of_both
from sandbox_runtime.judging.programs import ReadyProgram, feedback_of, judgement_of
from sandbox_runtime.languages import LANGUAGES
from sandbox_runtime.worker.slots import IDLE_SECS, InteractorSlots
from tests.judge_requests import case, judge_requested, no_object
from tests.runner_doubles import BROKEN, RecordedSlot, outcome

BY_NAME = {language.name: language for language in LANGUAGES}
ENDS: dict[str, dict[int, str]] = {
    "testlib": {
        0: "passed",
        1: "wrong_answer",
        2: "presentation_error",
        4: "presentation_error",
        7: "partial",
        8: "presentation_error",
    },
    "kattis": {42: "passed", 43: "wrong_answer"},
}


def ended(code: int, *, stderr: bytes = b"points 3 of 4\n", **fields: Any) -> Outcome:
    return outcome(exit_code=code, stdout=b"", stderr=stderr, **fields)


def judged(protocol: str, ran: Outcome) -> Any:
    return judgement_of(protocol, ran, classify(ran, Phase.RUN))


@pytest.mark.parametrize("protocol", ENDS)
def test_every_exit_code_of_both_protocols(protocol: str) -> None:
    found = {code: judged(protocol, ended(code)).outcome for code in range(256)}
    assert found == dict.fromkeys(range(256), "judge_error") | ENDS[protocol]


@pytest.mark.parametrize("protocol", ENDS)
@pytest.mark.parametrize(
    "ran",
    [
        outcome(exit_code=None, signal=11),
        outcome(exit_code=None, stop_reason=StopReason.CPU_LIMIT),
        outcome(exit_code=None, stop_reason=StopReason.WALL_LIMIT),
        outcome(usage={"oom_kill_events": 1}),
        outcome(exit_code=42, usage={"fork_refusals": 1}),
        outcome(evidence={"cleanup_verified": False}),
        outcome(exit_code=None),
    ],
)
def test_a_checker_that_did_not_end_by_itself_is_an_error_of_the_judge(protocol: str, ran: Outcome) -> None:
    assert judged(protocol, ran).outcome == "judge_error"


@pytest.mark.parametrize(
    ("text", "points"),
    [
        (b"points 7.5 good", 7.5),
        (b"points points_info=12 good", 12.0),
        (b"points points_info=2.5", 2.5),
        (b"points points_info=half", None),
        (b"points points_info=", None),
        (b"points 0", 0.0),
        (b"points 100\n", 100.0),
        (b"points -1", None),
        (b"points nan", None),
        (b"points inf", None),
        (b"points 1e9", 1.0),
        (b"points", None),
        (b"", None),
        (b"ok points 5", None),
        (b"points 1.2.3", None),
        (b"points " + b"9" * 400, None),
    ],
)
def test_points_are_the_number_that_testlib_prints(text: bytes, points: float | None) -> None:
    found = judged("testlib", ended(7, stderr=text))
    assert (found.outcome, found.points) == ("judge_error" if points is None else "partial", points)


def test_the_message_is_bounded_and_is_text() -> None:
    found = judged("testlib", ended(1, stderr=b"\xff" * 100_000))
    assert len(found.message) == 4096
    assert judged("testlib", ended(0, stderr=b" \n")).message is None
    assert len(judged("testlib", ended(3, stderr=b"x" * 100_000)).message) == 4096


def begin(checker: Checker, cases: Any = None, second: RecordedSlot | None = None, **fields: Any) -> JudgeRun:
    request = judge_requested(cases or [case(b"in", b"out")], checkers=(checker,), **fields)
    assert request.judging is not None
    lend = InteractorSlots(lambda _index: second or RecordedSlot()).borrow  # type: ignore[arg-type, return-value]
    setting = Setting("node", BY_NAME, NO_CACHE, None, lambda _index, _output: "", interactor_slot=lend, read=no_object)
    return JudgeRun(request, request.judging, setting, datetime.now(UTC))


def judge(
    checker: Checker, slot: RecordedSlot, cases: Any = None, second: RecordedSlot | None = None, **fields: Any
) -> tuple[CaseResult, ...]:
    run = begin(checker, cases, second, **fields)
    while not run.is_over:
        run.turn(slot)
    return run.completed().cases or ()


def checker(language: str = "python", protocol: str = "testlib", kind: str = "program", **fields: Any) -> Checker:
    values: dict[str, Any] = {"args": ("--strict",), "files": (), "code": b"check()"} | fields
    return Checker(
        CheckerKind(kind), program=CheckerProgram(language=Language(language), protocol=Protocol(protocol), **values)
    )


def files(spec: JailSpec) -> dict[str, bytes]:
    return {file.name: file.content for file in spec.files}


def test_a_testlib_checker_gets_input_output_and_answer_as_files() -> None:
    slot = RecordedSlot(outcome(), ended(0))
    (found,) = judge(checker(files=(CheckerFile("table.txt", b"table"),)), slot)
    assert found.outcome == "passed"
    program, check = slot.specs
    assert check.argv[-4:] == ("input", "output", "answer", "--strict")
    assert files(check) == {
        "solution.py": b"check()",
        "table.txt": b"table",
        "input": b"in",
        "output": b"42\n",
        "answer": b"out",
    }
    assert files(program) == {"solution.py": b"print(42)\n"}
    assert (program.stdin, check.stdin) == (b"in", b"")


def test_a_kattis_validator_gets_the_output_as_its_input() -> None:
    slot = RecordedSlot(outcome(), ended(42))
    (found,) = judge(checker(protocol="kattis"), slot)
    assert found.outcome == "passed"
    assert slot.specs[1].argv[-4:] == ("input", "answer", "/tmp/", "--strict")
    assert slot.specs[1].stdin == b"42\n"
    assert "output" not in files(slot.specs[1])


def test_the_mark_of_feedback_files_is_another_one_in_each_judge_run() -> None:
    slot = RecordedSlot(*[outcome(), ended(42)] * 2)
    for _ in range(2):
        judge(checker(protocol="kattis"), slot)
    first, second = ({*spec.argv} for spec in slot.specs[1::2])
    assert {len(word) for word in first ^ second} == {64}


@pytest.mark.parametrize(
    ("stderr", "message"),
    [
        (b"own", b"own"),
        (b"own<mark><mark><mark><mark><mark>", b"own"),
        (b"own<mark>judge<mark><mark><mark><mark>", b"judge\nown"),
        (b"own\n<mark>judge\n<mark>error<mark>team<mark><mark>", b"judge\nerror\nown\n"),
        (b"own<mark>judge<mar", b"judge<mar\nown"),  # cut at the limit of the output
        (b"own<mark>judge<mark>error", b"judge\nerror\nown"),
        (b"", b""),
    ],
)
def test_the_files_of_a_validator_precede_its_own_output(stderr: bytes, message: bytes) -> None:
    assert feedback_of(stderr, "<mark>")[:2] == (message, b"team" if b"team" in stderr else b"")


@pytest.mark.parametrize(
    ("code", "score", "outcome_of_case", "points"),
    [
        (42, b"", "passed", None),
        (42, b"12.5\n", "passed", 12.5),
        (42, b"+1.5e1", "passed", 15),
        (42, b"0", "passed", 0),
        (42, b"-1", "judge_error", None),
        (42, b"nan", "judge_error", None),
        (42, b"1 2", "judge_error", None),
        (42, b"9" * 64, "judge_error", None),
        (43, b"12.5", "wrong_answer", None),
        (43, b"nan", "wrong_answer", None),
        (0, b"12.5", "judge_error", None),
    ],
)
def test_the_score_of_a_validator_gives_the_points_of_a_case_that_it_accepts(
    code: int, score: bytes, outcome_of_case: str, points: float | None
) -> None:
    program = checker(protocol="kattis").program
    assert program is not None
    ran = ended(code, stderr=b"<mark>".join([b"", b"", b"", b"", score, b""]))
    found = ReadyProgram(program, BY_NAME["python"], None, "<mark>").judgement(ran, classify(ran, Phase.RUN))
    assert (found.outcome, found.points) == (outcome_of_case, points)


def test_a_checker_is_compiled_once_with_its_files_and_before_the_first_case() -> None:
    built = outcome(artifact=b"checker")
    slot = RecordedSlot(built, outcome(), ended(0), outcome(), ended(1))
    found = judge(checker("cpp", files=(CheckerFile("testlib.h", b"header"),)), slot, [case(), case()])
    assert [one.outcome for one in found] == ["passed", "wrong_answer"]
    assert files(slot.specs[0])["testlib.h"] == b"header"
    assert slot.specs[0].artifact is not None
    assert files(slot.specs[2])["solution"] == b"checker"


def test_a_checker_may_be_compiled_in_overtime_also_beside_another_slot() -> None:
    slot = RecordedSlot(outcome(artifact=b"checker"), outcome(exit_code=0))
    run = begin(checker("cpp"), [case(), case()])
    run.turn(slot, is_shared=True)
    assert [found.outcome for found in run.new_results()] == ["passed"]
    assert [spec.overtime_secs for spec in slot.specs] == [MOST_OVERTIME_SECS, 0, 0]


def test_a_checker_that_does_not_compile_is_an_error_of_the_judge_and_runs_nothing() -> None:
    slot = RecordedSlot(outcome(exit_code=1, stderr=b"error: x", stdout=b""))
    found = judge(checker("cpp"), slot, [case(), case()])
    assert [(one.outcome, one.run) for one in found] == [("judge_error", None)] * 2
    assert found[0].checker_message == "the checker did not compile: cpp Compilation Error:\nerror: x"
    assert len(slot.specs) == 1


@pytest.mark.parametrize("name", ["input", "output", "answer", "solution.cpp", "solution"])
def test_a_file_of_a_checker_never_replaces_one_of_the_judge(name: str) -> None:
    (found,) = judge(checker("cpp", files=(CheckerFile(name, b""),)), RecordedSlot())
    assert (found.outcome, found.run) == ("judge_error", None)


def test_a_program_that_failed_or_wrote_too_much_is_not_checked() -> None:
    for answer, wanted in ((outcome(exit_code=1), "failed"), (outcome(stdout_cut=True), "wrong_answer")):
        slot = RecordedSlot(answer)
        (found,) = judge(checker(), slot)
        assert (found.outcome, len(slot.specs)) == (wanted, 1)


def test_all_checks_together_have_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(programs, "ALL_CHECKS_SECS", 30.0)
    answers = [step for _ in range(3) for step in (outcome(), ended(0, wall_usec=15_000_000))]
    found = judge(checker(), RecordedSlot(*answers), [case()] * 3)
    assert [one.outcome for one in found] == ["passed", "passed", "judge_error"]
    assert "together" in (found[2].checker_message or "")


def test_interactors_that_outlive_their_programs_use_up_the_time_of_checks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(programs, "ALL_CHECKS_SECS", 30.0)
    second = RecordedSlot(ended(0, wall_usec=15_011_000))
    found = judge(checker(kind="interactor"), RecordedSlot(outcome(wall_usec=11_000)), [case()] * 4, second=second)
    assert [one.outcome for one in found] == ["passed", "passed", "judge_error", "judge_error"]
    assert "together" in (found[2].checker_message or "")
    assert len(second.specs) == 2, "without time left, nothing runs"


def test_the_time_of_an_interactor_beside_its_program_is_the_program_s(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(programs, "ALL_CHECKS_SECS", 1.0)
    slot, second = RecordedSlot(outcome(wall_usec=9_000_000)), RecordedSlot(ended(0, wall_usec=9_000_000))
    found = judge(checker(kind="interactor"), slot, [case()] * 4, second=second)
    assert [one.outcome for one in found] == ["passed"] * 4


def test_an_interactor_and_its_program_run_with_pipes() -> None:
    slot, second = RecordedSlot(outcome()), RecordedSlot(ended(0))
    (found,) = judge(checker(kind="interactor"), slot, second=second)
    assert (found.outcome, found.checker_message) == ("passed", "points 3 of 4")
    assert slot.specs[0].pipes is not None
    assert second.specs[0].pipes is not None
    assert files(slot.specs[0]) == {"solution.py": b"print(42)\n"}
    assert files(second.specs[0])["input"] == b"in"
    assert second.specs[0].argv[-4:] == ("input", "output", "answer", "--strict")
    assert second.specs[0].limits.wall_time_secs > slot.specs[0].limits.wall_time_secs


KILLED_BY_HOST = outcome(stop_reason=StopReason.OOM_KILL, usage={"oom_kill_events": 1, "oom_events": 0})


@pytest.mark.parametrize("killed", ["program", "second"])
@pytest.mark.parametrize(("kills", "expected", "tries"), [(1, "passed", 2), (3, "judge_error", 3)])
def test_an_interaction_of_which_a_host_without_memory_killed_one_end_is_repeated(
    monkeypatch: pytest.MonkeyPatch, killed: str, kills: int, expected: str, tries: int
) -> None:
    monkeypatch.setattr(step_runs, "REPEAT_PAUSES_SECS", (0, 0))
    kill = [KILLED_BY_HOST] * kills
    slots = {"program": RecordedSlot(outcome()), "second": RecordedSlot(ended(0))}
    slots[killed] = RecordedSlot(*kill, outcome() if killed == "program" else ended(0))
    (found,) = judge(checker(kind="interactor"), slots["program"], second=slots["second"])
    assert found.outcome == expected
    assert len(slots["program"].specs) == len(slots["second"].specs) == tries


@pytest.mark.parametrize("broken", ["program", "second"])
def test_a_sandbox_that_breaks_in_an_interaction_leaves_no_result_and_no_descriptor(broken: str) -> None:
    slots = {"program": RecordedSlot(), "second": RecordedSlot()}
    slots[broken] = RecordedSlot(BROKEN)
    with pytest.raises(JailError):
        judge(checker(kind="interactor"), slots["program"], second=slots["second"])


PROGRAM_ENDS = {
    "AC": outcome(),
    "RE": outcome(exit_code=1),
    "TLE": outcome(exit_code=None, stop_reason=StopReason.WALL_LIMIT),
    "IE": outcome(evidence={"cleanup_verified": False}),
}
INTERACTOR_ENDS = {
    "passed": ended(0),
    "partial": ended(7),
    "wrong_answer": ended(1),
    "presentation_error": ended(2),
    "judge_error": ended(3),
    "stopped": ended(0, stop_reason=StopReason.WALL_LIMIT),
    "flood": ended(0, stdout_cut=True),
}


@pytest.mark.parametrize("own", PROGRAM_ENDS)
@pytest.mark.parametrize("other", INTERACTOR_ENDS)
@pytest.mark.parametrize("is_interactor_first", [False, True])
def test_outcomes_of_all_ends_of_both(own: str, other: str, *, is_interactor_first: bool) -> None:
    ends = BothEnds(PROGRAM_ENDS[own], INTERACTOR_ENDS[other], is_interactor_first)
    decided = {"stopped": "judge_error", "flood": "judge_error"}.get(other, other)
    if own == "IE":
        wanted = "judge_error"
    elif own == "AC" or (is_interactor_first and decided not in {"passed", "partial"}):
        wanted = decided
    else:
        wanted = "failed"
    program = checker(kind="interactor").program
    assert program is not None
    interactor = ReadyProgram(program, BY_NAME["python"], None)
    assert judgement_of_both(interactor, ends, classify(ends.program, Phase.RUN)).outcome == wanted


def test_interactor_slots_are_kept_replaced_and_closed() -> None:
    opened: list[RecordedSlot] = []

    def opener(_index: int) -> Any:
        opened.append(RecordedSlot())
        return opened[-1]

    lent = InteractorSlots(opener)
    with lent.borrow() as first:
        pass
    with lent.borrow() as again:
        assert again is first
        with lent.borrow() as other:
            assert other is not first
    assert len(opened) == 2
    for slot in opened:
        slot.healthy = False
    with lent.borrow(), lent.borrow():
        assert [slot.is_closed for slot in opened] == [False, False]
    assert [slot.is_closed for slot in opened] == [True, True]
    with lent.borrow():
        assert len(opened) == 3
    lent.close()
    assert all(slot.is_closed for slot in opened)


def test_an_interactor_slot_that_is_idle_for_five_minutes_is_closed() -> None:
    opened, now = list[RecordedSlot](), [1000.0]

    def opener(_index: int) -> Any:
        opened.append(RecordedSlot())
        return opened[-1]

    lent = InteractorSlots(opener, lambda: now[0])
    with lent.borrow(), lent.borrow():
        pass
    now[0] += IDLE_SECS / 2
    with lent.borrow():
        lent.drop_idle()
    now[0] += IDLE_SECS / 2
    lent.drop_idle()
    assert sorted(slot.is_closed for slot in opened) == [False, True], "the one that was used in between stays"
    now[0] += IDLE_SECS / 2
    lent.drop_idle()
    assert [slot.is_closed for slot in opened] == [True, True]
    with lent.borrow():
        assert len(opened) == 3


def test_an_interactor_slot_that_cannot_open_fails_the_case_and_is_released() -> None:
    def opener(_index: int) -> Any:
        raise OSError(24, "too many")

    lent = InteractorSlots(opener)
    for _ in range(40):
        with pytest.raises(JailError), lent.borrow():
            pass


def test_an_interactor_slot_that_cannot_be_closed_is_released(monkeypatch: pytest.MonkeyPatch) -> None:
    lent = InteractorSlots(lambda _index: RecordedSlot(BROKEN))  # type: ignore[arg-type, return-value]

    def fail(_slot: RecordedSlot) -> None:
        raise OSError(5, "input/output error")

    monkeypatch.setattr(RecordedSlot, "close", fail)
    for _ in range(40):
        with pytest.raises(OSError, match="input"), lent.borrow() as slot:
            slot.healthy = False  # type: ignore[misc]
