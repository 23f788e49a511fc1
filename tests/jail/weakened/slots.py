"""Slots in which one control is off. For tests only."""

from dataclasses import replace

from sandbox_runtime.jail import Slot, SlotConfig
from tests.jail.weakened.changes import CHANGES

_START = (
    "import sys; sys.path.insert(0, sys.argv[1]); from tests.jail.weakened.changes import main; main({!r}, sys.argv[2])"
)


class WeakenedSlot(Slot):
    """A slot whose template has been changed, see `changes`."""

    def __init__(self, config: SlotConfig, control: str) -> None:
        if control not in CHANGES:
            raise ValueError(f"no change of the template takes {control} away")
        self._template_code = _START.format(control)
        # Below the floor of a real jail no guest would start.
        super().__init__(replace(config, required_controls=()))
