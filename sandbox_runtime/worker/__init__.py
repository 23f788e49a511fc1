"""The worker: receive executions from the queues and over HTTP, run them in slots, send their completions.

A message's way, by name:

1. `intake.polling.Poller` receives it. `intake.queue_intake.QueueIntake.accept` makes it a job (`NewMessage`).
2. `slots.capacity.Capacity.enqueue` keeps the job until the share policy starts it. Its stored files are fetched
   meanwhile (`files.fetching.Fetcher`).
3. `slots.slot_threads.SlotThreads` takes it: `NewMessage.run` calls `QueueIntake.handle`.
4. `run_request.RequestRunner.begin` makes its turns: `execution_turn.ExecutionTurn` or `judge_turns.JudgeTurns`.
5. `QueueIntake.take_turn` calls `Turns.take`, which runs the program in the slot.
6. `RequestRunner.send` gives the completion to `reporting.queue_batches.BatchSender`.

`intake.direct_intake` takes the same way for HTTP requests. `service.Worker` makes all parts, starts and drains them.
"""

from sandbox_runtime.worker.file_cache import FileCache, FilesUnavailableError
from sandbox_runtime.worker.heartbeats import RunnerFacts
from sandbox_runtime.worker.service import Worker
from sandbox_runtime.worker.slots import MOST_INTERACTORS, InteractorSlots
from sandbox_runtime.worker.slots import ManagedSlot

__all__ = [
    "MOST_INTERACTORS",
    "FileCache",
    "FilesUnavailableError",
    "InteractorSlots",
    "ManagedSlot",
    "RunnerFacts",
    "Worker",
]
