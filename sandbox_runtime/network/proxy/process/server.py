"""The egress proxy's process: its start, and its loop over the requests of the runner and the sockets of all runs."""

import contextlib
import json
import os
import select
import signal
import socket
import sys
import time
import traceback
from pathlib import Path
from typing import Final

import dns.rdata

from sandbox_runtime.jail.controls.seccomp import helper_program
from sandbox_runtime.network.confinement import MAX_FDS, MAX_MESSAGE_BYTES, Message, confine, send
from sandbox_runtime.network.model import AllowedHost, Failure
from sandbox_runtime.network.proxy import messages
from sandbox_runtime.network.proxy.process.run import Outside, RelayEnd, Run
from sandbox_runtime.network.proxy.process.target import Routes, system_resolvers
from sandbox_runtime.network.proxy.settings import ByteCounts

_TICK_SECS: Final = 0.1
_MAX_REPORTED_ERRORS: Final = 20
# Of the only run with an event. A run that comes meanwhile waits for so many, some 0.1 ms.
_STEPS_ALONE: Final = 3
# CPU time of a run in a tick while others have events, a fifth: 12 MiB, or 120 queries. A program that fetches one page
# after the other needs a tenth: it must not be paused beside a flood.
_SHARE_SECS: Final = 0.02


class Server:
    """One loop. Each run that waits for the process gets one event in turn, so a flood of one costs others one step.

    While other runs have events too, a run that has used its share of a tick waits for the next one.
    """

    def __init__(self, control: socket.socket, outside: Outside, max_runs: int) -> None:
        self._control, self._outside, self._max_runs = control, outside, max_runs
        self._runs: dict[str, Run] = {}
        self._by_fd: dict[int, Run] = {}
        self._used_secs: dict[int, float] = {}  # CPU time in this tick, by descriptor
        self._paused: set[int] = set()
        self._epoll = select.epoll()
        self._epoll.register(control.fileno(), select.EPOLLIN)
        self._errors_left = _MAX_REPORTED_ERRORS

    def serve(self) -> None:
        """Return when the runner has closed its end."""
        next_tick, control_fd = time.monotonic() + _TICK_SECS, self._control.fileno()
        while True:
            ready = self._epoll.poll(_TICK_SECS if self._runs else None)
            most_steps = _STEPS_ALONE if len(ready) == 1 else 1
            for fd, _ in ready:
                if fd != control_fd:
                    self._step(fd, most_steps)
                elif not self._handle_request():
                    return
            now = time.monotonic()
            if now >= next_tick:
                next_tick = now + _TICK_SECS
                self._tick(now)

    def _step(self, fd: int, most_steps: int) -> None:
        run = self._by_fd.get(fd)
        if run is None:
            return
        try:
            begun = time.thread_time()
            while most_steps and run.poll.step():
                most_steps -= 1
            spent = time.thread_time() - begun
            run.spend(spent)
        except Exception as error:  # noqa: BLE001 - an error of ours may end this run, and no other
            self._abandon(run, error)
        else:
            self._used_secs[fd] = used = self._used_secs.get(fd, 0.0) + spent
            if used > _SHARE_SECS and len(self._used_secs) > 1:
                self._epoll.unregister(fd)
                self._paused.add(fd)

    def _tick(self, now: float) -> None:
        self._used_secs.clear()
        for fd in self._paused:
            self._epoll.register(fd, select.EPOLLIN)
        self._paused.clear()
        for run in list(self._by_fd.values()):
            try:
                run.tick(now)
            except Exception as error:  # noqa: BLE001 - as above
                self._abandon(run, error)

    def _abandon(self, run: Run, error: Exception) -> None:
        self._report_error()
        self._forget(run)
        run.abandon(_cause(error))

    def _report_error(self) -> None:
        if self._errors_left:
            self._errors_left -= 1
            with contextlib.suppress(OSError):
                sys.stderr.write(traceback.format_exc())
                sys.stderr.flush()

    def _forget(self, run: Run) -> None:
        fd = next((fd for fd, known in self._by_fd.items() if known is run), None)
        if fd is not None:
            del self._by_fd[fd]
            if fd not in self._paused:
                self._epoll.unregister(fd)
            self._paused.discard(fd)

    def _handle_request(self) -> bool:
        """Answer one request. False at the end of file."""
        try:
            data, fds, _, _ = socket.recv_fds(self._control, MAX_MESSAGE_BYTES, MAX_FDS)
        except ConnectionResetError:
            return False
        if not data:
            return False
        request = json.loads(data)
        if request["kind"] == "open":
            answer = self._open(request, fds)
        else:
            answer = self._close(request["run"], now=request["now"])
        try:
            send(self._control, answer)
        except OSError:
            return False
        return True

    def _open(self, request: Message, fds: list[int]) -> Message:
        listeners, aliases = request["listeners"], request["aliases"]
        problem = ""
        if len(listeners) + 1 + bool(aliases) != len(fds):
            problem = f"{len(fds)} descriptors for {len(listeners)} listeners and the bytes"
        elif request["run"] in self._runs:
            problem = "this run is open"
        elif len(self._runs) >= self._max_runs:
            problem = "too many runs with network at once"
        if problem:
            for fd in fds:
                os.close(fd)
            return {"error": problem}
        hosts = [AllowedHost(pattern, port) for pattern, port in request["hosts"]]
        counts_fd, *listener_fds = fds
        relay = RelayEnd(aliases, socket.socket(fileno=listener_fds.pop(0))) if aliases else None
        sockets = [(kind, socket.socket(fileno=fd)) for (kind, _), fd in zip(listeners, listener_fds, strict=True)]
        try:
            try:
                counts = ByteCounts(counts_fd)
            finally:
                os.close(counts_fd)
            run = Run(hosts, sockets, self._outside, counts, relay)
        except Exception:  # noqa: BLE001 - as above
            self._report_error()
            for _, listener in sockets:
                listener.close()
            if relay is not None:
                relay.close()
            return {"error": Failure.PROXY_FAILED}
        self._runs[request["run"]] = self._by_fd[run.poll.fileno()] = run
        self._epoll.register(run.poll.fileno(), select.EPOLLIN)
        return {}

    def _close(self, run_id: str, *, now: bool) -> Message:
        run = self._runs.get(run_id)
        if run is None:
            return {"error": "there is no such run"}
        if run in self._by_fd.values():
            # Its descriptor is closed with it, and only an open one can be taken out of the loop.
            fd = run.poll.fileno()
            try:
                evidence = run.end(now=now)
            except Exception as error:  # noqa: BLE001 - as above
                self._abandon(run, error)
            else:
                if evidence is None:
                    return {"pending": True}
                del self._by_fd[fd]
                self._paused.discard(fd)
        del self._runs[run_id]
        return messages.evidence_message(run.evidence())


