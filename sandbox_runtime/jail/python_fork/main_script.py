"""Run a script as the interpreter's main program, in a process that was forked from a warm template.

The script must see the same as with `python3 SCRIPT`: an empty call stack, a fresh `__main__`, the full recursion
limit, and the same end: tracebacks, exit codes, threads, atexit, flushing, destructors.
"""

import atexit
import builtins
import ctypes
import gc
import importlib
import importlib.machinery
import operator
import os
import random
import signal
import sys
import threading
import weakref
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from functools import partial
from types import ModuleType
from typing import Any

from sandbox_runtime.jail import syscalls
from sandbox_runtime.jail.errors import JailError

# Call functions with an empty call stack below them, as the interpreter calls a main program.
#
# A process that was forked from a warm template is still deep in the template's call stack. We clear one pointer of
# the thread state during the call, and restore it afterwards.

_api = ctypes.pythonapi
# _Py_DebugOffsets of CPython 3.13, pycore_runtime.h, which debuggers read.
_COOKIE, _MINOR_VERSION = b"xdebugpy", 0x30D
_OFFSETS_BYTES, _VERSION_AT, _FREE_THREADED_AT, _CURRENT_FRAME_AT, _WORD = 192, 8, 16, 184, 8
# PyThreadState of 3.13, cpython/pystate.h: the distances of two ints before current_frame.
_REMAINING_BEFORE, _LIMIT_BEFORE = 28, 24


def _word(data: bytes, offset: int) -> int:
    return int.from_bytes(data[offset : offset + _WORD], sys.byteorder)


