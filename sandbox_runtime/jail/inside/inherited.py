"""Properties that a process inherits over fork and exec, and that no guest may get from the runner."""

import os
import signal

from sandbox_runtime.jail.errors import JailError

# An interpreter ignores these itself.
_IGNORED_BY_PYTHON = (signal.SIGPIPE, signal.SIGXFSZ)


def forget_inherited() -> None:
    """In the template: reset the inherited properties. Raises JailError."""
    _reset_signals()
    _reset_priority()


def _reset_signals() -> None:
    """A shell's background job ignores SIGINT, and `nohup` SIGHUP. Where SIGCHLD is ignored, wait(2) finds no child."""
    for number in signal.valid_signals():
        if signal.getsignal(number) is signal.SIG_IGN and number not in _IGNORED_BY_PYTHON:
            signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


def _reset_priority() -> None:
    """A real-time guest would stop everything else on its CPU, and cannot enter a CPU cgroup v1, sched(7)."""
    try:
        if os.sched_getscheduler(0) in {os.SCHED_FIFO, os.SCHED_RR}:
            os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
        if os.getpriority(os.PRIO_PROCESS, 0) < 0:
            os.setpriority(os.PRIO_PROCESS, 0, 0)
    except OSError as error:
        raise JailError("reset priority", errno=error.errno or 0) from error


def reset_for_exec() -> None:
    """In a run's process: reset the interpreter's signal dispositions. Exec resets handlers by itself."""
    for number in _IGNORED_BY_PYTHON:
        signal.signal(number, signal.SIG_DFL)
