"""The timeout of each step of the jail's own set-up. It belongs to the host, so a process has one value."""

from dataclasses import dataclass


@dataclass(slots=True)
class SetupTimeout:
    """For the start of a template, the set-up of a run and the end of killed processes. It ends steps that hang.

    A command changes it once, before the first slot. No control and no limit of a program depends on it.
    """

    secs: float


SETUP_TIMEOUT = SetupTimeout(10.0)
