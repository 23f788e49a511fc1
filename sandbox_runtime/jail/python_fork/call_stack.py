"""Call functions with an empty call stack below them, as the interpreter calls a main program.

A process that was forked from a warm template is still deep in the template's call stack. We clear one pointer of the
thread state during the call, and restore it afterwards.
"""

import ctypes
import sys
from collections.abc import Callable
from functools import partial
from typing import Any

from sandbox_runtime.jail.errors import JailError

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
