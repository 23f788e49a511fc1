"""The jail's own time limits, which catch a template or an init that hangs, on a machine that is slow by itself."""

from sandbox_runtime.jail.supervisor import deadlines, template_process
from sandbox_runtime.jail.supervisor import watch as supervise
from tests.jail.weakened.limits import SLOWNESS

_SETUP_SECS = deadlines.SETUP_SECS * SLOWNESS


def be_patient() -> None:
    """For this process. On an ordinary machine it changes nothing."""
    for module in (deadlines, supervise, template_process):
        assert hasattr(module, "SETUP_SECS")
        vars(module)["SETUP_SECS"] = _SETUP_SECS
    supervise._DEATH_MS = int(_SETUP_SECS * 1000)
