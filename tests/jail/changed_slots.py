"""Slots whose processes run another script than the jail's own."""

import textwrap

from sandbox_runtime.jail import Slot, SlotConfig

_START = """
import os, socket, sys
sys.path.insert(0, ROOT)
from sandbox_runtime.jail import errors, syscalls
from sandbox_runtime.jail.controls import identity
from sandbox_runtime.jail.inside import init
from sandbox_runtime.jail.controls import mounts
from sandbox_runtime.jail.controls import own_inodes
from sandbox_runtime.jail.inside import program
from sandbox_runtime.jail.controls import rlimits
from sandbox_runtime.jail.inside import small_init
from sandbox_runtime.jail.inside import template
from sandbox_runtime.jail.controls.seccomp import Program
def share_namespace(flag):
    template._PREPARED &= ~flag
    template._ALL &= ~flag
def refuse(*_):
    raise errors.JailError("mount", "overlay")
{change}
template.main(TERMS, PATH)
"""


OTHER_INIT = "small_init.load = lambda _: None\n"


class ChangedSlot(Slot):
    """A slot whose template runs `change` before anything else."""

    def __init__(self, config: SlotConfig, change: str) -> None:
        self._template_code = _START.format(change=textwrap.dedent(change))
        super().__init__(config)