class CallStack:
    """The call stack of the main thread. Raises JailError on another interpreter than CPython 3.13."""

    def __init__(self) -> None:
        data = bytes((ctypes.c_ubyte * _OFFSETS_BYTES).in_dll(_api, "_PyRuntime"))
        if not data.startswith(_COOKIE) or _word(data, _VERSION_AT) >> 16 != _MINOR_VERSION:
            raise JailError("warm up", hint="needs CPython 3.13")
        if _word(data, _FREE_THREADED_AT):
            raise JailError("warm up", hint="does not work with a free-threaded interpreter")
        get = _api.PyThreadState_Get
        get.restype = ctypes.c_void_p
        frame_at = get() + _word(data, _CURRENT_FRAME_AT)
        self._frame = ctypes.c_void_p.from_address(frame_at)
        self._remaining = ctypes.c_int.from_address(frame_at - _REMAINING_BEFORE)
        self._limit = ctypes.c_int.from_address(frame_at - _LIMIT_BEFORE)
        depth = self._limit.value - self._remaining.value
        if not self._frame.value or self._limit.value != sys.getrecursionlimit() or not 0 < depth < self._limit.value:
            raise JailError("warm up", hint="the thread state has an unexpected form")

    def call(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Call a function. A traceback starts with the entries of the caller and of this method."""
        bound = partial(function, *arguments)  # implemented in C, so a Python function that it calls has no caller
        saved, depth = self._frame.value, self._limit.value - self._remaining.value
        self._remaining.value = self._limit.value
        try:
            # Between these two lines no Python function may be called.
            self._frame.value = None
            return bound()
        finally:
            self._frame.value = saved
            self._remaining.value = self._limit.value - depth


# End the interpreter as Py_FinalizeEx does (cpython/Python/pylifecycle.c), without the template's modules.
#
# The real function finalises every module of the template. That writes to all their pages, and takes longer than most
# programs. Here we finalise only the program's own objects, in the same order, and exit.

FAILED_FLUSH = 120  # pylifecycle.c
_flush_c_streams = ctypes.CDLL(None).fflush
_join_threads = threading._shutdown  # type: ignore[attr-defined] # noqa: SLF001 - Py_FinalizeEx calls it
_flush = operator.methodcaller("flush")  # implemented in C: adds no frame of ours
_run_exit_functions = atexit._run_exitfuncs  # noqa: SLF001 - same


def exit_code(error: SystemExit) -> int:
    """Return the exit code of a SystemExit, and print its text, as handle_system_exit of pythonrun.c does."""
    code = error.code
    if code is None:
        return 0
    if isinstance(code, int):
        return code & 0xFF if -(1 << 63) <= code < 1 << 63 else 0xFF
    with suppress(Exception):
        sys.stderr.write(str(code))
        sys.stderr.write("\n")
    return 1


def show_uncaught(stack: CallStack, error: BaseException) -> int:
    """Report an uncaught exception with `sys.excepthook`, as PyErr_PrintEx of pythonrun.c. Returns the exit code."""
    sys.last_exc = sys.last_value = error
    sys.last_type, sys.last_traceback = type(error), error.__traceback__
    try:
        stack.call(sys.excepthook, type(error), error, error.__traceback__)
    except SystemExit as left:
        return exit_code(left)
    except BaseException as raised:  # noqa: BLE001 - the hook may raise anything
        second = raised
    else:
        return 1
    rest = second.__traceback__.tb_next if second.__traceback__ else None
    second.__traceback__ = rest.tb_next if rest else None
    sys.stderr.write("Error in sys.excepthook:\n")
    sys.__excepthook__(type(second), second, second.__traceback__)
    sys.stderr.write("\nOriginal exception was:\n")
    sys.__excepthook__(type(error), error, error.__traceback__)
    return 1


def flush_io(stack: CallStack) -> None:
    """Flush the streams after the main program and before its error is shown, as pythonrun.c. Ignores failures."""
    for name in ("stderr", "stdout"):
        with suppress(BaseException):  # a stream of the program may raise anything
            stack.call(_flush, getattr(sys, name, None))


def _flushed() -> bool:
    """Flush as flush_std_files does, and show a failure of stdout. False: a stream failed; the exit code changes."""
    good = True
    for stream in (sys.stdout, sys.stderr):
        if stream is None or getattr(stream, "closed", False):
            continue
        try:
            stream.flush()
        except BaseException as error:  # noqa: BLE001 - a stream of the program may raise anything
            good = False
            if stream is sys.stdout:
                _ignore(error, "on flushing sys.stdout")
    return good


def _ignore(error: BaseException, where: str) -> None:
    """Report an error as PyErr_FormatUnraisable does, without the traceback entry of our own function."""
    error.__traceback__ = error.__traceback__.tb_next if error.__traceback__ else None
    with suppress(Exception):
        sys.stderr.write(f"Exception ignored {where}:\n")
        sys.__excepthook__(type(error), error, error.__traceback__)


def _clear(stack: CallStack, namespace: dict[str, Any]) -> None:
    """Clear a module as _PyModule_ClearDict of moduleobject.c: names with one underscore first."""
    for first in (True, False):
        for name in list(namespace):
            if (name[:1] == "_" and name[1:2] != "_") is first and (first or name != "__builtins__"):
                stack.call(namespace.__setitem__, name, None)


def _own_modules(inherited: Mapping[str, ModuleType]) -> list[str]:
    """Return the names of the program's modules. They come last, unless the program replaced one of ours."""
    count = len(inherited)
    # Lists compare identical items without a call.
    if list(sys.modules.values())[:count] == list(inherited.values()):
        return list(sys.modules)[count:]
    return [name for name, module in sys.modules.items() if inherited.get(name) is not module]


def _destroy(stack: CallStack, inherited: Mapping[str, ModuleType]) -> None:
    """Do as finalize_modules with the program's modules: release all, then clear those that are still referenced.

    Destructors run here, so each step that may call one has an empty call stack.
    """
    # The last reported error refers to objects of the program.
    for name in ("last_exc", "last_type", "last_value", "last_traceback"):
        stack.call(sys.__dict__.pop, name, None)
    for name in ("stdout", "stderr"):
        stack.call(setattr, sys, name, getattr(sys, f"__{name}__"))
    # At the real end `io` cannot be imported any more, so errors of destructors show no source.
    names = _own_modules(inherited)
    sys.modules["io"] = None  # type: ignore[assignment]
    held = []
    for name in names:
        with suppress(TypeError):  # a program may put any object there
            held.append(weakref.ref(sys.modules[name]))
        stack.call(sys.modules.__delitem__, name)
    stack.call(gc.collect)
    for reference in reversed(held):
        module = reference()
        if isinstance(module, ModuleType):
            _clear(stack, module.__dict__)
    stack.call(gc.collect)


def write_ahead(stack: CallStack, inherited: Mapping[str, ModuleType]) -> None:
    """Run the repeatable parts of `end`, to write to their pages in advance."""
    _own_modules(inherited)
    stack.call(gc.collect)


def end_interpreter(stack: CallStack, code: int, inherited: Mapping[str, ModuleType], *, interrupted: bool) -> None:
    """End the process. Never returns. `inherited`: the template's modules by name. `interrupted`: die of SIGINT."""
    try:
        stack.call(_join_threads)
    except BaseException as error:  # noqa: BLE001 - as wait_for_thread_shutdown of pylifecycle.c
        _ignore(error, "on threading shutdown")
    stack.call(_run_exit_functions)
    if not _flushed():
        code = FAILED_FLUSH
    _destroy(stack, inherited)
    _flushed()
    _flush_c_streams(None)
    if interrupted:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGINT)
    os._exit(code & 0xFF)


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
        # The script's `__main__` must come after all inherited modules: see `end_interpreter`.
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
        write_ahead(self._stack, self._inherited)

    def run(self) -> None:
        """Never returns."""
        name = self._path.encode()
        file = self._open_file(name, b"rb")
        if not file:
            raise JailError("open script", os.path.basename(self._path), ctypes.get_errno())
        namespace, self._namespace = self._namespace, {}  # at the end only the module may refer to it
        uncaught = self._execute(file, name, namespace)
        # From here on no exception is being handled, because hooks and exit functions must not see one.
        flush_io(self._stack)
        code = 0
        if isinstance(uncaught, SystemExit):
            code = exit_code(uncaught)
        else:
            if uncaught is not None:
                code = show_uncaught(self._stack, uncaught)
            for gone in ("__file__", "__cached__"):
                namespace.pop(gone, None)
        del namespace
        interrupted = isinstance(uncaught, KeyboardInterrupt)
        del uncaught
        end_interpreter(self._stack, code, self._inherited, interrupted=interrupted)

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
