"""Two tenants at once: neither reaches nor sees the other. And what was random in one run is not so in the next."""

import os
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

import pytest

from sandbox_runtime.executor import execute
from sandbox_runtime.jail import Slot, SlotConfig, open_slot
from sandbox_runtime.jail.spec import GuestFile, JailSpec, Limits, Outcome
from sandbox_runtime.languages import Language
from sandbox_runtime.messages import InlineOutput
from tests.jail.hostile.catalogue import CHOSEN_LANGUAGES
from tests.jail.hostile.trial import CompiledOnce, asked
from tests.jail.slots import slot_config
from tests.jail.weakened.changes import loopback_is_up
from tests.jail.weakened.limits import SLOWNESS
from tests.jail.weakened.slots import WeakenedSlot

LIMITS = Limits(
    cpu_time_secs=4 * SLOWNESS,
    wall_time_secs=20 * SLOWNESS,
    memory_bytes=128 << 20,
    max_processes=8,
    max_open_files=32,
    max_file_bytes=1 << 20,
    output_bytes=65536,
)
PORT = 20_000 + os.getpid() % 20_000
PLACES = f"""
import socket
PLACES = (
    (socket.AF_UNIX, "\\0neighbour-{PORT}"),
    (socket.AF_UNIX, "/tmp/neighbour"),
    (socket.AF_INET, ("127.0.0.1", {PORT})),
)
"""
# Takes its name when all is ready, then waits until it is stopped.
SERVER = """
import ctypes, select
servers = []
for family, address in PLACES:
    server = socket.socket(family)
    server.bind(address)
    server.listen()
    servers.append(server)
open("/dev/shm/neighbour", "w").write("secret")
print(len(servers), "servers", flush=True)
ctypes.CDLL(None).prctl(15, b"neighbour")
while True:
    for server in select.select(servers, [], [])[0]:
        server.accept()[0].send(b"secret")
"""
CLIENT = """
import os
for family, address in PLACES:
    try:
        with socket.socket(family) as client:
            client.connect(address)
            print("ESCAPED", address, client.recv(100))
    except OSError:
        pass
for path in ("/dev/shm/neighbour", "/tmp/neighbour"):
    if os.path.exists(path):
        print("ESCAPED", path)
for pid in range(1, 400):
    try:
        if open(f"/proc/{pid}/comm").read() == "neighbour\\n":
            print("ESCAPED", pid)
    except OSError:
        pass
"""
# What all runs see of the host is one set of files: opening, locking and touching them must not be seen next door.
WATCHER = """
import ctypes, os
libc = ctypes.CDLL(None)
queue = libc.inotify_init1(0)
shared = (b"/usr/bin", b"/usr/bin/env", b"/dev/null", b"/dev")
places = [place for place in shared if libc.inotify_add_watch(queue, place, 0x2F) >= 0]
print("watches", len(places), flush=True)
libc.prctl(15, b"neighbour")
while queue >= 0:
    print("ESCAPED", os.read(queue, 4096), flush=True)
import signal
signal.pause()
"""
VISITOR = """
for path in ("/usr/bin/env", "/dev/null"):
    open(path, "rb").read(1)
"""
MakeSlot = Callable[[SlotConfig], Slot]


def python(code: str) -> JailSpec:
    return JailSpec(
        argv=("/usr/bin/python3", "-u", "solution.py"),
        limits=LIMITS,
        files=(GuestFile("solution.py", (PLACES + code).encode()),),
    )


def name_and_owner(process: Path) -> tuple[str, int]:
    try:
        return (process / "comm").read_text().strip(), process.stat().st_uid
    except (FileNotFoundError, ProcessLookupError):
        return "", -1


def wait_for_process(name: str, uid: int, runner: threading.Thread) -> None:
    """Bounded by the run's own time limit."""
    pause = threading.Event()
    while (name, uid) not in map(name_and_owner, Path("/proc").glob("[0-9]*")):
        assert runner.is_alive(), "the server ended"
        pause.wait(0.02)


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as opened:
        yield opened


