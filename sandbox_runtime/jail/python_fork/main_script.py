"""Run a script as the interpreter's main program, in a process that was forked from a warm template.

The script must see the same as with `python3 SCRIPT`: an empty call stack, a fresh `__main__`, the full recursion
limit, and the same end: tracebacks, exit codes, threads, atexit, flushing, destructors.
"""

import builtins
import ctypes
import importlib
import importlib.machinery
import os
import random
import sys
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from types import ModuleType

from sandbox_runtime.jail import syscalls
from sandbox_runtime.jail.errors import JailError
from sandbox_runtime.jail.python_fork import script_end
from sandbox_runtime.jail.python_fork.call_stack import CallStack

_PACKAGE = __name__.partition(".")[0]
_FILE_INPUT = 257  # Py_file_input, cpython/compile.h
_WARMING = """
import math
class Warm:
    def __init__(self, size): self.size = size
    def double(self): return self.size * 2
def work(count):
    return sum(Warm(n).double() for n in range(count) if n % 2)
text = " ".join(str(n) for n in [work(5), math.sqrt(4)]) + f"{3:.2f}"
"""
_WARMING_ROUNDS = 20
_MODULE_SUFFIXES = ("py", "pyc", "so")
_SHORT_SCRIPT = "text = str(len([1, 2])) + f'{3:.2f}'\n"


class MainScript:
    """Make it in the template, so that its preparation costs the runs nothing. Raises JailError.

    In a forked process call `get_ready`, which needs no script yet, then `run`. `path`: absolute path of the script.
    `guests_path`: `sys.path` of a script, without its own directory. `setup`: of `WarmStart`.
    """

    def __init__(self, imports: Iterable[str], path: str, guests_path: list[str], setup: str = "") -> None:
        self._path = path
        self._namespace: dict[str, object] = {}
        self._stack = CallStack()
        libc = ctypes.CDLL(None, use_errno=True)
        self._open_file, self._run_file = libc.fopen, ctypes.pythonapi.PyRun_FileExFlags
        self._open_file.restype = ctypes.c_void_p
        self._run_file.restype = ctypes.py_object
        self._run_file.argtypes = [
            *(ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int),
            *(ctypes.py_object, ctypes.py_object, ctypes.c_int, ctypes.c_void_p),
        ]
        for entry in guests_path:
            if sys.path_importer_cache.get(entry, entry) is None and os.path.isdir(entry):
                del sys.path_importer_cache[entry]  # the host has no such folder, but guests have
        for name in imports:
            with suppress(ImportError):  # not installed here; a script that needs it gets the error
                importlib.import_module(name)
        own_text: dict[str, Callable[[], None]] = {}
        if setup:
            exec(compile(setup, "<setup>", "exec"), own_text)  # noqa: S102 - of the supervisor
        self._after_fork = own_text.get("after_fork")
        for _ in range(_WARMING_ROUNDS):
            exec(compile(_WARMING, "<warm>", "exec"), {"__name__": "warm"})  # noqa: S102 - our own text above
        self._reseed = random.seed
        self._main_thread = threading.main_thread()
        _hide_traces(os.path.dirname(path), guests_path)
        sys.path_importer_cache[path] = None  # pymain_run_python asked whether the script is a package
        # The script's `__main__` must come after all inherited modules: see `script_end`.
        self._main = sys.modules.pop("__main__")
        self._inherited = dict(sys.modules)

    def has_loaded(self, path: str) -> bool:
        """Whether a file beside the script, or in a folder beside it, hides behind a module that is loaded already."""
        name, _, rest = path.partition("/")
        stem, _, suffix = name.partition(".")
        return (bool(rest) or suffix.endswith(_MODULE_SUFFIXES)) and stem in self._inherited

    def get_ready(self, *, is_prewarmed: bool) -> None:
        """Make this process equal to a freshly started interpreter. `is_prewarmed`: no client waits yet.

        os.fork() also renews every lock in a child. A process that never had a second thread and holds no lock does not
        need that. A test checks that no other hooks exist.
        """
        self._reseed()
        if self._after_fork is not None:
            self._after_fork()
        self._main_thread._set_native_id()  # type: ignore[attr-defined] # noqa: SLF001 - its own fork hook calls this
        # The change of identity cleared it, and a program may read its own /proc files.
        syscalls.prctl("set dumpable", syscalls.PR_SET_DUMPABLE, 1)
        main = ModuleType("__main__")
        main.__dict__.update(
            __loader__=importlib.machinery.SourceFileLoader("__main__", self._path),
            __annotations__={},
            __builtins__=builtins,
            __file__=self._path,
            __cached__=None,
        )
        sys.modules["__main__"] = main
        self._namespace = main.__dict__
        if is_prewarmed:
            self._write_ahead()

    def _write_ahead(self) -> None:
        """While no client waits, write to the pages that a script will write to, so that they are copied in advance."""
        namespace: dict[str, object] = {"__name__": "warm"}
        file = self._open_file(os.devnull.encode(), b"rb")
        if file:
            self._stack.call(self._run_file, file, b"", _FILE_INPUT, namespace, namespace, True, None)
        exec(compile(_SHORT_SCRIPT, "<warm>", "exec"), namespace)  # noqa: S102 - our own text above
        del namespace
        script_end.write_ahead(self._stack, self._inherited)

    def run(self) -> None:
        """Never returns."""
        name = self._path.encode()
        file = self._open_file(name, b"rb")
        if not file:
            raise JailError("open script", os.path.basename(self._path), ctypes.get_errno())
        namespace, self._namespace = self._namespace, {}  # at the end only the module may refer to it
        uncaught = self._execute(file, name, namespace)
        # From here on no exception is being handled, because hooks and exit functions must not see one.
        script_end.flush_io(self._stack)
        code = 0
        if isinstance(uncaught, SystemExit):
            code = script_end.exit_code(uncaught)
        else:
            if uncaught is not None:
                code = script_end.show(self._stack, uncaught)
            for gone in ("__file__", "__cached__"):
                namespace.pop(gone, None)
        del namespace
        interrupted = isinstance(uncaught, KeyboardInterrupt)
        del uncaught
        script_end.end(self._stack, code, self._inherited, interrupted=interrupted)

    def _execute(self, file: int, name: bytes, namespace: dict[str, object]) -> BaseException | None:
        """Run the script. Returns its uncaught exception, or None."""
        try:
            self._stack.call(self._run_file, file, name, _FILE_INPUT, namespace, namespace, True, None)
        except BaseException as error:  # noqa: BLE001 - the script may raise anything
            # The first two entries are of this method and of `CallStack.call`.
            rest = error.__traceback__.tb_next if error.__traceback__ else None
            error.__traceback__ = rest.tb_next if rest else None
            return error
        return None


def _hide_traces(directory: str, guests_path: list[str]) -> None:
    """Make the interpreter look freshly started: remove our modules from `sys.modules`. They stay in memory."""
    for name in [name for name in sys.modules if name.partition(".")[0] == _PACKAGE]:
        del sys.modules[name]
    sys.path[:] = [directory, *guests_path]
    for entry in [entry for entry in sys.path_importer_cache if entry not in guests_path]:
        del sys.path_importer_cache[entry]
