"""Kills the parts of a local stack by plan, and restarts its launcher whenever it has died."""

import math
import os
import random
import re
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from bench.processes import descendants
from infra.embedded.engine import identify, is_alive
from tests.system.kill_run.facts import Generation, Kill
from tests.system.kill_run.history import DAY_SECS
from tests.system.kill_run.plan import Plan, PlannedKill, Victim
from tests.system.local_stack import LocalStack, find_runner

_PRESENT_SECS = 3.0
_POLL_SECS = 0.02
_REPLACED = re.compile(
    rb"(\d\d):(\d\d):(\d\d\.\d{3}) stack +rb-(functions|background) (\d+) ended \((signal|exit code) (\d+)\)"
)
_STOP_SECS = 120.0


class Killer:
    """Owns the launcher from `start` to `finish`. `missing`: required victims that it has not killed yet."""

    def __init__(self, stack: LocalStack, plan: Plan, seed: int) -> None:
        self._stack = stack
        self._plan = plan
        self._chance = random.Random(seed)  # noqa: S311 - no secret comes of it
        self._failpoints = iter(plan.failpoints)
        self._over = threading.Event()
        self._failpoint: str | None = None
        self._killed_as: PlannedKill | None = None
        self._signals: dict[int, signal.Signals] = {}
        self._ending: set[int] = set()
        self._log_begins = 0
        self._log_seen = 0
        self._works_after = 0
        self._threads = [threading.Thread(target=task, daemon=True) for task in (self._kill_all, self._keep_alive)]
        self.kills: list[Kill] = []
        self.generations: list[Generation] = []
        self.runners: set[int] = set()
        self.problems: list[str] = []
        self.missing = [kill.victim for kill in plan.required]

    def start(self) -> None:
        """Start to kill. The stack is ready, and its launcher is the first generation."""
        self._log_begins = self._log_seen = self._stack.log_path.stat().st_size
        self.generations.append(Generation(launched_at=time.time() - _PRESENT_SECS))
        for thread in self._threads:
            thread.start()

    def finish(self, timeout_secs: float) -> None:
        """Wait until the time for kills is over. After it nothing is killed, and a launcher runs."""
        self._threads[0].join(timeout_secs)
        self.end()

    def end(self) -> None:
        """Stop killing."""
        self._over.set()
        for thread in self._threads:
            thread.join()

    def close(self) -> None:
        """Read the log of the last generation, after its launcher has ended."""
        self.generations[-1].log = self._log_of_generation()
        self._note_runner()

    def _kill_all(self) -> None:
        """Kill every required victim, however long that takes, then the others while the time of the plan lasts."""
        ends = time.monotonic() + self._plan.secs
        for kill in self._plan.required:
            while not self._kill_in_time(kill, math.inf):
                if self._over.is_set():
                    return
            self.missing.remove(kill.victim)
        for kill in self._plan.kills:
            if time.monotonic() >= ends or self._over.is_set():
                return
            self._kill_in_time(kill, ends)

    def _kill_in_time(self, kill: PlannedKill, ends: float) -> bool:
        """Kill one victim at its turn, and return whether that succeeded; kill nothing from `ends` on."""
        while (kill.settled and not self._works()) or (self.missing and self._has_required_failpoint()):
            if time.monotonic() >= ends or self._over.wait(_POLL_SECS):
                return False
        if self._over.wait(min(kill.pause_secs, max(0.0, ends - time.monotonic()))) or time.monotonic() >= ends:
            return False
        return self._kill(kill)

    def _has_required_failpoint(self) -> bool:
        return self._failpoint is not None and self._failpoint == self._plan.required_failpoint

    def _works(self) -> bool:
        """Whether a runner has started since the last kill of one, or of its launcher."""
        with self._stack.log_path.open("rb") as log:
            log.seek(self._works_after)
            return b"worker started" in log.read()

    def _kill(self, planned: PlannedKill) -> bool:
        """Kill one process of the kind; False if none appears in time, as while the launcher starts."""
        if planned.victim in {Victim.EVERYTHING, Victim.LAUNCHER, Victim.RUNNER}:
            self._works_after = self._stack.log_path.stat().st_size
        deadline = time.monotonic() + _PRESENT_SECS
        while time.monotonic() < deadline and not self._over.is_set():
            self._note_runner()
            if planned.victim in {Victim.LAUNCHER, Victim.EVERYTHING}:
                process = self._stack.process
                if process is not None and process.poll() is None:
                    self._kill_launcher(process, planned)  # `_keep_alive` notes it
                    return True
            else:
                victims = list(self._victims(planned.victim))
                if victims and self._kill_child(planned, *self._chance.choice(victims)):
                    return True
            time.sleep(_POLL_SECS)
        return False

    def _kill_child(self, planned: PlannedKill, pid: int, parent: int) -> bool:
        is_of_launcher = planned.victim in {Victim.FUNCTIONS, Victim.BACKGROUND}
        if is_of_launcher:
            self._signals[pid] = planned.signal  # before its end is in the log: `_note_replaced` notes it
            if planned.victim is Victim.FUNCTIONS or planned.signal in {signal.SIGKILL, signal.SIGTERM}:
                self._ending.add(pid)  # the background process ignores the other signals
        if not kill_child(pid, parent, planned.signal):
            self._ending.discard(pid)
            return False
        if not is_of_launcher:
            self.kills.append(Kill(planned.victim, time.time(), signal=planned.signal))
        return True

    def _victims(self, kind: Victim) -> Iterator[tuple[int, int]]:
        """Yield pids with their parents, so that no other process with a reused pid is killed."""
        with suppress(OSError, ValueError, KeyError):
            launcher = self._stack.process
            if launcher is None or (runner := find_runner(launcher.pid)) is None:
                return
            if kind is Victim.RUNNER:
                yield runner, launcher.pid
                return
            if kind in {Victim.BACKGROUND, Victim.FUNCTIONS}:
                yield from ((pid, launcher.pid) for pid in _children_of(launcher.pid) if _name_of(pid) == f"rb-{kind}")
                return
            for template in _children_of(runner):
                if kind is Victim.TEMPLATE:
                    yield template, runner
                else:
                    yield from ((guest, template) for guest in _children_of(template))

    def _keep_alive(self) -> None:
        gives_up_at = math.inf
        while True:
            process = self._stack.process
            self._note_replaced()
            if process is not None and process.poll() is None:
                if not self._over.is_set():
                    self._over.wait(_POLL_SECS)
                    gives_up_at = time.monotonic() + _STOP_SECS
                elif self._ending and time.monotonic() < gives_up_at:
                    time.sleep(_POLL_SECS)
                elif self._failpoint is None:
                    self.problems += [f"the process {pid} did not end of its signal" for pid in self._ending]
                    return
                else:  # one of its processes would die later, uncounted
                    self._kill_launcher(process, PlannedKill(Victim.LAUNCHER, 0, settled=False))
                continue
            self._end_launcher()
            if self.problems:
                return
            # Order: while `_works` may still mean the dead launcher, the failpoint still belongs to it.
            self._log_begins = self._log_seen = self._works_after = self._stack.log_path.stat().st_size
            self._failpoint = failpoint = None if self._over.is_set() else next(self._failpoints, None)
            self.generations.append(Generation(launched_at=time.time()))
            self._stack.launch(**({"RUSTBOX_FAILPOINT": failpoint} if failpoint else {}))

    def _note_replaced(self) -> None:
        """Note the ends of single processes of the launcher. One that got no signal of ours died at the failpoint."""
        with self._stack.log_path.open("rb") as log:
            log.seek(self._log_seen)
            text = log.read()
        text = text[: text.rfind(b"\n") + 1]
        for found in _REPLACED.finditer(text):
            victim, pid, at = Victim(found[4].decode()), int(found[5]), _time_of(*found.groups()[:3])
            self._ending.discard(pid)
            failpoint, number = None, self._signals.get(pid)
            if number is None:
                failpoint, self._failpoint, number = self._failpoint, None, signal.SIGKILL
                if (found[6], int(found[7])) != (b"signal", number):
                    self.problems.append(f"it ended by itself: {found[0].decode()}")
            self.kills.append(Kill(victim, at, failpoint, number))
            if victim is Victim.FUNCTIONS:
                self._end_generation(at, self._log_seen + found.end())
                self._log_begins = self._log_seen + found.end()
                self.generations.append(Generation(launched_at=at))
        self._log_seen += len(text)

    def _kill_launcher(self, process: subprocess.Popen[bytes], planned: PlannedKill) -> None:
        self._killed_as = planned
        if planned.victim is Victim.EVERYTHING:
            kill_tree(process)
        else:
            process.send_signal(planned.signal)
            try:
                process.wait(_STOP_SECS)
            except subprocess.TimeoutExpired:
                self.problems.append(f"{planned.signal.name} did not end the launcher within {_STOP_SECS:.0f} s")
                process.kill()

    def _end_launcher(self) -> None:
        self._end_generation(time.time())
        self._ending.clear()
        planned, self._killed_as = self._killed_as, None
        code = self._stack.process.returncode if self._stack.process is not None else None
        # Before its first child it ends of the signal; from then on it stops in order.
        is_expected = planned is not None and code in {-planned.signal, 0 if planned.signal != signal.SIGKILL else None}
        if planned is None or not is_expected:
            self.problems.append(f"the launcher ended by itself with {code}\n{self.generations[-1].log[-2000:]}")
        else:
            self.kills.append(Kill(planned.victim, time.time(), signal=planned.signal))

    def _end_generation(self, at: float, log_ends: int | None = None) -> None:
        generation = self.generations[-1]
        generation.ended_at, generation.log = at, self._log_of_generation(log_ends)

    def _log_of_generation(self, log_ends: int | None = None) -> str:
        with self._stack.log_path.open("rb") as log:
            log.seek(self._log_begins)
            return log.read(-1 if log_ends is None else log_ends - self._log_begins).decode(errors="replace")

    def _note_runner(self) -> None:
        launcher = self._stack.process
        if launcher is not None and (runner := find_runner(launcher.pid)) is not None:
            self.runners.add(runner)


