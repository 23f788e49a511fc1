"""A judge run over recorded outcomes in place of the jail: outcomes, skipped cases, outputs, totals."""

from collections.abc import Callable, Iterable
from contextlib import nullcontext
from datetime import UTC, datetime
from itertools import product
from typing import Any

import pytest

from events.files import StoredFile
from events.judged import CaseResult, JudgeCompleted
from events.message import MAX_MESSAGE_BYTES
from events.program import RequestedLimits
from events.requested import Checker, Group, JudgeRequested
from events.vocabulary import Actor, Cause, CheckerKind, Phase, Verdict
from sandbox_runtime.classify import Classification
from sandbox_runtime.executor import NO_CACHE, CompileCache, ExecutionDrainedError
from sandbox_runtime.jail.errors import JailError
from sandbox_runtime.jail.spec import Outcome, StopReason
from sandbox_runtime.judging import JudgeRun, Setting, not_judged
from sandbox_runtime.judging.case_order import FAILURES, is_skipped
from sandbox_runtime.judging.judgement import of_output, of_run
from sandbox_runtime.languages import LANGUAGES, LimitRefusedError
from tests.judge_requests import case, judge_requested, judging, no_object
from tests.runner_doubles import BROKEN, CANCELLED, RecordedSlot, outcome

BY_NAME = {language.name: language for language in LANGUAGES}
OUTCOMES = ("passed", "wrong_answer", "presentation_error", "partial", "failed", "skipped", "judge_error")


def begin(
    request: JudgeRequested,
    stored: dict[int, bytes] | None = None,
    cache: CompileCache = NO_CACHE,
    read: Callable[[StoredFile], bytes] = no_object,
) -> JudgeRun:
    kept = {} if stored is None else stored

    def store(index: int, output: bytes) -> str:
        kept[index] = output
        return f"outputs/{request.submission_id}/{request.execution_id}/case-{index}-stdout"

    assert request.judging is not None
    setting = Setting(
        "node", BY_NAME, cache, None, store, interactor_slot=lambda: nullcontext(RecordedSlot()), read=read
    )
    return JudgeRun(request, request.judging, setting, datetime.now(UTC))


def judge(request: JudgeRequested, slot: RecordedSlot, **how: Any) -> JudgeCompleted:
    """Take all turns. Each result is told once, in order."""
    run, told = begin(request, **how), list[CaseResult]()
    while not run.is_over:
        run.turn(slot)
        told += run.new_results()
    completed = run.completed()
    assert completed.cases == tuple(told)
    if len(text := completed.serialise()) <= MAX_MESSAGE_BYTES:
        assert JudgeCompleted.parse(text) == completed
    return completed


def outcomes(completed: JudgeCompleted) -> list[str]:
    return [found.outcome for found in completed.cases or ()]


def test_each_case_is_a_run_of_its_own_with_its_input_and_compared_with_its_output() -> None:
    request = judge_requested([case(b"1", b"42"), case(b"2", b"43"), case(b"3", None)])
    slot = RecordedSlot()
    assert outcomes(judge(request, slot)) == ["passed", "wrong_answer", "passed"]
    assert [spec.stdin for spec in slot.specs] == [b"1", b"2", b"3"]
    assert all(file.content == request.code for spec in slot.specs for file in spec.files)


def test_the_program_is_compiled_once_and_every_run_gets_the_same_artifact() -> None:
    slot = RecordedSlot(outcome(artifact=b"program", stdout=b"", stderr=b"warning\n"), outcome())
    completed = judge(judge_requested([case()] * 5, language="c"), slot)
    assert outcomes(completed) == ["passed"] * 5
    assert [spec.artifact is not None for spec in slot.specs] == [True] + [False] * 5
    assert {spec.files[0].content for spec in slot.specs[1:]} == {b"program"}
    assert completed.compile is not None
    assert (completed.compile.cached, completed.compile.stderr.head) == (False, b"warning\n")


