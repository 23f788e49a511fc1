"""The worker: takes executions from the queues into slots and sends their completions."""

from sandbox_runtime.worker.place import ClosableSlot, Place
from sandbox_runtime.worker.runner_facts import Roster
from sandbox_runtime.worker.service import Worker

__all__ = ["ClosableSlot", "Place", "Roster", "Worker"]
