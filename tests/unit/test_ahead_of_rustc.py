"""The library that is loaded into rustc, in a program that opens its source as rustc does."""

import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from sandbox_runtime.languages import ahead_of_rustc, held_open
from tests.until import PATIENCE_SECS, until

GCC = "/usr/bin/gcc"

# Opens its source twice, as an include of itself would, tells its environment, then links or waits for its input.
_COMPILER = r"""
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
int main(int count, char **values) {
    char text[64];
    for (int turn = 0; turn < 2; turn++) {
        int fd = open64(values[count - 1], O_RDONLY);
        ssize_t length = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
        if (length < 0) return 2;
        text[length] = 0;
        printf("%s|", text);
        close(fd);
    }
    printf("%s|%s", getenv("LD_PRELOAD") ? "loaded" : "clean", getenv("OTHER"));
    fflush(stdout);
    if (strcmp(values[1], "keep") == 0) return read(0, text, 1) != 0;
    return system("printf %s \"$OBJECT\" >&8; read -r _ <&9; [ -e made ]") != 0;
}
"""
# Tells its process, opens what is held, and writes what it read there.
_LINKER = r"""
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>
int main(int count, char **values) {
    char text[64];
    FILE *told = fopen(values[1], "w");
    fprintf(told, "%d", getpid());
    fclose(told);
    int fd = open(values[2], O_RDONLY), made = open("made", O_WRONLY | O_CREAT, 0600);
    ssize_t length = read(fd, text, sizeof text);
    return write(made, text, length) == length ? 0 : 1;
}
"""

# Two descriptors, then a command that has them as 3 and 4.
_PUT_IN_PLACE = """
import fcntl, os, sys
for number, fd in enumerate([fcntl.fcntl(int(fd), fcntl.F_DUPFD, 10) for fd in sys.argv[1:3]], 3):
    os.dup2(fd, number)
os.closerange(5, 100)
os.execv(sys.argv[3], sys.argv[3:])
"""


