"""End the interpreter as Py_FinalizeEx does (cpython/Python/pylifecycle.c), without the template's modules.

The real function finalises every module of the template. That writes to all their pages, and takes longer than most
programs. Here we finalise only the program's own objects, in the same order, and exit.
"""

import atexit
import ctypes
import gc
import operator
import os
import signal
import sys
import threading
import weakref
from collections.abc import Mapping
from contextlib import suppress
from types import ModuleType
from typing import Any

from sandbox_runtime.jail.python_fork.call_stack import CallStack

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


def show(stack: CallStack, error: BaseException) -> int:
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


def end(stack: CallStack, code: int, inherited: Mapping[str, ModuleType], *, interrupted: bool) -> None:
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
