"""Which compile steps are spared, and which outcomes are never kept, over recorded outcomes."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from events.completed import ExecutionCompleted, Stream
from events.program import RequestedLimits
from sandbox_runtime.executor import NO_CACHE, CompileCache, ExecutionDrainedError, execute
from sandbox_runtime.jail.errors import JailError
from sandbox_runtime.jail.spec import Outcome, StopReason
from sandbox_runtime.languages import LANGUAGES, Language
from tests.runner_doubles import CANCELLED, RecordedSlot, outcome, requested

BY_NAME: Mapping[str, Language] = {language.name: language for language in LANGUAGES}
ELF = b"\x7fELF of this program"
COMPILED = outcome(artifact=ELF, wall_usec=80_000, stdout=b"", stderr=b"warning: unused")


@pytest.fixture
def cache() -> CompileCache:
    return CompileCache(dict.fromkeys(BY_NAME, "digest"), max_bytes=1 << 20, max_age_secs=600)


def run(cache: CompileCache, slot: RecordedSlot, language: str = "c", **fields: Any) -> ExecutionCompleted:
    request = requested(language, **fields)
    return execute(slot, request, BY_NAME[language], node_id="n", started_at=datetime.now(UTC), compile_cache=cache)


def cached(completed: ExecutionCompleted) -> bool | None:
    assert completed.metrics is not None
    return completed.metrics.compile_cached


def steps_of_the_next(cache: CompileCache, **fields: Any) -> int:
    """Return the number of steps of an equal request: 1 if the program was kept."""
    slot = RecordedSlot(COMPILED, outcome())
    run(cache, slot, **fields)
    return len(slot.specs)


def test_the_second_run_is_the_run_step_alone(cache: CompileCache) -> None:
    first = RecordedSlot(COMPILED, outcome())
    assert cached(run(cache, first, stdin=b"1")) is False
    second = RecordedSlot(outcome(stdout=b"43\n", setup_usec=700))
    completed = run(cache, second, stdin=b"2", limits=RequestedLimits(memory_mb=64))
    (spec,) = second.specs
    assert (spec.argv, spec.files) == (first.specs[1].argv, first.specs[1].files)
    assert (spec.stdin, spec.limits.memory_bytes) == (b"2", 64 << 20), "limits of the run are no part of the key"
    assert completed.stdout == Stream.of(b"43\n")
    assert completed.evidence is not None
    metrics = completed.metrics
    assert metrics is not None
    assert (metrics.compile_cached, metrics.setup_ms, metrics.run_ms) == (True, 0.7, 11)
    assert metrics.compile_ms is not None
    assert metrics.compile_ms >= 0


def test_a_warning_of_the_compiler_is_shown_neither_the_first_time_nor_the_second(cache: CompileCache) -> None:
    slot = RecordedSlot(COMPILED, outcome(stderr=b"own"))
    streams = [run(cache, slot).stderr for _ in range(2)]
    assert streams == [Stream.of(b"own")] * 2


def test_a_program_that_fails_when_it_runs_is_not_compiled_again(cache: CompileCache) -> None:
    run(cache, RecordedSlot(COMPILED, outcome(exit_code=7)))
    completed = run(cache, RecordedSlot(outcome(exit_code=8)))
    assert (completed.result.verdict, completed.result.exit_code, completed.result.phase) == ("RE", 8, "run")
    assert cached(completed) is True


def test_two_projects_compile_the_same_source_each(cache: CompileCache) -> None:
    run(cache, RecordedSlot(COMPILED, outcome()), project_id="one")
    assert steps_of_the_next(cache, project_id="two") == 2
    assert steps_of_the_next(cache, project_id="one") == 1


@pytest.mark.parametrize("fields", [{"code": b"other"}, {"language": "cpp"}])
def test_another_source_or_language_is_compiled(cache: CompileCache, fields: dict[str, Any]) -> None:
    run(cache, RecordedSlot(COMPILED, outcome()))
    assert steps_of_the_next(cache, **fields) == 2


@pytest.mark.parametrize("fields", [{"profile": "agent"}, {"priority": "batch"}, {"stdin": b"other"}])
def test_profile_priority_and_input_do_not_matter_to_the_compiler(cache: CompileCache, fields: dict[str, Any]) -> None:
    run(cache, RecordedSlot(COMPILED, outcome()))
    assert steps_of_the_next(cache, **fields) == 1


@pytest.mark.parametrize(
    "compiled",
    [
        pytest.param(outcome(exit_code=1, stderr=b"error"), id="error"),
        pytest.param(outcome(exit_code=1, artifact=ELF), id="error with a program"),
        pytest.param(outcome(exit_code=0), id="no program"),
        pytest.param(outcome(exit_code=None, signal=11, artifact=ELF), id="crashed"),
        pytest.param(outcome(exit_code=None, signal=24, artifact=ELF), id="SIGXCPU"),
        pytest.param(outcome(usage={"oom_kill_events": 1}, artifact=ELF), id="out of memory"),
        pytest.param(outcome(stop_reason=StopReason.MEMORY_THRASH, artifact=ELF), id="over its memory"),
        pytest.param(outcome(exit_code=None, stop_reason=StopReason.WALL_LIMIT, artifact=ELF), id="too slow"),
        pytest.param(outcome(exit_code=None, stop_reason=StopReason.CPU_LIMIT, artifact=ELF), id="too busy"),
        pytest.param(outcome(exit_code=None, artifact=ELF), id="end not seen"),
        pytest.param(outcome(artifact=ELF, evidence={"controls_missing": ("seccomp",)}), id="control missing"),
        pytest.param(outcome(artifact=ELF, evidence={"cleanup_verified": False}), id="not cleaned up"),
        pytest.param(outcome(artifact=ELF, evidence={"leftover_processes": 1}), id="processes left"),
        pytest.param(outcome(artifact=ELF, evidence={"collection_errors": ("memory.peak",)}), id="not all read"),
        pytest.param(outcome(artifact=ELF, evidence={"cgroup": None}), id="counters not read"),
        pytest.param(outcome(artifact=ELF, evidence={"cgroup": None, "cgroup_backend": None}), id="no groups"),
    ],
)
def test_failed_or_weakly_isolated_compilations_are_not_kept(cache: CompileCache, compiled: Outcome) -> None:
    run(cache, RecordedSlot(compiled, outcome()))
    assert cache.size_bytes == 0
    assert steps_of_the_next(cache) == 2


@pytest.mark.parametrize("answer", [CANCELLED, outcome(artifact=ELF, stop_reason=StopReason.CANCELLED)])
def test_a_cancelled_compile_step_is_not_kept(cache: CompileCache, answer: Outcome) -> None:
    with pytest.raises(ExecutionDrainedError):
        run(cache, RecordedSlot(answer))
    assert cache.size_bytes == 0


def test_a_failed_sandbox_keeps_nothing(cache: CompileCache) -> None:
    with pytest.raises(JailError):
        run(cache, RecordedSlot(JailError("clone", errno=11)))
    assert cache.size_bytes == 0


def test_a_run_of_a_kept_program_can_be_cancelled(cache: CompileCache) -> None:
    run(cache, RecordedSlot(COMPILED, outcome()))
    with pytest.raises(ExecutionDrainedError):
        run(cache, RecordedSlot(CANCELLED))


@pytest.mark.parametrize("language", sorted(BY_NAME))
def test_the_metric_is_null_where_nothing_is_compiled(cache: CompileCache, language: str) -> None:
    is_compiled = BY_NAME[language].compile is not None
    answers = [cached(run(cache, RecordedSlot(COMPILED, outcome()), language)) for _ in range(2)]
    assert answers == ([False, True] if is_compiled else [None, None])


def test_without_a_cache_everything_is_compiled() -> None:
    slot = RecordedSlot(COMPILED, outcome())
    assert [cached(run(NO_CACHE, slot)) for _ in range(2)] == [False, False]
