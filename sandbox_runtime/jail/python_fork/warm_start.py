"""Start a warm template: the interpreter of one command, up to the first line of its script.

A run of exactly that command is a fork of the template, and does not start the interpreter again.
"""

import os
import sys
from dataclasses import dataclass
from pathlib import Path

# The script reads its code from the control socket. So the command line and the environment, which guests inherit, say
# nothing about the host.
_SCRIPT = """\
import os, sys
exec(os.read({fd}, 1 << 20).decode(), {{"__name__": "template", "__builtins__": __builtins__, "PATH": sys.path[1:]}})
"""
_FROM_OVERLAY = """\
import sys
sys.path.insert(0, sys.argv[1])
from sandbox_runtime.jail.controls.own_inodes import execute_from_overlay
execute_from_overlay(sys.argv[2:])
"""


@dataclass(frozen=True, slots=True)
class WarmStart:
    """`argv`: an interpreter of the host, its options, and last the name of a script in the working directory.

    `environment`: the whole environment. `imports`: modules to import before any run. `setup`: Python text that the
    template executes after that. Each run calls its function `after_fork`, which renews random numbers.
    """

    argv: tuple[str, ...]
    environment: tuple[tuple[str, str], ...]
    imports: tuple[str, ...]
    setup: str = ""

    @property
    def is_possible(self) -> bool:
        """Whether this process runs on the same interpreter."""
        own = getattr(sys, "_base_executable", sys.executable)
        return os.path.realpath(self.argv[0]) == os.path.realpath(own)

    def matches(self, argv: tuple[str, ...], environment: tuple[tuple[str, str], ...]) -> bool:
        """Whether a run of this command may be a fork of the template."""
        return argv == self.argv and environment == self.environment


def template_command(
    warm: WarmStart | None, control_fd: int, directory: Path, root: str
) -> tuple[list[str], dict[str, str]]:
    """Return the command and environment of a template process. Start it in `directory`, which gets the script.

    `root`: the directory of this package.
    """
    if warm is not None:
        (directory / warm.argv[-1]).write_text(_SCRIPT.format(fd=control_fd), encoding="ascii")
        command = [warm.argv[0], "-I", "-S", "-c", _FROM_OVERLAY, root, *warm.argv]
        return command, dict(warm.environment)
    # -I -S: no site packages, no environment, no working directory on the path. The base interpreter, because
    # a virtual environment's is not inside the guest root.
    interpreter = getattr(sys, "_base_executable", sys.executable)
    command = [interpreter, "-I", "-S", "-c", _SCRIPT.format(fd=control_fd)]
    return command, {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"}
