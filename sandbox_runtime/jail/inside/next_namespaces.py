"""Create the next run's namespaces in advance: the template enters them, and the run's fork inherits them.

A net namespace is the most expensive part of a run's clone, and does not depend on the run. The clone still makes the
pid and mount namespaces: the first one needs a new process, the second one differs for each run.
The template shares nothing with a run through these namespaces: it has no named socket, shared memory or queue there.
"""

import os

from sandbox_runtime.jail import syscalls
from sandbox_runtime.jail.errors import JailError

_PREPARED = os.CLONE_NEWNET | os.CLONE_NEWIPC | os.CLONE_NEWUTS
# The cgroup namespace is made later, by the program itself: its root is the groups that it has entered by then.
_ALL = syscalls.CLONE_NEWPID | syscalls.CLONE_NEWNS | _PREPARED


class NextNamespaces:
    """Use it in the template: `make` before each run, then `flags` once. No two runs share namespaces."""

    def __init__(self) -> None:
        self._are_made = False

    def make(self) -> None:
        """Enter new namespaces. The last run must be dead. After a refusal the next clone tries, and reports it."""
        try:
            os.unshare(_PREPARED)
        except OSError:
            self._are_made = False
        else:
            self._are_made = True

    def flags(self) -> int:
        """Flags of clone(2) for one run: the namespaces that `make` has not made."""
        are_made, self._are_made = self._are_made, False
        return _ALL & ~_PREPARED if are_made else _ALL

    @staticmethod
    def enter_network(namespace: int, flags: int) -> int:
        """Enter a net namespace that was made elsewhere, and close its descriptor. Raises JailError.

        Returns `flags` without the net namespace, because the clone inherits this one. The next `make` leaves it.
        """
        try:
            os.setns(namespace, os.CLONE_NEWNET)
        except OSError as error:
            raise JailError("enter the net namespace", errno=error.errno or 0) from error
        finally:
            os.close(namespace)
        return flags & ~os.CLONE_NEWNET
