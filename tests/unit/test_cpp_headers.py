"""Which sources may have which precompiled headers."""

from pathlib import Path

import pytest

from sandbox_runtime.jail import GuestFile
from sandbox_runtime.languages import cpp
from sandbox_runtime.languages.cpp import cpp_names
from tests.jail.language_programs.compilers import HEADER_PROGRAMS, REFUSED_PROGRAMS

_IO = "#include <iostream>\n"
_SORTING = "#include <vector>\n#include <iostream>\n#include <algorithm>\n"

TAKEN = [
    (_IO, "streams.h"),
    ("// a\n\n/* b */\n \t#\tinclude  <iostream> // c\nint x;\n#define X", "streams.h"),
    ("#include <iostream>\r\nint x;\r\n", "streams.h"),
    (f"/*\n * a\n **/\n/**/\n/***/\n/*/ b */\n{_IO}", "streams.h"),
    (f"#include <map>\n{_IO}int x;\n", "streams.h"),
    (f"{_IO}#include <sys/time.h>\n#include <vector>\n#include <algorithm>\n", "streams.h"),
    (_SORTING, "algorithms.h"),
    (f"{_SORTING}#define NDEBUG\n", "algorithms.h"),
    (f"{_SORTING}#include <bits/stdc++.h>\n", "everything.h"),
    ("#include<bits/stdc++.h>\nusing namespace std;\n", "everything.h"),
    (f"{_IO}#pragma GCC ivdep\n", "streams.h"),
    (f"{_IO}int target, optimize;\n", "streams.h"),
]
REFUSED = [
    "",
    "int main() { }\n",
    "#include <vector>\n",
    "#include <iostream>",  # its line has no end: whatever the compiler makes of it
    '#include "iostream"\n',
    f"int x;\n{_IO}",
    f"#define X\n{_IO}",
    f"#pragma once\n{_IO}",
    f"#if 0\n{_IO}#endif\n",
    f"#include <sys/time.h>\n{_IO}",
    f"#include <complex.h>\n{_IO}",
    f"\ufeff{_IO}",
    f"/*\n{_IO}*/\n",
    f"/* a */ /* b\n{_IO}*/\n",
    f"/* a *//*\n{_IO}*/\n",
    f"/*/\n{_IO}*/\n",
    f"/* a *\\\n/\n{_IO}/* b */\n",
    f"/* a *??/\n/\n{_IO}/* b */\n",
    f"/*\n{_IO}",
    f"/* a **/ x /*\n{_IO}*/\n",
    f"// a \\\n{_IO}",
    f"// a \\ \n{_IO}",
    f"// a ??/\n{_IO}",
    f"// a\r{_IO}",
    "#include <iostream> \\\n int x;\n",
    "#include <iostream> int x;\n",
    "#include <iostream> // \\\n#define X\n",
    "#include <iostream> /*\n*/\n",
    "#include <iostream\n>\n",
    "#include_next <iostream>\n",
    "#import <iostream>\n",
    "%:include <iostream>\n",
    "#include <iostream>\0\n",
    f"\0{_IO}",
    f'R"(\n{_IO})"\n',
    f'{_IO}#pragma GCC target("avx2")\n',
    f'{_IO}#pragma GCC optimize("Ofast")\n',
    f'{_IO}_Pragma("GCC target(\\"avx2\\")")\n',
    f'{_IO}#define X(a) _Pragma(#a)\nX(GCC target("avx2"))\n',
    f"{_IO}[[gnu::unavailable]] void *operator new(std::size_t);\n",
    f"{_IO}[[deprecated]] void *operator new(std::size_t);\n",
]


@pytest.mark.parametrize(("code", "header"), TAKEN)
def test_a_source_that_begins_with_their_includes_has_them(code: str, header: str) -> None:
    names = cpp_names(code.encode())
    assert (names.file, names.beside) == (
        "solution.cpp",
        (GuestFile(".headers", f"/opt/rustbox/cpp/{header}".encode()),),
    )


@pytest.mark.parametrize("code", [*REFUSED, *REFUSED_PROGRAMS.values()])
def test_a_source_that_headers_could_change_gets_no_precompiled_headers(code: str) -> None:
    assert cpp_names(code.encode()).beside == ()


def test_the_programs_that_the_jail_compiles_with_them_get_them() -> None:
    assert [name for name, code in HEADER_PROGRAMS.items() if not cpp_names(code.encode()).beside] == []


def test_bytes_of_no_text_are_no_reason_to_fail() -> None:
    assert cpp_names(bytes(range(256)) * 1000).beside == ()


def test_many_lines_are_read_at_once() -> None:
    assert cpp_names(b"\n" * 200_000 + _IO.encode()).beside[0].content.endswith(b"streams.h")
    assert cpp_names(b"/*" * 100_000).beside == ()
    assert cpp_names(b"//" + b" " * 1_000_000).beside == ()


_ENDS_AT_ONCE = "#include <unistd.h>\n__attribute__((constructor)) static void end(void) { _exit(0); }\n"
_FAILS = "int open(const char *path) { __builtin_trap(); }\n"


@pytest.mark.parametrize("library", ["", "#error no\n", _FAILS, _ENDS_AT_ONCE])
def test_headers_are_precompiled_as_they_are_when_nothing_can_be_instantiated_early(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, library: str
) -> None:
    source = tmp_path / "library.c"
    source.write_text(library)
    monkeypatch.setattr(cpp, "_EARLY_SOURCE", source)
    header = tmp_path / "small.h"
    header.write_text("#include <cstddef>\n#pragma rustbox instantiate\n")
    cpp.precompile(header, tmp_path / "small.h.gch")
    assert (tmp_path / "small.h.gch").read_bytes().startswith(b"gpch")