def test_a_program_of_the_cache_is_not_compiled() -> None:
    cache = CompileCache({"c": "digest"}, max_bytes=1 << 20, max_age_secs=600)
    for is_cached in (False, True):
        compiles = outcome(artifact=b"program", stdout=b"", stderr=b"warning\n")
        slot = RecordedSlot() if is_cached else RecordedSlot(compiles, outcome())
        completed = judge(judge_requested([case()], language="c"), slot, cache=cache)
        assert completed.compile is not None
        assert (completed.compile.cached, completed.compile.result.verdict) == (is_cached, "AC")
        assert completed.compile.stderr.head == b"warning\n"
        assert outcomes(completed) == ["passed"]


def test_a_program_that_does_not_compile_skips_every_case() -> None:
    slot = RecordedSlot(outcome(exit_code=1, stderr=b"error: x\n", stdout=b""))
    completed = judge(judge_requested([case()] * 3, language="c"), slot)
    assert outcomes(completed) == ["skipped"] * 3
    assert completed.compile is not None
    assert completed.compile.result.cause == "ce_compile_failed"
    assert completed.compile.stderr.head == b"c Compilation Error:\nerror: x\n"
    assert len(slot.specs) == 1
    assert completed.failure is None


def test_a_source_that_python_refuses_skips_every_case() -> None:
    refused = outcome(exit_code=1, stderr=b"SyntaxError: invalid syntax\n", stdout=b"")
    slot = RecordedSlot(refused, outcome(exit_code=1))
    completed = judge(judge_requested([case()] * 3), slot)
    assert outcomes(completed) == ["skipped"] * 3
    assert completed.compile is not None
    assert (completed.compile.result.cause, completed.compile.result.phase) == ("ce_compile_failed", "compile")
    assert completed.compile.stderr.head == b"python Compilation Error:\nSyntaxError: invalid syntax\n"
    assert completed.metrics is not None
    assert (completed.metrics.compile_ms, completed.metrics.run_ms) == (11, None)
    assert (len(slot.specs), completed.failure) == (2, None)


def test_a_source_is_checked_once_in_a_judge_run() -> None:
    silent = outcome(exit_code=1, stderr=b"", stdout=b"")
    slot = RecordedSlot(silent, outcome(), silent)
    completed = judge(judge_requested([case()] * 3), slot)
    assert outcomes(completed) == ["failed"] * 3
    assert (len(slot.specs), completed.compile) == (4, None)


@pytest.mark.parametrize("stop", ["never", "group"])
def test_a_thousand_empty_cases_each_get_their_result(stop: str) -> None:
    groups = tuple(Group(f"g{number}", () if not number else (f"g{number - 1}",)) for number in range(50))
    cases = [case(b"", b"", group=f"g{number // 20}") for number in range(1_000)]
    completed = judge(judge_requested(cases, groups=groups, stop=stop), RecordedSlot(outcome(stdout=b"")))
    assert outcomes(completed) == ["passed"] * 1_000
    failing = judge(judge_requested(cases, groups=groups, stop=stop), RecordedSlot(outcome(stdout=b"x")))
    assert outcomes(failing).count("wrong_answer") == (1_000 if stop == "never" else 1)


def test_groups_in_a_circle_end_all_the_same() -> None:
    groups = (Group("a", ("b",)), Group("b", ("a",)))  # the service refuses them
    cases = [case(group="a"), case(group="b")]
    completed = judge(judge_requested(cases, groups=groups, stop="group"), RecordedSlot(outcome(stdout=b"x")))
    assert outcomes(completed) == ["wrong_answer", "skipped"]


def test_a_compiler_that_the_platform_stopped_is_a_failure_of_the_platform() -> None:
    slot = RecordedSlot(outcome(evidence={"leftover_processes": 1}))
    completed = judge(judge_requested([case()], language="c"), slot)
    assert completed.failure is not None
    assert (completed.failure.verdict, completed.cases, completed.compile) == ("IE", (), None)


