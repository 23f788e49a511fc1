"""A rustc that waited for its source, and a mold that was started ahead: the same programs and the same words."""

import os
import re
import signal
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from sandbox_runtime.jail import JailError, JailSpec, Outcome, Slot, SlotConfig, open_slot
from sandbox_runtime.languages import Language, ahead_of_rustc, binds, compile_spec, run_spec, waiting_specs
from sandbox_runtime.warm import WaitingPool, WarmSlot
from tests.jail.conftest import TOOLCHAINS
from tests.jail.language_programs.direct_calls import RUST_PROGRAMS
from tests.jail.language_programs.table import REAL_INPUT, REAL_OUTPUT, REAL_PROGRAMS
from tests.jail.test_native_compilers import OF_THE_MOMENT
from tests.jail.test_warm_start import processes_of
from tests.until import until

PLAIN = 'fn main() { println!("ok"); }\n'


@dataclass
class Rust:
    """The slot in which rustc waits, and how to run a program."""

    language: Language
    slot: Slot

    def spec(self, code: str | bytes) -> JailSpec:
        assert self.language.compile is not None
        return compile_spec(self.language, self.language.compile, code.encode() if isinstance(code, str) else code)

    def compiled(self, code: str | bytes) -> Outcome:
        """By a rustc that waited, else this fails."""
        spec = self.spec(code)
        self.slot.stage(spec)
        until(lambda: self.slot.is_ready_for(spec))
        outcome = self.slot.answer(spec)
        self.slot.settle()
        assert (outcome.evidence.controls_missing, outcome.evidence.cleanup_verified) == ((), True)
        return outcome

    def ran(self, artifact: bytes | None, stdin: bytes = b"") -> Outcome | None:
        if artifact is None:
            return None
        limits = self.language.run_limits("judge")
        return self.slot.run(run_spec(self.language, b"", artifact, limits=limits, stdin=stdin))


@pytest.fixture(scope="module")
def rust(languages: Mapping[str, Language]) -> Iterator[Rust]:
    mounts = binds([languages["rust"]], TOOLCHAINS)
    with open_slot(SlotConfig("waiting-rustc", 61, mounts, runs_seldom=True)) as slot:
        yield Rust(languages["rust"], slot)


def facts(outcome: Outcome | None) -> object:
    if outcome is None:
        return None
    stderr = OF_THE_MOMENT.sub(b"?", outcome.stderr)
    return outcome.exit_code, outcome.signal, outcome.stop_reason, outcome.stdout, stderr


@pytest.mark.parametrize("name", RUST_PROGRAMS)
def test_a_rustc_that_waited_changes_no_program_and_no_diagnostic(rust: Rust, name: str) -> None:
    waited = rust.compiled(RUST_PROGRAMS[name])
    fresh = rust.slot.run(replace(rust.spec(RUST_PROGRAMS[name]), waiting=None))
    assert facts(waited) == facts(fresh)
    assert facts(rust.ran(waited.artifact)) == facts(rust.ran(fresh.artifact))
    assert (waited.artifact is None) == (fresh.artifact is None)


def test_a_long_program_is_compiled_by_a_rustc_that_waited(rust: Rust) -> None:
    ran = rust.ran(rust.compiled(REAL_PROGRAMS["rust"]).artifact, REAL_INPUT)
    assert ran is not None
    assert ran.stdout == REAL_OUTPUT


def is_behind_the_library(artifact: bytes | None, folder: Path) -> bool:
    """Whether the program's own code stands behind that of the standard library: so does what is linked last."""
    assert artifact is not None
    (folder / "program").write_bytes(artifact)
    command = ["/usr/bin/nm", "-n", str(folder / "program")]
    words = subprocess.run(command, capture_output=True, check=True, text=True).stdout
    names = re.findall(r" t (\S+)$", words, re.MULTILINE)
    library = [place for place, name in enumerate(names) if name.startswith("_ZN3std")]
    return names.index("main") > max(library)


def test_the_linker_ahead_links_what_is_ordinary_and_nothing_else(rust: Rust, tmp_path: Path) -> None:
    at_once = replace(rust.spec(PLAIN), waiting=None)
    ordinary = replace(at_once, argv=at_once.argv[1:])
    assert at_once.argv[0].endswith(f"/{ahead_of_rustc.PROGRAM_NAME}")
    assert is_behind_the_library(rust.compiled(PLAIN).artifact, tmp_path)
    assert is_behind_the_library(rust.slot.run(at_once).artifact, tmp_path)
    assert not is_behind_the_library(rust.slot.run(ordinary).artifact, tmp_path)
    assert not is_behind_the_library(rust.compiled(RUST_PROGRAMS["linked library"]).artifact, tmp_path)


def test_a_rustc_that_was_killed_while_it_waited_is_told_of(rust: Rust) -> None:
    spec = rust.spec(PLAIN)
    with open_slot(SlotConfig("killed-rustc", 62, binds([rust.language], TOOLCHAINS), runs_seldom=True)) as slot:
        slot.stage(spec)
        until(lambda: slot.is_ready_for(spec))
        for pid in processes_of(slot.uid):
            os.kill(pid, signal.SIGKILL)
        until(lambda: not processes_of(slot.uid))
        with pytest.raises(JailError, match="the waiting command ended"):
            until(lambda: not slot.is_ready_for(spec))


def test_rustc_waits_in_the_pool_of_a_runner_where_rust_was_asked_for_twice(rust: Rust) -> None:
    specs = waiting_specs([rust.language], TOOLCHAINS)
    assert [spec.waiting for spec in specs] == [rust.spec(PLAIN).waiting]
    opened: list[Slot] = []

    def open_seat(index: int) -> Slot:
        mounts = binds([rust.language], TOOLCHAINS)
        opened.append(open_slot(SlotConfig("pool-rustc", 63 + index, mounts, runs_seldom=True)))
        return opened[-1]

    pool = WaitingPool(specs, open_seat)
    pool.start()
    try:
        warm = WarmSlot(rust.slot, pool)
        assert all(warm.answer(rust.spec(PLAIN)).artifact for _ in range(2))
        until(lambda: opened and opened[0].is_ready_for(rust.spec(PLAIN)))

        def is_answered() -> bool:  # the thread that started it may have it for a moment more
            outcome = pool.answer(rust.spec(PLAIN))
            return outcome is not None and outcome.artifact is not None

        until(is_answered)
    finally:
        pool.close()
    assert processes_of(opened[0].uid) == []
