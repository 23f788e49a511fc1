"""Checker programs: each compiled once, each check in a jail of its own, after the program's.

The program's jail is gone by then. So it never sees a checker, an expected output or the input of another case.
"""

import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from threading import Lock
from typing import NamedTuple

from events import vocabulary
from events.judged import CHECKS_OUT_OF_TIME, MAX_CHECKER_MESSAGE_CHARACTERS
from events.requested import Case, CheckerProgram, Judging
from events.vocabulary import Phase, Verdict
from sandbox_runtime.artifacts import collect, content_of
from sandbox_runtime.classify import Classification
from sandbox_runtime.executor.compilation import CompileCache, compile_program
from sandbox_runtime.executor.step_runs import StepRuns
from sandbox_runtime.jail import Box
from sandbox_runtime.jail.spec import GuestFile, InputFile, JailSpec, Outcome
from sandbox_runtime.judging.judgement import Judgement, NextPass
from sandbox_runtime.languages import DEFAULT_PROFILE, Language, run_spec

# The meaning of a checker program's exit code. Pure functions.
#
# testlib: 0 right, 1 wrong, 2, 4 (extra tokens) and 8 (ends too early) a wrong format, 7 points, which it prints
# first. Kattis: 42 right, with the points of its score.txt or the share of its score_multiplier.txt if it writes one,
# 43 wrong. Everything else is an error of the judge, never of the program.

TESTLIB_POINTS = 7
_TESTLIB = {
    0: vocabulary.Outcome.PASSED,
    1: vocabulary.Outcome.WRONG_ANSWER,
    2: vocabulary.Outcome.PRESENTATION_ERROR,
    4: vocabulary.Outcome.PRESENTATION_ERROR,
    8: vocabulary.Outcome.PRESENTATION_ERROR,
    TESTLIB_POINTS: vocabulary.Outcome.PARTIAL,
}
_KATTIS = {42: vocabulary.Outcome.PASSED, 43: vocabulary.Outcome.WRONG_ANSWER}
_OUTCOMES = {"testlib": _TESTLIB, "kattis": _KATTIS}
_NUMBER = r"([0-9]{1,15}(?:\.[0-9]{1,15})?)"
# testlib's quitp and quitpi, whose information must be a number here.
_POINTS = re.compile(rf"points\s+(?:points_info=)?{_NUMBER}(?![0-9.])")
_SCORE = re.compile(rf"\s*\+?{_NUMBER}(?:[eE]([+-]?[0-9]{{1,2}}))?\s*")
_ENDED = frozenset({Verdict.AC, Verdict.RE})


def judgement_of(protocol: str, ran: Outcome, found: Classification, *, name: str = "checker") -> Judgement:
    """Judge by the end of a checker or an interactor (`name`)."""
    text = message_of(ran)
    if found.verdict is Verdict.IE:
        return Judgement(vocabulary.Outcome.JUDGE_ERROR, found.error_message)
    if found.verdict not in _ENDED or ran.exit_code is None:
        return _error(f"the {name} was stopped: {found.verdict}, {found.cause}", text)
    outcome = _OUTCOMES[protocol].get(ran.exit_code)
    # Python ends with 1, the exit code for a wrong answer, when nobody reads the rest of its output.
    is_cut = ran.stdout_cut or ran.stderr_cut
    if is_cut or outcome is None:
        problem = "wrote more than its limit" if is_cut else f"ended with exit code {ran.exit_code}"
        return _error(f"the {name} {problem}", text)
    if outcome is not vocabulary.Outcome.PARTIAL:
        return Judgement(outcome, text or None)
    points = _POINTS.match(text)
    if points is None:
        return _error(f"the {name} gave no points", text)
    return Judgement(outcome, text, float(points[1]))