class Ahead:
    """What is made for the fake compiler, and a directory to start it in."""

    def __init__(self, folder: Path) -> None:
        self.made, self.box, self.pid_file = folder / "made", folder / "box", folder / "pid"
        self.made.mkdir()
        self.box.mkdir()
        self.compiler, linker = (built(folder / name, text) for name, text in (("rustc", _COMPILER), ("mold", _LINKER)))
        command = (str(linker), str(self.pid_file), ahead_of_rustc.HELD_OBJECT)
        held_open.build_held_open(GCC, ahead_of_rustc.HELD_OBJECT, self.made, ahead_of_rustc.ORDERED)
        ahead_of_rustc.build_programs(GCC, "solution.rs", command, self.made, str(self.made))

    def start(self, name: str, kind: str, given: tuple[socket.socket, int] | None = None) -> subprocess.Popen[bytes]:
        """`given`: what a waiting command has as descriptors 3 and 4."""
        fds = [] if given is None else [given[0].fileno(), given[1]]
        command = [str(self.made / name), str(self.compiler), kind, "solution.rs"]
        if fds:
            command = [sys.executable, "-c", _PUT_IN_PLACE, *map(str, fds), *command]
        return subprocess.Popen(
            command,
            cwd=self.box,
            env={"OTHER": "kept", "OBJECT": "object.o", "PATH": "/usr/bin:/bin"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            pass_fds=fds,
        )

    def is_linker_alive(self) -> bool:
        """Whether it has begun, and not ended."""
        pid = self.pid_file.read_text() if self.pid_file.exists() else ""
        return pid != "" and Path(f"/proc/{pid}/exe").exists()


def built(path: Path, text: str) -> Path:
    source = path.with_suffix(".c")
    source.write_text(text)
    subprocess.run([GCC, "-o", path, source], check=True)
    return path


@pytest.fixture
def ahead(tmp_path: Path) -> Ahead:
    return Ahead(tmp_path)


@pytest.fixture
def channel() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.settimeout(PATIENCE_SECS)
    with ours, theirs:
        yield ours, theirs


@contextmanager
def files(content: bytes) -> Iterator[int]:
    with tempfile.TemporaryFile() as file:
        file.write(content)
        file.seek(0)
        yield file.fileno()


def test_a_linker_is_started_ahead_and_opens_what_it_is_told(ahead: Ahead) -> None:
    (ahead.box / "solution.rs").write_text("the source")
    (ahead.box / "object.o").write_text("an object")
    process = ahead.start("compile", "link")
    assert process.communicate(timeout=PATIENCE_SECS)[0] == b"the source|the source|clean|kept"
    assert process.returncode == 0
    assert (ahead.box / "made").read_text() == "an object"
    assert not ahead.is_linker_alive()


@pytest.mark.parametrize("name", ahead_of_rustc.ORDERED)
def test_an_object_whose_place_counts_is_not_linked_ahead(ahead: Ahead, name: str) -> None:
    (ahead.box / "solution.rs").write_text("the source")
    (ahead.box / "object.o").write_bytes(b"\0.rela" + name.encode() + b".00099\0")
    process = ahead.start("compile", "link")
    process.communicate(timeout=PATIENCE_SECS)
    assert process.returncode == 1
    assert not (ahead.box / "made").exists()
    assert not ahead.is_linker_alive()


def test_a_linker_that_is_not_needed_is_gone_with_the_compiler(ahead: Ahead) -> None:
    (ahead.box / "solution.rs").write_text("the source")
    process = ahead.start("compile", "keep")
    assert process.stdout is not None
    assert process.stdout.read(1) == b"t"
    until(ahead.is_linker_alive)
    process.communicate(b"", timeout=PATIENCE_SECS)
    assert process.returncode == 0
    assert not ahead.is_linker_alive()
    assert not (ahead.box / "made").exists()


def test_it_waits_places_the_files_and_goes_on(ahead: Ahead, channel: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = channel
    with files(b"the sourcemore") as content:
        process = ahead.start("waiting_rustc", "link", (theirs, content))
        assert ours.recv(2) == b"w"
        until(ahead.is_linker_alive)
        (ahead.box / "object.o").write_text("an object")
        ours.send(b"0\0solution.rs\x0010\x000\0other\x004\x001\0")
        assert process.communicate(timeout=PATIENCE_SECS)[0] == b"the source|the source|clean|kept"
    assert process.returncode == 0
    assert {path.name: (path.stat().st_mode & 0o777) for path in ahead.box.iterdir()} == {
        "solution.rs": 0o644,
        "other": 0o755,
        "made": 0o600,
        "object.o": 0o644,
    }
    theirs.close()
    assert ours.recv(1) == b""


def test_nothing_happens_where_nobody_has_a_use_for_it(
    ahead: Ahead, channel: tuple[socket.socket, socket.socket]
) -> None:
    ours, theirs = channel
    with files(b"") as content:
        process = ahead.start("waiting_rustc", "link", (theirs, content))
        theirs.close()
        assert ours.recv(2) == b"w"
        until(ahead.is_linker_alive)
        ours.close()
        assert process.communicate(timeout=PATIENCE_SECS) == (b"", b"")
    assert process.returncode == 0
    until(lambda: not ahead.is_linker_alive())
    assert list(ahead.box.iterdir()) == []


@pytest.mark.parametrize(
    ("message", "step"),
    [
        (b"0\0solution.rs\x0011\x000\0", b"fill a file"),
        (b"0\0solution.rs\x001\x000\0solution.rs\x001\x000\0", b"create a file"),
        (b"0\0solution.rs\x0010\0", b"read the message"),
        (b"65\0", b"read the words"),
        (b"2\0one\0", b"read the message"),
    ],
    ids=["short", "twice", "unfinished", "many words", "no words"],
)
def test_what_cannot_be_placed_ends_it(
    ahead: Ahead, channel: tuple[socket.socket, socket.socket], message: bytes, step: bytes
) -> None:
    ours, theirs = channel
    with files(b"the source") as content:
        process = ahead.start("waiting_rustc", "link", (theirs, content))
        assert ours.recv(2) == b"w"
        ours.send(message)
        stdout, stderr = process.communicate(timeout=PATIENCE_SECS)
    assert (process.returncode, stdout) == (1, b"")
    assert stderr.startswith(b"waiting command: " + step)
    until(lambda: not ahead.is_linker_alive())


# --- What is made of them ----------------------------------------------------
ORDINARY = ("/bin/echo", "-C", "linker=/guest/gcc", "solution.rs")


def write(folder: Path, gcc: str = GCC) -> dict[str, str]:
    """The files and how each begins."""
    made = folder / "made"
    made.mkdir()
    ahead_of_rustc.write_programs(ORDINARY, gcc, made, "/guest")
    return {path.name: path.read_bytes()[:20].decode("latin-1") for path in made.iterdir()}


def test_where_it_is_not_understood_how_rustc_links_nothing_links_ahead(tmp_path: Path) -> None:
    made = write(tmp_path)
    assert sorted(made) == ["compile", "compile.so", "gcc", "waiting_rustc", "waiting_rustc.so"]
    assert made["compile"].startswith("\x7fELF")
    assert "/fd/8" not in (tmp_path / "made/gcc").read_text()


def test_where_nothing_can_be_built_the_ordinary_command_is_called(tmp_path: Path) -> None:
    made = write(tmp_path, "/usr/bin/false")
    assert sorted(made) == ["compile", "gcc"]
    done = subprocess.run([tmp_path / "made/compile", *ORDINARY], capture_output=True, check=True)
    assert done.stdout == b"-C linker=/guest/gcc solution.rs\n"
