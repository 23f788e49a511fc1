"""Slots, makers and a neighbour for hostile tries with network: the real ones, and each with a control off."""

import os
import socket
import threading
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from typing import Self

from sandbox_runtime.jail import Slot, SlotConfig, open_slot
from sandbox_runtime.jail.spec import FilterFamily, GuestFile, JailSpec, Limits
from sandbox_runtime.languages import warm_start
from sandbox_runtime.languages.python import PYTHON
from sandbox_runtime.network.model import AllowedHost, NetworkTable
from sandbox_runtime.network.namespace_maker import MadeNamespace, NamespaceMaker
from tests.jail.network.tries import HELPERS, NAME, NEIGHBOURS_PORT, PORT, Try
from tests.jail.network.worlds import World, answer_datagram, answer_stream, serve, stop
from tests.jail.slots import slot_config
from tests.jail.weakened.limits import SLOWNESS
from tests.jail.weakened.slots import WeakenedSlot

TABLE = NetworkTable.of([AllowedHost(NAME, PORT)])
LIMITS = Limits(4 * SLOWNESS, 20 * SLOWNESS, 128 << 20, 8, 200, 1 << 20, 1 << 16)
_CHANGED_MAKER = """
import os, sys; sys.path.insert(0, sys.argv[1])
from sandbox_runtime.network import namespace_process as process
{change}
process.main(int(sys.argv[2]))
"""
_OWNED_BY_GUEST = """
os.setresgid(*[{uid}] * 3)
os.setresuid(*[{uid}] * 3)
"""
_ANY_ADDRESS = """
open_listener = process.open_listener
process.open_listener = lambda order: open_listener((order[0], "0.0.0.0", order[2]))
"""


class ChangedMaker(NamespaceMaker):
    """A maker whose process runs `change` first."""

    def __init__(self, change: str) -> None:
        super().__init__()
        self._code = _CHANGED_MAKER.format(change=change)


class UnboundSlot(Slot):
    """A slot that does not bound the memory of sockets."""

    def __init__(self, config: SlotConfig) -> None:
        super().__init__(config)
        self._groups.bound_sockets = lambda most_bytes: None  # type: ignore[method-assign] # noqa: ARG005 - as the original


_WEAKENED: dict[str, Callable[[SlotConfig], Slot]] = {
    "namespace": partial(WeakenedSlot, control="network_namespace"),
    "seccomp": partial(WeakenedSlot, control="seccomp"),
    "owner and seccomp": partial(WeakenedSlot, control="seccomp"),
    "socket_memory": UnboundSlot,
}


class Arena:
    """Enter it, then try. All slots are opened in the world, as a runner's are on its host."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._slots: dict[str, Slot] = {}
        self._makers: dict[str, NamespaceMaker] = {}

    def __enter__(self) -> Self:
        self._world = self._stack.enter_context(World())
        self._neighbour = self._make("")
        self._stack.callback(self._neighbour.close)
        self._stack.enter_context(neighbour_in(self._neighbour.fd))
        return self

    def __exit__(self, *_: object) -> None:
        for slot in self._slots.values():
            slot.close()
        for maker in self._makers.values():
            maker.close()
        self._stack.close()

    def try_out(self, attempt: Try, *, is_contained: bool) -> str:
        """Run a try in the real jail, or without its control. Returns its output."""
        control = "" if is_contained else attempt.control
        shared = self._neighbour if control == "own_namespace" else None
        made = shared or self._make(control)
        spec = JailSpec(
            argv=PYTHON.run_argv,
            environment=PYTHON.guest_environment,
            limits=LIMITS,
            files=(
                GuestFile("solution.py", f"TIMEOUT = {0.5 if is_contained else 10}\n{HELPERS}{attempt.code}".encode()),
            ),
            family=FilterFamily.PYTHON,
            net_namespace=made.fd,
        )
        try:
            for listener in made.listeners:
                if listener.kind == "literal" and made is not shared:
                    # It ends with its listener.
                    serve(socket.socket(fileno=os.dup(listener.fd)), answer_stream)
            outcome = self._slot(control).run(spec)
        finally:
            if made is not shared:
                end(made)
        assert outcome.exit_code == 0, outcome
        return (outcome.stdout + outcome.stderr).decode()

    def _make(self, control: str) -> MadeNamespace:
        if control not in self._makers:
            self._makers[control] = self._maker(control)
        return self._world.run(self._makers[control].make, TABLE)

    def _maker(self, control: str) -> NamespaceMaker:
        if control.startswith("owner"):
            return ChangedMaker(_OWNED_BY_GUEST.format(uid=self._slot(control).uid))
        return ChangedMaker(_ANY_ADDRESS) if control == "pool_address" else NamespaceMaker()

    def _slot(self, control: str) -> Slot:
        if control not in self._slots:
            index = 20 + len(self._slots)
            make = _WEAKENED.get(control, open_slot)
            self._slots[control] = self._world.run(
                make, slot_config(f"network-{index}", index, warm=warm_start([PYTHON]))
            )
        return self._slots[control]


def end(made: MadeNamespace) -> None:
    """End the threads that accept its connections, and close all."""
    for listener in made.listeners:
        with socket.socket(fileno=os.dup(listener.fd)) as listening:
            stop(listening)
    made.close_listeners()
    made.close()


def neighbour_in(namespace: int) -> ExitStack:
    """Serve in a net namespace what another run would: TCP, UDP, an abstract socket, a host of its own."""
    opened: list[socket.socket] = []

    def open_all() -> None:
        os.setns(namespace, os.CLONE_NEWNET)
        opened.append(socket.create_server(("127.0.0.1", NEIGHBOURS_PORT)))
        opened.append(socket.create_server(("198.18.0.2", NEIGHBOURS_PORT)))
        opened.append(socket.create_server(("::1", NEIGHBOURS_PORT), family=socket.AF_INET6))
        abstract = socket.socket(socket.AF_UNIX)
        abstract.bind("\0neighbour")
        abstract.listen()
        opened.append(abstract)
        datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        datagrams.bind(("127.0.0.1", NEIGHBOURS_PORT))
        opened.append(datagrams)

    thread = threading.Thread(target=open_all)
    thread.start()
    thread.join()
    stack = ExitStack()
    for each in opened:
        stack.callback(stop, each)
        serve(each, answer_datagram if each.type == socket.SOCK_DGRAM else answer_stream)
    return stack
