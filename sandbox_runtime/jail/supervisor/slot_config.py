"""Configuration of a slot."""

from dataclasses import dataclass

from sandbox_runtime.jail.controls.mounts import BindMount
from sandbox_runtime.jail.evidence.in_force import CONTROLS, STRICT_CONTROLS
from sandbox_runtime.jail.python_fork import WarmStart
from sandbox_runtime.jail.supervisor.set_up_cpus import SetUpCpus


@dataclass(frozen=True, slots=True)
class SlotConfig:
    """Arguments of `open_slot`.

    `name`: unique among the live slots of this process. `index`: 0 to 63, gives the guests' user id.
    `required_controls`: the floor. When one of them is not in force, no guest starts and `run` raises JailError.
    `warm`: runs of this command fork from a warm interpreter, if the host supports it; None: all runs start by exec.
    `small_init`: directory of the built small init; "": each run forks its init from the template, which is slower.
    `set_up_cpus`: chooses the CPU on which each run is set up; None: the kernel does, which is slower.
    """

    name: str
    index: int
    binds: tuple[BindMount, ...] = ()
    required_controls: tuple[str, ...] = STRICT_CONTROLS
    warm: WarmStart | None = None
    small_init: str = ""
    set_up_cpus: SetUpCpus | None = None

    def __post_init__(self) -> None:
        """Raises ValueError for an unknown control: a misspelt name would silently lower the floor."""
        unknown = sorted(set(self.required_controls) - set(CONTROLS))
        if unknown:
            raise ValueError(f"no such control: {', '.join(unknown)}")
