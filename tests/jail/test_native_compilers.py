"""The direct calls of compilers, assembler and linker: the same programs and the same words as the ordinary command."""

import re
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest

from events.completed import ExecutionCompleted
from sandbox_runtime.executor import execute
from sandbox_runtime.jail import Slot
from sandbox_runtime.languages import Language, compile_spec, gcc
from sandbox_runtime.languages.cpp import HEADER_SETS
from sandbox_runtime.languages.preparation import prepared_path
from sandbox_runtime.languages.rust import DIRECTORY, LINK_DRIVER
from tests.choice import whole_but
from tests.jail.decided import decided
from tests.jail.guest_requests import request
from tests.jail.language_programs.compilers import C_PROGRAMS, HEADER_PROGRAMS, REFUSED_PROGRAMS, RUST_PROGRAMS
from tests.jail.language_programs.table import REAL_PROGRAMS
from tests.jail.slots import TOOLCHAINS

# Files of gcc and rustc in /tmp, numbers of threads, addresses.
_OF_THE_MOMENT = re.compile(rb"\bcc\w{6}\.[os]\b|\brustc\w{6}\b|(?<=' \()\d+(?=\) panicked)|0x[0-9a-f]{6,}")


ENDS = ("plain", "error", "missing function")
"""One program that ends well, one that is not compiled, one that is not linked."""
Compare = Callable[[str, str | bytes], ExecutionCompleted]


def ordinary(language: Language) -> Language:
    """The language with the command that its direct calls stand for."""
    assert language.compile is not None
    argv = tuple(part.replace(f"{DIRECTORY}/{gcc.LINKER_NAME}", LINK_DRIVER) for part in language.compile.argv)
    return replace(language, compile=replace(language.compile, argv=argv[argv.index(language.tools[0].guest_path) :]))


def seen(completed: ExecutionCompleted) -> tuple[object, ...]:
    stderr = _OF_THE_MOMENT.sub(b"?", completed.stderr.inline)
    return completed.result, completed.stdout.inline, stderr


@pytest.fixture
def compare(slot: Slot, languages: Mapping[str, Language]) -> Compare:
    """Run a program both ways; the answer of the direct one, which must be the answer of the other."""

    def run(name: str, code: str | bytes) -> ExecutionCompleted:
        asked = request(name, code if isinstance(code, bytes) else code.encode())
        answers = [
            decided(partial(execute, slot, asked, language, node_id="tests", started_at=datetime.now(UTC)))
            for language in (languages[name], ordinary(languages[name]))
        ]
        assert seen(answers[0]) == seen(answers[1])
        return answers[0]

    return run


# Programs whose machine code is compared, one of each set at least.
_MACHINE_CODE = (
    *("plain", "everything", "usual headers", "other headers too", "threads", "exceptions", "names and types", "files"),
    *("promises", "shared objects"),
)
# The same machine code does the same: only one of those is linked and run.
_COMPARED = [name for name in HEADER_PROGRAMS if name not in _MACHINE_CODE or name == "threads"]


@pytest.mark.parametrize("name", whole_but(_COMPARED, _COMPARED[:1]))
def test_precompiled_headers_change_no_program_and_no_diagnostic(compare: Compare, name: str) -> None:
    compare("cpp", HEADER_PROGRAMS[name])


# Without precompiled headers all have the same command. tests/unit/test_cpp_headers.py shows that they get none.
_WITHOUT = ("no header at all", "include in a raw string, used", "no end of line", "machine behind")


@pytest.mark.parametrize("name", whole_but(_WITHOUT, _WITHOUT[:1]))
def test_direct_calls_change_no_program_of_cpp_and_no_diagnostic(compare: Compare, name: str) -> None:
    compare("cpp", REFUSED_PROGRAMS[name])


@pytest.mark.parametrize("name", whole_but(C_PROGRAMS, ENDS))
def test_direct_calls_change_no_program_of_c_and_no_diagnostic(compare: Compare, name: str) -> None:
    compare("c", C_PROGRAMS[name])


