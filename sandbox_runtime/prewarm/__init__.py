"""Pre-warmed runs and waiting commands: started in advance, each used for one run."""

from sandbox_runtime.prewarm.data_slot import DataSlot
from sandbox_runtime.prewarm.prewarmed_slot import PrewarmedSlot
from sandbox_runtime.prewarm.waiting_pool import WaitingPool

__all__ = ["DataSlot", "PrewarmedSlot", "WaitingPool"]
