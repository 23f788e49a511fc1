"""The one error of the jail: a step of setting up or supervising a run failed. Never the guest's fault."""

import os


class JailError(Exception):
    """A step failed on a target with an errno (0 when there is none). The run must be repeated or end as IE."""

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
        """The arguments that make an equal error in another process."""
        return {"step": self.step, "target": self.target, "errno": self.errno, "hint": self.hint}
