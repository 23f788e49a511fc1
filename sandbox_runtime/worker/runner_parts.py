"""The parts of a runner that all its requests share."""

from collections.abc import Mapping
from dataclasses import dataclass
from threading import Event

from sandbox_runtime.executor import CompileCache, Networks
from sandbox_runtime.languages import Language
from sandbox_runtime.metrics import Metrics
from sandbox_runtime.transport import Transport
from sandbox_runtime.worker.files.fetching import Fetcher
from sandbox_runtime.worker.live_outputs import LiveOutputs
from sandbox_runtime.worker.reporting.long_runs import LongRuns
from sandbox_runtime.worker.reporting.progress import ProgressReports
from sandbox_runtime.worker.run_stops import RunStops
from sandbox_runtime.worker.slots.interactor_slots import InteractorSlots
from sandbox_runtime.worker.slots.second_slot import SecondSlots


@dataclass(frozen=True, slots=True)
class RunnerParts:
    """`stops` and `live_outputs`: of the requests under way. `quit_now`: when set, stop every retry.

    `networks`: None: this host cannot give a run the network that it asks for.
    """

    transport: Transport
    languages: Mapping[str, Language]
    node_id: str
    stops: RunStops
    live_outputs: LiveOutputs
    quit_now: Event
    compile_cache: CompileCache
    metrics: Metrics
    long_runs: LongRuns
    progress: ProgressReports
    interactor_slots: InteractorSlots
    second_slots: SecondSlots
    fetcher: Fetcher
    networks: Networks | None = None
