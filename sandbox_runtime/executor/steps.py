"""Run one request in a slot: compile if the language needs it, run, classify."""

from datetime import UTC, datetime

from sandbox_runtime.classify import Actor, Classification, Phase, Verdict
from sandbox_runtime.executor import report
from sandbox_runtime.executor.attempts import Attempts, Jail
from sandbox_runtime.executor.compile_cache import CompileCache
from sandbox_runtime.executor.compile_search import CompileSearch, search
from sandbox_runtime.jail.spec import Limits, Outcome
from sandbox_runtime.languages import Language, compile_spec, run_spec, without_paths
from sandbox_runtime.messages import ExecutionCompleted, ExecutionRequested, InlineOutput, format_time, parse_time


def limits_of(request: ExecutionRequested, language: Language) -> Limits:
    """Limits of the request's run step. Raises LimitRefusedError."""
    asked = request.limits
    return language.run_limits(
        request.profile,
        cpu_time_secs=asked.cpu_time_secs,
        wall_time_secs=asked.wall_time_secs,
        memory_mb=asked.memory_mb,
        max_processes=asked.max_processes,
        output_kb=asked.output_kb,
    )


def execute(
    jail: Jail,
    request: ExecutionRequested,
    language: Language,
    *,
    node_id: str,
    started_at: datetime,
    cancel_fd: int | None = None,
    compile_cache: CompileCache | None = None,
) -> ExecutionCompleted:
    """Run a request and classify its outcome. The output is inline. `compile_cache` may replace the compile step.

    Raises LimitRefusedError, JailError (the sandbox failed; run the request again) and ExecutionCancelledError.
    """
    limits = limits_of(request, language)
    attempts = Attempts(jail, cancel_fd)
    compiled: Outcome | None = None
    earlier = CompileSearch()
    artifact: bytes | None = None
    if language.compile is not None:
        step = compile_spec(language, language.compile, request.code)
        earlier = search(compile_cache, request.project_id, language.name, step)
        artifact = earlier.artifact
        if artifact is None:
            compiled, found = attempts.run(step, Phase.COMPILE)
            artifact = compiled.artifact
            if found.verdict is not Verdict.AC or artifact is None:
                stderr = _diagnostics(language, compiled, found)
                return _completed(request, node_id, started_at, (compiled, None), found, (b"", stderr))
            earlier.keep(compiled)
    spec = run_spec(language, request.code, artifact, limits=limits, stdin=request.stdin)
    ran, found = attempts.run(spec, Phase.RUN)
    streams = ran.stdout, ran.stderr
    return _completed(request, node_id, started_at, (compiled, ran), found, streams, earlier.found_usec)


def platform_failure(
    request_ids: tuple[str, str],
    language_name: str,
    *,
    node_id: str,
    started_at: datetime,
    cause: str,
    message: str,
) -> ExecutionCompleted:
    """Build the IE completion of an execution that could not be run.

    `request_ids`: (submission id, execution id). `message`: for the client.
    """
    submission_id, execution_id = request_ids
    found = Classification(Verdict.IE, cause, Actor.JUDGE, Phase.RUN, error_message=message)
    return ExecutionCompleted(
        submission_id=submission_id,
        execution_id=execution_id,
        node_id=node_id,
        language=language_name,
        started_at=format_time(started_at),
        completed_at=format_time(datetime.now(UTC)),
        result=report.result(found),
        stdout=InlineOutput.of(b""),
        stderr=InlineOutput.of(b""),
        integrity="write_error",
        metrics=None,
        evidence=None,
    )


def _diagnostics(language: Language, compiled: Outcome, found: Classification) -> bytes:
    text = without_paths(compiled.stderr + compiled.stdout)
    if found.cause != "ce_compile_failed":
        return text
    if compiled.exit_code == 0:
        text += b"the compiler left no program, or one that is too large\n"
    return f"{language.name} Compilation Error:\n".encode() + text


def _completed(
    request: ExecutionRequested,
    node_id: str,
    started_at: datetime,
    steps: tuple[Outcome | None, Outcome | None],
    found: Classification,
    streams: tuple[bytes, bytes],
    found_usec: int | None = None,
) -> ExecutionCompleted:
    compiled, ran = steps
    last = ran or compiled
    # The two clocks belong to two machines: a negative difference is clock skew.
    queue_ms = max(0.0, (started_at - parse_time(request.requested_at)).total_seconds() * 1000)
    return ExecutionCompleted(
        submission_id=request.submission_id,
        execution_id=request.execution_id,
        node_id=node_id,
        language=request.language,
        started_at=format_time(started_at),
        completed_at=format_time(datetime.now(UTC)),
        result=report.result(found),
        stdout=InlineOutput.of(streams[0]),
        stderr=InlineOutput.of(streams[1]),
        integrity=found.integrity,
        metrics=report.metrics(compiled, ran, queue_ms, found_usec),
        evidence=None if last is None else report.evidence(last, found),
    )
