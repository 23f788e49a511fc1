"""A real slot on the real kernel, and a way to run a program in it to its verdict."""

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from uuid import uuid4

import pytest

from sandbox_runtime.executor import CompileCache, execute
from sandbox_runtime.jail import Slot, open_slot
from sandbox_runtime.languages import Language, binds, offered, prewarm_spec, warm_start
from sandbox_runtime.messages import ExecutionCompleted, ExecutionRequested, LimitOverrides, format_time
from tests.jail import slots
from tests.jail.decided import decided
from tests.jail.hostile import report
from tests.jail.weakened.limits import patient
from tests.jail.weakened.patience import be_patient

TOOLCHAINS = slots.TOOLCHAINS
collect_ignore = [] if slots.PYTHON_FORK else ["test_python_fork.py"]

Run = Callable[..., ExecutionCompleted]

be_patient()


def request(
    language: str,
    code: bytes,
    *,
    stdin: bytes = b"",
    limits: LimitOverrides | None = None,
    profile: str = "judge",
    environment: dict[str, str] | None = None,
    secret_names: tuple[str, ...] | None = None,
) -> ExecutionRequested:
    now = format_time(datetime.now(UTC))
    return ExecutionRequested(
        submission_id=str(uuid4()),
        execution_id=str(uuid4()),
        project_id="dev",
        language=language,
        profile=profile,
        priority="interactive",
        code=code,
        stdin=stdin,
        limits=limits or LimitOverrides(),
        requested_at=now,
        environment=environment,
        secret_names=secret_names,
    )


@pytest.fixture(scope="session")
def languages() -> Mapping[str, Language]:
    """The languages of this host: each toolchain has just compiled and run a program."""
    return {name: patient(language) for name, language in offered(TOOLCHAINS).items()}


@pytest.fixture(scope="session")
def slot(languages: Mapping[str, Language]) -> Iterator[Slot]:
    """One slot for all tests: a run must not be able to spoil the next one."""
    mounts, warm = binds(tuple(languages.values()), TOOLCHAINS), warm_start(languages.values())
    with open_slot(slots.slot_config("tests", 0, mounts, warm=warm)) as opened:
        yield opened


@pytest.fixture(scope="session")
def compiled(languages: Mapping[str, Language]) -> CompileCache:
    """What the tests of this session have compiled: many run the same small programs."""
    names = [name for name, language in languages.items() if language.compile is not None]
    return CompileCache(dict.fromkeys(names, "toolchain"), max_bytes=512 << 20, max_age_secs=3600)


@pytest.fixture
def run(slot: Slot, languages: Mapping[str, Language], compiled: CompileCache) -> Run:
    """`run(language, code, stdin=..., limits=...)` to the completion message."""

    def run_program(language: str, code: str | bytes, **options: object) -> ExecutionCompleted:
        source = code.encode() if isinstance(code, str) else code
        asked = request(language, source, **options)  # type: ignore[arg-type] # passed through

        def run_once() -> ExecutionCompleted:
            prewarmed = prewarm_spec(languages.values())
            if prewarmed is not None:
                slot.prewarm(prewarmed)  # as the service does behind each answer
            completed = execute(
                slot,
                asked,
                languages[language],
                node_id="tests",
                started_at=datetime.now(UTC),
                compile_cache=compiled,
            )
            slot.settle()
            return completed

        return decided(run_once)

    return run_program


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Tell how many hostile programs were held."""
    counts = list(report.lines())
    if counts:
        terminalreporter.section("hostile programs")
        for line in counts:
            terminalreporter.write_line(line)
