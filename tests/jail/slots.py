"""Slot configurations of the tests: as a worker has them, with the built process 1.

RUSTBOX_TEST_INIT: a folder with a built one, for a machine without a compiler.
"""

import os
from functools import cache
from pathlib import Path
from typing import Any

from sandbox_runtime.jail import BindMount, SlotConfig
from sandbox_runtime.languages import init_program
from sandbox_runtime.languages.python import INTERPRETER

PYTHON_FORK = os.environ.get("RUSTBOX_TEST_PYTHON_FORK") != "false"
# The interpreter of guests: a host may have no /usr/bin/python3.
PYTHON = INTERPRETER
TOOLCHAINS = str(Path(__file__).parents[2] / ".toolchains")


@cache
def _init() -> str:
    built = os.environ.get("RUSTBOX_TEST_INIT") or init_program(TOOLCHAINS)
    assert built, "the tests need gcc to build process 1"
    return built


def slot_config(name: str, index: int, binds: tuple[BindMount, ...] = (), **more: Any) -> SlotConfig:
    """As `SlotConfig`. RUSTBOX_TEST_PYTHON_FORK=false: as a worker with PYTHON_FORK=false."""
    if not PYTHON_FORK:
        more["warm"] = None
    return SlotConfig(name, index, binds, **{"small_init": _init(), **more})
