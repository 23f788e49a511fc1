"""A real slot on the real kernel, and a way to run a program in it to its verdict."""

import os
from collections.abc import Iterator, Mapping
from contextlib import nullcontext
from datetime import UTC, datetime

import pytest

from events.completed import ExecutionCompleted
from events.judged import JudgeCompleted
from events.requested import JudgeRequested
from sandbox_runtime.executor import CompileCache, execute
from sandbox_runtime.jail import Slot, open_slot
from sandbox_runtime.judging import Setting
from sandbox_runtime.judging.completion import Store
from sandbox_runtime.languages import Language, binds, offered, prewarm_spec, warm_start
from tests.jail import slots
from tests.jail.decided import decided
from tests.jail.guest_requests import Run, request
from tests.jail.hostile import report
from tests.jail.hostile.catalogue import CHOSEN_LANGUAGES
from tests.jail.judging.runs import BUSY, Judge, begun
from tests.jail.weakened.limits import patient
from tests.jail.weakened.patience import be_patient
from tests.judge_requests import no_object

collect_ignore = [] if slots.PYTHON_FORK else ["test_python_fork.py", "test_fork_trial.py", "test_data_slot.py"]
if "RUSTBOX_TEST_LANGUAGES" in os.environ or "RUSTBOX_TEST_UNPROVABLE" in os.environ:
    collect_ignore += ["test_data_packages.py", "test_data_slot.py"]  # virtual machines and containers have no packages

be_patient()


@pytest.fixture(scope="session")
def languages() -> Mapping[str, Language]:
    """The languages of this host: each toolchain has just compiled and run a program."""
    return {name: patient(language) for name, language in offered(slots.TOOLCHAINS, only=CHOSEN_LANGUAGES).items()}


@pytest.fixture(scope="session")
def slot(languages: Mapping[str, Language]) -> Iterator[Slot]:
    """One slot for all tests: a run must not be able to spoil the next one."""
    mounts, warm = binds(tuple(languages.values()), slots.TOOLCHAINS), warm_start(languages.values())
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
                slot, asked, languages[language], node_id="tests", started_at=datetime.now(UTC), compile_cache=compiled
            )
            slot.settle()
            return completed

        return decided(run_once)

    return run_program


@pytest.fixture(scope="session")
def second(languages: Mapping[str, Language]) -> Iterator[Slot]:
    """The slot of interactors."""
    with open_slot(slots.slot_config("second", 1, binds(tuple(languages.values()), slots.TOOLCHAINS))) as opened:
        yield opened


@pytest.fixture
def judge(slot: Slot, second: Slot, languages: Mapping[str, Language], compiled: CompileCache) -> Judge:
    """`judge(request)` to the completion, with all turns in one slot. `tries`: while the host is too busy."""
    stored: dict[int, bytes] = {}

    def judged(request: JudgeRequested, tries: int = 3) -> JudgeCompleted:
        def store(index: int, output: bytes) -> str:
            stored[index] = output
            return f"outputs/{request.submission_id}/{request.execution_id}/case-{index}-stdout"

        completed = decided_once(request, store)
        for _ in range(tries - 1):
            if not any(found.checker_message == BUSY for found in completed.cases or ()):
                break
            completed = decided_once(request, store)
        return completed

    def decided_once(request: JudgeRequested, store: Store) -> JudgeCompleted:
        setting = Setting(
            "tests", languages, compiled, None, store, interactor_slot=lambda: nullcontext(second), read=no_object
        )
        run = begun(request, setting)
        while not run.is_over:
            run.turn(slot)
        slot.settle()
        second.settle()
        return run.completed()

    return judged


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Tell how many hostile programs were held."""
    counts = list(report.lines())
    if counts:
        terminalreporter.section("hostile programs")
        for line in counts:
            terminalreporter.write_line(line)