def with_score(judgement: Judgement, score: bytes, multiplier: bytes) -> Judgement:
    """Add the points of `score.txt`, or the share of `score_multiplier.txt`, to a case that a Kattis validator accepts.

    Empty: there is no such file.
    """
    if judgement.outcome != vocabulary.Outcome.PASSED or not (score or multiplier):
        return judgement
    text = judgement.message or ""
    if score and multiplier:
        return _error("the validator wrote score.txt and score_multiplier.txt; one of them gives points", text)
    found = _SCORE.fullmatch((score or multiplier).decode(errors="replace"))
    if found is None:
        return _error(f"{'score' if score else 'score_multiplier'}.txt needs one number from 0", text)
    if score:
        return replace(judgement, points=float(found[0]))
    if float(found[0]) > 1:
        return _error("score_multiplier.txt needs a number from 0 to 1", text)
    return replace(judgement, share=float(found[0]))


def message_of(ran: Outcome) -> str:
    """Return the output of a checker or an interactor, for the client."""
    return as_text(ran.stderr + ran.stdout)


def as_text(message: bytes) -> str:
    """Return the first characters of a message."""
    text = message[: 4 * MAX_CHECKER_MESSAGE_CHARACTERS].decode(errors="replace")
    return text.strip()[:MAX_CHECKER_MESSAGE_CHARACTERS]


def _error(problem: str, text: str) -> Judgement:
    return Judgement(
        vocabulary.Outcome.JUDGE_ERROR, f"{problem}: {text}"[:MAX_CHECKER_MESSAGE_CHARACTERS] if text else problem
    )


# Feedback files of Kattis validators: they write them into the directory that is their third argument.
#
# A shell runs the validator, in the validator's jail, and prints the files to standard error after it. So the runner
# opens no file that a program made, and the bounds of the output hold for them too. The files that a validator keeps
# from one pass to the next are in its working directory, and are read as artifacts are.

DIRECTORY = "/tmp/"  # noqa: S108 - of the validator's own jail
_KEPT = "feedback"
KEPT_DIRECTORY = f"/box/{_KEPT}/"
_KEPT_MOST_MB = 8
_NEXT_INPUT = f"{_KEPT}/nextpass.in"
_SHELL = "/bin/sh"
_FILES, _MOST_BYTES = 5, 16_384
# The shell lets go of both streams, because they are pipes to a program if the validator is an interactor. Standard
# input needs the detour: a command in the background gets an empty one.
_SCRIPT = f"""
mark=$1 folder=$2
shift 2
[ -d "$folder" ] || mkdir "$folder"
exec 3<&0
"$@" <&3 3<&- &
exec <&- >&- 3<&-
wait $!
code=$?
for name in judgemessage judgeerror teammessage score score_multiplier; do
    printf %s "$mark" >&2
    [ -f "$folder$name.txt" ] && head -c {_MOST_BYTES} "$folder$name.txt" >&2 2>/dev/null
done
exit $code
"""


def with_feedback(spec: JailSpec, mark: str, folder: str = DIRECTORY) -> JailSpec:
    """Return the run of a validator that prints its feedback files, of this folder.

    `mark`: a secret word. It parts the files from the output, which may quote the contestant's.
    """
    limits = replace(spec.limits, max_processes=spec.limits.max_processes + 1)
    return replace(spec, argv=(_SHELL, "-c", _SCRIPT, _SHELL, mark, folder, *spec.argv), limits=limits)


class Feedback(NamedTuple):
    """The files of a validator. `judge`: messages for the judge; `team`: for the contestant. Empty: no such file."""

    judge: bytes
    team: bytes
    score: bytes = b""
    score_multiplier: bytes = b""


def feedback_of(stderr: bytes, mark: str) -> Feedback:
    """Return the messages. The judge's are the files, a line break after each, and then the rest of standard error."""
    own, *files = stderr.split(mark.encode())
    *files, team, score, multiplier = files if len(files) == _FILES else (*files, b"", b"", b"")
    message = b"".join(content.rstrip(b"\n") + b"\n" for content in files if content) + own
    return Feedback(message, team, score, multiplier)


type KeptFiles = tuple[InputFile, ...]
"""The feedback directory of a multi-pass case."""


