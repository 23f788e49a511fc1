"""The messages that a runner makes fit the schemas in events/."""

import json
from pathlib import Path
from typing import Any

import pytest

from events.completed import ExecutionCompleted
from events.message import Message, format_time, parse_time
from events.requested import ExecutionRequested
from events.runner import ExecutionStarted
from events.vocabulary import Cause
from sandbox_runtime.executor import CompileCache, execute, not_run
from sandbox_runtime.jail import HostSupport, JailError
from sandbox_runtime.languages import LANGUAGES
from sandbox_runtime.worker import RunnerFacts
from tests.contract.schema_files import schema, validator
from tests.runner_doubles import RecordedSlot, outcome, requested

EVENTS = Path(__file__).parents[2] / "events"
STARTED_AT = parse_time("2026-11-24T12:00:00.012Z")


def validate(message: Message) -> dict[str, Any]:
    """Check a produced message as the other side would: through JSON, against the schema."""
    produced: dict[str, Any] = json.loads(message.serialise())
    validator(schema(f"{produced['type']}/v{produced['version']}")).validate(produced)
    return produced


COMPLETED = [
    pytest.param("python", [outcome()], id="accepted"),
    pytest.param("python", [outcome(exit_code=None, signal=11, stdout=b"\xff\xfe")], id="signal and invalid text"),
    pytest.param("python", [outcome(stdout=b"x" * (1 << 19), stdout_cut=True, exit_code=1)], id="cut"),
    pytest.param("python", [outcome(usage={"oom_kill_events": 1})], id="out of memory"),
    pytest.param("python", [outcome(evidence={"cgroup": None, "cgroup_backend": None})], id="no counters"),
    pytest.param("python", [outcome(evidence={"leftover_processes": 2, "cleanup_verified": False})], id="unclean"),
    pytest.param("python", [outcome(wall_usec=0, cpu_usec=0)], id="no time at all"),
    pytest.param("c", [outcome(artifact=b"\x7fELF"), outcome()], id="compiled"),
    pytest.param("c", [outcome(exit_code=1, stderr=b"error")], id="compile error"),
    pytest.param("c", [outcome(exit_code=None, usage={"oom_kill_events": 1})], id="compiler out of memory"),
]


@pytest.mark.parametrize(("language", "answers"), COMPLETED)
def test_answers_of_the_executor_fit_the_schema(language: str, answers: list[Any]) -> None:
    languages = {known.name: known for known in LANGUAGES}
    slot = RecordedSlot(*answers)
    completed = execute(slot, requested(language), languages[language], node_id="n", started_at=STARTED_AT)
    validate(completed)
    assert ExecutionCompleted.parse(completed.serialise()) == completed


def test_a_run_of_a_program_that_was_compiled_before_is_valid() -> None:
    language = next(known for known in LANGUAGES if known.name == "c")
    cache = CompileCache({"c": "digest"}, max_bytes=1 << 20, max_age_secs=600)
    slot = RecordedSlot(outcome(artifact=b"\x7fELF"), outcome())
    for is_cached in (False, True):
        completed = execute(slot, requested("c"), language, node_id="n", started_at=STARTED_AT, compile_cache=cache)
        assert validate(completed)["metrics"]["compile_cached"] is is_cached
        assert ExecutionCompleted.parse(completed.serialise()) == completed


def test_a_platform_failure_is_valid() -> None:
    request = requested()
    failure = not_run(request, "runner-1", Cause.IE_SUPERVISOR_FAILURE, "the sandbox could not be set up")
    golden = json.loads((EVENTS / "execution_completed" / "v1.platform_failure.json").read_text())
    assert validate(failure)["result"] == golden["result"]


def test_stored_output_is_valid() -> None:
    text = (EVENTS / "execution_completed" / "v1.large_output.json").read_text()
    completed = ExecutionCompleted.parse(text)
    validate(completed)


def _started(request: ExecutionRequested) -> ExecutionStarted:
    ids = {"submission_id": request.submission_id, "execution_id": request.execution_id}
    return ExecutionStarted(**ids, node_id="n", started_at=format_time(STARTED_AT))


def test_started_and_heartbeat_are_valid() -> None:
    request = requested()
    validate(_started(request))
    for support in (HostSupport("cgroup_v1", ("seccomp",)), HostSupport(None, (), JailError("clone"))):
        runner_facts = RunnerFacts({known.name: known for known in LANGUAGES}, {"python": "Python 3.13.5"}, support)
        assert validate(runner_facts.heartbeat("n", slots=2, busy=1))["slots_busy"] == 1
