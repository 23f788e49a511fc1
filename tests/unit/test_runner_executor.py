"""Steps, metrics and evidence of one execution, over recorded outcomes."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

import pytest

from events.completed import ExecutionCompleted
from events.message import parse_time
from events.network import AllowedHost as RequestedHost
from events.network import Network
from events.program import RequestedLimits
from events.requested import ExecutionRequested
from sandbox_runtime.executor import NO_CACHE, CompileCache, ExecutionDrainedError, execute
from sandbox_runtime.executor.compilation import WARNINGS_MAX_BYTES
from sandbox_runtime.jail.errors import JailError
from sandbox_runtime.jail.spec import GuestFile, Outcome, StopReason
from sandbox_runtime.languages import LANGUAGES, Language, LimitRefusedError
from sandbox_runtime.languages.python import INTERPRETER
from sandbox_runtime.network import AllowedHost, NetworkError, NetworkEvidence
from sandbox_runtime.network.model import MAX_ENTRIES, Failure, HostConnections, Refusal, RefusedHost
from tests.completions import streams
from tests.runner_doubles import CANCELLED, CONTROLS, NETWORK, RecordedNetworks, RecordedSlot, outcome, requested

BY_NAME: Mapping[str, Language] = {language.name: language for language in LANGUAGES}


def run(slot: RecordedSlot, request: ExecutionRequested, cache: CompileCache = NO_CACHE) -> ExecutionCompleted:
    started_at = parse_time(request.requested_at) + timedelta(milliseconds=12.5)
    language = BY_NAME[request.language]
    return execute(slot, request, language, node_id="node", started_at=started_at, compile_cache=cache)


def test_an_interpreted_program_is_one_step() -> None:
    slot = RecordedSlot()
    request = requested(stdin=b"1 2", limits=RequestedLimits(memory_mb=64))
    completed = run(slot, request)
    (spec,) = slot.specs
    assert spec.argv == (INTERPRETER, "-u", "solution.py")
    assert spec.files == (GuestFile("solution.py", request.code),)
    assert (spec.stdin, spec.limits.memory_bytes, spec.artifact) == (b"1 2", 64 << 20, None)
    assert completed.result.verdict == "AC"
    assert streams(completed) == (b"42\n", b"")
    assert (completed.submission_id, completed.execution_id) == (request.submission_id, request.execution_id)


def test_a_compiled_program_runs_from_the_artifact_alone() -> None:
    slot = RecordedSlot(outcome(artifact=b"\x7fELF", wall_usec=80_000), outcome())
    completed = run(slot, requested("c", stdin=b"in"))
    compiled, ran = slot.specs
    assert (compiled.stdin, compiled.artifact) == (b"", "solution")
    assert compiled.files[0].name == "solution.c"
    assert ran.files == (GuestFile("solution", b"\x7fELF", executable=True),)
    assert (ran.argv, ran.stdin) == (("/box/solution",), b"in")
    assert completed.metrics is not None
    assert (completed.metrics.compile_ms, completed.metrics.run_ms, completed.metrics.setup_ms) == (80, 11, 1.8)
    assert completed.metrics.compile_cached is False


def test_a_warning_of_the_compiler_goes_along_without_paths() -> None:
    warning = b"/box/solution.c:1:1: warning: implicit declaration of function 'puts'\n"
    slot = RecordedSlot(outcome(artifact=b"\x7fELF", stdout=b"", stderr=warning), outcome())
    completed = run(slot, requested("c"))
    assert completed.result.verdict == "AC"
    assert completed.compile_stderr == warning.replace(b"/box/", b"")
    assert streams(completed) == (b"42\n", b"")
    assert run(RecordedSlot(outcome(artifact=b"x", stdout=b""), outcome()), requested("c")).compile_stderr is None


def test_a_compiler_that_says_too_much_is_cut_also_in_the_cache() -> None:
    cache = CompileCache({"c": "digest"}, max_bytes=1 << 20, max_age_secs=600)
    compiles = outcome(artifact=b"\x7fELF", stdout=b"", stderr=b"w" * 20_000)
    for answers in ((compiles, outcome()), (outcome(),)):
        completed = run(RecordedSlot(*answers), requested("c"), cache)
        assert completed.compile_stderr == b"w" * WARNINGS_MAX_BYTES


def test_a_compile_error_shows_diagnostics_without_paths_and_runs_nothing() -> None:
    diagnostics = b"/box/solution.c:1:1: error: x\n"
    slot = RecordedSlot(outcome(exit_code=1, stdout=b"", stderr=diagnostics))
    completed = run(slot, requested("c"))
    assert len(slot.specs) == 1
    assert streams(completed) == (b"", b"c Compilation Error:\nsolution.c:1:1: error: x\n")
    assert (completed.result.cause, completed.result.phase) == ("ce_compile_failed", "compile")
    assert completed.metrics is not None
    assert (completed.metrics.compile_ms, completed.metrics.run_ms) == (11, None)


SYNTAX_ERROR = b'  File "/box/solution.py", line 2\n    x = = 1\n        ^\nSyntaxError: invalid syntax\n'
LIKE_A_REFUSAL = outcome(exit_code=1, stdout=b"", stderr=SYNTAX_ERROR)


def test_a_source_that_python_refuses_is_a_compile_error() -> None:
    slot = RecordedSlot(LIKE_A_REFUSAL, outcome(exit_code=1, stdout=b""))
    request = requested(code=b"print()\nx = = 1\n", artifacts=("*",))
    completed = run(slot, request)
    _, check = slot.specs
    assert (check.stdin, check.inputs, check.pipes) == (request.code, (), None)
    assert (completed.result.verdict, completed.result.cause, completed.result.phase) == (
        "RE",
        "ce_compile_failed",
        "compile",
    )
    assert (completed.result.exit_code, completed.result.error_message) == (1, "compilation failed")
    expected = b"python Compilation Error:\n" + SYNTAX_ERROR.replace(b"/box/", b"")
    assert streams(completed) == (b"", expected)
    assert completed.metrics is not None
    assert (completed.metrics.compile_ms, completed.metrics.run_ms) == (11, None)
    assert completed.artifacts is None


@pytest.mark.parametrize(
    "checked",
    [
        outcome(),
        outcome(exit_code=None, stop_reason=StopReason.CPU_LIMIT),
        outcome(exit_code=None, signal=11),
        outcome(exit_code=120),
    ],
)
def test_a_source_that_the_check_does_not_refuse_has_a_runtime_error(checked: Outcome) -> None:
    completed = run(RecordedSlot(LIKE_A_REFUSAL, checked), requested())
    assert (completed.result.cause, completed.result.phase) == ("re_nonzero_exit", "run")
    assert streams(completed) == (b"", SYNTAX_ERROR)


@pytest.mark.parametrize(
    "ran",
    [
        outcome(),
        outcome(exit_code=1, stdout=b"1"),
        outcome(exit_code=2, stdout=b"", stderr=SYNTAX_ERROR),
        outcome(exit_code=1, stdout=b"", stderr=b"Traceback (most recent call last):\n" + SYNTAX_ERROR),
        outcome(exit_code=None, signal=11, stdout=b""),
        outcome(exit_code=None, stop_reason=StopReason.CPU_LIMIT, stdout=b"", stderr=SYNTAX_ERROR),
    ],
)
def test_a_run_that_shows_that_it_began_has_no_check(ran: Outcome) -> None:
    slot = RecordedSlot(ran)
    assert run(slot, requested()).result.phase == "run"
    assert len(slot.specs) == 1


def test_a_compiler_out_of_time_keeps_its_output() -> None:
    stopped = outcome(exit_code=None, stop_reason=StopReason.WALL_LIMIT, stdout=b"", stderr=b"so far")
    completed = run(RecordedSlot(stopped), requested("c"))
    assert (completed.result.verdict, completed.result.phase) == ("TLE", "compile")
    assert streams(completed) == (b"", b"so far")


def test_metrics_are_those_of_the_run() -> None:
    completed = run(RecordedSlot(), requested())
    metrics = completed.metrics
    assert metrics is not None
    assert (metrics.cpu_time_secs, metrics.wall_time_secs, metrics.memory_peak_bytes) == (0.009, 0.011, 4 << 20)
    assert (metrics.cpu_wall_ratio, metrics.divergence) == (0.818, "cpu_bound")
    assert (metrics.queue_ms, metrics.setup_ms, metrics.compile_ms, metrics.run_ms) == (12.5, 0.9, None, 11)


def test_a_clock_that_runs_ahead_elsewhere_gives_no_negative_queue_time() -> None:
    request = requested(requested_at="2999-01-01T00:00:00.000Z")
    completed = execute(
        RecordedSlot(), request, BY_NAME["python"], node_id="n", started_at=parse_time("2026-11-24T12:00:00.000Z")
    )
    assert completed.metrics is not None
    assert completed.metrics.queue_ms == 0


@pytest.mark.parametrize(
    ("cpu_usec", "divergence"),
    [
        (8_000, "cpu_bound"),
        (7_989, "mixed"),
        (2_011, "mixed"),
        (2_000, "sleep_or_block_bound"),
        (0, "sleep_or_block_bound"),
    ],
)
def test_divergence_follows_the_ratio_of_cpu_to_wall(cpu_usec: int, divergence: str) -> None:
    completed = run(RecordedSlot(outcome(cpu_usec=cpu_usec, wall_usec=10_000)), requested())
    assert completed.metrics is not None
    assert completed.metrics.divergence == divergence


def test_a_loop_on_a_busy_host_is_bound_by_the_cpu_and_its_ratio_is_that_of_the_clock() -> None:
    looped = outcome(cpu_usec=1_000_000, wall_usec=10_000_000, cpu_wait_usec=8_900_000)
    completed = run(RecordedSlot(looped), requested())
    assert completed.metrics is not None
    assert completed.evidence is not None
    assert (completed.metrics.cpu_wall_ratio, completed.metrics.divergence) == (0.1, "cpu_bound")
    assert completed.evidence.timing.divergence == "cpu_bound"


def test_evidence_reports_measured_controls() -> None:
    evidence = run(RecordedSlot(), requested()).evidence
    assert evidence is not None
    assert (evidence.isolation_mode, evidence.controls_applied, evidence.controls_missing) == ("strict", CONTROLS, ())
    assert evidence.cgroup is not None
    assert (evidence.cgroup.process_limit, evidence.limits.cgroup_backend) == (10, "cgroup_v2")
    assert (evidence.teardown.cleanup_verified, evidence.process_lifecycle.reap_status) == (True, "clean")
    assert evidence.judge_actions == ()


def test_a_missing_control_is_reported_as_permissive() -> None:
    given = outcome(evidence={"controls_missing": ("seccomp",), "controls_applied": ("pid_namespace",)})
    evidence = run(RecordedSlot(given), requested()).evidence
    assert evidence is not None
    assert (evidence.isolation_mode, evidence.isolation.mode) == ("permissive", "permissive")
    assert evidence.controls_missing == evidence.isolation.controls_missing == ("seccomp",)


def test_a_breached_teardown_is_reported() -> None:
    given = outcome(evidence={"leftover_processes": 2, "cleanup_verified": False})
    evidence = run(RecordedSlot(given), requested()).evidence
    assert evidence is not None
    assert (evidence.process_lifecycle.descendant_containment, evidence.teardown.zombie_count) == ("breached", 2)
    assert (evidence.process_lifecycle.reap_status, evidence.teardown.cleanup_verified) == ("unclean", False)


@pytest.mark.parametrize(
    ("given", "actions"),
    [
        (outcome(usage={"oom_kill_events": 1}, stop_reason=StopReason.OOM_KILL), ("kill_after_oom",)),
        (outcome(stop_reason=StopReason.CPU_LIMIT, stdout_cut=True), ("kill_cpu_limit", "close_stdout")),
        (outcome(stop_reason=StopReason.WALL_LIMIT), ("kill_wall_limit",)),
        (outcome(stop_reason=StopReason.MEMORY_THRASH), ("kill_memory_thrash",)),
        (outcome(stderr_cut=True), ("close_stderr",)),
    ],
)
def test_actions_of_the_supervisor_are_listed(given: Outcome, actions: tuple[str, ...]) -> None:
    evidence = run(RecordedSlot(given), requested()).evidence
    assert evidence is not None
    assert evidence.judge_actions == actions


@pytest.mark.parametrize("answers", [[CANCELLED], [outcome(artifact=b"x"), CANCELLED]])
def test_a_cancelled_step_has_no_result(answers: list[Outcome]) -> None:
    with pytest.raises(ExecutionDrainedError):
        run(RecordedSlot(*answers), requested("c"))


def test_a_failed_sandbox_is_no_result() -> None:
    with pytest.raises(JailError):
        run(RecordedSlot(JailError("clone", errno=11)), requested())


def test_a_limit_above_the_ceiling_runs_nothing() -> None:
    slot = RecordedSlot()
    with pytest.raises(LimitRefusedError):
        run(slot, requested("c").changed(limits=RequestedLimits(memory_mb=4097)))
    assert slot.specs == []


def run_in_network(
    slot: RecordedSlot, networks: RecordedNetworks | None, language: str = "python", network: Network = NETWORK
) -> ExecutionCompleted:
    request = requested(language, network=network, profile="agent")
    started_at = parse_time(request.requested_at)
    return execute(slot, request, BY_NAME[language], node_id="node", started_at=started_at, networks=networks)


def test_only_the_run_step_has_the_network_and_it_is_closed_afterwards() -> None:
    networks, slot = RecordedNetworks(), RecordedSlot(outcome(artifact=b"\x7fELF"), outcome())
    completed = run_in_network(slot, networks, "java")
    compiled, ran = slot.specs
    assert compiled.net_namespace is None
    assert ran.net_namespace is not None
    assert ran.waiting is None, "a command that waits is in another namespace"
    assert networks.opened == [(completed.execution_id, [AllowedHost("api.example.com", 443)])]
    assert networks.closed == [completed.execution_id]


def test_the_network_is_closed_when_the_sandbox_fails() -> None:
    networks = RecordedNetworks()
    with pytest.raises(JailError):
        run_in_network(RecordedSlot(JailError("clone")), networks)
    assert len(networks.closed) == 1


def test_the_evidence_has_connections_refusals_and_all_bytes() -> None:
    used = NetworkEvidence(
        (HostConnections("api.example.com", 443, "203.0.113.7", 2, 10, 20, Failure.CONNECTION_RESET),),
        (RefusedHost("other.example.com", None, None, 3, Refusal.NOT_ALLOWED),),
        bytes_sent=10,
        bytes_received=200,
        left_out=3,
        error="the egress proxy ended during the run",
    )
    evidence = run_in_network(RecordedSlot(), RecordedNetworks(used)).evidence
    assert evidence is not None
    (connections,), (refused,) = evidence.network or (), evidence.refused or ()
    assert (connections.name, connections.bytes_received, connections.first_error) == (
        "api.example.com",
        20,
        "connection reset",
    )
    assert (refused.name, refused.times, refused.reason) == ("other.example.com", 3, "not allowed")
    assert (evidence.network_bytes, evidence.network_left_out) == (210, 3)
    assert evidence.collection_errors == (used.error,)


def test_after_the_death_of_the_proxy_each_host_has_failed() -> None:
    """So no check passes by connections that nobody knows."""
    hosts = (("api.example.com", 443), ("*.example.com", 443), ("*.api.example.com", 443))
    network = Network(tuple(RequestedHost(*host) for host in hosts))
    lost = RecordedNetworks(NetworkEvidence(error="the egress proxy ended during the run"))
    evidence = run_in_network(RecordedSlot(), lost, network=network).evidence
    assert evidence is not None
    failed = [(one.name, one.port, one.connections, one.first_error) for one in evidence.network or ()]
    assert failed == [("api.example.com", 443, 0, "proxy failed"), ("example.com", 443, 0, "proxy failed")]
    assert evidence.collection_errors == ("the egress proxy ended during the run",)


def test_after_a_failure_of_the_proxy_no_connection_of_before_is_enough() -> None:
    """Some connections succeeded before it. Later ones are not in the evidence, and a check must not pass by these."""
    network = Network(tuple(RequestedHost(f"{name}.example.com", 443) for name in ("api", "db", "mail")))
    connections = (
        HostConnections("api.example.com", 443, "93.184.216.34", 2, 10, 20, None),
        HostConnections("db.example.com", 443, None, 1, 0, 0, Failure.TIMED_OUT),
    )
    failed = RecordedNetworks(NetworkEvidence(connections, error=Failure.PROXY_FAILED))
    evidence = run_in_network(RecordedSlot(), failed, network=network).evidence
    assert evidence is not None
    assert [(one.name, one.connections, one.first_error) for one in evidence.network or ()] == [
        ("api.example.com", 2, "proxy failed"),
        ("db.example.com", 1, "timed out"),
        ("mail.example.com", 0, "proxy failed"),
    ]


def test_the_failures_of_a_proxy_are_as_many_as_the_evidence_holds() -> None:
    connections = tuple(HostConnections(f"{n}.example.com", 443, None, 1, 0, 0, None) for n in range(MAX_ENTRIES))
    failed = RecordedNetworks(NetworkEvidence(connections, error=Failure.PROXY_FAILED))
    evidence = run_in_network(RecordedSlot(), failed).evidence
    assert evidence is not None
    assert [one.first_error for one in evidence.network or ()] == [Failure.PROXY_FAILED] * MAX_ENTRIES
    assert evidence.network_left_out == 1


MISSING = "Traceback (most recent call last):\nModuleNotFoundError: No module named '{}'\n"


@pytest.mark.parametrize(
    ("module", "package"),
    [
        ("numpy", "numpy"),
        ("pandas.core", "pandas"),
        ("sklearn", "scikit-learn"),
        ("PIL", "pillow"),
        ("yaml", "pyyaml"),
        ("bs4", "beautifulsoup4"),
        ("dateutil", "python-dateutil"),
    ],
)
def test_the_result_says_how_a_missing_data_package_is_installed(module: str, package: str) -> None:
    failed = outcome(exit_code=1, stderr=MISSING.format(module).encode())
    message = run(RecordedSlot(failed), requested()).result.error_message or ""
    assert message.startswith(f"{package} is not installed:")
    assert "make up DATA=1" in message


@pytest.mark.parametrize(
    "failed",
    [
        outcome(exit_code=1, stderr=MISSING.format("torch").encode()),
        outcome(exit_code=1, stderr=MISSING.format("numpy.nothing.numpy.\n").encode()),
        outcome(exit_code=1, stderr=MISSING.format("numpy").encode() + b"and more\n"),
        outcome(exit_code=0, stderr=MISSING.format("numpy").encode()),
    ],
)
def test_no_other_run_is_said_to_miss_one(failed: Outcome) -> None:
    assert run(RecordedSlot(failed), requested()).result.error_message is None


def test_no_package_is_missed_where_they_are_installed_or_in_another_language() -> None:
    failed = outcome(exit_code=1, stderr=MISSING.format("numpy").encode())
    assert run(RecordedSlot(failed), requested("bash")).result.error_message is None
    with_data = replace(BY_NAME["python"], shown_folders=(("/toolchains/data", "/opt/rustbox/data"),))
    started_at = parse_time(requested().requested_at)
    done = execute(RecordedSlot(failed), requested(), with_data, node_id="node", started_at=started_at)
    assert done.result.error_message is None


def test_a_run_without_network_has_no_evidence_of_one() -> None:
    evidence = run(RecordedSlot(), requested()).evidence
    assert evidence is not None
    assert (evidence.network, evidence.refused, evidence.network_bytes) == (None, None, None)


@pytest.mark.parametrize("networks", [None, RecordedNetworks(problem=NetworkError("make the namespace"))])
def test_a_run_never_starts_without_the_network_that_it_asks_for(networks: RecordedNetworks | None) -> None:
    slot = RecordedSlot()
    with pytest.raises(NetworkError):
        run_in_network(slot, networks)
    assert slot.specs == []
