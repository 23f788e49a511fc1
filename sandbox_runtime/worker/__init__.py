"""The worker: receive executions from the queues and over HTTP, run them in slots, send their completions."""

from sandbox_runtime.worker.interactor_slots import MOST_INTERACTORS, InteractorSlots
from sandbox_runtime.worker.managed_slot import ManagedSlot
from sandbox_runtime.worker.runner_facts import RunnerFacts
from sandbox_runtime.worker.service import Worker

__all__ = ["MOST_INTERACTORS", "InteractorSlots", "ManagedSlot", "RunnerFacts", "Worker"]
