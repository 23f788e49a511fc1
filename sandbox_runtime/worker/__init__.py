"""The worker: receive executions from the queues and over HTTP, run them in slots, send their completions.

A message's way, by name:

1. `queue_intake.Poller` receives it. `QueueIntake.accept` makes it a job (`NewMessage`).
2. `scheduler.Capacity.enqueue` keeps the job until the share policy starts it. Its stored files are fetched meanwhile
   (`file_cache.Fetcher`).
3. `slots.SlotThreads` takes it: `NewMessage.run` calls `QueueIntake.handle`.
4. `run_request.RequestRunner.begin` makes its turns: `turns.ExecutionTurn` or `judge_turns.JudgeTurns`.
5. `QueueIntake.take_turn` calls `Turns.take`, which runs the program in the slot.
6. `RequestRunner.send` gives the completion to `reports.BatchSender`.

`direct_intake` takes the same way for HTTP requests. `control` has the wishes of clients about runs under way.
`heartbeats` tell the service about this runner. `service.Worker` makes all parts, starts and drains them.
"""

from sandbox_runtime.worker.file_cache import FileCache, FilesUnavailableError
from sandbox_runtime.worker.heartbeats import RunnerFacts
from sandbox_runtime.worker.service import Worker
from sandbox_runtime.worker.slots import MOST_INTERACTORS, InteractorSlots, ManagedSlot

__all__ = [
    "MOST_INTERACTORS",
    "FileCache",
    "FilesUnavailableError",
    "InteractorSlots",
    "ManagedSlot",
    "RunnerFacts",
    "Worker",
]
