"""Completions without a measurement: a judge run that never starts, and a program that the cache has compiled."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from threading import Lock

from events.completed import Result
from events.evidence import Evidence, Metrics
from events.judged import CaseStream, Compilation, JudgeCompleted
from events.message import format_time
from events.requested import Addressee, JudgeRequested
from events.vocabulary import Actor, Cause, Phase, Verdict
from sandbox_runtime.classify import Classification
from sandbox_runtime.executor import report
from sandbox_runtime.jail.spec import Outcome

# Metrics and evidence of a judge run: sums over its cases, and the worst of them.


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


CACHED_COMPILATION = Compilation(
    result=Result(
        verdict=Verdict.AC,
        cause=Cause.NORMAL_EXIT,
        actor=Actor.RUNTIME,
        phase=Phase.COMPILE,
        exit_code=0,
        signal=None,
        error_message=None,
    ),
    stderr=CaseStream(0, b""),
    cpu_time_secs=0,
    wall_time_secs=0,
    memory_peak_bytes=0,
    cached=True,
)


def not_judged(request: JudgeRequested | Addressee, node_id: str, cause: Cause, message: str) -> JudgeCompleted:
    """Build the completion of a judge run that never starts. `message` is for the client."""
    now = format_time(datetime.now(UTC))
    failure = Result(
        verdict=Verdict.IE,
        cause=cause,
        actor=Actor.JUDGE,
        phase=Phase.RUN,
        exit_code=None,
        signal=None,
        error_message=message,
    )
    return JudgeCompleted(
        submission_id=request.submission_id,
        execution_id=request.execution_id,
        node_id=node_id,
        language=request.language,
        started_at=now,
        completed_at=now,
        failure=failure,
        compile=None,
        cases=(),
        cases_key=None,
        metrics=None,
        evidence=None,
    )


# Keep the outputs of a judge run's cases within bounds: their first bytes here, whole ones in the bucket.

MAX_STDOUT_HEAD_BYTES = 65_536
MAX_STDERR_HEAD_BYTES = 16_384
MAX_HEADS_BYTES = 3_145_728
"""Of all cases together: an answer of the API has at most 6 MB."""
MAX_MESSAGES_BYTES = 10_485_760
"""Messages of checkers in JSON, of all cases together: the functions read at most 16 MiB of results."""

type Store = Callable[[int, bytes], str]
"""Put the whole output of a case into the bucket, and return its key."""


class KeptOutputs:
    """The outputs of one judge run. Safe for threads. `store` may raise; then the judge run has no result."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._left_bytes = MAX_HEADS_BYTES
        self._left_message_bytes = MAX_MESSAGES_BYTES
        self._lock = Lock()

    def stdout(self, index: int, output: bytes) -> CaseStream:
        """Keep an output. All of it goes into the bucket when it does not fit here."""
        head = self._head(output, MAX_STDOUT_HEAD_BYTES)
        key = None if len(head) == len(output) else self._store(index, output)
        return CaseStream(len(output), head, key)

    def stderr(self, output: bytes) -> CaseStream:
        """Keep the first bytes only."""
        return CaseStream(len(output), self._head(output, MAX_STDERR_HEAD_BYTES))

    def compiler_output(self, output: bytes) -> CaseStream:
        """Keep the first bytes of the compiler's output."""
        return CaseStream(len(output), self._head(output, MAX_STDOUT_HEAD_BYTES))

    def message(self, text: str | None) -> str | None:
        """Keep a message. None: there is none, or those before it take up all of the space."""
        if text is None:
            return None
        size = len(json.dumps(text, ensure_ascii=False).encode())
        with self._lock:
            if size > self._left_message_bytes:
                return None
            self._left_message_bytes -= size
        return text

    def _head(self, output: bytes, most_bytes: int) -> bytes:
        with self._lock:
            head = output[: min(most_bytes, self._left_bytes)]
            self._left_bytes -= len(head)
        return head
