"""Run one request in a slot: compile if the language needs it, run, classify."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime

from events.completed import ExecutionCompleted, SkippedArtifact, StoredArtifact, Stream
from events.files import CHANGED
from events.message import format_time, parse_time
from events.requested import Addressee, ExecutionRequested
from events.vocabulary import Actor, Cause, Integrity, Phase, Verdict
from sandbox_runtime.artifacts import ANY_FILE, SHOWN, collect, content_of
from sandbox_runtime.classify import Classification
from sandbox_runtime.executor import report
from sandbox_runtime.executor.compilation import NO_CACHE, CompileCache, checked_inputs, compile_program, refused_source
from sandbox_runtime.executor.live_output import LiveOutput, masked
from sandbox_runtime.executor.step_runs import (
    Jail,
    Networks,
    RunStop,
    StepRuns,
    run_in_network,
    secret_variables,
    with_network,
)
from sandbox_runtime.jail.errors import JailError
from sandbox_runtime.jail.spec import JailSpec, Limits, Outcome
from sandbox_runtime.languages import FIGURES_VARIABLE, Language, missing_package, run_spec

# Keep the files that a program left: find those that its request asks for, and put them into the bucket.

type StoreArtifact = Callable[[int, bytes], str]
"""Put the artifact with a number into the bucket, and return its key. It may raise; then the run has no result."""


def refuse_to_store(number: int, content: bytes) -> str:
    """Stand for a store where no request asks for artifacts."""
    raise AssertionError(f"nobody stores artifact {number} of {len(content)} bytes")


def keep_artifacts(
    patterns: tuple[str, ...] | str, spec: JailSpec, outcome: Outcome, store: StoreArtifact
) -> tuple[tuple[StoredArtifact, ...], tuple[SkippedArtifact, ...]]:
    """Store the artifacts of a run. Files of the request count only if the run changed them. Raises JailError.

    The files must be read before the slot's next call.
    """
    chosen = ANY_FILE if patterns == CHANGED else tuple(patterns)
    found = collect(outcome.box, chosen, input_hashes(spec))
    skipped = tuple(SkippedArtifact(file.path, file.reason) for file in found.skipped)
    if found.box is None:
        return (), skipped
    stored = list[StoredArtifact]()
    for number, file in enumerate(found.artifacts):
        try:
            content = content_of(found.box, file)
        except OSError as error:
            raise JailError("read artifact", errno=error.errno or 0) from error
        stored.append(StoredArtifact(file.path, file.size, file.sha256, file.media_type, store(number, content)))
    return tuple(stored), skipped


def input_hashes(spec: JailSpec) -> Mapping[str, str]:
    """Return the SHA-256 that each file of the request has after a run that did not change it, by path.

    SHOWN: a read-only file that is shown without a copy.
    """
    own = {file.name: hashlib.sha256(file.content).hexdigest() for file in spec.files}
    for file in spec.inputs:
        if file.content is not None:
            own[file.path] = hashlib.sha256(file.content).hexdigest()
        else:
            own[file.path] = SHOWN if file.read_only else file.sha256
    return own


def limits_of(request: ExecutionRequested, language: Language) -> Limits:
    """Limits of the request's run step. Raises LimitRefusedError."""
    return language.run_limits(request.profile, **request.limits.as_dict())


