"""The loop of the egress proxy: a flood of one run costs another run one step, and no more than its share of a tick."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from sandbox_runtime.network.proxy import ProxySettings
from sandbox_runtime.network.proxy.process import server
from sandbox_runtime.network.proxy.process.run import Outside, Run
from sandbox_runtime.network.proxy.process.sockets import READ
from sandbox_runtime.network.proxy.process.target import Routes
from sandbox_runtime.network.proxy.settings import new_memory


class Loop:
    """A server with runs whose sockets are always readable. `steps`: the runs in the order of their events."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack
        self.control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        stack.enter_context(self.control)
        stack.enter_context(theirs)
        routes = Routes()
        stack.callback(routes._socket.close)
        self.server = server.Server(theirs, Outside(ProxySettings(), (), routes), max_runs=8)
        self.steps: list[str] = []

    def add(self, name: str, sockets: int, most_events: int) -> Run:
        self.server._open({"run": name, "hosts": [], "listeners": [], "aliases": []}, [new_memory()])
        run = self.server._runs[name]
        left = most_events

        def handle() -> None:
            nonlocal left
            self.steps.append(name)
            left -= 1
            if left <= 0:
                for ready in owned:
                    run.poll.forget(ready)
                if name == "last":
                    self.control.close()  # ends the loop

        owned = []
        for _ in range(sockets):
            ready, other = socket.socketpair()
            self._stack.enter_context(ready)
            self._stack.enter_context(other).send(b"x")
            run.poll.watch(ready, READ, handle)
            owned.append(ready)
        return run


@pytest.fixture
def loop() -> Iterator[Loop]:
    with ExitStack() as stack:
        yield Loop(stack)


def test_a_run_with_many_events_gets_one_step_for_each_of_another(loop: Loop) -> None:
    loop.add("flood", sockets=48, most_events=100_000)
    loop.add("last", sockets=1, most_events=20)
    loop.server.serve()
    between = [0]
    for name in loop.steps:
        if name == "flood":
            between[-1] += 1
        else:
            between.append(0)
    assert max(between[1:]) <= 1
    assert between[0] <= server._STEPS_ALONE


def test_the_sockets_of_a_run_take_turns(loop: Loop) -> None:
    seen: list[int] = []
    run = loop.add("last", sockets=0, most_events=1)
    for number in range(5):
        ready, other = socket.socketpair()
        loop._stack.enter_context(ready)
        loop._stack.enter_context(other).send(b"x")
        run.poll.watch(ready, READ, lambda number=number: seen.append(number))  # type: ignore[misc]
    for _ in range(20):
        assert run.poll.step()
    assert sorted(seen) == sorted(list(range(5)) * 4)


def test_a_run_that_has_used_its_share_waits_while_others_have_events(
    loop: Loop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "_TICK_SECS", 3600.0)
    monkeypatch.setattr("time.thread_time", lambda: loop.steps.count("flood") * 2 * server._SHARE_SECS)
    loop.add("flood", sockets=1, most_events=100_000)
    loop.add("last", sockets=1, most_events=300)
    loop.server.serve()
    assert loop.steps.count("flood") <= 1 + server._STEPS_ALONE
    assert loop.steps.count("last") >= 300


def test_a_run_alone_is_not_held_up(loop: Loop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "_SHARE_SECS", 0.0)
    monkeypatch.setattr(server, "_TICK_SECS", 3600.0)
    loop.add("last", sockets=4, most_events=1_000)
    loop.server.serve()
    assert loop.steps.count("last") >= 1_000
