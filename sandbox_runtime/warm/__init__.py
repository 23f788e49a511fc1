"""Pre-warmed runs and waiting commands: started in advance, each used for one run."""

from sandbox_runtime.warm.pool import WaitingPool
from sandbox_runtime.warm.slot import WarmSlot

__all__ = ["WaitingPool", "WarmSlot"]