def execute(
    jail: Jail,
    request: ExecutionRequested,
    language: Language,
    *,
    node_id: str,
    started_at: datetime,
    stop: RunStop | None = None,
    compile_cache: CompileCache = NO_CACHE,
    networks: Networks | None = None,
    inputs_folder: str = "",
    store_artifact: StoreArtifact = refuse_to_store,
    live_output: LiveOutput | None = None,
) -> ExecutionCompleted:
    """Run a request and classify its outcome. The output is inline. `compile_cache` may replace the compile step.

    `inputs_folder`: with the stored files of the request, see `JailSpec`. `store_artifact` keeps the files of the
    program that the request asks for. `live_output` shows the output of the program while it runs. Raises the errors of
    `store_artifact`, RequestRefusedError, ExecutionDrainedError, and JailError or NetworkError (run the request again).
    """
    limits = limits_of(request, language)
    inputs = checked_inputs(request, language, inputs_folder)
    step_runs = StepRuns(jail, stop)
    compiled: Outcome | None = None
    artifact: bytes | None = None
    compile_usec: int | None = None
    warnings = b""
    if language.compile is not None:
        program = compile_program(
            step_runs, language, language.compile, request.code, compile_cache, request.project_id, inputs=inputs
        )
        compiled, artifact, compile_usec = program.outcome, program.artifact, program.usec
        if artifact is None and compiled is not None and program.found is not None:
            streams = b"", program.diagnostics
            return _measured(request, node_id, started_at, program.found, streams, (compiled,), compile_usec)
        warnings = program.diagnostics
    variables = {**(request.environment or {}), **secret_variables(request)}
    if request.artifacts is not None and language.shown_folders:
        variables = {**variables, FIGURES_VARIABLE: "1"}
    spec = run_spec(
        language,
        request.code,
        artifact,
        limits=limits,
        stdin=request.stdin,
        variables=variables,
        args=request.args or (),
        inputs=inputs.files,
    )
    if request.artifacts is not None:
        spec = replace(spec, waiting=None, keeps_box=True)  # a waiting command has not sent its working directory
    secrets = [variables[name] for name in request.secret_names or () if name in variables]
    if live_output is not None:
        live_output.mask(secrets)
        live_output.hold(language.refusals)
        spec = replace(spec, output_watch=live_output)
    ran, found, used = run_in_network(step_runs, inputs.folder_for(spec), request, networks)
    if found.verdict == Verdict.RE and found.error_message is None:
        found = replace(found, error_message=missing_package(language, ran.stderr))
    outcomes = (ran,) if compiled is None else (compiled, ran)
    streams = masked(ran.stdout, secrets), masked(ran.stderr, secrets)
    completed = _measured(request, node_id, started_at, found, streams, outcomes, compile_usec)
    completed = completed.changed(evidence=with_network(completed.evidence, used), compile_stderr=warnings or None)
    if request.artifacts is not None:
        artifacts, skipped = keep_artifacts(request.artifacts, spec, ran, store_artifact)
        completed = completed.changed(artifacts=artifacts, artifacts_skipped=skipped or None)
    # After the artifacts, because the check is the slot's next call. A refused source left none.
    refused = refused_source(step_runs, language, request.code, ran, found)
    if refused is not None and refused.found is not None:
        streams = b"", refused.diagnostics
        return _measured(request, node_id, started_at, refused.found, streams, (ran,), refused.usec)
    return completed


def not_run(request: ExecutionRequested | Addressee, node_id: str, cause: Cause, message: str) -> ExecutionCompleted:
    """Build the IE completion of a request that is never run. `message` is for the client."""
    found = Classification(
        Verdict.IE, cause, Actor.JUDGE, Phase.RUN, error_message=message, integrity=Integrity.WRITE_ERROR
    )
    return _completed(request, node_id, datetime.now(UTC), found, (b"", b""))


def _measured(
    request: ExecutionRequested,
    node_id: str,
    started_at: datetime,
    found: Classification,
    streams: tuple[bytes, bytes],
    outcomes: tuple[Outcome, ...],
    compile_usec: int | None,
) -> ExecutionCompleted:
    """Build the completion of an execution. `outcomes`: of its steps; `found` classifies the last one."""
    # The two clocks belong to two machines: a negative difference is clock skew.
    queue_ms = max(0.0, (started_at - parse_time(request.requested_at)).total_seconds() * 1000)
    completed = _completed(request, node_id, started_at, found, streams)
    if found.cause == Cause.CANCELLED and not outcomes[-1].evidence.controls_applied:
        return completed  # it was stopped during the set-up, before its controls were measured
    metrics = report.metrics(outcomes, found.phase, queue_ms, compile_usec)
    return completed.changed(metrics=metrics, evidence=report.evidence(outcomes[-1], found))


def _completed(
    request: ExecutionRequested | Addressee,
    node_id: str,
    started_at: datetime,
    found: Classification,
    streams: tuple[bytes, bytes],
) -> ExecutionCompleted:
    stdout, stderr = streams
    return ExecutionCompleted(
        submission_id=request.submission_id,
        execution_id=request.execution_id,
        node_id=node_id,
        language=request.language,
        started_at=format_time(started_at),
        completed_at=format_time(datetime.now(UTC)),
        result=report.result(found),
        stdout=Stream.of(stdout),
        stderr=Stream.of(stderr),
        integrity=found.integrity,
        metrics=None,
        evidence=None,
    )
