"""Namespaces of the next run, made before anybody asks for it: the template stands in them, and its fork inherits them.

A net namespace costs the kernel more than all else that a fork gets, and nothing in it depends on the run. The process
and mount namespaces are still made by the clone: the first needs a process of its own, the second is filled per run.
The template shares nothing through the others: it has no socket with a name, no shared memory and no queue in them.
"""

import os

from sandbox_runtime.jail import syscalls

_PREPARED = os.CLONE_NEWNET | os.CLONE_NEWIPC | os.CLONE_NEWUTS
# The cgroup namespace is made later, by the program itself: its root is the groups that it has entered by then.
_ALL = syscalls.CLONE_NEWPID | syscalls.CLONE_NEWNS | _PREPARED


class NextNamespaces:
    """Make it in the template. No two runs get the same: `flags` uses up what `make` made.

    In a user namespace nothing is made ahead: there each run has a user namespace too, which must own the others.
    """

    def __init__(self, *, in_user_namespace: bool) -> None:
        self._all = _ALL | (syscalls.CLONE_NEWUSER if in_user_namespace else 0)
        self._is_possible = not in_user_namespace
        self._are_made = False

    def make(self) -> None:
        """Leave those of the last run, which must be dead. Where the kernel refuses, the next clone tries, and says."""
        self._are_made = False
        if self._is_possible:
            try:
                os.unshare(_PREPARED)
            except OSError:
                return
            self._are_made = True

    def flags(self) -> int:
        """For clone(2): what it still has to make for one run."""
        are_made, self._are_made = self._are_made, False
        return self._all & ~_PREPARED if are_made else self._all
