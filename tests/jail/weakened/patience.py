"""The jail's own time limits, which catch a template or an init that hangs, on a machine that is slow or busy."""

from sandbox_runtime.jail.supervisor import deadlines, template_process
from sandbox_runtime.jail.supervisor import watch as supervise
from tests.jail.weakened.limits import SLOWNESS

# Other stages of `make test` run beside this one.
_SETUP_SECS = deadlines.SETUP_SECS * max(6, SLOWNESS)


def be_patient() -> None:
    """For this process."""
    for module in (deadlines, supervise, template_process):
        assert hasattr(module, "SETUP_SECS")
        vars(module)["SETUP_SECS"] = _SETUP_SECS
    supervise._DEATH_MS = int(_SETUP_SECS * 1000)
