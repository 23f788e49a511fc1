"""The jail's own timeout, which catches a template or an init that hangs, on a machine that is slow or busy."""

from sandbox_runtime.jail import SETUP_TIMEOUT
from tests.jail.weakened.limits import SLOWNESS

# Other stages of `make test` run beside this one.
_SETUP_SECS = SETUP_TIMEOUT.secs * max(6, SLOWNESS)


def be_patient() -> None:
    """For this process."""
    SETUP_TIMEOUT.secs = _SETUP_SECS
