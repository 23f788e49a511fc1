"""Slot configurations of the tests: as a worker has them, with the built process 1."""

from functools import cache
from pathlib import Path
from typing import Any

from sandbox_runtime.jail import BindMount, SlotConfig
from sandbox_runtime.languages import init_program

TOOLCHAINS = str(Path(__file__).parents[2] / ".toolchains")


@cache
def _init() -> str:
    built = init_program(TOOLCHAINS)
    assert built, "the tests need gcc to build process 1"
    return built


def slot_config(name: str, index: int, binds: tuple[BindMount, ...] = (), **more: Any) -> SlotConfig:
    """As `SlotConfig`."""
    return SlotConfig(name, index, binds, **{"small_init": _init(), **more})
