"""The only interface of this package inside the jail. The template makes it, and each run's process uses it."""

import ctypes
import gc
import os
from collections.abc import Callable, Iterable, Sequence
from types import CodeType
from typing import Self

from sandbox_runtime.jail.protocol import InputsTable
from sandbox_runtime.jail.python_fork.main_script import MainScript
from sandbox_runtime.jail.python_fork.warm_start import WarmStart

# Keep the memory of forked processes shared: the kernel copies a page only when a process writes to it.
#
# A copied page costs two microseconds, and a run of a small program takes a few milliseconds. Most writes are
# reference counts, and CPython does not count the references of immortal objects, PEP 683.

# object.h of CPython 3.12 and 3.13, 64 bit: ob_refcnt comes first. With a negative lower half the object is immortal.
_IMMORTAL = 0xFFFF_FFFF


def keep_shared() -> None:
    """Make all live objects immortal, and hide them from the collector.

    After this the process must only fork.
    """
    gc.collect()
    _make_immortal()
    gc.collect()  # empties the free lists, which hold dead objects for reuse
    gc.freeze()


def _make_immortal() -> None:
    pending: list[object] = gc.get_objects()  # refers to each object until its count is written
    while pending:
        found = pending.pop()
        count = ctypes.c_ssize_t.from_address(id(found))
        if count.value != _IMMORTAL:
            count.value = _IMMORTAL
            pending.extend(_parts(found) if isinstance(found, CodeType) else gc.get_referents(found))
            if isinstance(found, str):
                hash(found)  # a string stores its hash at the first call


def _parts(code: CodeType) -> Iterable[object]:
    """Return the parts of a code object, which the collector does not track because it is no container."""
    return (
        *(code.co_consts, code.co_names, code.co_varnames, code.co_cellvars, code.co_freevars),
        *(code.co_filename, code.co_name, code.co_qualname, code.co_linetable, code.co_exceptiontable),
    )


# The interpreter and its libraries read these variables once, at their start. OPENSSL: the beginning of a name.
_READ_AT_START = ("TZ", "OPENSSL")
# After so many runs the template's own loop allocates no more lasting memory.
_SETTLED_AFTER = 3


class PythonFork:
    """Prepares the template for forks, and runs a script in a fork. Raises JailError.

    `directory`: working directory of the script. `guests_path`: `sys.path` without it. `collapse`: of
    `huge_pages.ArenasInHeap`.
    """

    def __init__(self, warm: WarmStart, directory: str, guests_path: list[str], collapse: Callable[[], object]) -> None:
        self._warm, self._collapse = warm, collapse
        self._script = MainScript(warm.imports, f"{directory}/{warm.argv[-1]}", guests_path, warm.setup)

    def share_memory(self) -> None:
        """In the template: let forks share its memory. After this the template must only fork."""
        keep_shared()
        self._collapse()

    def before_run(self, number: int) -> None:
        """In the template, before run `number`, counted from 0."""
        if number == _SETTLED_AFTER:
            self._collapse()

    def matches(
        self, argv: tuple[str, ...], environment: tuple[tuple[str, str], ...], inputs: InputsTable = ()
    ) -> bool:
        """Whether a run of this command may be a fork of the template.

        Not with a module of its own whose name the template has loaded, such as queue.py: the script would get ours.
        """
        if not self._warm.matches(argv, environment):
            return False
        return not any(self._script.has_loaded(path) for path, *_ in inputs)

    def with_variables(self, variables: Sequence[tuple[str, str]]) -> Self | None:
        """In the run's process: add to its environment. None: it must start by exec, with these variables."""
        if any(name.startswith(_READ_AT_START) for name, _ in variables):
            return None
        os.environ.update(variables)
        return self

    def get_ready(self, *, is_prewarmed: bool) -> None:
        """In the run's process: become a fresh interpreter. `is_prewarmed`: no client waits yet."""
        self._script.get_ready(is_prewarmed=is_prewarmed)

    def run(self) -> None:
        """Run the script to the interpreter's end. Never returns."""
        self._script.run()
