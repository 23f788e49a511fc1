"""`run`: run one file in the jail, without a service and without AWS."""

import argparse
import json
import os
import signal
import sys
import uuid
from datetime import UTC, datetime
from pathlib import Path

from events import vocabulary
from events.completed import ExecutionCompleted, Stream
from events.message import as_fields, format_time
from events.program import MAX_CODE_BYTES, RequestedLimits
from events.requested import MAX_STDIN_BYTES, ExecutionRequested
from sandbox_runtime import settings
from sandbox_runtime.commands import exit_codes
from sandbox_runtime.commands.exit_codes import CommandError, require_root
from sandbox_runtime.executor import ExecutionDrainedError, execute, limits_of
from sandbox_runtime.executor.step_runs import RunStop
from sandbox_runtime.jail import JailError, SlotConfig, open_slot
from sandbox_runtime.languages import (
    LANGUAGES,
    Language,
    LimitRefusedError,
    PreparationError,
    binds,
    for_file,
    init_program,
    prepare,
    warm,
    with_packages,
)

# The output of `run` for a finished execution.

MIB = 1024 * 1024


def summary(completed: ExecutionCompleted) -> str:
    """Return one line: verdict, reason, times, memory."""
    result, metrics = completed.result, completed.metrics
    parts = [f"{result.verdict} {result.cause}"]
    if result.exit_code is not None:
        parts.append(f"exit code {result.exit_code}")
    if result.signal is not None:
        parts.append(f"signal {result.signal}")
    if metrics is not None:
        parts.append(f"wall {metrics.wall_time_secs:.3f} s")
        parts.append(f"CPU {metrics.cpu_time_secs:.3f} s")
        parts.append(f"memory {metrics.memory_peak_bytes / MIB:.1f} MiB")
        if metrics.compile_ms is not None:
            parts.append(f"compiled in {metrics.compile_ms:.0f} ms")
    if result.error_message is not None:
        parts.append(result.error_message)
    if completed.evidence is not None and completed.evidence.controls_missing:
        parts.append(f"isolation permissive, NOT IN FORCE: {', '.join(completed.evidence.controls_missing)}")
    return ", ".join(parts)


def as_json(completed: ExecutionCompleted) -> dict[str, object]:
    """Return the nested form of the API's result object. Replaces invalid UTF-8."""
    fields = as_fields(completed)
    output = {
        "stdout": _text(completed.stdout),
        "stderr": _text(completed.stderr),
        "integrity": completed.integrity,
    }
    names = ("language", "result", "metrics", "evidence")
    return {**{name: fields[name] for name in names}, "output": output}


def _text(output: Stream) -> str:
    return output.inline.decode("utf-8", "replace")


# The index of a slot gives the guests' user id. Workers count from 0. Commands must not share a user id with a worker
# or with each other, because the process rlimit counts by user.
FIRST_INDEX = 32
INDEXES = 31


def run_file(arguments: argparse.Namespace) -> int:
    """Run the file and print its result. Returns the exit code; raises CommandError."""
    language = _language(arguments)
    request = _request(arguments, language)
    try:
        limits_of(request, language)
    except LimitRefusedError as error:
        option = "--" + error.limit.replace("_", "-")
        raise CommandError(exit_codes.USAGE, f"{option} must be above 0 and at most {error.ceiling:g}") from error
    require_root()
    toolchains_dir = settings.toolchains_dir(os.environ)
    language = with_packages(language, toolchains_dir)
    if not language.is_present(toolchains_dir):
        raise CommandError(
            exit_codes.PLATFORM_FAILURE,
            f"the toolchain of {language.name} is missing: install it, or set TOOLCHAINS_DIR (see: languages)",
        )
    try:
        prepare(language, toolchains_dir)
        warm(language, toolchains_dir)
        completed = _run(request, language, toolchains_dir)
    except PreparationError as error:
        problem = f"the toolchain of {language.name} does not work: {error}"
        raise CommandError(exit_codes.PLATFORM_FAILURE, problem) from error
    except JailError as error:
        raise CommandError(exit_codes.PLATFORM_FAILURE, f"the sandbox failed: {error}") from error
    _print(completed, is_json=arguments.json)
    return exit_codes.of_result(completed.result)


def _run(request: ExecutionRequested, language: Language, toolchains_dir: str) -> ExecutionCompleted:
    stop_fd = os.eventfd(0, os.EFD_CLOEXEC)
    received: list[int] = []

    def stop(number: int, _frame: object) -> None:
        received.append(number)
        os.eventfd_write(stop_fd, 1)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    index = FIRST_INDEX + os.getpid() % INDEXES
    mounts, init = binds((language,), toolchains_dir), init_program(toolchains_dir)
    config = SlotConfig(name=f"run-{os.getpid()}", index=index, binds=mounts, small_init=init)
    with open_slot(config) as slot:
        try:
            return execute(
                slot, request, language, node_id="local", started_at=datetime.now(UTC), stop=RunStop(stop_fd)
            )
        except ExecutionDrainedError as error:
            raise CommandError(exit_codes.SIGNAL_BASE + received[0], "interrupted") from error


def _language(arguments: argparse.Namespace) -> Language:
    if arguments.language is not None:
        return next(language for language in LANGUAGES if language.name == arguments.language)
    language = for_file(arguments.file)
    if language is None:
        names = ", ".join(known.name for known in LANGUAGES)
        raise CommandError(exit_codes.USAGE, f"unknown extension of {arguments.file}: give --language, one of {names}")
    return language


def _request(arguments: argparse.Namespace, language: Language) -> ExecutionRequested:
    return ExecutionRequested(
        submission_id=str(uuid.uuid4()),
        execution_id=str(uuid.uuid4()),
        project_id="local",
        language=vocabulary.Language(language.name),
        profile=arguments.profile,
        priority="interactive",
        code=_read(arguments.file, MAX_CODE_BYTES),
        stdin=b"" if arguments.stdin is None else _read(arguments.stdin, MAX_STDIN_BYTES),
        limits=RequestedLimits(
            cpu_time_secs=arguments.cpu_time_secs,
            wall_time_secs=arguments.wall_time_secs,
            memory_mb=arguments.memory_mb,
            max_processes=arguments.max_processes,
            output_kb=arguments.output_kb,
        ),
        requested_at=format_time(datetime.now(UTC)),
    )


def _read(path: str, most: int) -> bytes:
    try:
        if path == "-":
            content = sys.stdin.buffer.read(most + 1)
        else:
            with Path(path).open("rb") as file:
                content = file.read(most + 1)
    except OSError as error:
        raise CommandError(exit_codes.USAGE, f"cannot read {path}: {error.strerror}") from error
    if len(content) > most:
        raise CommandError(exit_codes.USAGE, f"{path} is larger than {most} bytes")
    return content


def _print(completed: ExecutionCompleted, *, is_json: bool) -> None:
    try:
        if is_json:
            sys.stdout.write(json.dumps(as_json(completed), indent=2) + "\n")
        else:
            sys.stdout.buffer.write(completed.stdout.inline)
            sys.stderr.buffer.write(completed.stderr.inline)
        sys.stdout.flush()
    except BrokenPipeError:
        # The reader went away (`| head`). Python would complain again when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    if not is_json:
        sys.stderr.write(summary(completed) + "\n")
        sys.stderr.flush()