def run_client_beside_server(
    stack: ExitStack,
    make: MakeSlot,
    server: str = SERVER,
    client: str = CLIENT,
    look: Callable[[], object] = lambda: None,
) -> tuple[Outcome, Outcome]:
    """`look`: called while both slots are there and the server serves."""
    left = stack.enter_context(make(slot_config("left", 10)))
    right = stack.enter_context(make(slot_config("right", 11)))
    read_end, write_end = os.pipe()
    stack.callback(os.close, read_end)
    served: list[Outcome] = []
    thread = threading.Thread(target=lambda: served.append(left.run(python(server), cancel_fd=read_end)))
    thread.start()
    try:
        wait_for_process("neighbour", left.uid, thread)
        look()
        visited = right.run(python(client))
    finally:
        os.close(write_end)
        thread.join()
    return served[0], visited


def test_a_run_finds_nothing_of_a_run_beside_it(stack: ExitStack) -> None:
    server, client = run_client_beside_server(stack, open_slot)
    assert server.stdout == b"3 servers\n", server
    assert (client.exit_code, client.stdout, client.stderr) == (0, b"", b"")


def test_with_one_network_for_both_it_would_be_found(stack: ExitStack) -> None:
    server, client = run_client_beside_server(stack, lambda config: WeakenedSlot(config, "network_namespace"))
    assert server.stdout == b"3 servers\n", server
    assert client.stdout.startswith(f"ESCAPED \0neighbour-{PORT} b'secret'\n".encode())
    by_port = f"ESCAPED ('127.0.0.1', {PORT}) b'secret'\n".encode()
    assert client.stdout.endswith(by_port) == loopback_is_up()


def test_a_run_does_not_see_which_files_a_run_beside_it_opens(stack: ExitStack) -> None:
    watcher, visitor = run_client_beside_server(stack, open_slot, WATCHER, VISITOR)
    assert visitor.exit_code == 0
    assert watcher.stdout == b"watches 0\n", watcher


# Each prints one value a line.
RANDOM = {
    "python": """
import os, random, uuid
# Hash seed and addresses are the template's, see docs/threat-model.md.
print(random.random(), uuid.uuid4(), os.urandom(8).hex(), sep="\\n")
""",
    "c": """
#define _GNU_SOURCE
#include <stdio.h>
#include <sys/auxv.h>
#include <sys/random.h>
int main(void) {
    long value;
    getrandom(&value, sizeof value, 0);
    printf("%lx\\n%lx\\n%p\\n%p\\n", value, *(long *)getauxval(AT_RANDOM), (void *)&value, (void *)main);
}
""",
    "cpp": """
#include <iostream>
#include <random>
int main() {
    std::random_device device;
    std::cout << device() << "\\n" << new int << "\\n";
}
""",
    "java": """
import java.security.SecureRandom;
import java.util.*;
public class Main {
    public static void main(String[] arguments) {
        System.out.println(new Random().nextLong());
        System.out.println(UUID.randomUUID());
        System.out.println(new SecureRandom().nextLong());
    }
}
""",
    "javascript": "console.log(Math.random());\nconsole.log(crypto.randomUUID());",
    "typescript": "const value: Uint32Array = crypto.getRandomValues(new Uint32Array(2));\nconsole.log(value.join());",
    "go": """
package main
import ("fmt"; "hash/maphash"; "math/rand"; crypto "crypto/rand")
func main() {
    bytes := make([]byte, 8)
    crypto.Read(bytes)
    fmt.Println(bytes)
    fmt.Println(rand.Int63())
    fmt.Println(maphash.String(maphash.MakeSeed(), "a"))
}
""",
    "rust": """
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
fn main() {
    println!("{}", RandomState::new().hash_one(1));
    println!("{:p}", Box::leak(Box::new(1)));
}
""",
}


@pytest.mark.parametrize("name", [name for name in RANDOM if name in CHOSEN_LANGUAGES])
def test_what_is_random_differs_in_each_of_eight_runs(name: str, slot: Slot, languages: Mapping[str, Language]) -> None:
    jail = CompiledOnce(slot, {})
    printed: list[list[bytes]] = []
    for _ in range(8):
        request = asked(name, RANDOM[name].encode())
        completed = execute(jail, request, languages[name], node_id="tests", started_at=datetime.now(UTC))
        assert isinstance(completed.stdout, InlineOutput)
        assert completed.result.verdict == "AC", completed
        printed.append(completed.stdout.content.splitlines())
    for values in zip(*printed, strict=True):
        assert len(set(values)) == 8, values
