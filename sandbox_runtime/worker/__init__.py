"""The worker: receive executions from the queues and over HTTP, run them in slots, send their completions."""

from sandbox_runtime.worker.reporting.runner_facts import RunnerFacts
from sandbox_runtime.worker.service import Worker
from sandbox_runtime.worker.slots.interactor_slots import MOST_INTERACTORS, InteractorSlots
from sandbox_runtime.worker.slots.managed_slot import ManagedSlot

__all__ = ["MOST_INTERACTORS", "InteractorSlots", "ManagedSlot", "RunnerFacts", "Worker"]
