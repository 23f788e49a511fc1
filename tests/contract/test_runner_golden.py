"""The runner's messages against the schemas and golden files in events/."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from events.vocabulary import Cause
from sandbox_runtime.executor import CompileCache, execute, not_run
from sandbox_runtime.jail import HostSupport, JailError
from sandbox_runtime.languages import LANGUAGES
from sandbox_runtime.messages import (
    ExecutionCompleted,
    ExecutionRequested,
    ExecutionStarted,
    JudgeCompleted,
    JudgeProgress,
    JudgeRequested,
    MessageInvalidError,
    RunnerHeartbeat,
    StoredOutput,
    format_time,
    parse,
    parse_time,
    serialise,
)
from sandbox_runtime.worker import RunnerFacts
from tests.runner_doubles import RecordedSlot, outcome, requested

EVENTS = Path(__file__).parents[2] / "events"
KINDS: dict[str, type] = {
    "execution_requested": ExecutionRequested,
    "execution_started": ExecutionStarted,
    "execution_completed": ExecutionCompleted,
    "runner_heartbeat": RunnerHeartbeat,
    "judge_requested": JudgeRequested,
    "judge_progress": JudgeProgress,
    "judge_completed": JudgeCompleted,
}
GOLDEN = [
    pytest.param(name, path, id=f"{name}/{path.name}")
    for name in KINDS
    for path in sorted((EVENTS / name).glob("v*.json"))
    if not path.name.endswith(".schema.json")
]
STARTED_AT = parse_time("2026-11-24T12:00:00.012Z")


def schema(name: str, version: int = 1) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((EVENTS / name / f"v{version}.schema.json").read_text())
    return loaded


def validate(message: object) -> dict[str, Any]:
    """Check a produced message as the other side would: through JSON, against the schema."""
    produced: dict[str, Any] = json.loads(serialise(message))
    jsonschema.validate(
        produced, schema(produced["type"], produced["version"]), format_checker=jsonschema.FormatChecker()
    )
    return produced


def test_every_message_has_golden_files() -> None:
    assert {param.values[0] for param in GOLDEN} == set(KINDS)


@pytest.mark.parametrize(("name", "path"), GOLDEN)
def test_a_golden_message_survives_parsing_and_serialising(name: str, path: Path) -> None:
    text = path.read_text()
    assert json.loads(serialise(parse(KINDS[name], text))) == json.loads(text)


@pytest.mark.parametrize(("name", "path"), GOLDEN)
def test_a_golden_message_with_one_key_less_is_refused(name: str, path: Path) -> None:
    golden = json.loads(path.read_text())
    for key in schema(name, golden["version"])["required"]:
        with pytest.raises(MessageInvalidError):
            parse(KINDS[name], json.dumps({other: value for other, value in golden.items() if other != key}))


@pytest.mark.parametrize(("name", "path"), GOLDEN)
@pytest.mark.parametrize("value", [None, True, -1, 1.5, "", "x" * 200, [], {}, [None], {"a": None}])
def test_the_runner_refuses_values_outside_the_schema(name: str, path: Path, value: object) -> None:
    golden = json.loads(path.read_text())
    # A schema says what is written, so without unknown keys; a reader ignores those.
    strict = json.dumps(schema(name, golden["version"]))
    text = strict.replace('"additionalProperties": false', '"additionalProperties": true')
    validator = jsonschema.Draft202012Validator(json.loads(text))
    for key in golden:
        changed = {**golden, key: value}
        if not validator.is_valid(changed):
            with pytest.raises(MessageInvalidError):
                parse(KINDS[name], json.dumps(changed))


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
    assert parse(ExecutionCompleted, serialise(completed)) == completed


def test_a_run_of_a_program_that_was_compiled_before_is_valid() -> None:
    language = next(known for known in LANGUAGES if known.name == "c")
    cache = CompileCache({"c": "digest"}, max_bytes=1 << 20, max_age_secs=600)
    slot = RecordedSlot(outcome(artifact=b"\x7fELF"), outcome())
    for is_cached in (False, True):
        completed = execute(slot, requested("c"), language, node_id="n", started_at=STARTED_AT, compile_cache=cache)
        assert validate(completed)["metrics"]["compile_cached"] is is_cached
        assert parse(ExecutionCompleted, serialise(completed)) == completed


def test_a_platform_failure_is_valid() -> None:
    request = requested()
    failure = not_run(request, "runner-1", Cause.IE_SUPERVISOR_FAILURE, "the sandbox could not be set up")
    golden = json.loads((EVENTS / "execution_completed" / "v1.platform_failure.json").read_text())
    assert validate(failure)["result"] == golden["result"]


def test_stored_output_is_valid() -> None:
    text = (EVENTS / "execution_completed" / "v1.large_output.json").read_text()
    completed = parse(ExecutionCompleted, text)
    assert isinstance(completed.stdout, StoredOutput)
    validate(completed)


def test_started_and_heartbeat_are_valid() -> None:
    request = requested()
    validate(ExecutionStarted(request.submission_id, request.execution_id, "n", format_time(STARTED_AT)))
    for support in (HostSupport("cgroup_v1", ("seccomp",)), HostSupport(None, (), JailError("clone"))):
        runner_facts = RunnerFacts({known.name: known for known in LANGUAGES}, {"python": "Python 3.13.5"}, support)
        assert validate(runner_facts.heartbeat("n", slots=2, busy=1))["slots_busy"] == 1