def read_next_pass(box: Box | None) -> NextPass | Judgement | None:
    """Read the feedback directory after a pass. None: no pass follows. A judgement: it cannot be kept."""
    collected = collect(box, (f"{_KEPT}/**",), {})
    if box is None or collected.skipped:  # after too many files nobody knows whether a next pass is there
        text = "".join(f": {file.path} ({file.reason})" for file in collected.skipped[:1])
        return _error(f"the validator's files cannot be kept{text}", "")
    if sum(file.size for file in collected.artifacts) > _KEPT_MOST_MB << 20:
        return _error(f"the validator's files have more than {_KEPT_MOST_MB} MiB", "")
    contents = {file.path: content_of(box, file) for file in collected.artifacts}
    stdin = contents.pop(_NEXT_INPUT, None)
    if stdin is None:
        return None
    return NextPass(stdin, tuple(InputFile(path, len(content), content=content) for path, content in contents.items()))


def with_next_pass(judgement: Judgement, after: NextPass | Judgement | None) -> Judgement:
    """Add the next pass, if the validator wrote its input."""
    if isinstance(after, NextPass) and judgement.outcome == vocabulary.Outcome.PASSED:
        return replace(judgement, next_pass=after)
    if after is None or judgement.outcome == vocabulary.Outcome.JUDGE_ERROR:
        return judgement
    return after if isinstance(after, Judgement) else _error("the validator wrote nextpass.in and did not accept", "")


CHECK_CPU_SECS = 10
CHECK_WALL_SECS = 20
# All checks and compilations of checkers in one judge run, and the time for which interactors outlive their programs.
# A judge run with a total of its own has that total for them too, if it is longer.
ALL_CHECKS_SECS = 120
INPUT, OUTPUT, ANSWER = "input", "output", "answer"


@dataclass(frozen=True, slots=True)
class ReadyProgram:
    """A checker that can run: its language, source and compiled form. `mark`: see `with_feedback`."""

    program: CheckerProgram
    language: Language
    artifact: bytes | None
    mark: str = field(default_factory=secrets.token_hex)

    def spec(
        self, stdin: bytes, args: tuple[str, ...], files: tuple[GuestFile, ...], kept: KeptFiles | None = None
    ) -> JailSpec:
        """Build a run with these arguments before its own ones, and these files beside its own ones.

        `kept`: of the passes so far; None: it is no multi-pass case.
        """
        asked = {"cpu_time_secs": CHECK_CPU_SECS, "wall_time_secs": CHECK_WALL_SECS}
        if kept is not None:
            asked["file_size_mb"] = _KEPT_MOST_MB
        limits = self.language.run_limits(DEFAULT_PROFILE, **asked)
        spec = run_spec(
            self.language,
            self.program.code,
            self.artifact,
            limits=limits,
            stdin=stdin,
            args=(*args, *self.program.args),
            files=(*_own_files(self.program), *files),
            inputs=kept or (),
        )
        if self.program.protocol != "kattis":
            return spec
        if kept is None:
            return with_feedback(spec, self.mark)
        return with_feedback(replace(spec, keeps_box=True), self.mark, KEPT_DIRECTORY)

    def judgement(self, ran: Outcome, found: Classification, *, name: str = "checker") -> Judgement:
        """Judge by its end. `name`: of its kind, for messages."""
        told = feedback_of(ran.stderr, self.mark)
        decided = judgement_of(self.program.protocol, replace(ran, stderr=told.judge), found, name=name)
        return with_score(replace(decided, team_message=as_text(told.team) or None), told.score, told.score_multiplier)


