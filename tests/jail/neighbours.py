"""A server and its client in two slots beside each other."""

import os
import threading
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from sandbox_runtime.jail import Slot, SlotConfig
from sandbox_runtime.jail.spec import GuestFile, JailSpec, Outcome
from tests.guest_files import guest
from tests.jail.slots import PYTHON, slot_config
from tests.jail.weakened.limits import SLOWNESS, SMALL

LIMITS = replace(
    SMALL, cpu_time_secs=4 * SLOWNESS, memory_bytes=128 << 20, max_processes=8, max_open_files=32, output_bytes=65536
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
SERVER = guest("neighbours/server.py")


CLIENT = guest("neighbours/client.py")


MakeSlot = Callable[[SlotConfig], Slot]


def python(code: str) -> JailSpec:
    return JailSpec(
        argv=(PYTHON, "-u", "solution.py"), limits=LIMITS, files=(GuestFile("solution.py", (PLACES + code).encode()),)
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
