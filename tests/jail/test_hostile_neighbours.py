"""Two tenants at once: neither reaches nor sees the other. And what was random in one run is not so in the next."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from datetime import UTC, datetime

import pytest

from sandbox_runtime.executor import execute
from sandbox_runtime.jail import Slot, open_slot
from sandbox_runtime.languages import Language
from tests.choice import whole_but
from tests.guest_files import guest, guests
from tests.jail.hostile.catalogue import CHOSEN_LANGUAGES
from tests.jail.hostile.trial import CompiledOnce, asked
from tests.jail.language_programs.table import KINDS
from tests.jail.neighbours import PORT, run_client_beside_server
from tests.jail.weakened.changes import loopback_is_up
from tests.jail.weakened.slots import WeakenedSlot

# What all runs see of the host is one set of files: opening, locking and touching them must not be seen next door.
WATCHER = guest("neighbours/watcher.py")
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
RANDOM = guests("neighbours/random")


@pytest.mark.parametrize("name", whole_but([name for name in RANDOM if name in CHOSEN_LANGUAGES], KINDS))
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
