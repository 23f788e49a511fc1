"""A judge run: compile once, then judge the cases, each in a fresh jail.

`JudgeRun.turn` judges one case in the slot that it gets. Two turns may run at the same time.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from threading import Lock
from time import monotonic
from typing import TYPE_CHECKING

from events import vocabulary
from events.files import StoredFile
from events.judged import OUT_OF_TIME, CaseResult, CaseRun, Compilation, JudgeCompleted
from events.message import format_time, parse_time
from events.requested import STANDARD_TOTAL_SECS, Case, JudgeRequested, Judging
from events.vocabulary import Phase, Verdict
from sandbox_runtime.classify import Classification
from sandbox_runtime.executor import CompileCache, Jail, report
from sandbox_runtime.executor.compilation import Compiled, checked_inputs, compile_program, refused_source
from sandbox_runtime.executor.step_runs import MOST_OVERTIME_SECS, RunStop, StepRuns
from sandbox_runtime.jail.spec import JailSpec, Limits, Outcome
from sandbox_runtime.judging.case_order import CaseOrder, stops
from sandbox_runtime.judging.completion import CACHED_COMPILATION, KeptOutputs, Store, Totals
from sandbox_runtime.judging.interaction import LendSlot, interact, judgement_of_both
from sandbox_runtime.judging.judgement import CUT, SKIPPED, Judgement, of_output, of_run
from sandbox_runtime.judging.programs import CheckerPrograms, KeptFiles, ReadyProgram
from sandbox_runtime.languages import Language, run_spec

if TYPE_CHECKING:
    from events.completed import Result

_CANCELLED = "the judge run was cancelled"


@dataclass(frozen=True, slots=True)
class Setting:
    """The parts of a runner that a judge run needs.

    `stop`: of this judge run. `interactor_slot`: lends a second slot, for interactors.
    `inputs_folder`: with the stored files of the request, see `JailSpec`. `read`: returns the bytes of an object that a
    case names; its errors end the judge run.
    """

    node_id: str
    languages: Mapping[str, Language]
    compile_cache: CompileCache
    stop: RunStop | None
    store: Store
    interactor_slot: LendSlot
    read: Callable[[StoredFile], bytes]
    inputs_folder: str = ""


class JudgeRun:
    """One judge run. The first turn compiles. After it two turns may run at the same time, see `shareable`.

    A case that met a time limit, or a failure of the judge, beside another case is judged again alone. From then on no
    cases are judged side by side: two busy cores may share their caches, and a verdict must not depend on that.

    Raises RequestRefusedError.
    """

    def __init__(self, request: JudgeRequested, judging: Judging, setting: Setting, started_at: datetime) -> None:
        self.request = request
        self._judging, self._setting, self._started_at = judging, setting, started_at
        self._language = language = setting.languages[request.language]
        self._inputs = checked_inputs(request, language, setting.inputs_folder)
        cases = {file.case for file in request.files or () if file.case is not None}
        self._own_inputs = {case: checked_inputs(request, language, setting.inputs_folder, case) for case in cases}
        self._limits = tuple(_limits(request, case, language) for case in judging.cases)
        self._order = CaseOrder(judging)
        self._total_secs = request.total_secs or STANDARD_TOTAL_SECS
        self._secs_left = float(self._total_secs)
        self._out_of_time = f"{OUT_OF_TIME} {self._total_secs} s together, so this one was not judged"
        self._slot_secs = 0.0
        self._lock = Lock()  # of the totals and the times
        self._overtime_secs = MOST_OVERTIME_SECS
        self.case_secs = 0.0
        """The wall time of the last case, with its checker."""
        self._kept = KeptOutputs(setting.store)
        self._totals = Totals()
        self._programs = CheckerPrograms(
            judging, setting.languages, setting.compile_cache, request.project_id, request.total_secs or 0
        )
        self._artifact: bytes | None = None
        self._compilation: Compilation | None = None
        self._is_compiled = language.compile is None
        self._has_begun = not self._is_compiled  # a case has shown that the source can be run
        self._failure: Result | None = None
        # An interaction needs two slots itself, and with `stop` a result decides whether the next case is judged.
        can_stop = judging.stop != "never" or any(stops(judging, group) for group in judging.groups)
        self._is_shareable = not can_stop and all(one.kind != "interactor" for one in judging.checkers)

    @property
    def is_over(self) -> bool:
        """Whether every case has its result, or none can get one."""
        return self._failure is not None or self._order.is_over

    @property
    def shareable(self) -> int:
        """Count the cases left that two slots may share."""
        return self._order.left if self._is_shareable and self._is_compiled else 0

    def turn(self, jail: Jail, *, is_shared: bool = False) -> bool:
        """Compile if that is still to do, then judge the next case. False: the slot must not be used again.

        `is_shared`: another slot judges cases meanwhile. Raises JailError and ExecutionDrainedError.
        """
        if self._is_cancelled:
            self._order.end_all(reason=_CANCELLED)
            return True
        begun_at = monotonic()
        try:
            return self._turn(jail, is_shared=is_shared)
        finally:
            with self._lock:
                self._slot_secs += monotonic() - begun_at

    def _turn(self, jail: Jail, *, is_shared: bool) -> bool:
        step_runs = StepRuns(jail, self._setting.stop, self._overtime_secs)
        if not self._is_compiled:
            self._compile(step_runs)
        if self._failure is None and (index := self._order.take()) is not None:
            begun_at = monotonic()
            self._judge(step_runs, index, is_shared=is_shared)
            self.case_secs = monotonic() - begun_at
        if self._is_cancelled:
            self._order.end_all(reason=_CANCELLED)
        if not is_shared:
            self._overtime_secs = step_runs.overtime_secs
        return not step_runs.is_slot_suspect

    @property
    def _is_cancelled(self) -> bool:
        return self._setting.stop is not None and self._setting.stop.is_cancelled

    def new_results(self) -> list[CaseResult]:
        """Return the results since the last call, in the order of the cases, skipped cases included."""
        return self._order.new_results()

    def completed(self) -> JudgeCompleted:
        queue_ms = max(0.0, (self._started_at - parse_time(self.request.requested_at)).total_seconds() * 1000)
        return JudgeCompleted(
            submission_id=self.request.submission_id,
            execution_id=self.request.execution_id,
            node_id=self._setting.node_id,
            language=self.request.language,
            started_at=format_time(self._started_at),
            completed_at=format_time(datetime.now(UTC)),
            failure=self._failure,
            compile=None if self._failure else self._compilation,
            cases=self._order.results,
            cases_key=None,
            slot_secs=self._slot_secs,
            metrics=self._totals.metrics(queue_ms),
            evidence=self._totals.evidence,
        )

    def _compile(self, step_runs: StepRuns) -> None:
        request, language = self.request, self._language
        if language.compile is None:
            return
        compiled = compile_program(
            step_runs,
            language,
            language.compile,
            request.code,
            self._setting.compile_cache,
            request.project_id,
            inputs=self._inputs,
        )
        self._artifact, self._is_compiled = compiled.artifact, True
        self._note_compilation(compiled)

    def _note_compilation(self, compiled: Compiled) -> None:
        outcome, found = compiled.outcome, compiled.found
        self._totals.add_compilation(outcome, found, compiled.usec)
        stderr = self._kept.compiler_output(compiled.diagnostics)
        if outcome is None or found is None:
            self._compilation = CACHED_COMPILATION.changed(stderr=stderr)
            return
        if found.verdict is Verdict.IE:
            self._failure = report.result(found)
        elif compiled.artifact is None:
            self._order.end_all()
        self._compilation = Compilation(
            result=report.result(found),
            stderr=stderr,
            cpu_time_secs=outcome.cpu_usec / 1e6,
            wall_time_secs=outcome.wall_usec / 1e6,
            memory_peak_bytes=report.memory_peak_bytes(outcome),
            cached=False,
        )

    def _judge(self, step_runs: StepRuns, index: int, *, is_shared: bool) -> None:
        case = self._whole_case(index)
        checker = self._programs.ready(step_runs, case.checker)
        if isinstance(checker, Judgement):
            self._put(index, checker, None)
            return
        most_passes = self._judging.checkers[case.checker].passes
        kept: KeptFiles | None = None if most_passes is None else ()
        before: Outcome | None = None
        for _ in range(most_passes or 1):
            ended = self._pass(step_runs, index, case, checker, kept, is_shared=is_shared)
            if ended is None:
                return
            ran, found, judgement = ended
            ran = ran if before is None else _together(before, ran)
            after, before = judgement.next_pass, ran
            if after is None:
                break
            if ran.wall_usec / 1e6 > self._secs_left:
                judgement = Judgement(vocabulary.Outcome.JUDGE_ERROR, self._out_of_time)
                break
            case, kept = case.changed(stdin=after.stdin), after.kept
        else:
            judgement = Judgement(vocabulary.Outcome.JUDGE_ERROR, f"the validator wants more than {most_passes} passes")
        self._end(index, ran, found, judgement)

    def _pass(
        self,
        step_runs: StepRuns,
        index: int,
        case: Case,
        checker: ReadyProgram | None,
        kept: KeptFiles | None,
        *,
        is_shared: bool,
    ) -> tuple[Outcome, Classification, Judgement] | None:
        """Run the program once, and check its output. None: the case has its result by now, or is judged again."""
        inputs = self._own_inputs.get(index, self._inputs)
        spec = run_spec(
            self._language,
            self.request.code,
            self._artifact,
            limits=self._limits[index],
            stdin=case.stdin or b"",
            args=case.args,
            inputs=inputs.files,
        )
        spec = inputs.folder_for(spec)
        if checker is not None and self._judging.checkers[case.checker].kind == "interactor":
            return self._interact(step_runs, index, case, spec, checker, kept)
        if is_shared:
            # If the host is too busy, the case is judged again alone, and has the overtime then.
            step_runs.overtime_secs = 0
        ran, found = step_runs.run(spec, Phase.RUN)
        if self._is_source_refused(step_runs, index, ran, found):
            return None
        judgement = of_run(found) or self._check(step_runs, case, checker, ran, kept)
        is_doubtful = found.verdict is Verdict.TLE or judgement.outcome == vocabulary.Outcome.JUDGE_ERROR
        if is_shared and is_doubtful and not self._is_cancelled:
            self._is_shareable = False
            self._order.put_back(index)
            return None
        return ran, found, judgement

    def _whole_case(self, index: int) -> Case:
        """Return a case with its input and its expected output, which are kept for no longer than its turn."""
        case, read = self._judging.cases[index], self._setting.read
        if case.stdin_object is not None:
            case = case.changed(stdin=read(case.stdin_object), stdin_object=None)
        if case.expected_object is not None:
            case = case.changed(expected=read(case.expected_object), expected_object=None)
        return case

    def _interact(
        self,
        step_runs: StepRuns,
        index: int,
        case: Case,
        spec: JailSpec,
        interactor: ReadyProgram,
        kept: KeptFiles | None,
    ) -> tuple[Outcome, Classification, Judgement] | None:
        other = self._programs.interactor_spec(interactor, case, kept)
        if isinstance(other, Judgement):
            self._put(index, other, None)
            return None
        repeats = 0
        while True:
            spec = step_runs.with_overtime(spec)
            ends = interact(step_runs.jail, self._setting.interactor_slot, spec, other, step_runs.stop)
            self._programs.count_interaction(ends.program, ends.interactor)
            found, answered = step_runs.classified(spec, ends.program), step_runs.note(ends.interactor)
            if not (
                step_runs.must_repeat(ends.program, found, repeats)
                or step_runs.must_repeat(ends.interactor, answered, repeats)
            ):
                break
            repeats += 1
        if self._is_source_refused(step_runs, index, ends.program, found):
            return None
        return ends.program, found, judgement_of_both(interactor, ends, found)

    def _is_source_refused(self, step_runs: StepRuns, index: int, ran: Outcome, found: Classification) -> bool:
        """Whether the interpreter refused the source. Then the compilation has failed, and every case is skipped."""
        if self._has_begun:
            return False
        refused = refused_source(step_runs, self._language, self.request.code, ran, found)
        if refused is None:
            self._has_begun |= found.verdict in {Verdict.AC, Verdict.RE}
            return False
        with self._lock:
            if self._compilation is None:
                self._note_compilation(refused)
        self._put(index, SKIPPED, None)
        return True

    def _end(self, index: int, ran: Outcome, found: Classification, judgement: Judgement) -> None:
        with self._lock:
            self._totals.add_run(ran, found)
            # Without the overtime of a busy host: cases within their limits fit into a total that is the sum of these.
            passes = self._judging.checkers[self._judging.cases[index].checker].passes or 1
            self._secs_left -= min(ran.wall_usec / 1e6, passes * self._limits[index].wall_time_secs)
            is_out_of_time = self._secs_left < 0
        if is_out_of_time:
            self._order.end_all(vocabulary.Outcome.JUDGE_ERROR, self._out_of_time)
        self._put(index, judgement, self._case_run(index, ran, found))

    def _check(
        self, step_runs: StepRuns, case: Case, checker: ReadyProgram | None, ran: Outcome, kept: KeptFiles | None
    ) -> Judgement:
        if ran.stdout_cut:
            return CUT
        if checker is None:
            return of_output(self._judging.checkers[case.checker], case.expected, ran.stdout)
        return self._programs.check(step_runs, checker, case, ran.stdout, kept)

    def _case_run(self, index: int, ran: Outcome, found: Classification) -> CaseRun:
        return CaseRun(
            result=report.result(found),
            integrity=found.integrity,
            cpu_time_secs=ran.cpu_usec / 1e6,
            wall_time_secs=ran.wall_usec / 1e6,
            memory_peak_bytes=report.memory_peak_bytes(ran),
            stdout=self._kept.stdout(index, ran.stdout),
            stderr=self._kept.stderr(ran.stderr),
        )

    def _put(self, index: int, judgement: Judgement, run: CaseRun | None) -> None:
        if judgement.outcome == vocabulary.Outcome.JUDGE_ERROR and self._is_cancelled:  # its checker was stopped
            judgement, run = Judgement(vocabulary.Outcome.SKIPPED, _CANCELLED), None
        message, team_message = self._kept.message(judgement.message), self._kept.message(judgement.team_message)
        outcome, points, share = judgement.outcome, judgement.points, judgement.share
        self._order.put(CaseResult(index, outcome, message, points, run, team_message, share))


def _together(before: Outcome, last: Outcome) -> Outcome:
    """Return the last pass of a case with the times of all of them, and the most memory."""
    evidence = last.evidence
    if before.evidence.cgroup is not None and evidence.cgroup is not None:
        peak_bytes = max(before.evidence.cgroup.memory_peak_bytes, evidence.cgroup.memory_peak_bytes)
        evidence = replace(evidence, cgroup=replace(evidence.cgroup, memory_peak_bytes=peak_bytes))
    return replace(
        last,
        evidence=evidence,
        cpu_usec=before.cpu_usec + last.cpu_usec,
        wall_usec=before.wall_usec + last.wall_usec,
        setup_usec=before.setup_usec + last.setup_usec,
        cpu_wait_usec=before.cpu_wait_usec + last.cpu_wait_usec,
        memory_peak_bytes=max(before.memory_peak_bytes, last.memory_peak_bytes),
    )


def _limits(request: JudgeRequested, case: Case, language: Language) -> Limits:
    own = {name: value for name, value in case.limits.as_dict().items() if value is not None}
    return language.run_limits(request.profile, **{**request.limits.as_dict(), **own})
