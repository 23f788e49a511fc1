"""Programs of several files, and options of the compiler, in each language."""

from collections.abc import Mapping
from datetime import UTC, datetime

import pytest

from events.completed import ExecutionCompleted
from events.files import PlacedFile
from events.requested import ExecutionRequested
from sandbox_runtime.executor import NO_CACHE, CompileCache, execute
from sandbox_runtime.jail import Slot
from sandbox_runtime.languages import Language, RequestRefusedError
from tests.choice import whole_but
from tests.guest_files import GUESTS
from tests.jail.guest_requests import request
from tests.jail.language_programs.table import KINDS

FOLDERS = {folder.name: folder for folder in sorted((GUESTS / "several_sources").iterdir())}
"""Of each language: `main.…` and its other files."""


def program(language: str) -> tuple[str, dict[str, str]]:
    """Return the code and the other files by path."""
    folder = FOLDERS[language]
    (main,) = folder.glob("main.*")
    others = (path for path in sorted(folder.rglob("*")) if path.is_file() and path != main)
    return main.read_text(), {str(path.relative_to(folder)): path.read_text() for path in others}


OPTIONS: dict[str, tuple[str, tuple[str, ...], str]] = {
    "c": (
        '#include <stdio.h>\nint main(void) { printf("%ld %s %d\\n", __STDC_VERSION__, WORD, N); }',
        ("-std=c11", '-DWORD="a b"', "-DN=3", "-O0", "-Wall", "-lm"),
        "201112 a b 3",
    ),
    "cpp": (
        '#include <iostream>\nint main() { std::cout << __cplusplus << " " << N << "\\n"; }',
        ("-std=c++20", "-DN=3", "-O3"),
        "202002 3",
    ),
    "java": (
        (
            "public class Main { public static void main(String[] a) throws Exception {"
            ' System.out.println(Main.class.getResourceAsStream("Main.class").readNBytes(8)[7]); } }'
        ),
        ("--release=11", "-Xlint:all"),
        "55",
    ),
    "go": ("package main\n\nfunc main() { println(1); print() }\n", ("-N", "-l"), ""),
    "rust": (
        'fn main() { println!("{} {}", cfg!(debug_assertions), cfg!(special)); }',
        ("-Copt-level=0", "-Cdebug-assertions=on", "--cfg=special", "--edition=2018"),
        "true true",
    ),
}


def placed(files: Mapping[str, str]) -> tuple[PlacedFile, ...]:
    return tuple(PlacedFile(path, read_only=False, content=text.encode()) for path, text in files.items())


def run(
    slot: Slot, language: Language, asked: ExecutionRequested, cache: CompileCache = NO_CACHE
) -> ExecutionCompleted:
    completed = execute(slot, asked, language, node_id="tests", started_at=datetime.now(UTC), compile_cache=cache)
    slot.settle()
    return completed


def stdout(completed: ExecutionCompleted) -> str:
    assert completed.result.verdict == "AC", completed
    return completed.stdout.inline.decode()


@pytest.mark.parametrize("name", whole_but(FOLDERS, KINDS))
def test_a_program_of_several_files_runs(slot: Slot, languages: Mapping[str, Language], name: str) -> None:
    code, files = program(name)
    asked = request(name, code.encode()).changed(files=placed(files))
    assert stdout(run(slot, languages[name], asked)) == "42\n"


@pytest.mark.parametrize("name", whole_but(OPTIONS, KINDS))
def test_options_reach_the_compiler(slot: Slot, languages: Mapping[str, Language], name: str) -> None:
    code, options, expected = OPTIONS[name]
    asked = request(name, code.encode()).changed(compile_args=options)
    assert stdout(run(slot, languages[name], asked)).strip() == expected


@pytest.mark.parametrize(("name", "option"), [("c", "-Wl,-z"), ("c", "@x"), ("python", "-O2"), ("rust", "-Clinker=x")])
def test_an_option_that_is_not_offered_is_refused(
    slot: Slot, languages: Mapping[str, Language], name: str, option: str
) -> None:
    with pytest.raises(RequestRefusedError, match="is not offered"):
        run(slot, languages[name], request(name, b"").changed(compile_args=(option,)))


@pytest.mark.parametrize(
    ("name", "code", "path"),
    [
        ("python", b"", "solution.py"),
        ("c", b"", "solution.c"),
        ("c", b"", "solution/x"),
        ("cpp", b"", ".headers"),
        ("java", b"public class A {}", "A.java"),
        ("java", b"", "solution.jar"),
        ("go", b"", "main.a"),
    ],
)
def test_a_file_with_a_name_of_ours_is_refused(
    slot: Slot, languages: Mapping[str, Language], name: str, code: bytes, path: str
) -> None:
    with pytest.raises(RequestRefusedError, match="name that the service uses"):
        run(slot, languages[name], request(name, code).changed(files=placed({path: ""})))


def test_a_compiled_program_is_cached_for_the_same_files_and_options_only(
    slot: Slot, languages: Mapping[str, Language]
) -> None:
    cache = CompileCache({"c": "toolchain"}, max_bytes=64 << 20, max_age_secs=600)
    code = b'#include <stdio.h>\n#include "n.h"\nint main(void) { printf("%d\\n", N); }'
    answers = []
    for number, options in (("1", None), ("2", None), ("1", None), ("1", ("-O0",))):
        asked = request("c", code).changed(files=placed({"n.h": f"#define N {number}\n"}), compile_args=options)
        completed = run(slot, languages["c"], asked, cache)
        assert completed.metrics is not None
        answers.append((stdout(completed), completed.metrics.compile_cached))
    assert answers == [("1\n", False), ("2\n", False), ("1\n", True), ("1\n", False)]


def test_a_compile_error_names_the_file(slot: Slot, languages: Mapping[str, Language]) -> None:
    asked = request("c", b"int main(void) { return 0; }").changed(files=placed({"src/bad.c": "int x = ;\n"}))
    completed = run(slot, languages["c"], asked)
    assert completed.result.cause == "ce_compile_failed"
    assert b"src/bad.c:1:9: error" in completed.stderr.inline
