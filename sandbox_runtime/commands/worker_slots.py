"""Open the slots of a worker: its own, those of waiting commands, and those of interactors."""

import os
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from threading import Event

from sandbox_runtime.commands import exit_codes
from sandbox_runtime.commands.exit_codes import CommandError
from sandbox_runtime.jail import (
    BindMount,
    JailError,
    SetUpCpus,
    Slot,
    SlotConfig,
    TransientJailError,
    WarmStart,
    open_slot,
)
from sandbox_runtime.languages import (
    Language,
    binds,
    data_start,
    imports_packages,
    init_program,
    prewarm_spec,
    tried_warm_start,
    waiting_specs,
)
from sandbox_runtime.prewarm import DataSlot, PrewarmedSlot, WaitingPool
from sandbox_runtime.settings import MAX_SLOTS, WorkerSettings
from sandbox_runtime.worker import MOST_INTERACTORS, InteractorSlots, ManagedSlot


@dataclass(frozen=True, slots=True)
class _Opener:
    """Opens slots of one worker. The number of a slot gives its guests' user id, so no two slots share one."""

    binds: tuple[BindMount, ...]
    floor: tuple[str, ...]
    warm: WarmStart | None
    small_init: str
    set_up_cpus: SetUpCpus | None

    def own(self, index: int) -> Slot:
        """Open one of the worker's own slots: the first numbers."""
        return self._open(f"slot-{index}", index, self.warm, self.set_up_cpus)

    def waiting(self, index: int) -> Slot:
        """Open the slot of a waiting command: the numbers after those of the worker's own slots."""
        return self._open(f"waiting-{index}", MAX_SLOTS + index)

    def data(self, index: int, warm: WarmStart) -> Slot:
        """Open a data slot: the numbers before those of interactors."""
        return self._open(f"data-{index}", MAX_SLOTS * 2 - MOST_INTERACTORS - 1 - index, warm)

    def interactor(self, index: int) -> Slot:
        """Open the slot of an interactor: the last numbers."""
        return self._open(f"interactor-{index}", MAX_SLOTS * 2 - MOST_INTERACTORS + index)

    def _open(
        self, name: str, number: int, warm: WarmStart | None = None, set_up_cpus: SetUpCpus | None = None
    ) -> Slot:
        return open_slot(SlotConfig(name, number, self.binds, self.floor, warm, self.small_init, set_up_cpus))


def open_worker_slots(
    found: WorkerSettings,
    floor: tuple[str, ...],
    languages: Mapping[str, Language],
    stack: ExitStack,
    stop: Event,
) -> tuple[tuple[ManagedSlot, ...], InteractorSlots]:
    """Open the slots; fewer when `stop` is set meanwhile. Those of interactors open later. Raises CommandError.

    `stack` closes all of them but those of interactors, which the worker closes.
    """
    offered, toolchains_dir = tuple(languages.values()), found.toolchains_dir
    warm = tried_warm_start(offered, toolchains_dir, floor, found.trials_dir) if found.python_fork else None
    set_up_cpus = choose_set_up_cpus(found)
    opener = _Opener(binds(offered, toolchains_dir), floor, warm, init_program(toolchains_dir), set_up_cpus)
    waiting = waiting_specs(offered, toolchains_dir) if found.waiting_commands else ()
    pool, prewarmed = WaitingPool(waiting, opener.waiting), prewarm_spec(offered)
    stack.callback(pool.close)
    data: list[DataSlot] = []
    if warm is not None and (start := data_start(offered)) is not None:
        wants = partial(imports_packages, start)
        data = [DataSlot(partial(opener.data, 0, start), wants)]
        if found.slots > 1:
            data.append(DataSlot(partial(opener.data, 1, start), wants, opening_secs=0))
        for one in data:
            stack.callback(one.close)

    def open_managed(index: int) -> ManagedSlot | None:
        if stop.is_set():
            return None
        managed_slot = ManagedSlot(index, lambda number: PrewarmedSlot(opener.own(number), pool, data), prewarmed)
        stack.callback(managed_slot.close)
        return managed_slot

    managed_slots = _opened(open_managed, found.managed_slots)
    if not stop.is_set():
        pool.start()
        for one in data:
            one.start()
    return managed_slots, InteractorSlots(lambda index: PrewarmedSlot(opener.interactor(index), pool))


def choose_set_up_cpus(found: WorkerSettings) -> SetUpCpus | None:
    """Return the CPUs on which runs are set up; None leaves the choice to the kernel."""
    cpus = os.sched_getaffinity(0)
    # With fewer slots than CPUs there is an idle CPU for each run, and only the kernel knows which ones are idle.
    return SetUpCpus(cpus) if found.pin_set_up and found.slots >= len(cpus) else None


def _opened(open_managed: Callable[[int], ManagedSlot | None], count: int) -> tuple[ManagedSlot, ...]:
    # A template takes a sixth of a second of one core.
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as threads:
        opening = [threads.submit(open_managed, index) for index in range(count)]
    try:
        return tuple(slot for future in opening if (slot := future.result()) is not None)
    except TransientJailError as error:
        raise CommandError(exit_codes.TRY_AGAIN, f"a slot was not opened, and may be next time: {error}") from error
    except JailError as error:
        raise CommandError(exit_codes.PLATFORM_FAILURE, f"a slot cannot be opened: {error} (see `doctor`)") from error
