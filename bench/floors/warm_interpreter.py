"""An interpreter that is warm and forks for each source, without a jail: a program of its own, see `interpreter`.

`python3 -u warm_interpreter.py ROOT CONTROL_FD IMPORTS`: messages come by the control socket, one word and perhaps a
source, with the output's descriptor and perhaps one to read the source from. Each is answered by the exit status.

Its memory is made as that of the jail's templates: forks of an ordinary process of this size cost more than ours.
"""

import importlib
import os
import socket
import sys
from contextlib import suppress

ROOT, CONTROL_FD, IMPORTS = sys.argv[1], int(sys.argv[2]), sys.argv[3].split(",")
_SETTLED_AFTER = 3  # as in the jail's template
_WARMING_ROUNDS = 20
_MOST_BYTES = 1 << 16
_WARMING = "text = str(1 + 42)\n"


def main() -> None:
    sys.path.insert(0, ROOT)
    # Where objects lie is decided first, as in the jail's slot.
    first: dict[str, object] = {"__name__": "huge_pages"}
    with open(f"{ROOT}/sandbox_runtime/jail/python_fork/huge_pages.py", encoding="ascii") as file:  # noqa: PTH123 - no import yet
        exec(compile(file.read(), file.name, "exec"), first)  # noqa: S102 - our own file
    arenas = first["ArenasInHeap"]()  # type: ignore[operator] # a class of that file
    from sandbox_runtime.jail import syscalls  # noqa: PLC0415 - the path is known by now
    from sandbox_runtime.jail.python_fork.fork import keep_shared  # noqa: PLC0415

    namespaces = syscalls.CLONE_NEWPID | syscalls.CLONE_NEWNS | syscalls.CLONE_NEWNET
    namespaces |= syscalls.CLONE_NEWIPC | syscalls.CLONE_NEWUTS
    if os.geteuid() != 0:
        namespaces |= syscalls.CLONE_NEWUSER
    for name in IMPORTS:
        with suppress(ImportError):
            importlib.import_module(name)
    for _ in range(_WARMING_ROUNDS):
        exec(compile(_WARMING, "<warm>", "exec"), {"__name__": "warm"})  # noqa: S102 - our own text above
    control = socket.socket(fileno=CONTROL_FD)
    keep_shared()
    arenas.collapse()
    number = 0
    while True:
        message, fds, _, _ = socket.recv_fds(control, _MOST_BYTES, 2)
        if not message:
            return
        number += 1
        if number == _SETTLED_AFTER:
            arenas.collapse()
        word, _, source = message.partition(b"\n")
        pid, pidfd = syscalls.clone_process(0 if word == b"plain" else namespaces)
        if pid == 0:
            control.close()
            _become(fds, source)
        for fd in (*fds, pidfd):
            os.close(fd)
        _, status = os.waitpid(pid, 0)
        control.send(str(status).encode())


def _become(fds: list[int], source: bytes) -> None:
    """The program, and its end. Never returns."""
    code = 1
    try:
        os.dup2(fds[0], 1)
        os.close(fds[0])
        if len(fds) > 1:
            source = os.read(fds[1], _MOST_BYTES)
        exec(compile(source, "solution.py", "exec"), {"__name__": "__main__"})  # noqa: S102 - the benchmark's own
        sys.stdout.flush()
        code = 0
    finally:
        os._exit(code)


if __name__ == "__main__":
    main()
