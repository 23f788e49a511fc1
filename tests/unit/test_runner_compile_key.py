"""A key is equal only when project, language, toolchain and the whole compile step are."""

import itertools
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest

from sandbox_runtime.executor.compilation import compile_key
from sandbox_runtime.jail.spec import FilterFamily, GuestFile, GuestPipes, InputFile, JailSpec, Limits, WaitingCommand
from sandbox_runtime.languages import LANGUAGES, compile_spec, toolchain_digest
from sandbox_runtime.languages.c import C
from sandbox_runtime.languages.entry import Compile, Language, Tool

COMPILED = [language for language in LANGUAGES if language.compile is not None]


def step_of(language: Language, code: bytes = b"code") -> JailSpec:
    assert isinstance(language.compile, Compile)
    return compile_spec(language, language.compile, code)


STEP = step_of(C)
CHANGES: dict[str, Any] = {
    "argv": (*STEP.argv, "-g"),
    "limits": replace(STEP.limits, memory_bytes=1),
    "environment": (*STEP.environment, ("A", "b")),
    "variables": (("A", "b"),),
    "stdin": b"x",
    "files": (GuestFile("solution.c", b"other"),),
    "inputs": (InputFile("a.h", 1, content=b"x"),),
    "artifact": "other",
    "artifact_max_bytes": 1,
    "family": FilterFamily.NATIVE,
    "waiting": WaitingCommand(("/bin/true",), 0),
    "overtime_secs": 1.0,
}

INPUTS = (
    InputFile("a.h", 1, content=b"y"),
    InputFile("b.h", 1, content=b"x"),
    InputFile("a.h", 1, read_only=True, content=b"x"),
    InputFile("a.h", 1, sha256="0" * 64),
    InputFile("a.h", 1, sha256="1" * 64),
)


def digest(project: str = "p", language: str = "c", toolchain: str = "t", step: JailSpec = STEP) -> bytes:
    return compile_key(project, language, toolchain, step).digest


def test_the_same_step_of_a_project_has_the_same_key() -> None:
    assert compile_key("p", "c", "t", STEP) == compile_key("p", "c", "t", step_of(C))


def test_every_part_of_a_step_is_part_of_the_key() -> None:
    # A compile step has neither pipes nor a namespace, nobody reads its output, and its artifact is its only file. The
    # names of the files in its folder are digests of their bytes.
    others = {"pipes", "net_namespace", "inputs_folder", "keeps_box", "output_watch"}
    assert CHANGES.keys() | others == {field.name for field in fields(JailSpec)}
    assert all(compiling.pipes is None and compiling.net_namespace is None for compiling in map(step_of, COMPILED))
    changed = [digest(step=replace(STEP, **{name: value})) for name, value in CHANGES.items()]
    changed += [digest(step=replace(STEP, limits=replace(STEP.limits, **{field.name: 7}))) for field in fields(Limits)]
    changed += [digest(step=replace(STEP, inputs=(other,))) for other in INPUTS]
    changed += [digest(project="q"), digest(language="cpp"), digest(toolchain="u"), digest()]
    assert len(set(changed)) == len(changed)


@pytest.mark.parametrize("language", COMPILED, ids=lambda language: language.name)
def test_sources_that_differ_in_a_byte_or_a_name_have_different_keys(language: Language) -> None:
    sources = [b"", b"\0", b"a", b"a\n", b"a\r\n", b"\xff", b"class A {}", b"public class A {}", b"public class B {}"]
    assert len({digest(language=language.name, step=step_of(language, source)) for source in sources}) == len(sources)


def test_parts_that_read_the_same_one_after_the_other_have_different_keys() -> None:
    files = [
        (GuestFile("ab", b"c"),),
        (GuestFile("a", b"bc"),),
        (GuestFile("a", b"b"), GuestFile("c", b"")),
        (GuestFile("a", b"b"), GuestFile("", b"c")),
        (GuestFile("abc", b""),),
        (GuestFile("ab", b"c", executable=True),),
    ]
    argvs: list[tuple[str, ...]] = [(), ("",), ("", ""), ("ab",), ("a", "b"), ("a", "", "b"), ("a\0b",), ("a b",)]
    steps = [replace(STEP, argv=argv, files=placed) for argv, placed in itertools.product(argvs, files)]
    steps += [replace(STEP, environment=(("a", "bc"),)), replace(STEP, environment=(("ab", "c"),))]
    steps += [replace(STEP, environment=(("a", "b"), ("c", ""))), replace(STEP, artifact=None)]
    steps += [replace(STEP, artifact="None"), replace(STEP, artifact="")]
    texts = ["", "a", "ab", "abc"]
    names = list(itertools.product(texts, texts, texts))
    digests = [digest(step=step) for step in steps] + [digest(*three) for three in names]
    assert len(set(digests)) == len(digests)


def test_a_kind_of_number_is_not_taken_for_another() -> None:
    limits = [replace(STEP.limits, cpu_time_secs=value) for value in (1, 1.0, True)]
    assert len({digest(step=replace(STEP, limits=given)) for given in limits}) == 3


def test_a_value_without_an_encoding_is_an_error() -> None:
    with pytest.raises(TypeError):
        digest(step=replace(STEP, argv=["a"]))  # type: ignore[arg-type] # that is the test
    with pytest.raises(TypeError):  # no compile step has pipes
        digest(step=replace(STEP, pipes=GuestPipes(0, 1)))


def test_another_tool_or_version_is_another_toolchain(tmp_path: Path) -> None:
    tool, header = tmp_path / "tool", tmp_path / "header"
    tool.write_text("one")
    header.write_text("one")
    given = replace(C, tools=(Tool(str(tool)),), needed_files=(str(header),), warm_files=(f"{tmp_path}/c*1",))

    def now(version: str = "1") -> str:
        return toolchain_digest(given, str(tmp_path), version)

    found = [now()]
    assert now() == found[0]
    found.append(now("2"))
    for path in (tool, header, tmp_path / "cc1", tmp_path / "cc1"):
        path.write_text(f"{path} {len(found)} ".zfill(100 + len(found)))
        found.append(now())
    tool.unlink()
    found.append(now())
    assert len(set(found)) == len(found)


def test_a_tool_that_is_replaced_behind_a_link_is_another_toolchain(tmp_path: Path) -> None:
    for name in ("gcc-13", "gcc-14"):
        (tmp_path / name).write_text("same size")
    link = tmp_path / "gcc"
    link.symlink_to("gcc-13")
    given = replace(C, tools=(Tool(str(link)),))
    first = toolchain_digest(given, str(tmp_path), "1")
    link.unlink()
    link.symlink_to("gcc-14")
    assert toolchain_digest(given, str(tmp_path), "1") != first


def test_every_compiled_language_has_a_toolchain_of_its_own(tmp_path: Path) -> None:
    assert len({toolchain_digest(language, str(tmp_path), "") for language in COMPILED}) == len(COMPILED)
