"""Build init, process 1 of a run (`jail/inside/small_init.c`), with the C compiler of the toolchains."""

import logging
import platform
from pathlib import Path

from sandbox_runtime.jail.controls.seccomp import SMALL_INIT, instructions
from sandbox_runtime.jail.inside.small_init import HEADER, INIT_FILE, INIT_SOURCE, START_FILE, START_SOURCE
from sandbox_runtime.languages.entry import Prepared
from sandbox_runtime.languages.gcc.small_programs import build
from sandbox_runtime.languages.preparation import PreparationError, make

_COMPILER = "/usr/bin/gcc"
_NAME = "init"
_OPTIONS = (
    *("-Os", "-ffreestanding", "-nostdlib", "-fno-stack-protector", "-fno-asynchronous-unwind-tables"),
    # No shadow stack and no vector registers, because nothing sets them up.
    *("-fcf-protection=none", "-mgeneral-regs-only"),
    *("-s", "-Wl,--build-id=none,-z,noexecstack,-z,norelro,-z,noseparate-code"),
)
_LOG = logging.getLogger(__name__)


def init_program(toolchains_dir: str) -> str:
    """Build init if it is missing. Returns the directory for `SlotConfig.small_init`; "" without a C compiler."""
    try:
        return str(make(_NAME, _prepared(), toolchains_dir))
    except PreparationError as error:
        _LOG.warning("init program not built; each run forks its init, which is slower", extra={"reason": str(error)})
        return ""


def build_init(directory: Path, start: Path = START_SOURCE) -> None:
    """Build both files in `directory`. Raises PreparationError."""
    options = (*_OPTIONS, f"-I{HEADER.parent}")
    build(
        _COMPILER, INIT_SOURCE, {}, directory / INIT_FILE, (*options, "-static", "-no-pie", "-fno-pie", _filter_macro())
    )
    build(_COMPILER, start, {}, directory / START_FILE, (*options, "-shared", "-fPIC"))


def _prepared() -> Prepared:
    recipe = " ".join((*_OPTIONS, _filter_macro())) + "".join(
        source.read_text() for source in (INIT_SOURCE, START_SOURCE, HEADER)
    )
    return Prepared(guest_path="", make=build_init, made_from=(_COMPILER,), recipe=recipe)


def _filter_macro() -> str:
    """The system-call filter as initialisers of `struct sock_filter`."""
    steps = instructions(platform.machine())[SMALL_INIT]
    return "-DFILTER=" + ",".join(f"{{{','.join(map(str, step))}}}" for step in steps)