@pytest.mark.parametrize("name", whole_but(RUST_PROGRAMS, ENDS))
def test_the_direct_linker_changes_no_program_of_rust_and_no_diagnostic(compare: Compare, name: str) -> None:
    compare("rust", RUST_PROGRAMS[name])


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("c", C_PROGRAMS["mathematics"].decode()),
        ("cpp", HEADER_PROGRAMS["plain"]),
        pytest.param("cpp", HEADER_PROGRAMS["everything"], marks=pytest.mark.whole),
        ("cpp", REFUSED_PROGRAMS["asserts off"]),
    ],
)
def test_good_programs_do_not_need_the_ordinary_command(
    slot: Slot, languages: Mapping[str, Language], name: str, code: str
) -> None:
    step = languages[name].compile
    assert step is not None
    direct = replace(step, argv=(step.argv[0], "/usr/bin/false"))
    assert slot.run(compile_spec(languages[name], direct, code.encode())).artifact


# The numbers of local labels count what was read before.
_LABELS = re.compile(r"\.L\w+")
# In which order functions and constants stand depends on when a template was instantiated.
_FUNCTION = re.compile(r"^\t\.type\t[^\n]+, @function\n.*?^\t\.size\t[^\n]+$", re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize("name", whole_but(_MACHINE_CODE, _MACHINE_CODE[:1]))
def test_precompiled_headers_give_the_same_machine_code(
    languages: Mapping[str, Language], tmp_path: Path, name: str
) -> None:
    code = REAL_PROGRAMS["cpp"] if name == "real" else HEADER_PROGRAMS[name]
    cpp = languages["cpp"]
    assert cpp.prepared is not None
    (named,) = cpp.source_names(code.encode()).beside
    header = Path(named.content.decode()).name
    assert header in HEADER_SETS
    (tmp_path / "solution.cpp").write_text(code)
    path = prepared_path("cpp", cpp.prepared, TOOLCHAINS) / header
    assembly = []
    for options in ([], ["-include", str(path)]):
        command = [*ordinary(cpp).compile.argv, "-S", *options]  # type: ignore[union-attr] # it is compiled
        subprocess.run(command, cwd=tmp_path, check=True)
        text = _LABELS.sub("", (tmp_path / "solution").read_text())
        assembly.append((sorted(_FUNCTION.findall(text)), sorted(_FUNCTION.sub("", text).splitlines())))
    assert assembly[0] == assembly[1]
    assert assembly[0][0]


def test_precompiled_headers_hold_their_instantiated_templates(
    languages: Mapping[str, Language], tmp_path: Path
) -> None:
    cpp, header = languages["cpp"], "streams.h"  # the smallest: one command makes each set
    assert cpp.prepared is not None
    prepared = prepared_path("cpp", cpp.prepared, TOOLCHAINS)
    (tmp_path / header).write_text((prepared / header).read_text())
    plain = ("-std=c++17", "-O2", "-DONLINE_JUDGE", "-x", "c++-header", header)
    subprocess.run([cpp.tools[0].guest_path, *plain], cwd=tmp_path, check=True)
    sizes_bytes = [(path / f"{header}.gch").stat().st_size for path in (tmp_path, prepared)]
    assert sizes_bytes[1] > 1.05 * sizes_bytes[0]


@pytest.mark.parametrize("header", whole_but(HEADER_SETS, [*HEADER_SETS][:1]))
def test_the_compiler_takes_the_precompiled_headers(
    languages: Mapping[str, Language], tmp_path: Path, header: str
) -> None:
    cpp = languages["cpp"]
    assert cpp.prepared is not None
    path = prepared_path("cpp", cpp.prepared, TOOLCHAINS) / header
    (tmp_path / "solution.cpp").write_text(f"#include <{HEADER_SETS[header][0]}>\nint main() {{ }}\n")
    command = [*ordinary(cpp).compile.argv, "-H", "-include", str(path)]  # type: ignore[union-attr] # it is compiled
    done = subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, text=True)
    assert done.stderr.startswith(f"! {path}.gch\n")
