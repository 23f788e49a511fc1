"""Programs that are started before there is something to run, and used once each."""

from sandbox_runtime.warm.pool import WaitingPool
from sandbox_runtime.warm.slot import WarmSlot

__all__ = ["WaitingPool", "WarmSlot"]