class CheckerPrograms:
    """The checker programs of one judge run. Safe for threads.

    `languages`: those that this runner offers. `least_secs`: the checks have at least this time.
    """

    def __init__(
        self,
        judging: Judging,
        languages: Mapping[str, Language],
        cache: CompileCache,
        project_id: str,
        least_secs: int = 0,
    ) -> None:
        self._judging, self._languages, self._cache, self._project_id = judging, languages, cache, project_id
        self._ready: dict[int, ReadyProgram | Judgement] = {}
        secs = max(ALL_CHECKS_SECS, least_secs)
        self._secs_left = float(secs)
        self._out_of_time = _error(f"{CHECKS_OUT_OF_TIME} {secs} s together", "")
        self._lock = Lock()

    def ready(self, step_runs: StepRuns, index: int) -> ReadyProgram | Judgement | None:
        """Compile a checker, once. A judgement: it cannot be compiled. None: it is no program.

        Raises JailError and ExecutionDrainedError.
        """
        program = self._judging.checkers[index].program
        if program is None:
            return None
        with self._lock:  # a turn that needs the same checker waits until it is compiled
            if index not in self._ready:
                self._ready[index] = self._compiled(step_runs, program)
            return self._ready[index]

    def check(
        self, step_runs: StepRuns, ready: ReadyProgram, case: Case, output: bytes, kept: KeptFiles | None = None
    ) -> Judgement:
        """Check an output. `kept`: see `ReadyProgram.spec`. Raises JailError and ExecutionDrainedError."""
        if self._secs_left <= 0:
            return self._out_of_time
        files = _files_of(case)
        if ready.program.protocol == "testlib":
            args: tuple[str, ...] = (INPUT, OUTPUT, ANSWER)
            spec = ready.spec(b"", args, (*files, GuestFile(OUTPUT, output)))
        else:
            spec = ready.spec(output, (INPUT, ANSWER, DIRECTORY if kept is None else KEPT_DIRECTORY), files, kept)
        wall_secs = min(spec.limits.wall_time_secs, self._secs_left)
        ran, found = step_runs.run(replace(spec, limits=replace(spec.limits, wall_time_secs=wall_secs)), Phase.RUN)
        with self._lock:
            self._secs_left -= ran.wall_usec / 1e6
        judgement = ready.judgement(ran, found)
        return judgement if kept is None else with_next_pass(judgement, read_next_pass(ran.box))

    def interactor_spec(self, ready: ReadyProgram, case: Case, kept: KeptFiles | None = None) -> JailSpec | Judgement:
        """Build the run of an interactor. Its pipes and its wall limit come with the program's.

        A judgement: the checkers of the judge run have no time left.
        """
        if self._secs_left <= 0:
            return self._out_of_time
        files = _files_of(case)
        # testlib: input, a file for the interactor's own output, answer. Kattis: as a validator.
        directory = DIRECTORY if kept is None else KEPT_DIRECTORY
        second = (OUTPUT, ANSWER) if ready.program.protocol == "testlib" else (ANSWER, directory)
        return ready.spec(b"", (INPUT, *second), files, kept)

    def count_interaction(self, program: Outcome, interactor: Outcome) -> None:
        """Count the time for which an interactor outlived its program. The program's own time counts elsewhere."""
        with self._lock:
            self._secs_left -= max(0, interactor.wall_usec - program.wall_usec) / 1e6

    def _compiled(self, step_runs: StepRuns, program: CheckerProgram) -> ReadyProgram | Judgement:
        language = self._languages[program.language]
        files = _own_files(program)
        if taken := {file.name for file in files} & _reserved(language, program):
            return Judgement(
                vocabulary.Outcome.JUDGE_ERROR, f"a file of the checker has a name that the judge uses: {min(taken)}"
            )
        if language.compile is None:
            return ReadyProgram(program, language, None)
        if self._secs_left <= 0:
            return self._out_of_time
        compiled = compile_program(
            step_runs, language, language.compile, program.code, self._cache, self._project_id, files=files
        )
        if compiled.outcome is not None and compiled.found is not None:
            self._secs_left -= compiled.outcome.wall_usec / 1e6
            if compiled.artifact is None:
                text = compiled.diagnostics.decode(errors="replace")
                message = f"the checker did not compile: {text or compiled.found.error_message}"
                return Judgement(vocabulary.Outcome.JUDGE_ERROR, message[:MAX_CHECKER_MESSAGE_CHARACTERS])
        return ReadyProgram(program, language, compiled.artifact)


def _files_of(case: Case) -> tuple[GuestFile, ...]:
    return GuestFile(INPUT, case.stdin or b""), GuestFile(ANSWER, case.expected or b"")


def _own_files(program: CheckerProgram) -> tuple[GuestFile, ...]:
    return tuple(GuestFile(file.name, file.content) for file in program.files)


def _reserved(language: Language, program: CheckerProgram) -> set[str]:
    names = language.source_names(program.code)
    made = set() if language.compile is None else {language.compile.artifact}
    return {INPUT, OUTPUT, ANSWER, names.file, *(file.name for file in names.beside)} | made