def _cause(error: Exception) -> str:
    """Return the type of an error and the line that raised it. Its text may hold bytes of a program."""
    frame, line = list(traceback.walk_tb(error.__traceback__))[-1]
    return f"{type(error).__name__} in {Path(frame.f_code.co_filename).name}, line {line}"


_POLICY: Final = Path(__file__).parent / "policy.txt"
_FDS_OF_PROCESS, _FDS_BESIDE_CONNECTIONS = 32, MAX_FDS


def main(control_fd: int) -> None:
    """Serve until the runner closes its end."""
    # A terminal's ^C goes to the whole session. The runner says when the process ends.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.set_blocking(2, False)  # nobody reads the errors while the process lives
    control = socket.socket(fileno=control_fd)
    first = json.loads(control.recv(MAX_MESSAGE_BYTES))
    settings = messages.settings_from(first)
    dns.rdata.load_all_types()  # type: ignore[no-untyped-call]  # no module can be imported later
    outside = Outside(settings, settings.resolvers or system_resolvers(), Routes())
    max_fds = confine(first["uid"], first["entry_fds"], helper_program(_POLICY.read_text()))
    # A connection has two sockets, and may have one more of a look-up.
    of_run = 3 * settings.limits.open_connections + _FDS_BESIDE_CONNECTIONS
    server = Server(control, outside, max_runs=min(settings.runs, (max_fds - _FDS_OF_PROCESS) // of_run))
    send(control, {"ready": True})
    server.serve()
    os._exit(0)  # nothing is left to do, and the end of an interpreter takes 0.3 s
