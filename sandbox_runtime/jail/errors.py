"""The errors of the jail: a step of the set-up or of the supervision failed. A guest's failure never raises them."""

import os

NEEDS_ROOT = "the sandbox needs root: use sudo, or in a container `docker run --user 0`"


class JailError(Exception):
    """`step` failed on `target` with `errno` (0: none). `hint` says what to do. Repeat the run or answer IE."""

    def __init__(self, step: str, target: str = "", errno: int = 0, hint: str = "") -> None:
        self.step = step
        self.target = target
        self.errno = errno
        self.hint = hint
        reason = f": {os.strerror(errno)}" if errno else ""
        where = f" {target}" if target else ""
        super().__init__(f"{step}{where}{reason}" + (f" ({hint})" if hint else ""))

    @property
    def facts(self) -> dict[str, object]:
        """The arguments of an equal error, for another process."""
        return {"step": self.step, "target": self.target, "errno": self.errno, "hint": self.hint}


class TransientJailError(JailError):
    """A process of ours gave no answer in time, or was killed.

    It says nothing about what the host can do: a repeat may work.
    """
