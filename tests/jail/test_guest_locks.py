"""flock(2) does nothing in a guest: no other tenant meets the lock, and programs that ask for one still work."""

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path

import pytest

from events.completed import ExecutionCompleted
from sandbox_runtime.jail import Slot, SlotConfig, open_slot
from sandbox_runtime.languages import Language
from tests.jail.hostile.catalogue import CHOSEN_LANGUAGES
from tests.jail.neighbours import name_and_owner, run_client_beside_server
from tests.jail.weakened.slots import WeakenedSlot

Run = Callable[..., ExecutionCompleted]

# Descriptors of which the host and all guests have one inode, a shared file, and one of its own.
KINDS = """
import fcntl, os, select
KINDS = {
    "eventfd": os.eventfd(0),
    "epoll": select.epoll(),
    "user namespace": os.open("/proc/self/ns/user", os.O_RDONLY),
    "/usr/bin/true": os.open("/usr/bin/true", os.O_RDONLY),
    "own": os.open("/tmp/own", os.O_RDWR | os.O_CREAT),
}
for name, kept in KINDS.items():
    try:
        fcntl.flock(kept, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        print("taken", name)
"""
HOLD = KINDS + "import ctypes, signal\nctypes.CDLL(None).prctl(15, b'neighbour')\nsignal.pause()\n"


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as opened:
        yield opened


def names_of_lockers() -> set[str]:
    """Names of the processes that proc_locks(5) of the host lists."""
    pids = re.findall(r"^\d+: +\S+ +\S+ +\S+ +(\d+) ", Path("/proc/locks").read_text(), re.MULTILINE)
    return {name_and_owner(Path("/proc") / pid)[0] for pid in pids}


def test_the_host_lists_no_lock_of_a_guest_and_no_guest_meets_one(stack: ExitStack) -> None:
    seen: list[set[str]] = []
    _, visitor = run_client_beside_server(stack, open_slot, HOLD, KINDS, lambda: seen.append(names_of_lockers()))
    assert (visitor.exit_code, visitor.stdout, visitor.stderr) == (0, b"", b"")
    assert "neighbour" not in seen[0]


def test_without_the_filter_they_would(stack: ExitStack) -> None:
    def make(config: SlotConfig) -> Slot:
        return WeakenedSlot(config, "seccomp")

    seen: list[set[str]] = []
    _, visitor = run_client_beside_server(stack, make, HOLD, KINDS, lambda: seen.append(names_of_lockers()))
    assert visitor.stdout.decode().splitlines() == ["taken eventfd", "taken epoll", "taken user namespace"]
    assert "neighbour" in seen[0]


# Both map the same file. The server waits on its first word, and the client wakes all that wait there. The kernel tells
# the client how many those were: the server may be killed before it could say so itself.
FUTEX = """
import ctypes, mmap, os
libc = ctypes.CDLL(None, use_errno=True)
libc.mmap.restype = ctypes.c_void_p
file = os.open("/usr/bin/true", os.O_RDONLY)
word = libc.mmap(None, ctypes.c_size_t(4096), mmap.PROT_READ, mmap.MAP_SHARED, file, ctypes.c_long(0))
FUTEX, WAIT, WAKE = {"x86_64": 202, "aarch64": 98}[os.uname().machine], 0, 1
"""
WAITS = (
    FUTEX
    + """
libc.prctl(15, b"neighbour")
value = ctypes.c_int.from_address(word).value
while True:
    libc.syscall(FUTEX, ctypes.c_void_p(word), WAIT, value, None, None, 0)
"""
)
WAKES = (
    FUTEX
    + """
import time
for _ in range(100):
    if woken := libc.syscall(FUTEX, ctypes.c_void_p(word), WAKE, 1000, None, None, 0):
        print(woken)
        break
    time.sleep(0.02)
"""
)


def test_a_futex_on_a_page_of_a_shared_file_wakes_another_guest(stack: ExitStack) -> None:
    """Not defended: docs/threat-model.md says so, and must change with this."""
    _, waker = run_client_beside_server(stack, open_slot, WAITS, WAKES)
    assert waker.stdout == b"1\n"


# Each prints "ok" at its end.
PROGRAMS = {
    "python": """
import dbm, fcntl, os, shelve, sqlite3
for mode in ("DELETE", "WAL"):
    with sqlite3.connect(f"/tmp/{mode}.db") as database:
        database.execute(f"PRAGMA journal_mode={mode}")
        database.execute("CREATE TABLE numbers (number)")
    if os.fork() == 0:
        with sqlite3.connect(f"/tmp/{mode}.db") as database:
            database.executemany("INSERT INTO numbers VALUES (?)", [(number,) for number in range(100)])
        os._exit(0)
    assert os.wait()[1] == 0
    assert sqlite3.connect(f"/tmp/{mode}.db").execute("SELECT sum(number) FROM numbers").fetchone() == (4950,)
with dbm.open("/tmp/cards", "c") as cards:
    cards["a"] = "1"
with shelve.open("/tmp/shelf") as shelf:
    shelf["a"] = [1]
assert shelve.open("/tmp/shelf")["a"] == [1]
with open("/tmp/lock", "w") as lock:
    for kind in (fcntl.LOCK_EX, fcntl.LOCK_SH | fcntl.LOCK_NB, fcntl.LOCK_UN):
        fcntl.flock(lock, kind)
print("ok")
""",
    "javascript": """
import { Database } from "bun:sqlite";
const database = new Database("/tmp/data.db");
database.run("PRAGMA journal_mode = WAL");
database.run("CREATE TABLE numbers (number)");
database.run("INSERT INTO numbers VALUES (7)");
if (new Database("/tmp/data.db").query("SELECT number FROM numbers").get().number === 7) console.log("ok");
""",
    "java": """
import java.nio.channels.FileChannel;
import java.nio.file.*;
public class Main {
    public static void main(String[] arguments) throws Exception {
        Path path = Files.createFile(Path.of("/tmp/lock"));
        try (var channel = FileChannel.open(path, StandardOpenOption.WRITE); var lock = channel.tryLock()) {
            if (lock.isValid()) System.out.println("ok");
        }
    }
}
""",
    "go": """
package main
import ("fmt"; "os"; "syscall")
func main() {
    file, err := os.Create("/tmp/lock")
    if err == nil && syscall.Flock(int(file.Fd()), syscall.LOCK_EX) == nil { fmt.Println("ok") }
}
""",
    "rust": """
fn main() {
    let file = std::fs::File::create("/tmp/lock").unwrap();
    extern "C" { fn flock(fd: i32, operation: i32) -> i32; }
    use std::os::fd::AsRawFd;
    if unsafe { flock(file.as_raw_fd(), 2) } == 0 { println!("ok"); }
}
""",
    "c": """
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
int main(void) {
    int file = open("/tmp/lock", O_RDWR | O_CREAT, 0600);
    if (flock(file, LOCK_EX) == 0 && flock(file, LOCK_UN) == 0) puts("ok");
}
""",
}


@pytest.mark.parametrize("name", [name for name in PROGRAMS if name in CHOSEN_LANGUAGES])
def test_programs_that_take_locks_work(name: str, run: Run, languages: Mapping[str, Language]) -> None:
    assert name in languages, "the toolchain does not work on this host"
    completed = run(name, PROGRAMS[name])
    assert (completed.result.verdict, completed.stdout.inline) == ("AC", b"ok\n"), completed