@pytest.mark.parametrize(
    ("answer", "verdict", "found"),
    [
        (outcome(), "AC", "passed"),
        (outcome(stdout=b"41\n"), "AC", "wrong_answer"),
        (outcome(exit_code=1), "RE", "failed"),
        (outcome(exit_code=None, signal=11), "SIG", "failed"),
        (outcome(exit_code=None, stop_reason=StopReason.CPU_LIMIT), "TLE", "failed"),
        (outcome(usage={"oom_kill_events": 1}), "MLE", "failed"),
        (outcome(exit_code=1, usage={"fork_refusals": 1}), "PLE", "failed"),
        (outcome(exit_code=None, signal=25), "FSE", "failed"),
        (outcome(stdout_cut=True), "AC", "wrong_answer"),
        (outcome(evidence={"cleanup_verified": False}), "IE", "judge_error"),
    ],
)
def test_the_verdict_decides_before_the_output(answer: Any, verdict: str, found: str) -> None:
    completed = judge(judge_requested([case()]), RecordedSlot(answer))
    (only,) = completed.cases or ()
    assert only.run is not None
    assert (only.run.result.verdict, only.outcome) == (verdict, found)


@pytest.mark.parametrize("verdict", Verdict)
@pytest.mark.parametrize("kind", [CheckerKind.LINES, CheckerKind.EXACT, CheckerKind.TOKENS])
@pytest.mark.parametrize("expected", [None, b"42\n", b"other"])
def test_outcomes_of_all_verdicts_and_comparisons(verdict: Verdict, kind: CheckerKind, expected: Any) -> None:
    found = Classification(verdict, Cause.NORMAL_EXIT, Actor.RUNTIME, Phase.RUN)
    judgement = of_run(found) or of_output(Checker(kind), expected, b"42\n")
    if verdict is Verdict.IE:
        wanted = "judge_error"
    elif verdict is not Verdict.AC:
        wanted = "failed"
    elif expected in (None, b"42\n"):
        wanted = "passed"
    else:
        wanted = "wrong_answer"
    assert judgement.outcome == wanted


def test_a_case_has_its_own_checker_arguments_and_limits() -> None:
    checkers = (Checker(CheckerKind.EXACT), Checker(CheckerKind.TOKENS, case_sensitive=False, float_abs=0.5))
    cases = [
        case(expected=b"42"),
        case(expected=b"42.4", checker=1, args=("--fast",), limits=RequestedLimits(wall_time_secs=1)),
    ]
    slot = RecordedSlot()
    request = judge_requested(cases, checkers=checkers, limits=RequestedLimits(wall_time_secs=3, memory_mb=64))
    assert outcomes(judge(request, slot)) == ["wrong_answer", "passed"]
    assert [spec.limits.wall_time_secs for spec in slot.specs] == [3, 1]
    assert {spec.limits.memory_bytes for spec in slot.specs} == {64 << 20}
    assert [spec.argv[-1] == "--fast" for spec in slot.specs] == [False, True]


def test_a_limit_above_the_ceiling_refuses_the_whole_run() -> None:
    with pytest.raises(LimitRefusedError):
        begin(judge_requested([case(), case(limits=RequestedLimits(memory_mb=4097))]))


GROUPS = (Group("a", ()), Group("b", ("a",)), Group("c", ("b",)), Group("d", ()))


def reference_skipped(stop: str, groups: Iterable[tuple[str | None, str]], index_group: str | None) -> bool:
    failed = [group for group, found in groups if found in ("wrong_answer", "presentation_error", "failed")]
    if stop == "never":
        return False
    if stop == "first_failure":
        return bool(failed)
    needed = {"a": "a", "b": "ab", "c": "abc", "d": "d", None: ""}[index_group]
    return any(group is not None and group in needed for group in failed)


