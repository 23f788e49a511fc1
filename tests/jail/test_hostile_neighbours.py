"""Two tenants at once: neither reaches nor sees the other. And what was random in one run is not so in the next."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from datetime import UTC, datetime

import pytest

from sandbox_runtime.executor import execute
from sandbox_runtime.jail import Slot, open_slot
from sandbox_runtime.languages import Language
from tests.jail.hostile.catalogue import CHOSEN_LANGUAGES
from tests.jail.hostile.trial import CompiledOnce, asked
from tests.jail.neighbours import PORT, run_client_beside_server
from tests.jail.weakened.changes import loopback_is_up
from tests.jail.weakened.slots import WeakenedSlot

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


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as opened:
        yield opened


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
    "lua": "print(math.random(0))\nprint(tostring({}))\n",
    "bash": 'echo "$RANDOM$RANDOM$RANDOM$RANDOM"\necho "$SRANDOM"\n',
}


@pytest.mark.parametrize("name", [name for name in RANDOM if name in CHOSEN_LANGUAGES])
def test_random_values_differ_in_each_of_eight_runs(name: str, slot: Slot, languages: Mapping[str, Language]) -> None:
    jail = CompiledOnce(slot, {})
    printed: list[list[bytes]] = []
    for _ in range(8):
        request = asked(name, RANDOM[name].encode())
        completed = execute(jail, request, languages[name], node_id="tests", started_at=datetime.now(UTC))
        assert completed.result.verdict == "AC", completed
        printed.append(completed.stdout.inline.splitlines())
    for values in zip(*printed, strict=True):
        assert len(set(values)) == 8, values
