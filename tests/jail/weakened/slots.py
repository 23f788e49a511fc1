"""Slots in which one control is off. For tests only."""

from dataclasses import replace
from pathlib import Path

from sandbox_runtime.jail import Slot, SlotConfig
from tests.jail.weakened.changes import CHANGES

# The tests may lie elsewhere than the code that they test.
_START = (
    "import sys; sys.path[:0] = [ROOT, {root!r}]; "
    "from tests.jail.weakened.changes import main; main({control!r}, TERMS, PATH)"
)


class WeakenedSlot(Slot):
    """A slot whose template has been changed, see `changes`."""

    def __init__(self, config: SlotConfig, control: str) -> None:
        if control not in CHANGES:
            raise ValueError(f"no change of the template takes {control} away")
        self._template_code = _START.format(root=str(Path(__file__).parents[3]), control=control)
        # With the floor of the real one nothing would run.
        super().__init__(replace(config, required_controls=()))