@pytest.mark.parametrize("stop", ["never", "first_failure", "group"])
def test_which_cases_are_skipped_over_all_outcomes_and_groups(stop: str) -> None:
    names = ("a", "b", "c", "d", None)
    for group, found, other, later in product(names, OUTCOMES, names, names):
        cases = [case(group=group), case(group=other), case(group=later)]
        made = judging(cases, groups=GROUPS, stop=stop)
        known = [(group, found), (other, "passed")]
        outcomes = dict(enumerate(outcome for _, outcome in known))
        assert is_skipped(made, outcomes, 2) == reference_skipped(stop, known, later)


def test_failures_are_the_program_s_own() -> None:
    assert set(OUTCOMES) - FAILURES == {"passed", "partial", "skipped", "judge_error"}


@pytest.mark.parametrize(
    ("stop", "wanted"),
    [
        ("never", ["wrong_answer", "passed", "passed", "passed"]),
        ("first_failure", ["wrong_answer", "skipped", "skipped", "skipped"]),
        ("group", ["wrong_answer", "skipped", "skipped", "passed"]),
    ],
)
def test_skipped_cases_do_not_run(stop: str, wanted: list[str]) -> None:
    groups = ("a", "a", "b", None)
    cases = [case(b"1", b"x" if index == 0 else b"42", group=group) for index, group in enumerate(groups)]
    slot = RecordedSlot()
    assert outcomes(judge(judge_requested(cases, groups=GROUPS, stop=stop), slot)) == wanted
    assert len(slot.specs) == len([word for word in wanted if word != "skipped"])


@pytest.mark.parametrize(
    ("stop", "of_groups", "wanted"),
    [
        ("never", {"a": True}, ["wrong_answer", "skipped", "wrong_answer", "passed", "skipped"]),
        ("never", {"b": True}, ["wrong_answer", "passed", "wrong_answer", "skipped", "passed"]),
        ("never", {"a": False}, ["wrong_answer", "passed", "wrong_answer", "passed", "passed"]),
        ("group", {"b": False}, ["wrong_answer", "skipped", "wrong_answer", "passed", "skipped"]),
        ("group", {"a": False, "b": False}, ["wrong_answer", "passed", "wrong_answer", "passed", "passed"]),
        ("first_failure", {"a": False}, ["wrong_answer"] + ["skipped"] * 4),
    ],
)
def test_a_group_says_for_itself_whether_it_stops(stop: str, of_groups: dict[str, bool], wanted: list[str]) -> None:
    groups = tuple(
        Group(name, requires, of_groups.get(name)) for name, requires in (("a", ()), ("b", ()), ("c", ("a",)))
    )
    cases = [case(expected=b"x" if at in {0, 2} else b"42", group=group) for at, group in enumerate("aabbc")]
    run = begin(judge_requested(cases, groups=groups, stop=stop))
    found = judge(judge_requested(cases, groups=groups, stop=stop), RecordedSlot())
    assert outcomes(found) == wanted
    assert (run.shareable > 1) == ("skipped" not in wanted and stop == "never")


def test_the_end_is_seen_in_the_turn_of_the_last_case_that_runs() -> None:
    run = begin(judge_requested([case(expected=b"x"), case(), case()], stop="first_failure"))
    run.turn(RecordedSlot())
    assert [found.outcome for found in run.new_results()] == ["wrong_answer", "skipped", "skipped"]
    assert run.is_over


def test_large_outputs_are_stored_whole_and_shown_by_their_first_bytes() -> None:
    stored: dict[int, bytes] = {}
    large = b"x" * 100_000
    completed = judge(
        judge_requested([case(), case()]), RecordedSlot(outcome(stdout=large, stderr=large), outcome()), stored=stored
    )
    first, second = (found.run for found in completed.cases or ())
    assert first is not None
    assert second is not None
    assert (first.stdout.size_bytes, len(first.stdout.head)) == (100_000, 65_536)
    assert (first.stderr.size_bytes, len(first.stderr.head), first.stderr.object_key) == (100_000, 16_384, None)
    assert stored == {0: large}
    assert second.stdout.object_key is None


