"""Kills of processes of a stack, each kind in turn, while some work is done."""

import random
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

from bench.processes import descendants, is_child
from tests.system.kill_run.killer import kill_child, kill_tree
from tests.system.local_stack import LocalStack, find_runner

_POLL_SECS = 0.05


class KillsInTurn:
    """Kills processes while work is done, each kind in turn, and starts a killed launcher again.

    `progress`: the part of the work that is done, from 0 to 1. The kills are spread over it.
    """

    def __init__(self, stack: LocalStack, progress: Callable[[], float], kills: int, seed: int) -> None:
        self._stack, self._progress, self._planned = stack, progress, kills
        self._chance = random.Random(seed)  # noqa: S311 - no secret comes of it
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._kill_all, daemon=True)
        self.kills: Counter[str] = Counter()

    def start(self) -> None:
        """Start to kill."""
        self._thread.start()

    def end(self) -> None:
        """Kill no more."""
        self._over.set()
        if self._thread.is_alive():
            self._thread.join()

    def _kill_all(self) -> None:
        rounds = self._planned // len(_VICTIMS) + 1
        planned = [kind for _ in range(rounds) for kind in self._chance.sample(list(_VICTIMS), len(_VICTIMS))]
        for number, kind in enumerate(planned[: self._planned]):
            while self._progress() < (number + 1) / (self._planned + 1):
                if self._over.wait(_POLL_SECS):
                    return
            while not self._kill(kind):
                if self._over.wait(_POLL_SECS):
                    return
            self.kills[kind] += 1

    def _kill(self, kind: str) -> bool:
        process = self._stack.process
        if process is None:
            return False
        if kind == "everything":
            kill_tree(process)
            self._stack.launch()
            return True
        victims = list(_VICTIMS[kind](process.pid))
        return bool(victims) and kill_child(*self._chance.choice(victims))


def _named(name: str) -> Callable[[int], Iterator[tuple[int, int]]]:
    def victims(launcher: int) -> Iterator[tuple[int, int]]:
        for pid in descendants(launcher)[1:]:
            with suppress(OSError):
                if Path(f"/proc/{pid}/comm").read_text(encoding="utf-8").strip() == name and is_child(pid, launcher):
                    yield pid, launcher

    return victims


def _runners(launcher: int) -> Iterator[tuple[int, int]]:
    if (runner := find_runner(launcher)) is not None:
        yield runner, launcher


def _templates(launcher: int) -> Iterator[tuple[int, int]]:
    for runner, _ in _runners(launcher):
        yield from ((pid, runner) for pid in descendants(runner)[1:] if is_child(pid, runner))


_VICTIMS: dict[str, Callable[[int], Iterator[tuple[int, int]]]] = {
    "everything": lambda _: iter(()),
    "functions": _named("rb-functions"),
    "background": _named("rb-background"),
    "runner": _runners,
    "template": _templates,
}
"""By kind: pids with their parents. `everything`: the launcher and all below it, at once."""