def kill_tree(process: subprocess.Popen[bytes]) -> None:
    """SIGKILL a launcher and all processes below it: the launcher first, so that it replaces nothing."""
    below = {pid: identify(pid) for pid in descendants(process.pid)[1:]}
    process.kill()
    for pid, victim in below.items():
        with suppress(ProcessLookupError):
            fd = os.pidfd_open(pid)
            try:
                # Order: as in `kill_child`.
                if is_alive(victim):
                    signal.pidfd_send_signal(fd, signal.SIGKILL)
            finally:
                os.close(fd)
    process.wait()


def kill_child(pid: int, parent: int, number: signal.Signals = signal.SIGKILL) -> bool:
    """Send a signal to `pid` if it is still the child of `parent`."""
    try:
        fd = os.pidfd_open(pid)
    except ProcessLookupError:
        return False
    try:
        # Order: the pidfd pins the process before the check, so that the check holds for the process that is killed.
        if not is_alive(identify(pid)) or _parent_of(pid) != parent:
            return False
        signal.pidfd_send_signal(fd, number)
    except ProcessLookupError:
        return False
    finally:
        os.close(fd)
    return True


def functions_of(launcher: int) -> list[int]:
    """Return the pids of the processes of a launcher that run functions."""
    found = []
    for pid in _children_of(launcher):
        with suppress(OSError):
            found += [pid] if _name_of(pid) == f"rb-{Victim.FUNCTIONS}" else []
    return found


def _time_of(hours: bytes, minutes: bytes, secs: bytes) -> float:
    """Return the time of a log line: this class may read it later, when the next process sends already."""
    now = time.time()
    midnight = time.mktime((*time.localtime(now)[:3], 0, 0, 0, 0, 0, -1))
    at = midnight + int(hours) * 3600 + int(minutes) * 60 + float(secs)
    return at if at <= now + 1 else at - DAY_SECS


def _parent_of(pid: int) -> int:
    """Return the parent's pid. Raises OSError if there is no such process."""
    stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    return int(stat.rpartition(")")[2].split()[1])


def _name_of(pid: int) -> str:
    return Path(f"/proc/{pid}/comm").read_text(encoding="utf-8", errors="replace").strip()


def _children_of(pid: int) -> list[int]:
    found: list[int] = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError):
                if _parent_of(int(entry.name)) == pid:
                    found.append(int(entry.name))
    return found