@pytest.mark.parametrize(("last", "wanted"), [(b"x", "passed"), (b"y", "wrong_answer")])
def test_an_output_is_compared_whole_however_little_of_it_is_shown(last: bytes, wanted: str) -> None:
    expected = case(expected=b"x" * 1_000_000)
    completed = judge(judge_requested([expected]), RecordedSlot(outcome(stdout=b"x" * 999_999 + last)))
    assert outcomes(completed) == [wanted]


def test_the_first_bytes_of_all_cases_together_are_bounded() -> None:
    stored: dict[int, bytes] = {}
    slot = RecordedSlot(outcome(stdout=b"x" * 65_536))
    completed = judge(judge_requested([case(expected=None)] * 60), slot, stored=stored)
    heads = [len(found.run.stdout.head) for found in completed.cases or () if found.run is not None]
    assert sum(heads) == 3 * 1024 * 1024
    assert sorted(stored) == list(range(48, 60))


def test_a_judge_run_says_for_how_long_it_used_its_slot() -> None:
    completed = judge(judge_requested([case()]), RecordedSlot(outcome()))
    assert completed.slot_secs is not None
    assert 0 < completed.slot_secs < 60


def test_times_are_summed_and_the_worst_evidence_is_kept() -> None:
    worst = outcome(evidence={"controls_missing": ("seccomp",)}, usage={"memory_peak_bytes": 9 << 20})
    completed = judge(judge_requested([case()] * 3), RecordedSlot(outcome(), worst, outcome()))
    assert completed.metrics is not None
    assert completed.evidence is not None
    assert completed.metrics.cpu_time_secs == pytest.approx(0.027)
    assert completed.metrics.wall_time_secs == pytest.approx(0.033)
    assert completed.metrics.memory_peak_bytes == 9 << 20
    assert completed.evidence.controls_missing == ("seccomp",)
    assert completed.evidence.isolation_mode == "permissive"


SLEEPING = outcome(exit_code=None, stop_reason=StopReason.WALL_LIMIT, wall_usec=100_010_000)
LONG = case(limits=RequestedLimits(wall_time_secs=100))


@pytest.mark.parametrize(("total_secs", "judged"), [(None, 4), (300, 4), (499, 5), (3600, 6)])
def test_cases_beyond_the_total_are_errors_of_the_judge_and_no_failures(total_secs: int | None, judged: int) -> None:
    slot = RecordedSlot(SLEEPING)
    completed = judge(judge_requested([LONG] * 6, total_secs=total_secs), slot)
    assert outcomes(completed) == ["failed"] * judged + ["judge_error"] * (6 - judged)
    messages = {found.checker_message for found in (completed.cases or ())[judged:]}
    over = f"the cases of this judge run took more than {total_secs or 300} s together, so this one was not judged"
    assert messages <= {over}
    assert len(slot.specs) == judged


def test_cases_that_all_meet_their_limits_fit_into_a_total_that_is_the_sum_of_these() -> None:
    completed = judge(judge_requested([LONG] * 50, total_secs=5000), RecordedSlot(SLEEPING))
    assert outcomes(completed) == ["failed"] * 50


def test_a_sleeping_group_costs_no_case_of_another_group_its_points() -> None:
    groups = (Group("slow", ()), Group("easy", ()))
    cases = [*[LONG.changed(group="slow")] * 4, case(group="easy")]
    slot = RecordedSlot(*[SLEEPING] * 4, outcome())
    completed = judge(judge_requested(cases, groups=groups, total_secs=410), slot)
    assert outcomes(completed) == ["failed"] * 4 + ["passed"]


