"""What a slot is opened with."""

from dataclasses import dataclass, field

from sandbox_runtime.jail.controls.mounts import BindMount
from sandbox_runtime.jail.evidence.in_force import CONTROLS, default_floor
from sandbox_runtime.jail.python_fork import WarmStart


@dataclass(frozen=True, slots=True)
class SlotConfig:
    """What a slot is opened with.

    `name`: unique among the live slots of this process. `index`: 0 to 63, gives the guests' user id.
    `required_controls`: the floor; below it no guest starts and `run` raises JailError.
    `warm`: runs of this command fork from a warm interpreter, where that is possible; None: all runs start by exec.
    `small_init`: directory of the built process 1, see `small_init`; "": it is a fork of the template, which is slower.
    """

    name: str
    index: int
    binds: tuple[BindMount, ...] = ()
    required_controls: tuple[str, ...] = field(default_factory=default_floor)
    warm: WarmStart | None = None
    small_init: str = ""

    def __post_init__(self) -> None:
        """Raises ValueError for a control that does not exist: a misspelt floor would be no floor."""
        unknown = sorted(set(self.required_controls) - set(CONTROLS))
        if unknown:
            raise ValueError(f"no such control: {', '.join(unknown)}")
