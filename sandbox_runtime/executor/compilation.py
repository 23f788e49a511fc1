"""The compile step: the program of the cache, or a new one. An interpreter that refuses a source is one that failed."""

import time
from dataclasses import dataclass, replace

from events.vocabulary import Cause, Phase, Verdict
from sandbox_runtime.classify import Classification, classify
from sandbox_runtime.executor import report
from sandbox_runtime.executor.compile_cache import CachedProgram, CompileCache
from sandbox_runtime.executor.step_runs import StepRuns
from sandbox_runtime.jail.spec import GuestFile, InputFile, JailSpec, Outcome
from sandbox_runtime.languages import (
    DEFAULT_PROFILE,
    Compile,
    Language,
    compile_spec,
    run_spec,
    without_paths,
    without_python_paths,
)

WARNINGS_MAX_BYTES = 16_384
"""Limit of the warnings of a program that compiled."""


@dataclass(frozen=True, slots=True)
class Compiled:
    """`artifact`: None when it failed. `outcome` and `found` are None for a program of the cache.

    `diagnostics`: the compiler's messages; of a program that compiled, the first WARNINGS_MAX_BYTES.
    `usec`: time of the compile step, or of the look-up.
    """

    artifact: bytes | None
    diagnostics: bytes
    outcome: Outcome | None
    found: Classification | None
    usec: int


@dataclass(frozen=True, slots=True)
class Inputs:
    """The files of a request, the folder of those that are not in the message, and its options of the compiler."""

    files: tuple[InputFile, ...] = ()
    folder: str = ""
    options: tuple[str, ...] = ()

    def folder_for(self, spec: JailSpec) -> JailSpec:
        """Give a step the folder."""
        return replace(spec, inputs_folder=self.folder) if self.folder else spec


NO_INPUTS = Inputs()


def compile_program(
    step_runs: StepRuns,
    language: Language,
    step: Compile,
    code: bytes,
    cache: CompileCache,
    project_id: str,
    *,
    files: tuple[GuestFile, ...] = (),
    inputs: Inputs = NO_INPUTS,
) -> Compiled:
    """Compile a source, with `files` beside it, or take the program from the cache.

    Raises JailError and ExecutionDrainedError.
    """
    spec = compile_spec(language, step, code, files, inputs.files, inputs.options)
    begun_ns = time.monotonic_ns()
    key = cache.key(project_id, language.name, spec)
    spec = inputs.folder_for(spec)
    cached = cache.find(key)
    if cached is not None:
        return Compiled(cached.artifact, cached.warnings, None, None, (time.monotonic_ns() - begun_ns) // 1000)
    outcome, found = step_runs.run(spec, Phase.COMPILE)
    diagnostics = _diagnostics(language, outcome, found)
    if found.verdict is not Verdict.AC or outcome.artifact is None:
        return Compiled(None, diagnostics, outcome, found, outcome.wall_usec)
    warnings = diagnostics[:WARNINGS_MAX_BYTES]
    if report.is_isolation_proven(outcome.evidence):
        cache.keep(key, CachedProgram(outcome.artifact, warnings))
    return Compiled(outcome.artifact, warnings, outcome, found, outcome.wall_usec)


def refused_source(
    step_runs: StepRuns, language: Language, code: bytes, ran: Outcome, found: Classification
) -> Compiled | None:
    """Return the failed compilation of a source that its interpreter refused to run. None: the program began.

    `ran`, `found`: the run. A program can print anything, so a check of the source in a jail of its own decides.
    It follows only runs that look like a refusal; so programs that work have no cost. Raises JailError and
    ExecutionDrainedError.
    """
    is_like_one = found.cause == Cause.RE_NONZERO_EXIT and ran.exit_code == 1 and not ran.stdout
    if language.source_check is None or not is_like_one or ran.stderr.startswith(b"Traceback"):
        return None
    limits = language.run_limits(DEFAULT_PROFILE)
    check = run_spec(language, language.source_check.encode(), None, limits=limits, stdin=code)
    checked, _ = step_runs.run(check, Phase.RUN)
    if checked.exit_code != 1:
        return None
    failed = classify(ran, Phase.COMPILE)
    return Compiled(None, _header(language) + without_python_paths(ran.stderr), ran, failed, ran.wall_usec)


def _diagnostics(language: Language, compiled: Outcome, found: Classification) -> bytes:
    """Return the compiler's messages, for the client."""
    text = without_paths(compiled.stderr + compiled.stdout)
    if found.cause != Cause.CE_COMPILE_FAILED:
        return text
    if compiled.exit_code == 0:
        text += b"the compiler left no program, or one that is too large\n"
    return _header(language) + text


def _header(language: Language) -> bytes:
    return f"{language.name} Compilation Error:\n".encode()