def test_a_failed_group_stays_skipped_when_the_time_is_over() -> None:
    groups = (Group("slow", ()), Group("easy", ()))
    cases = [*[LONG.changed(group="slow")] * 4, case(group="easy")]
    completed = judge(judge_requested(cases, groups=groups, stop="group", total_secs=50), RecordedSlot(SLEEPING))
    assert outcomes(completed) == ["failed", "skipped", "skipped", "skipped", "judge_error"]


def busy(wall_secs: float) -> Outcome:
    usec = int(wall_secs * 1e6)
    return outcome(exit_code=None, stop_reason=StopReason.HOST_OVERLOADED, wall_usec=usec, cpu_wait_usec=usec // 2)


OVERLOADED = busy(7)


def test_all_cases_of_a_judge_run_share_one_overtime() -> None:
    slot = RecordedSlot(busy(7 + 20), busy(7 + 10))
    completed = judge(judge_requested([case()] * 4), slot)
    assert outcomes(completed) == ["judge_error"] * 4
    assert [spec.overtime_secs for spec in slot.specs] == [30, 10, 0, 0]


def test_a_failure_of_the_sandbox_or_a_cancelled_run_has_no_result() -> None:
    for answer, error in ((BROKEN, JailError), (CANCELLED, ExecutionDrainedError)):
        run = begin(judge_requested([case()]))
        with pytest.raises(error):
            run.turn(RecordedSlot(answer))
        assert not run.is_over


def test_a_slot_is_suspect_after_a_failure_of_the_platform_and_not_after_one_of_the_program() -> None:
    slot = RecordedSlot(outcome(evidence={"cleanup_verified": False}), outcome(exit_code=1))
    run = begin(judge_requested([case(), case()]))
    seen = []
    while not run.is_over:
        seen.append(run.turn(slot))
    assert seen == [False, True]


SLOW = outcome(exit_code=None, stop_reason=StopReason.CPU_LIMIT)


@pytest.mark.parametrize(
    ("first", "found", "wanted"),
    [
        pytest.param(SLOW, outcome(), "passed", id="slow only beside another case"),
        pytest.param(SLOW, SLOW, "failed", id="slow alone too"),
        pytest.param(OVERLOADED, outcome(), "passed", id="the host was too busy"),
        pytest.param(outcome(evidence={"cleanup_verified": False}), outcome(), "passed", id="the platform failed"),
    ],
)
def test_a_time_limit_beside_another_case_is_no_verdict(first: Any, found: Any, wanted: str) -> None:
    run = begin(judge_requested([case(b"1"), case(b"2"), case(b"3")]))
    assert run.shareable == 3
    slot = RecordedSlot(first, found, outcome())
    run.turn(slot, is_shared=True)
    assert (run.shareable, run.new_results()) == (0, [])
    while not run.is_over:
        run.turn(slot)
    assert [spec.stdin for spec in slot.specs] == [b"1", b"1", b"2", b"3"]
    assert [one.outcome for one in run.completed().cases or ()] == [wanted, "passed", "passed"]


@pytest.mark.parametrize("stop", ["first_failure", "group"])
def test_cases_that_decide_about_later_ones_are_not_shared(stop: str) -> None:
    assert begin(judge_requested([case()] * 3, stop=stop)).shareable == 0


def test_nothing_is_shared_before_the_program_is_compiled() -> None:
    run = begin(judge_requested([case()] * 3, language="c"))
    assert run.shareable == 0
    run.turn(RecordedSlot(outcome(artifact=b"program"), outcome()))
    assert run.shareable == 2


def test_a_run_that_never_starts_has_a_failure_and_no_cases() -> None:
    completed = not_judged(judge_requested(), "node", Cause.IE_NOT_RUN, "no runner offers it")
    assert completed.failure is not None
    assert (completed.failure.cause, completed.cases) == ("ie_not_run", ())
    assert JudgeCompleted.parse(completed.serialise()) == completed


def test_the_message_shows_no_code_and_no_input() -> None:
    request = judge_requested([case(b"secret").changed(expected=b"secret")], code=b"secret")
    assert "secret" not in repr(request)
