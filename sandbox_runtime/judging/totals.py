"""Metrics and evidence of a judge run: sums over its cases, and the worst of them."""

from events.evidence import Evidence, Metrics
from events.vocabulary import Phase, Verdict
from sandbox_runtime.classify import Classification
from sandbox_runtime.executor import report
from sandbox_runtime.jail.spec import Outcome


class Totals:
    """Adds up the steps of a judge run. Steps of checkers do not count: they are not the program's."""

    def __init__(self) -> None:
        self._cpu_usec = self._wall_usec = self._own_wall_usec = self._setup_usec = 0
        self._memory_peak_bytes = self._runs = 0
        self._compile_usec: int | None = None
        self._is_cached: bool | None = None
        self._worst: tuple[tuple[bool, bool, int, int, bool], Evidence] | None = None

    def add_compilation(self, outcome: Outcome | None, found: Classification | None, usec: int) -> None:
        """Add the compile step. None: the program was in the cache, and `usec` is the time of the look-up."""
        self._compile_usec, self._is_cached = usec, outcome is None
        if outcome is not None and found is not None:
            self._setup_usec += outcome.setup_usec
            self._add_evidence(outcome, found)

    def add_run(self, outcome: Outcome, found: Classification) -> None:
        """Add the run of one case."""
        self._runs += 1
        self._cpu_usec += outcome.cpu_usec
        self._wall_usec += outcome.wall_usec
        self._own_wall_usec += outcome.own_wall_usec
        self._setup_usec += outcome.setup_usec
        self._memory_peak_bytes = max(self._memory_peak_bytes, report.memory_peak_bytes(outcome))
        self._add_evidence(outcome, found)

    @property
    def evidence(self) -> Evidence | None:
        """Return the evidence of the worst step. None: nothing ran."""
        return None if self._worst is None else self._worst[1]

    def metrics(self, queue_ms: float) -> Metrics | None:
        """Return the sums. None: nothing ran."""
        if self._worst is None:
            return None
        return Metrics(
            cpu_time_secs=self._cpu_usec / 1e6,
            wall_time_secs=self._wall_usec / 1e6,
            memory_peak_bytes=self._memory_peak_bytes,
            cpu_wall_ratio=report.cpu_wall_ratio(self._cpu_usec, self._wall_usec),
            divergence=report.divergence(self._cpu_usec, self._own_wall_usec),
            queue_ms=round(queue_ms, 3),
            setup_ms=self._setup_usec / 1e3,
            compile_ms=None if self._compile_usec is None else self._compile_usec / 1e3,
            run_ms=self._wall_usec / 1e3 if self._runs else None,
            compile_cached=self._is_cached,
        )

    def _add_evidence(self, outcome: Outcome, found: Classification) -> None:
        facts = outcome.evidence
        badness = (
            not facts.cleanup_verified,
            found.verdict is Verdict.IE,
            len(facts.controls_missing),
            len(facts.collection_errors),
            found.verdict is not Verdict.AC and found.phase is Phase.RUN,
        )
        if self._worst is None or badness > self._worst[0]:
            self._worst = badness, report.evidence(outcome, found)
