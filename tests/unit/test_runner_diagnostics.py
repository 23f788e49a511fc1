"""Paths in compiler output: the last part stays, and the client's own lines are not touched."""

import pytest

from sandbox_runtime.languages import without_paths


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"/box/solution.c:2:12: error: x\n", b"solution.c:2:12: error: x\n"),
        (b"In file included from /usr/include/c++/14/algorithm:61,\n", b"In file included from algorithm:61,\n"),
        (b"                 from /usr/include/c++/14/bits/x.h:1:\n", b"                 from x.h:1:\n"),
        (b"/usr/bin/ld: /tmp/ccXy9.o: in function `main':\n", b"ld: ccXy9.o: in function `main':\n"),
        (b"  --> /usr/src/rustc-1.85.1/library/core/src/x.rs:3:4\n", b"  --> x.rs:3:4\n"),
        (b'error: "/opt/rustbox/go/fmt.a"\n', b'error: "fmt.a"\n'),
        (b"at /usr/lib/gcc/x86_64-linux-gnu/14/include/a.h\n", b"at a.h\n"),
        (b"./solution.go:4:2: declared and not used: x\n", b"./solution.go:4:2: declared and not used: x\n"),
        (b"a/usr/b and x = y /z\n", b"a/usr/b and x = y /z\n"),
        (b"bytes \xff\xfe stay\r\nlast", b"bytes \xff\xfe stay\r\nlast"),
        (b"", b""),
    ],
)
def test_directories_are_left_out(text: bytes, expected: bytes) -> None:
    assert without_paths(text) == expected


@pytest.mark.parametrize(
    "line", [b'    5 | run("/usr/bin/env", "/box/x")\n', b"      |     ^~~ /usr/bin/env\n", b'12 |     "/tmp/x"\n']
)
def test_lines_of_the_source_are_shown_as_they_were_written(line: bytes) -> None:
    assert without_paths(line) == line
