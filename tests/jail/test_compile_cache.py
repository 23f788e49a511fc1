"""The compile cache in the real jail spares compile steps, and no program can reach or spoil its entries."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bench.sources import adding_program, new_number
from events.completed import ExecutionCompleted
from sandbox_runtime.executor import CompileCache, execute
from sandbox_runtime.jail import CONTROLS, Slot, open_slot
from sandbox_runtime.languages import Language, binds, prepare, toolchain_digest, version
from sandbox_runtime.languages.c import C
from sandbox_runtime.languages.entry import Compile, compile_limits
from tests.choice import whole_but
from tests.guest_files import guest
from tests.jail.guest_requests import request
from tests.jail.language_programs.table import COMPILED, KINDS
from tests.jail.processes import memory_of
from tests.jail.slots import TOOLCHAINS, slot_config

MIB = 1 << 20
MARKER = b"marker-of-a-compiled-program"

ADDS_ONE = """#include <stdio.h>
const char *volatile marker = "%s";
int main(void) { int n; if (scanf("%%d", &n) != 1) return 1; printf("%%d\\n", n + 1); }
"""
# Replaces its own file, by name and by what /proc shows of it, and tells whether it could.
SPOILS_ITSELF = guest("compilers/spoils_itself.c")


# "Compiles" by running the source, so that a compile step can do what a hostile one would like to do.
COMPILED_BY_SHELL = replace(
    C,
    compile=Compile(("/bin/sh", "solution.c"), compile_limits(memory_mb=64), "solution"),
    run_argv=("/bin/sh", "/box/solution"),
)


@pytest.fixture
def cache(languages: Mapping[str, Language]) -> CompileCache:
    toolchains = {
        name: toolchain_digest(language, TOOLCHAINS, version(language, TOOLCHAINS))
        for name, language in languages.items()
    }
    return CompileCache(toolchains, max_bytes=64 * MIB, max_age_secs=600)


@pytest.fixture
def own_slot() -> Iterator[Slot]:
    prepare(C, TOOLCHAINS)
    with open_slot(slot_config("compile-cache", 40, binds([C], TOOLCHAINS))) as opened:
        yield opened


def run_in(
    jail: Slot, cache: CompileCache, language: Language, code: str, stdin: str = "", project: str = "tests"
) -> ExecutionCompleted:
    asked = request(language.name, code.encode(), stdin=stdin.encode()).changed(project_id=project)
    completed = execute(jail, asked, language, node_id="tests", started_at=datetime.now(UTC), compile_cache=cache)
    evidence = completed.evidence
    assert evidence is not None
    assert (evidence.controls_missing, set(evidence.controls_applied)) == ((), set(CONTROLS))
    assert (evidence.teardown.cleanup_verified, evidence.collection_errors) == (True, ())
    return completed


def seen(completed: ExecutionCompleted) -> tuple[str, bytes, bool | None]:
    """(verdict, stdout, whether it was cached)."""
    assert completed.metrics is not None
    return completed.result.verdict, completed.stdout.inline, completed.metrics.compile_cached


@pytest.mark.parametrize("name", whole_but(COMPILED, KINDS))
def test_the_second_run_has_other_input_another_answer_and_no_compile_step(
    slot: Slot, languages: Mapping[str, Language], cache: CompileCache, name: str
) -> None:
    number = new_number()
    for is_cached in (False, True, True):
        program = adding_program(name, number)
        completed = run_in(slot, cache, languages[name], program.code, program.stdin)
        assert program.expected.stdout is not None
        assert seen(completed) == ("AC", program.expected.stdout.encode(), is_cached)
        assert completed.result.phase == "run"
        assert completed.metrics is not None
        assert (completed.metrics.compile_ms, completed.metrics.run_ms) > (0, 0)


def test_another_project_compiles_the_same_source_itself(own_slot: Slot, cache: CompileCache) -> None:
    code = ADDS_ONE % "x"
    found = [seen(run_in(own_slot, cache, C, code, "1", project)) for project in ("one", "two", "one", "two")]
    assert found == [("AC", b"2\n", is_cached) for is_cached in (False, False, True, True)]


def test_a_program_that_replaces_its_own_file_does_not_change_the_next_run(own_slot: Slot, cache: CompileCache) -> None:
    found = [seen(run_in(own_slot, cache, C, SPOILS_ITSELF)) for _ in range(3)]
    assert found == [("AC", b"-1 1 1\n", is_cached) for is_cached in (False, True, True)]


def test_the_cache_keeps_the_program_that_ran_although_a_process_goes_on_writing(
    own_slot: Slot, cache: CompileCache
) -> None:
    script = """
echo 'echo good' > solution
echo 'while n=$((n + 1)); do echo "echo spoilt $n" > spoilt && mv spoilt solution; done' > spoil
sh spoil &
until grep -q spoilt solution; do :; done
"""
    first = run_in(own_slot, cache, COMPILED_BY_SHELL, script)
    again = [run_in(own_slot, cache, COMPILED_BY_SHELL, script) for _ in range(3)]
    (entry,) = cache._entries.values()
    _, printed, is_cached = seen(first)
    assert (printed[:7], is_cached) == (b"spoilt ", False), "until the compiler's end it may write what it likes"
    assert [seen(completed) for completed in again] == [("AC", printed, True)] * 3
    assert entry.program.artifact == b"echo " + printed


@pytest.mark.parametrize(
    ("compiler", "code", "cause"),
    [
        ("gcc", "int main(void) { return x; }", "ce_compile_failed"),
        ("sh", "echo echo half > solution; exit 1", "ce_compile_failed"),
        ("sh", "echo echo half > solution; kill -SEGV $$", "ce_compile_failed"),
        ("sh", "echo echo half > solution; x=0123456789; while :; do x=$x$x; done", "mle_kernel_oom"),
    ],
)
def test_a_compile_step_that_fails_is_tried_again_each_time(
    own_slot: Slot, cache: CompileCache, compiler: str, code: str, cause: str
) -> None:
    given = C if compiler == "gcc" else COMPILED_BY_SHELL
    runs = [run_in(own_slot, cache, given, code) for _ in range(2)]
    assert [(run.result.cause, run.result.phase, seen(run)[2]) for run in runs] == [(cause, "compile", False)] * 2
    assert cache.size_bytes == 0


def test_a_slot_that_is_opened_later_has_nothing_of_the_kept_programs(cache: CompileCache, own_slot: Slot) -> None:
    run_in(own_slot, cache, C, ADDS_ONE % MARKER.decode(), "1")
    (entry,) = cache._entries.values()
    assert MARKER in entry.program.artifact
    with open_slot(slot_config("compile-cache-later", 39)) as later:
        pid = later.template_pid
        targets = [path.readlink().name for path in Path(f"/proc/{pid}/fd").iterdir()]
        memory = memory_of(pid)
    assert not any("artifact" in target or "files" in target for target in targets)
    assert b"sandbox_runtime" in memory
    assert MARKER not in memory
