"""Forks the processes of the stack, replaces those that die, and stops them in order.

The launcher stays without threads, so that it can fork at any time. Its processes share the memory of its imports,
and open their connections after the fork.
"""

from __future__ import annotations

import ctypes
import os
import select
import signal
import time
import traceback
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from infra.local.console import Console

STOP_SIGNALS: Final = frozenset({signal.SIGINT, signal.SIGTERM, signal.SIGHUP})
_SIGNALS: Final = STOP_SIGNALS | {signal.SIGCHLD}
DRAIN_SIGNAL: Final = signal.SIGUSR1
"""Tells a process to serve no more requests, and to go on with its other work."""
_PR_SET_PDEATHSIG: Final = 1  # prctl(2)
# A process that lived this long was well: it is replaced at once. Another one waits, twice as long each time.
_STEADY_SECS: Final = 2.0
_FIRST_BACKOFF_SECS: Final = 0.5
_MAX_BACKOFF_SECS: Final = 30.0


@dataclass(slots=True)
class Child:
    """One process. `run` gets a descriptor, which it closes when it has drained.

    It begins with blocked signals, and ends on each of STOP_SIGNALS with exit code 0. `name` has at most 15
    characters: tools such as `top` show it.
    `is_hopeless` tells from an exit code that no new start can help: the whole stack stops then.
    """

    name: str
    run: Callable[[int], int]
    is_hopeless: Callable[[int], bool] = field(default=lambda _code: False)
    stop_secs: float = 60.0
    pid: int = 0
    drained: int = -1
    started: float = 0.0
    start_at: float = 0.0
    backoff_secs: float = _FIRST_BACKOFF_SECS

    @property
    def is_running(self) -> bool:
        return self.pid != 0

    def start(self) -> None:
        """Fork. From the first start on, signals of the launcher wait for `ChildProcesses.run`."""
        signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
        launcher_pid = os.getpid()
        drained, told = os.pipe2(os.O_CLOEXEC)
        pid = os.fork()
        if pid == 0:
            _become(self, launcher_pid, told)
        os.close(told)
        self.pid, self.drained, self.started = pid, drained, time.monotonic()


def unblock_signals() -> None:
    """Let signals act, in a child that has set its handlers."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)


class ChildProcesses:
    """`first`: the children that drain first and end last. `then`: those that end in between, one after the other.

    `release` is called when a stop begins.
    """

    def __init__(
        self, first: Sequence[Child], then: Sequence[Child], release: Callable[[], None], console: Console
    ) -> None:
        self._first = first
        self._then = then
        self._children = (*then, *first)
        self._release = release
        self._console = console

    def run(self) -> int:
        """Keep all children alive until a signal asks for the stop, or one is hopeless. Return the exit code."""
        hopeless: Child | None = None
        while hopeless is None:
            pause_secs = self._start_due()
            got = signal.sigtimedwait(_SIGNALS, pause_secs)
            hopeless = self._reap()
            if got is not None and got.si_signo in STOP_SIGNALS:
                break
        self._console.line("stack", "stopping")
        self._stop()
        if hopeless is not None:
            self._console.line("stack", f"{hopeless.name} cannot work, for the reason above", "error")
        self._console.line("stack", "stopped")
        return 0 if hopeless is None else 1

    def _start_due(self) -> float:
        """Start the children whose time has come. Return the seconds until the next one's."""
        now = time.monotonic()
        for child in self._children:
            if not child.is_running and child.start_at <= now:
                try:
                    child.start()
                except OSError as error:  # such as a full process table
                    child.start_at = now + _MAX_BACKOFF_SECS
                    self._console.line("stack", f"{child.name} cannot be started: {error.strerror}", "error")
        waiting = [child.start_at - now for child in self._children if not child.is_running]
        return min(waiting, default=3600.0)

    def _reap(self) -> Child | None:
        """Plan a new start for each child that has ended. Return one that is hopeless."""
        for child in self._children:
            pid = child.pid
            if not child.is_running or (code := _exit_code(child)) is None:
                continue
            if child.is_hopeless(code):
                return child
            now = time.monotonic()
            is_steady = now - child.started > _STEADY_SECS
            pause_secs = 0.0 if is_steady else child.backoff_secs
            child.backoff_secs = _FIRST_BACKOFF_SECS if is_steady else min(2 * child.backoff_secs, _MAX_BACKOFF_SECS)
            child.start_at = now + pause_secs
            how = f"signal {-code}" if code < 0 else f"exit code {code}"
            text = f"{child.name} {pid} ended ({how}): starting another in {pause_secs:g} s"
            self._console.line("stack", text, "error")
        return None

    def _stop(self) -> None:
        self._release()
        for child in self._first:
            _send(child, DRAIN_SIGNAL)
        for child in self._first:
            _wait_until_drained(child)
        for child in self._then:
            self._end([child])
        self._end(self._first)

    def _end(self, children: Sequence[Child]) -> None:
        for child in children:
            _send(child, signal.SIGTERM)
        for child in children:
            deadline = time.monotonic() + child.stop_secs
            while child.is_running and _exit_code(child) is None:
                if time.monotonic() > deadline:
                    self._console.line("stack", f"{child.name} did not end in time: killed", "warning")
                    _send(child, signal.SIGKILL)
                    deadline = time.monotonic() + child.stop_secs
                signal.sigtimedwait({signal.SIGCHLD}, 0.2)


def _become(child: Child, launcher_pid: int, told: int) -> None:
    """Be the child; does not return."""
    code = 1
    try:
        _die_with(launcher_pid)
        os.setsid()  # Ctrl-C on the terminal is for the launcher alone
        Path("/proc/self/comm").write_text(child.name, encoding="ascii")
        code = child.run(told)
    except BaseException:  # noqa: BLE001 - this process ends after any error
        traceback.print_exc()
    finally:
        # Handlers that wait for a result hold their threads for up to 28 s, and a normal exit would wait for them;
        # their clients are gone and the table keeps what matters.
        os._exit(code)


def _die_with(launcher_pid: int) -> None:
    if ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG)")
    # Order: only behind the prctl can a launcher that is gone already be noticed without a gap.
    if os.getppid() != launcher_pid:
        raise ProcessLookupError("the launcher is gone")


def _exit_code(child: Child) -> int | None:
    """Collect a child that has ended: its code, negative for a signal. None while it runs."""
    pid, status = os.waitpid(child.pid, os.WNOHANG)
    if pid == 0:
        return None
    os.close(child.drained)
    child.pid, child.drained = 0, -1
    return os.waitstatus_to_exitcode(status)


def _send(child: Child, number: signal.Signals) -> None:
    # A pid that was not waited for yet belongs to nobody else.
    if child.is_running:
        os.kill(child.pid, number)


def _wait_until_drained(child: Child) -> None:
    if child.is_running:
        poller = select.poll()
        poller.register(child.drained, select.POLLIN)
        poller.poll(child.stop_secs * 1000)
